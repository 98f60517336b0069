"""Whose the stored resources are, how sensitive, and what they say of who may see others, decided anew: for what
was stored before anybody asked that, and after the tables of codes have changed (hub.reindex).

Rules: docs/access.md; what a writer decides is in hub.whose. Here no writer is asked: everything was written once.
Labels only rise; the source stays. Relations that were counted stay as they were counted, for a writer's own did
not count then; only what has no labels yet brings its relations. A note whose patient nobody could tell stays its
source's own (hub.inheriting). Of a deleted resource its last content tells whose it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, select

from hub.fhir import json
from hub.inheriting import inherited, whose
from hub.rights import facts
from hub.rights.facts import Facts
from hub.rights.labels import Part2Sources, labels_of, raised
from hub.search.edges import address
from hub.search.index import IndexRows
from hub.sight import ALL, REGISTERED, UNKNOWN
from hub.store.counted import counted
from hub.store.history import last_bodies
from hub.store.merges import Survivors, denials
from hub.store.tables import subscription_counter
from hub.versions import Of

Resource = dict[str, Any]


@dataclass(slots=True)
class Anew:
    """`before` and `now` by row number hold the rows of rights alone; `changed` by address those whose row has to
    say something else, `facts` the same for hub.store.batch.Batch."""

    before: dict[int, IndexRows]
    now: dict[int, IndexRows] = field(default_factory=dict)
    facts: list[tuple[int, int, int]] = field(default_factory=list)
    changed: dict[int, Of] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _One:
    """A stored resource (`row` as in hub.store.keyed) and what was found of it."""

    row: Any
    content: Resource
    whose: Facts
    labels: int

    @property
    def address(self) -> int:
        return address(self.row.type, self.row.id)

    @property
    def of(self) -> Of:
        return Of(self.whose.patient, self.labels, self.row.source)


def anew(connection: Connection, rows: Sequence[Any], base: str, part2: Part2Sources) -> Anew:
    """What has to be written of these rows, which the caller has locked."""
    survivors = Survivors(connection)
    found = [_one(row, content, base, part2, survivors) for row, content in _contents(connection, rows)]
    made = Anew(counted(connection, [one.row.rid for one in found]))
    owners = _owners(connection, found)
    for one in _settled(connection, found):
        row, rid = one.row, one.row.rid
        made.now[rid] = _rows(one, made.before[rid], base, owners)
        if row.type == "Patient":
            _of_merges(connection, row, made.now[rid], survivors)
        if (row.patient, row.labels) != (one.whose.patient, one.labels):
            made.facts.append((rid, one.whose.patient, one.labels))
            made.changed[one.address] = one.of
    return made


def _of_merges(connection: Connection, row: Any, now: IndexRows, survivors: Survivors) -> None:
    """Who registered somebody who was merged has to do with who that is now; the stricter consent wins."""
    member = survivors.one(address("Patient", row.id))
    now.relations = {(member, *each[1:]) if each[2] & REGISTERED else each for each in now.relations}
    now.consents = denials(connection, row.id)


def _one(row: Any, content: Resource, base: str, part2: Part2Sources, survivors: Survivors) -> _One:
    mask = raised(labels_of(content, "", part2), facts.consents_tell(content))
    if row.labels > 0:
        mask = raised(row.labels, mask)
    return _One(row, content, survivors.facts(facts.facts_of(content, base)), mask)


def _contents(connection: Connection, rows: Sequence[Any]) -> Iterable[tuple[Any, Resource]]:
    last = last_bodies(connection, [row.rid for row in rows if row.body is None])
    for row in rows:
        body = last.get(row.rid) if row.body is None else row.body
        if body is not None:
            yield row, json.stored(body)


def _settled(connection: Connection, found: Sequence[_One]) -> Iterable[_One]:
    """What inherits has its targets' patients and labels, as far as those are known by now; hub.inheriting.follow
    brings the rest when they are."""
    made = {one.address: one.of if not one.whose.inherits else _as_it_stands(one) for one in found}
    wanted = {each for one in found for each in one.whose.inherits} - made.keys()
    around = whose(connection, wanted, ALL, lock=True)
    return [_inheriting(one, made | around) if one.whose.inherits else one for one in found]


def _as_it_stands(one: _One) -> Of:
    row = one.row
    return Of(row.patient, one.labels, row.source) if row.labels >= 0 else one.of


def _inheriting(one: _One, around: Mapping[int, Of]) -> _One:
    about = ((each, around[each]) for each in one.whose.inherits if each in around)
    told = (of._replace(patient=each) if each in one.whose.patients else of for each, of in about)
    got = inherited(one.labels, told)
    if one.row.patient == UNKNOWN and one.row.source:
        return replace(one, labels=got.labels)
    return replace(one, whose=Facts(got.patient, got.patients, one.whose.inherits), labels=got.labels)


def _rows(one: _One, before: IndexRows, base: str, owners: Mapping[str, str]) -> IndexRows:
    now = IndexRows(patients=set(one.whose.patients), about=set(one.whose.inherits))
    if one.row.deleted:
        return now
    now.consents = facts.consents(one.content, base)
    now.relations = before.relations if one.row.labels >= 0 else _relations(one, base, owners)
    return now


def _relations(one: _One, base: str, owners: Mapping[str, str]) -> set[facts.Relation]:
    kind = one.row.type
    if kind not in facts.SPEAKS_OF_OTHERS or (kind == "Subscription" and one.row.id not in owners):
        return set()
    return facts.relations(one.content, base, one.row.source, owners.get(one.row.id, ""))


def _owners(connection: Connection, found: Sequence[_One]) -> dict[str, str]:
    names = [one.row.id for one in found if one.row.type == "Subscription"]
    if not names:
        return {}
    asked = select(subscription_counter.c.subscription, subscription_counter.c.owner)
    rows = connection.execute(asked.where(subscription_counter.c.subscription.in_(names)))
    return {row.subscription: row.owner for row in rows}
