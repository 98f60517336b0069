"""One happening, one notice: what two senders tell of one admission, transfer, discharge or cancel is told once.

Rules: docs/identity.md "Notices once". Two events are one happening where all of this holds:
- the same member, also one that was merged since;
- the same facility: one Organization, or one of its NPI;
- the same kind (`kind_of`), and moments of the real event that lie within HUB_NOTICE_SAME_MINUTES;
- another sender (`meta.source`): each sender tells a happening once, so what one sender tells twice are two.
Refuses to guess: an event without a member, a facility or a moment to the minute is a happening of its own.
`begins`, `same` and what they read are pure; `join` keeps them, in the transaction that writes the notices.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from hub.fhir import json
from hub.fhir.encounters import INPATIENT, OVER
from hub.fhir.systems import US_NPI
from hub.notifications.events import Event
from hub.notifications.topics import ADMISSION, CANCEL, DISCHARGE, TRANSFER
from hub.search import merged
from hub.search.values import date_range, references
from hub.store import arrays, merges
from hub.store.engine import driver, mark
from hub.store.rids import new_rid
from hub.store.tables_notices import notice_event as table
from hub.store.tables_notices import notice_told as told
from hub.store.turns import lock_words

Resource = Mapping[str, Any]
MINUTE = 60_000_000  # microseconds
LOOKED_AT = 50  # of a member's events of one kind, the newest
NOWHERE = 0  # the happening of an event that can be no copy


class ToldMeanwhile(Exception):
    """Another worker told of this happening since it was looked at: look again."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one event says of what happened. `moments` are microseconds, any of which may be the one that another
    sender names; `happening` is NOWHERE until it is joined."""

    source: str
    patient: str
    kind: str
    moments: tuple[int, ...]
    facilities: tuple[str, ...]
    id: str
    version: int
    at: int
    happening: int = NOWHERE
    begins: bool = True

    @property
    def is_comparable(self) -> bool:
        return bool(self.patient and self.moments and self.facilities)


_KEPT = tuple(each.name for each in fields(Told))  # and as the columns of the table


def begins(event: Event, before: Resource | None, now: Resource, facilities: Iterable[str], patient: str) -> Told:
    """Of an event: the resource before and after it, all names of its facility, and who its member is."""
    kind, texts = _KINDS.get(event.topic, _alone)(before or {}, now)
    moments = tuple(sorted(filter(None, map(_moment, texts))))
    source = str(now.get("meta", {}).get("source", ""))
    names = tuple(sorted(set(facilities)))
    return Told(source[:256], patient, kind, moments, names, event.id, event.version, event.at)


def same(one: Told, other: Told, minutes: int) -> bool:
    """Whether two events, of one member and of one kind, are one happening."""
    if one.source == other.source or not set(one.facilities) & set(other.facilities):
        return False
    return any(abs(mine - theirs) <= minutes * MINUTE for mine in one.moments for theirs in other.moments)


def _admission(_: Resource, now: Resource) -> tuple[str, list[Any]]:
    """Who comes from the emergency room is admitted twice: to the hospital, and as an inpatient."""
    if now.get("class", {}).get("code") not in INPATIENT:
        return "admission", [_start(now)]
    changed = [each.get("period", {}).get("end") for each in now.get("classHistory", ())[-1:]]
    return "admission/inpatient", [_start(now), *changed]


def _discharge(_: Resource, now: Resource) -> tuple[str, list[Any]]:
    return "discharge", [now.get("period", {}).get("end")]


def _transfer(_: Resource, now: Resource) -> tuple[str, list[Any]]:
    places = (each for each in now.get("location", ()) if each.get("status") == "active")
    return "transfer", [each.get("period", {}).get("start") for each in places]


def _cancel(before: Resource, now: Resource) -> tuple[str, list[Any]]:
    """Named by what is taken back."""
    if before.get("status") in OVER:
        return "cancel/discharge", [before.get("period", {}).get("end")]
    return "cancel/admission", [_start(before), _start(now)]


def _alone(_: Resource, __: Resource) -> tuple[str, list[Any]]:
    """A topic whose events nobody tells twice: a resource has one writer."""
    return "", []


_KINDS = {ADMISSION: _admission, DISCHARGE: _discharge, TRANSFER: _transfer, CANCEL: _cancel}


def _start(encounter: Resource) -> Any:
    return encounter.get("period", {}).get("start")


def _moment(text: Any) -> int | None:
    """None where it is not said to the minute: on one day a person may come twice."""
    found = date_range(text) if isinstance(text, str) else None
    return found[0] if found and found[1] - found[0] <= MINUTE else None


def facilities(encounter: Resource, base: str) -> Iterator[str]:
    """The names of the facility that an Encounter itself says; `npis` are those of its Organization."""
    provider = encounter.get("serviceProvider", {})
    yield from (f"{kind}/{identity}" for kind, identity in references(provider, base) if kind)
    yield from npis({"identifier": [provider.get("identifier", {})]})


def npis(organization: Resource) -> Iterator[str]:
    for each in organization.get("identifier", ()):
        if each.get("system") == US_NPI and each.get("value"):
            yield f"npi {each['value']}"


def copies(connection: Connection, event: Told, minutes: int) -> list[Told]:
    """The event with its happening, if there is one, and what others told of that, the oldest first. Empty where
    nobody told of it yet."""
    if not event.is_comparable:
        return []
    earlier = _earlier(connection, event)
    begun = {one.happening for one in earlier if one.begins}  # of a merge that was taken back, there may be none
    told_of = {one.happening for one in earlier if one.source == event.source}
    found = [one for one in earlier if one.happening in begun - told_of and same(event, one, minutes)]
    if not found:
        return []
    happening = min(found, key=lambda one: _distance(event, one)).happening
    others = [one for one in earlier if one.happening == happening]
    return [replace(event, happening=happening, begins=False), *others]


def _distance(one: Told, other: Told) -> int:
    return min(abs(mine - theirs) for mine in one.moments for theirs in other.moments)


def _earlier(connection: Connection, event: Told) -> list[Told]:
    """What was told of the member, whatever it was called then."""
    former = merges.former_of(connection, (), [event.patient]) if merged.are_there() else ()
    names = sorted({event.patient, *(each.id for each in former)})
    which, values = arrays.among_texts(connection.dialect.name, names)
    statement = _newest(which, mark(connection))
    rows = driver(connection).execute(statement, (*values, event.kind, LOOKED_AT)).fetchall()
    return [_told(row) for row in reversed(rows)]


@cache
def _newest(which: str, mark: str) -> str:
    return (
        f"SELECT {', '.join(_KEPT)} FROM notice_event WHERE patient {which} AND kind = {mark}"
        f" ORDER BY seq DESC LIMIT {mark}"
    )


@cache
def _kept(mark: str) -> str:
    return f"INSERT INTO notice_event ({', '.join(_KEPT)}) VALUES ({', '.join([mark] * len(_KEPT))})"


def join(connection: Connection, event: Told, expected: Collection[int], minutes: int) -> int:
    """Keep the event with its happening, which is given a number here if it is a new one. `expected` are the
    happenings (one or none) that were found before. Raises ToldMeanwhile."""
    if not event.is_comparable:
        return NOWHERE
    found = copies(connection, event, minutes)
    if {one.happening for one in found[:1]} != set(expected):
        raise ToldMeanwhile
    happening = found[0].happening if found else new_rid(event.at)
    driver(connection).execute(_kept(mark(connection)), _row(replace(event, happening=happening, begins=not found)))
    return happening


def take_turns(connection: Connection, events: Iterable[Told]) -> None:
    """Two workers with one member's events decide one after the other. Before the first `join` of a transaction."""
    lock_words(connection, (f"notice {one.kind} {one.patient}" for one in events if one.is_comparable))


def have_notice(connection: Connection, happening: int) -> set[str]:
    """The Subscriptions that have a notice of it."""
    asked = select(told.c.subscription).where(told.c.happening == happening)
    return set(connection.execute(asked).scalars()) if happening else set()


def keep(connection: Connection, notices: Iterable[tuple[int, str]]) -> None:
    """(happening, Subscription) of notices; of an event that can be no copy nothing is kept."""
    rows = [{"happening": happening, "subscription": name} for happening, name in notices if happening]
    if rows:
        connection.execute(insert(told), rows)


def forget(connection: Connection, before: int) -> int:
    """What happened before this moment (microseconds) is not compared any more. Returns how many events went."""
    old = select(table.c.happening).where(table.c.at < before)
    connection.execute(delete(told).where(told.c.happening.in_(old)))
    return connection.execute(delete(table).where(table.c.at < before)).rowcount


def _told(row: Any) -> Told:
    kept = dict(zip(_KEPT, row, strict=True)) | {"begins": bool(row[_KEPT.index("begins")])}
    return Told(**kept | {name: _tuple(kept[name]) for name in ("moments", "facilities")})


def _row(event: Told) -> tuple[Any, ...]:
    kept = {name: getattr(event, name) for name in _KEPT}
    return tuple((kept | {name: _text(kept[name]) for name in ("moments", "facilities")}).values())


def _text(values: tuple[Any, ...]) -> str:
    return json.write({"_": list(values)}).decode()


def _tuple(text: str) -> tuple[Any, ...]:
    return tuple(json.stored(text.encode())["_"])
