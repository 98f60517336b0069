"""What parked hospital messages wait for, so that they go on by themselves (hub.inbox.waits).

- a row of a code table (HUB_CODE_TABLES_DIR), or of the facilities (HUB_FACILITIES_FILE);
- the number that a merge takes away, when its first message comes (adapters.adt.merges);
- the first message of a visit of which only cancels came (adapters.adt.known);
- a person's answer to a review Task (hub.identity.decided).
A code that does not look like one may be a person's words: of such a one only the hash is kept.
Refuses: nothing. What has no name here waits for a person.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection

from adapters.adt.known import VISIT, is_visit_known
from adapters.adt.local_tables import LocalTables
from adapters.adt.members import Undecided
from adapters.adt.merges import NUMBER, Merges
from fhir_mappings.adt.problems import AdtProblem, UnknownFacility, UnmappedCode
from hub.identity.decided import REVIEW, is_decided
from hub.inbox.messages import Awaited
from hub.inbox.waits import LookUp

SPEAKABLE = re.compile(r"[A-Za-z0-9_.\-]{1,20}")
CODE, FACILITY = "adt-code", "adt-facility"


def awaited(problem: AdtProblem) -> Awaited | None:
    """What mends this problem, if that has a name."""
    match problem:
        case Undecided():
            return problem.awaits
        case UnmappedCode():
            return CODE, f"{problem.table}|{_name(problem.code)}"
        case UnknownFacility():
            return FACILITY, _name(problem.code)
    return None


def _name(code: str) -> str:
    return (
        code if SPEAKABLE.fullmatch(code) else f"sha256:{sha256(code.encode('utf-8', 'surrogatepass')).hexdigest()}"
    )


def _names(name: str, codes: Iterable[str]) -> bool:
    return name in codes or (name.startswith("sha256:") and any(_name(code) == name for code in codes))


@dataclass(frozen=True, slots=True)
class LocalRows:
    """Looks into the local tables as they are now."""

    tables: LocalTables

    def code(self, _: Connection, key: str) -> bool:
        table, _bar, name = key.partition("|")
        return _names(name, self.tables.codes().tables.get(table, {}))

    def facility(self, _: Connection, key: str) -> bool:
        return _names(key, self.tables.facilities().by_code)


def look_ups(tables: LocalTables, merges: Merges) -> Mapping[str, LookUp]:
    """By kind, for hub.inbox.waits."""
    rows = LocalRows(tables)
    return {
        CODE: rows.code,
        FACILITY: rows.facility,
        NUMBER: merges.is_there,
        REVIEW: is_decided,
        VISIT: is_visit_known,
    }
