"""What a deployment says of its hospitals: facilities and local code rows, read again when a file changes.

Files: HUB_FACILITIES_FILE, HUB_CODE_TABLES_DIR (docs/settings.md). A file that cannot be read keeps the last good
tables in force and is named in the log: one slip of an editor must not stop every hospital.
"""

import csv
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.facilities import Facilities
from hub.problems import CannotStart

log = logging.getLogger("hub.adt")
Table = TypeVar("Table")
Stamp = tuple[tuple[str, int, int], ...]


class Reloading(Generic[Table]):
    """A value made from files, made again when one of them changed."""

    def __init__(self, paths: Callable[[], list[Path]], make: Callable[[], Table]):
        self._paths = paths
        self._make = make
        self._seen: Stamp | None = None
        self._value: Table | None = None

    def __call__(self) -> Table:
        stamp = tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in self._paths() if p.is_file())
        if stamp != self._seen or self._value is None:
            self._read(stamp)
        if self._value is None:
            raise ValueError("The local tables could not be read; the log names the file")
        return self._value

    def _read(self, stamp: Stamp) -> None:
        self._seen = stamp
        try:
            self._value = self._make()
        except (ValueError, OSError) as error:
            if self._value is None:
                raise
            log.error("local tables kept as they were: %s", error)


@dataclass(frozen=True, slots=True)
class LocalTables:
    """`facilities()` and `codes()` are current at each call."""

    facilities: Callable[[], Facilities]
    codes: Callable[[], CodeTables]


def local_tables(facilities_file: Path, code_tables_dir: Path) -> LocalTables:
    return LocalTables(
        Reloading(lambda: [facilities_file], lambda: _facilities(facilities_file)),
        Reloading(lambda: sorted(code_tables_dir.glob("*.csv")), lambda: _codes(code_tables_dir)),
    )


def _codes(folder: Path) -> CodeTables:
    return CodeTables.load(folder if folder.is_dir() else None)


def _facilities(path: Path) -> Facilities:
    if not path.is_file():
        return Facilities({})
    with path.open(encoding="utf-8-sig", newline="") as file:
        return Facilities.load(csv.DictReader(file))


def must_be_usable(tables: LocalTables) -> None:
    """Before a start. Raises CannotStart."""
    try:
        tables.facilities()
        tables.codes()
    except (ValueError, OSError) as error:
        raise CannotStart(f"A local table cannot be used: {error}") from None
