"""Code tables: CSV files, one row a target coding. The engine looks up and never decides.

Rules: v2-to-FHIR IG 1.0.0 table maps; each row says where it comes from in its column `source`.
- Several rows of one code give several codings. A row with an empty target says: known, FHIR has no code for it.
- An overlay directory may hold files of the same names; its rows replace all rows of the same code.
Refuses: a code without a row (UnmappedCode), a shipped or overlay file with other columns (ValueError).
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_mappings.adt.problems import UnmappedCode

SHIPPED = Path(__file__).parent / "code_tables"
COLUMNS = ["code", "system", "target", "display", "source"]


@dataclass(frozen=True, slots=True)
class Target:
    system: str
    code: str
    display: str

    def coding(self) -> dict[str, str]:
        pairs = (("system", self.system), ("code", self.code), ("display", self.display))
        return {key: value for key, value in pairs if value}


Table = Mapping[str, tuple[Target, ...]]


@dataclass(frozen=True, slots=True)
class CodeTables:
    """All tables by file name without suffix, such as `0112`."""

    tables: Mapping[str, Table]

    @classmethod
    def load(cls, overlay: Path | None = None) -> "CodeTables":
        """The shipped tables, with the overlay's rows on top. Reads files: call it once, at the front door."""
        tables = {path.stem: read_table(path) for path in sorted(SHIPPED.glob("*.csv"))}
        for path in sorted(overlay.glob("*.csv")) if overlay else ():
            tables[path.stem] = {**tables.get(path.stem, {}), **read_table(path)}
        return cls(tables)

    def knows(self, table: str, code: str) -> bool:
        return code in self.tables.get(table, {})

    def targets(self, table: str, code: str, where: str) -> tuple[Target, ...]:
        """The rows of a code. Raises UnmappedCode at `where`."""
        found = self.tables.get(table, {}).get(code)
        if found is None:
            raise UnmappedCode(table, code, where)
        return tuple(target for target in found if target.code)

    def code(self, table: str, code: str, where: str) -> str | None:
        """The one FHIR code (for elements of type `code`), or None where FHIR has none."""
        found = self.targets(table, code, where)
        return found[0].code if found else None

    def coding(self, table: str, code: str, where: str) -> dict[str, str]:
        return self.targets(table, code, where)[0].coding()

    def concept(self, table: str, code: str, where: str, text: str = "") -> dict[str, Any]:
        """A CodeableConcept with all codings, and the sender's own words as text."""
        codings = [target.coding() for target in self.targets(table, code, where)]
        concept: dict[str, Any] = {"coding": codings} if codings else {}
        return concept | {"text": text} if text else concept


def read_table(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        if rows.fieldnames != COLUMNS:
            raise ValueError(f"{path.name}: columns must be {','.join(COLUMNS)}")
        return _grouped(rows)


def _grouped(rows: Iterable[Mapping[str, str]]) -> Table:
    table: dict[str, tuple[Target, ...]] = {}
    for row in rows:
        target = Target(row["system"], row["target"], row["display"])
        table[row["code"]] = (*table.get(row["code"], ()), target)
    return table
