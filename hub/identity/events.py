"""Every decision of who is who, as a row: what was decided, by whom, why, and whether it was taken back.

Rules: docs/identity.md "Events". Evidence holds ids of this hub and codes of rules, never what a source said of a
person. Rows are added; only `undone_by` is set later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from hub.fhir import json
from hub.store.merges import MERGE as MERGE
from hub.store.merges import UNMERGE as UNMERGE
from hub.store.tables_identity import identity_event as table

LINK, REVIEW, DISTINCT, SPLIT, APART = "link", "review", "distinct", "split", "not-a-duplicate"
PROPOSAL = "proposal"  # of a merge, by the first of two persons
KINDS = (LINK, REVIEW, DISTINCT, MERGE, UNMERGE, SPLIT, APART, PROPOSAL)


@dataclass(frozen=True, slots=True)
class Event:
    """`survivor` and `absorbed` are ids of Patients, `persons` numbers of source persons."""

    seq: int
    at: int
    kind: str
    who: str
    survivor: str = ""
    absorbed: str = ""
    persons: tuple[int, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    undoes: int = 0
    undone_by: int = 0


def add(
    connection: Connection,
    at: int,
    kind: str,
    who: str,
    *,
    survivor: str = "",
    absorbed: str = "",
    persons: Sequence[int] = (),
    evidence: Mapping[str, Any] | None = None,
    undoes: int = 0,
) -> int:
    """Its number. What it undoes is marked."""
    row = {"at": at, "kind": kind, "who": who[:128], "survivor": survivor, "absorbed": absorbed, "undoes": undoes}
    row |= {"persons": _text(list(persons)), "evidence": _text(evidence or {})}
    made = connection.execute(insert(table).values(row).returning(table.c.seq)).scalar_one()
    if undoes:
        take_back(connection, undoes, made)
    return int(made)


def take_back(connection: Connection, seq: int, by: int) -> None:
    """Another event took this one back, or has come in its place."""
    connection.execute(update(table).where(table.c.seq == seq).values(undone_by=by))


def explain(connection: Connection, seq: int, evidence: Mapping[str, Any]) -> None:
    """Evidence that is known only once the event is there."""
    connection.execute(update(table).where(table.c.seq == seq).values(evidence=_text(evidence)))


def event(connection: Connection, seq: int) -> Event | None:
    row = connection.execute(select(table).where(table.c.seq == seq)).first()
    return _event(row) if row else None


def several(connection: Connection, numbers: Sequence[int]) -> list[Event]:
    asked = select(table).where(table.c.seq.in_(list(numbers))).order_by(table.c.seq)
    return [_event(row) for row in connection.execute(asked)]


def of_patient(connection: Connection, patient: str) -> list[Event]:
    """Those of a Patient, the oldest first."""
    which = or_(table.c.survivor == patient, table.c.absorbed == patient)
    return [_event(row) for row in connection.execute(select(table).where(which).order_by(table.c.seq))]


def newest(connection: Connection, kind: str | None, limit: int) -> list[Event]:
    asked = select(table).order_by(table.c.seq.desc()).limit(limit)
    return [_event(row) for row in connection.execute(asked.where(table.c.kind == kind) if kind else asked)]


def _event(row: Any) -> Event:
    kept = row._asdict()
    persons, evidence = (
        json.stored(f'{{"_":{kept["persons"]}}}'.encode())["_"],
        json.stored(kept["evidence"].encode()),
    )
    return Event(**kept | {"persons": tuple(persons), "evidence": evidence})


def _text(value: Any) -> str:
    return json.write(value).decode()
