"""AuditEvents that a search asks for, in pages, from the chain. A record tells as many as it has patients.

A position is (moment, number, place): what is added meanwhile neither hides an AuditEvent nor shows one twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, or_, select, true

from hub.audit.asked import Range, Wanted
from hub.audit.balp import Place, Teller
from hub.audit.record import Record, decoded
from hub.audit.store import ANSWERED, is_disclosure
from hub.store.tables import resource
from hub.store.tables_audit import audit, audit_patient

Resource = dict[str, Any]
Position = tuple[int, int, int]
CHUNK = 500
MOST_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """A page; `following` is where the next one begins, None: this is the last one."""

    events: list[Resource]
    following: Position | None = None


def one(connection: Connection, base: str, place: Place) -> Resource | None:
    """The AuditEvent of an id."""
    record = connection.execute(select(audit.c.record).where(audit.c.seq == place.seq)).scalar()
    if record is None:
        return None
    told = _told(connection, base, [(place.seq, decoded(record))])
    return next((event for where, event in told if where == place), None)


def page(connection: Connection, base: str, wanted: Wanted, after: Position | None) -> Found:
    """Up to `wanted.count` of them behind a position."""
    rows = connection.execute(_page(wanted, after, wanted.count + 2)).all()
    told = dict(_told(connection, base, [(row.seq, decoded(row.record)) for row in rows]))
    by_row: dict[int, list[Place]] = {}
    for place in told:
        by_row.setdefault(place.seq, []).append(place)
    events: list[Resource] = []
    last: Position | None = None
    for row in rows:
        for place in by_row[row.seq]:
            here = (row.at, row.seq, _number(place))
            if not _is_wanted(wanted, row, place) or (after and here[:2] == after[:2] and here <= after):
                continue
            if len(events) == wanted.count:
                return Found(events, last)
            events.append(told[place])
            last = here
    return Found(events, last if len(rows) == wanted.count + 2 and last else None)


def total(connection: Connection, base: str, wanted: Wanted) -> int:
    """How many there are."""
    if wanted.places:
        rows = connection.execute(_rows(wanted)).all()
        told = _told(connection, base, [(row.seq, decoded(row.record)) for row in rows])
        of = {row.seq: row for row in rows}
        return sum(_is_wanted(wanted, of[place.seq], place) for place, _ in told)
    rest, disclosures = _kinds(wanted)
    each = (
        (1, case((audit_patient.c.disclosed, 1), else_=0))
        if wanted.patients
        else (
            audit.c.events,
            audit.c.disclosures,
        )
    )
    count = func.sum(case((rest, each[0]), else_=0) + case((disclosures, each[1]), else_=0))
    return int(connection.execute(_joined(wanted, select(count))).scalar() or 0)


def disclosures(connection: Connection, base: str, patient: int, times: Range) -> Iterator[Resource]:
    """What left of a patient's data to others, the newest first."""
    statement = (
        select(audit.c.seq, audit.c.record, audit_patient.c.place)
        .join(audit_patient, audit_patient.c.seq == audit.c.seq)
        .where(audit_patient.c.patient == patient, audit_patient.c.place > 0, _within(audit.c.at, [times]))
        .where(audit.c.status < 400, or_(audit.c.action == "E", audit.c.interaction.in_(ANSWERED)))
        .order_by(audit.c.at.desc(), audit.c.seq.desc())
        .limit(MOST_LOOKED_AT)
    )
    rows = connection.execute(statement).all()
    teller = Teller(base, _ids(connection, [patient]))
    for row in rows:
        record = decoded(row.record)
        release = record.releases[row.place - 1]
        if is_disclosure(record) and not record.own and not release.own:
            yield teller.disclosure(Place(row.seq, row.place, True), record, release)[1]


def newest(connection: Connection, limit: int) -> list[tuple[int, Record]]:
    """The last records with their numbers, the newest first."""
    rows = connection.execute(select(audit.c.seq, audit.c.record).order_by(audit.c.seq.desc()).limit(limit))
    return [(row.seq, decoded(row.record)) for row in rows]


def every(connection: Connection, base: str, first: int, last: int | None) -> Iterator[Resource]:
    """The AuditEvents of the records from `first` to `last`, in the order of the chain."""
    after = first - 1
    while True:
        statement = (
            select(audit.c.seq, audit.c.record).where(audit.c.seq > after).order_by(audit.c.seq).limit(CHUNK)
        )
        rows = connection.execute(statement if last is None else statement.where(audit.c.seq <= last)).all()
        if not rows:
            return
        for _, event in _told(connection, base, [(row.seq, decoded(row.record)) for row in rows]):
            yield event
        after = rows[-1].seq


def _number(place: Place) -> int:
    return 2 * place.place + place.disclosure


def _is_wanted(wanted: Wanted, row: Any, place: Place) -> bool:
    if not (row.disclosure if place.disclosure else row.rest):
        return False
    if wanted.patients and place.place != row.place:
        return False
    return all(place in places for places in wanted.places)


def _page(wanted: Wanted, after: Position | None, limit: int) -> Any:
    statement = _rows(wanted)
    at, seq = audit.c.at, audit.c.seq
    if after is not None:
        moment, number, _ = after
        beyond = at < moment if wanted.newest_first else at > moment
        behind = seq <= number if wanted.newest_first else seq >= number
        statement = statement.where(or_(beyond, and_(at == moment, behind)))
    order: list[Any] = [at.desc(), seq.desc()] if wanted.newest_first else [at, seq]
    if wanted.patients:
        order.append(audit_patient.c.place)
    return statement.order_by(*order).limit(limit)


def _rows(wanted: Wanted) -> Any:
    rest, disclosure = _kinds(wanted)
    place = audit_patient.c.place if wanted.patients else audit.c.events
    told = and_(disclosure, audit.c.disclosures > 0)
    shown = select(
        audit.c.seq,
        audit.c.at,
        audit.c.record,
        place.label("place"),
        rest.label("rest"),
        disclosure.label("disclosure"),
    )
    return _joined(wanted, shown).where(or_(rest, told))


def _joined(wanted: Wanted, statement: Any) -> Any:
    if wanted.patients:
        asked = set.intersection(*wanted.patients)
        statement = statement.join_from(audit, audit_patient, audit_patient.c.seq == audit.c.seq)
        statement = statement.where(audit_patient.c.patient.in_(asked))
    else:
        statement = statement.select_from(audit)
    return statement.where(*_conditions(wanted))


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """What holds for the record, whichever of its AuditEvents is told."""
    for ranges in wanted.times:
        yield _within(audit.c.at, ranges)
    for ranges in wanted.outcomes:
        yield _within(audit.c.status, ranges)
    for entities in wanted.entities:
        yield audit.c.entity.in_(entities)
    for agents in wanted.agents:
        yield or_(audit.c.client.in_(agents), audit.c.person.in_(agents))
    for exact, names in wanted.names:
        yield (
            audit.c.client.in_(names)
            if exact
            else or_(*(func.lower(audit.c.client).startswith(name, autoescape=True) for name in names))
        )
    for interactions in wanted.interactions:
        yield audit.c.interaction.in_(interactions)
    for places in wanted.places:
        yield audit.c.seq.in_({place.seq for place in places})


def _within(column: Any, ranges: Iterable[Range]) -> ColumnElement[bool]:
    return or_(false(), *(and_(column >= low, column < high) for low, high in ranges))


def _kinds(wanted: Wanted) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Whether the AuditEvent of the interaction is wanted, and whether that of a disclosure is: its action is R."""
    rest = and_(true() if wanted.rest else false(), *(audit.c.action.in_(codes) for codes in wanted.actions))
    told = wanted.disclosures and all("R" in codes for codes in wanted.actions)
    return rest, true() if told else false()


def _told(
    connection: Connection, base: str, records: Sequence[tuple[int, Record]]
) -> Iterator[tuple[Place, Resource]]:
    people = {release.patient for _, record in records for release in record.releases}
    teller = Teller(base, _ids(connection, sorted(people)))
    for seq, record in records:
        yield from teller.events(seq, record)


def _ids(connection: Connection, addresses: Sequence[int]) -> dict[int, str]:
    """The ids of these Patients, also of deleted ones."""
    found: dict[int, str] = {}
    for start in range(0, len(addresses), CHUNK):
        part = resource.c.address.in_(addresses[start : start + CHUNK])
        rows = connection.execute(
            select(resource.c.address, resource.c.id).where(part, resource.c.type == "Patient")
        )
        found |= {row.address: row.id for row in rows}
    return found
