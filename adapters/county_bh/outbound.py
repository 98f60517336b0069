"""What changed in the care plans and care teams of a county's clients, as NDJSON or CSV for the county.

Rules: docs/county-bh.md "What goes back". The county's own Access decides what it gets: relations, labels and
consents are asked by the one predicate of every read, at the moment of the file (docs/access.md); each resource
leaves by hub.leaving, with the notice and the consents of 42 CFR 2.32. Nothing leaves where `tell` cannot record
it. What the county may not see is not there, and nothing tells so. Where the file goes is for the caller (folder,
SFTP). Its name tells the day and the hub's own cursor only.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import Connection

from fhir_mappings.county_bh.care_csv import COLUMNS, care_row
from hub import clock, leaving
from hub.access import Access
from hub.fhir import json
from hub.fhir.systems import CIN_SYSTEM
from hub.rights.part2 import NOTICE
from hub.search.query import Limits, parse
from hub.search.values import references
from hub.store import read
from hub.store.engine import Database
from hub.store.read import Stored

KINDS = ("CarePlan", "CareTeam")
PAGE = 200
Tell = Callable[[Sequence[Stored]], None]  # records a disclosure before it happens; raises where it cannot


@dataclass(frozen=True, slots=True)
class Changes:
    """`access` is the county's, `system` that of its client numbers. `tell` gets the versions that leave."""

    database: Database
    access: Access
    base: str
    system: str
    tell: Tell
    cin_system: str = CIN_SYSTEM

    def ndjson(self, since: int, until: int, out: BinaryIO) -> int:
        """Write what changed after `since` and until `until` (microseconds); how many resources that were."""
        count = 0
        with self.database.read() as connection:
            for rows in self._pages(connection, since, until):
                self.tell(rows)
                for row in rows:
                    out.write(json.write(json.stored(row.body or b"{}")) + b"\n")
                count += len(rows)
        return count

    def csv(self, since: int, until: int, out: BinaryIO) -> int:
        """The same as a table; the file has a header even where nothing changed."""
        text = io.TextIOWrapper(out, "utf-8", newline="", write_through=True)
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        count = 0
        with self.database.read() as connection:
            for rows in self._pages(connection, since, until):
                patients = [self._patient(connection, row) for row in rows]
                self.tell([*rows, *(patient for patient in patients if patient)])
                for row, patient in zip(rows, patients, strict=True):
                    writer.writerow(self._row(row, patient))
                count += len(rows)
        text.detach()
        return count

    def _row(self, row: Stored, patient: Stored | None) -> dict[str, str]:
        resource, whose = (json.stored(one.body) if one and one.body else {} for one in (row, patient))
        return care_row(resource, whose, self.system, NOTICE, self.cin_system)

    def _pages(self, connection: Connection, since: int, until: int) -> Iterator[list[Stored]]:
        """What the county may see, as it may leave."""
        span = [("_lastUpdated", f"gt{clock.instant(since)}"), ("_lastUpdated", f"le{clock.instant(until)}")]
        for kind in KINDS:
            query, after = parse(kind, span, Limits(base=self.base)), list[int]()
            while rows := read.page(connection, self.access, query, after, PAGE):
                after = read.position(rows[-1])
                if left := leaving.leaving(connection, self.access, rows, self.base).rows:
                    yield left

    def _patient(self, connection: Connection, row: Stored) -> Stored | None:
        """The Patient that a resource is about, as it may leave."""
        subject = json.stored(row.body or b"{}").get("subject")
        for kind, identity in references(subject, self.base):
            if kind == "Patient" and (found := read.current(connection, self.access, kind, identity)):
                return leaving.one(connection, self.access, found, self.base) if found.body else None
        return None
