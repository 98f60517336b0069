"""The files of the HUD HMIS CSV export and their columns, from columns.csv: one row a column.

Rules: HMIS CSV Format Specifications FY2024 and FY2026, as the HMIS warehouse of Green River reads them
(docs/hmis.md: what is not known). Types: S text, I whole number, D date, T date and time. `list` is the list of
HUD's codes (fhir_mappings/hmis/code_lists.csv); where no list is known, any whole number is taken.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

VERSIONS: Final = ("2024", "2026")
TEXT, NUMBER, DATE, MOMENT = "S", "I", "D", "T"


@dataclass(frozen=True, slots=True)
class Column:
    """A row of the table. `length` 0: none is known."""

    name: str
    type: str
    length: int
    required: bool
    versions: tuple[str, ...]
    codes: str


def _files() -> dict[str, tuple[Column, ...]]:
    found: dict[str, tuple[Column, ...]] = {}
    text = files("adapters.hmis").joinpath("columns.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        length, versions = int(row["length"] or 0), tuple(row["versions"].split())
        column = Column(row["column"], row["type"], length, row["required"] == "yes", versions, row["list"])
        found[row["file"]] = (*found.get(row["file"], ()), column)
    return found


FILES: Final[Mapping[str, tuple[Column, ...]]] = _files()  # in the order in which they are read
EXPORT = "Export"


def columns(file: str, version: str) -> tuple[Column, ...]:
    """The columns of a file in a version of the export."""
    return tuple(column for column in FILES[file] if version in column.versions)


def key_of(file: str) -> str:
    """The column that names a row for ever: the first one."""
    return FILES[file][0].name
