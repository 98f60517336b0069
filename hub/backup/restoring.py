"""A backup is put back, into an empty place only: no database, and none of the files that it holds, unless one is
there as the backup has it (a key or tables that the deployment brings).

Everything is looked at before anything is written: the manifest, every file's hash, the schema, the place. A
restore that was cut off leaves a place that is not empty, and the next one says what is in the way.
Refuses (CannotStart): another kind of database, a schema that is newer than this release's.
"""

import os
import shutil
from pathlib import Path

from hub.audit.journal import sync_folder
from hub.backup import contents, databases, manifest
from hub.backup.manifest import Manifest
from hub.problems import CannotStart
from hub.settings import Settings
from hub.store.engine import Database
from hub.store.schema import newest


def restore(folder: Path, settings: Settings, database: Database, jobs: int = 1) -> Manifest:
    """The hub of the backup, where the settings say. Raises CannotStart."""
    held = checked(folder)
    if held.database != database.url.get_backend_name():
        raise CannotStart(f"This is a backup of {held.database}; HUB_DATABASE_URL names another kind of database.")
    if held.schema > newest():
        raise CannotStart(f"The backup has schema {held.schema}, this release {newest()}: use a newer release.")
    missing = _missing(held, settings)
    databases.must_be_empty(database)
    for name, target in missing.items():
        _put(folder / name, target)
    databases.load(database.url, folder / held.dump, jobs)
    if database.is_sqlite:
        sync_folder(Path(str(database.url.database)).parent)
    return held


def _missing(held: Manifest, settings: Settings) -> dict[str, Path]:
    """The files that are to be put, by their name in the backup. Raises CannotStart: another one is there."""
    found = {}
    for file in held.files:
        if file.name == held.dump:
            continue
        target = _target(settings, file.name)
        if not target.exists():
            found[file.name] = target
        elif not target.is_file() or manifest.sha256_of(target) != file.sha256:
            raise CannotStart(f"A backup is restored into an empty place only, and there is {target}.")
    return found


def checked(folder: Path) -> Manifest:
    """The manifest of a backup that is as it was made. Raises CannotStart."""
    held = manifest.read(folder)
    manifest.check(folder, held)
    return held


def _target(settings: Settings, name: str) -> Path:
    try:
        return contents.target(settings, name)
    except ValueError as error:
        raise CannotStart(f"The manifest cannot be used: {error}.") from None


def _put(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        path.open("rb") as source,
        open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
    ):
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(target.parent)
