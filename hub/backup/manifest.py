"""The manifest of a backup: what is in it, with sizes and SHA-256, of which release and schema.

It is written last, so a folder without one is no backup. Whoever can write the folder can write the manifest anew:
keep backups where the hub's own account cannot change them (docs/backup.md).
Refuses (CannotStart): a manifest that cannot be read; files that are missing, changed, or not named by it.
"""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path

import msgspec

from hub.problems import CannotStart

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class File:
    """A file of the backup by its name there; `bytes` is its size, `sha256` in hexadecimal."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`began`: UTC, ISO 8601; what was acknowledged before is in it. `database` is `sqlite` or `postgresql`,
    `dump` its file, `audit_head` the end of the audit's chain as the backup has it, or an earlier one."""

    format: int
    began: str
    release: str
    database: str
    schema: str
    dump: str
    audit_head: str
    files: tuple[File, ...]


def looked_at(folder: Path, name: str) -> File:
    """A file as it is now."""
    path = folder / name
    return File(name, path.stat().st_size, sha256_of(path))


def sha256_of(path: Path) -> str:
    """Of the file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def write(folder: Path, manifest: Manifest) -> None:
    """On the disk when it returns."""
    text = msgspec.json.format(msgspec.json.encode(asdict(manifest)), indent=2)
    with open(os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Manifest:
    try:
        found = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        raise CannotStart(f"{folder} is no backup of a hub: it has no {NAME} that can be read.") from None
    if found.format != FORMAT:
        raise CannotStart(f"{folder} was made by a release with another kind of backup ({found.format}).")
    return found


def check(folder: Path, manifest: Manifest) -> None:
    """Every file is as it was written, and there is no other."""
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {NAME}
    wrong = [*_wrong(folder, manifest.files, there), *sorted(there - {file.name for file in manifest.files})]
    if manifest.dump not in {file.name for file in manifest.files}:
        wrong.append(manifest.dump)
    if wrong:
        raise CannotStart(f"The backup is not as it was made: {', '.join(wrong[:10])}. Nothing was restored.")


def _wrong(folder: Path, files: Iterable[File], there: set[str]) -> list[str]:
    return [file.name for file in files if file.name not in there or looked_at(folder, file.name) != file]
