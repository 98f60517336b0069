"""The bytes of files, by what they are: a folder of the data directory that all nodes share.

A file is there in whole or not at all, and on the disk before its message is. The folder is marked: one without the
mark is not it, as where a network file system is not mounted yet (hub.feeds.arriving).
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

BLOCK = 1 << 20
MARK = ".calaim-hub"
DIGEST = re.compile(r"[0-9a-f]{64}")


def digest_of(path: Path) -> str:
    found = sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def is_marked(folder: Path) -> bool:
    return (folder / MARK).exists()


def mark(folder: Path) -> None:
    """From now on this is the folder. It is made where it is not there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / MARK).touch(mode=0o600)


def kept(folder: Path) -> Iterator[str]:
    """The digests of what is in it."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (entry.name for entry in entries if DIGEST.fullmatch(entry.name))


def keep(folder: Path, path: Path) -> str:
    """A copy of the file, or of all files of a folder as one ZIP (stored); its digest."""
    return _kept(folder, lambda draft: _copy(path, draft))


def keep_pieces(folder: Path, pieces: Iterable[bytes]) -> str:
    """What comes in piece by piece; its digest. Nothing stays where a piece raises."""
    return _kept(folder, lambda draft: _write(pieces, draft))


def _kept(folder: Path, fill: Callable[[Path], None]) -> str:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder / f".{os.getpid()}-{os.urandom(8).hex()}"
    try:
        fill(draft)
        with suppress(OSError):
            draft.chmod(0o600)
        digest = digest_of(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(folder / digest)
        _sync(folder)
        return digest
    finally:
        draft.unlink(missing_ok=True)


def _write(pieces: Iterable[bytes], draft: Path) -> None:
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.writelines(pieces)


def _copy(path: Path, draft: Path) -> None:
    if path.is_dir():
        _zip(path, draft)
    else:
        shutil.copyfile(path, draft)


def _zip(folder: Path, draft: Path) -> None:
    """The same bytes for the same files: names in order, no times."""
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

    with ZipFile(draft, "w", ZIP_DEFLATED) as archive:
        for path in sorted(one for one in folder.iterdir() if one.is_file()):
            info = ZipInfo(path.name)
            info.compress_type = ZIP_DEFLATED
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, BLOCK)


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def path_of(folder: Path, digest: str) -> Path:
    return folder / digest
