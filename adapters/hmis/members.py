"""The files of an export, by name, from a ZIP or a folder: they are read in an order of their own.

Rules: HMIS CSV: 24 files of fixed names. The archive is looked through first (adapters.files.archives), and stays
open while its files are read.
Refuses: what adapters.files.archives refuses.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast
from zipfile import ZipFile, is_zipfile

from adapters.files.archives import safe_members
from hub.feeds.records import Reject

Open = Callable[[], BinaryIO]


@contextmanager
def opened(path: Path) -> Iterator[dict[str, Open] | Reject]:
    """How to open each file, by its name in small letters; or why nothing is."""
    found = list(safe_members(path))
    refused = next((one for one in found if isinstance(one, Reject)), None)
    if refused is not None:
        yield refused
    elif path.is_dir() or not is_zipfile(path):
        yield {one.key: one.open for one in found if not isinstance(one, Reject)}
    else:
        with ZipFile(path) as archive:
            yield _of(archive, {one.key for one in found if not isinstance(one, Reject)})


def _of(archive: ZipFile, names: set[str]) -> dict[str, Open]:
    infos = ((PurePosixPath(info.filename).name.casefold(), info) for info in archive.infolist())
    return {
        name: lambda info=info: cast(BinaryIO, archive.open(info))  # type: ignore[misc]
        for name, info in infos
        if name in names and not info.is_dir()
    }
