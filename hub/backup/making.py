"""A backup is made: while the hub runs, on one node of it.

First what lies beside the database joins it (arrivals of SQLite, records of this node's audit), then the database
is copied as of one moment, then files. So whatever was acknowledged before it began is in it, and every file that
the copied database speaks of. The folder gets its name, the moment it began, when everything is on the disk.
"""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub.audit import store as audit
from hub.audit.journal import sync_folder
from hub.backup import contents, databases, manifest
from hub.backup.manifest import Manifest
from hub.problems import CannotStart
from hub.settings import Settings
from hub.store.engine import Database

NAMED = "%Y%m%dT%H%M%SZ"
OURS = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up. `gather` brings what lies beside the database into it."""

    settings: Settings
    database: Database
    gather: Callable[[], object]
    release: str


def make(source: Source, parent: Path, now: datetime, with_key: bool = True) -> Path:
    """A new folder in `parent`, named by `now` (UTC). It is not there where this raises: CannotStart, Problem,
    OSError."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder, draft = parent / now.strftime(NAMED), parent / f".{now.strftime(NAMED)}-{os.getpid()}"
    if folder.exists():
        raise CannotStart(f"{folder} is there already.")
    draft.mkdir(mode=0o700)
    try:
        _fill(source, draft, now, with_key)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync_folder(parent)
    return folder


def _fill(source: Source, draft: Path, now: datetime, with_key: bool) -> None:
    source.gather()
    with source.database.read() as connection:
        head = audit.head(connection)
    schema = databases.schema(source.database)
    dumped = databases.dump(source.database, draft)
    names = [dumped]
    for name, path in contents.found(source.settings, with_key):
        if _copied(path, draft / name):
            names.append(name)
    for name in names:
        (draft / name).chmod(0o600)
        _sync(draft / name)
    files = tuple(manifest.looked_at(draft, name) for name in names)
    kind = source.database.url.get_backend_name()
    began = now.isoformat(timespec="seconds")
    made = Manifest(manifest.FORMAT, began, source.release, kind, schema, dumped, str(head), files)
    manifest.write(draft, made)
    for one in {draft, *((draft / name).parent for name in names)}:
        sync_folder(one)


def _copied(path: Path, to: Path) -> bool:
    """False where it went meanwhile: bytes of a file that is done with."""
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        shutil.copyfile(path, to)
    except FileNotFoundError:
        return False
    return True


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def forget(parent: Path, keep: int) -> list[str]:
    """All but the newest `keep` backups of the folder go; their names. What is not named as one stays."""
    names = sorted(path.name for path in parent.iterdir() if OURS.fullmatch(path.name) and _is_one(path))
    gone = names[:-keep] if keep else []
    for name in gone:
        shutil.rmtree(parent / name)
    return gone


def _is_one(folder: Path) -> bool:
    return (folder / manifest.NAME).is_file()
