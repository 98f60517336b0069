"""Whether a visit is over, so that its messages may be emptied when they are old (hub.inbox.retention).

A visit is over when the store knows its Encounter, and each that has its number is finished, cancelled or entered
in error (https://hl7.org/fhir/R4/valueset-encounter-status.html). What is said of a person without a visit is
never over: the next message about the person is put together with it.
Refuses: a visit of a facility that is not configured any more: its messages stay.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from adapters.adt.known import PERSON, encounters
from adapters.adt.local_tables import LocalTables

OVER = ("finished", "cancelled", "entered-in-error")


@dataclass(frozen=True, slots=True)
class Finished:
    """Asked with the `subject` of inbox messages (adapters.adt.known.subject)."""

    tables: LocalTables

    def __call__(self, connection: Connection, subject: str) -> bool:
        code, _, number = subject.partition("|")
        facility = self.tables.facilities().by_code.get(code)
        if facility is None or not number or number.startswith(f"{PERSON}|"):
            return False
        found = encounters(connection, facility, number)
        return bool(found) and all(each.get("status") in OVER for each in found)
