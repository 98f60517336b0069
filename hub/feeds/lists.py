"""A Group that a feed writes and others change, too: what they said of its members stays until the feed says more.

Rules: docs/feeds.md "Groups"; `$member-add` and `$member-remove` of Da Vinci ATR 2.1
(http://hl7.org/fhir/us/davinci-atr/OperationDefinition/member-add). Of a member whom the feed names the last word
counts: the feed's where its row says something new, else what stands on the list. Who was added otherwise stays.
A kind makes a Group with a member for each row of its subject, in their order.
Refuses: nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.feeds.records import Resource
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.search.query import Query
from hub.store.conditions import Ahead, candidates, query_of
from hub.store.read import Stored

GROUP = "Group"


def with_others(connection: Connection, access: Access, base: str, entry: Entry, news: Collection[int]) -> Entry:
    """The entry that writes the Group, from what is stored of it now. `news`: places of the rows that are new."""
    told, query = entry.resource, query_of(GROUP, entry.query or "", base)
    stored = _only(candidates(connection, access, query, (), base))
    if told is None or stored is None or not stored.body:
        return entry
    before = json.stored(stored.body).get("member", ())
    named = _named(connection, access, base, told.get("member", ()))
    members = _members(told.get("member", ()), named, before, news)
    counted = {"quantity": sum(not one.get("inactive") for one in members)} if "quantity" in told else {}
    # nobody changes the list between this and the commit
    return replace(entry, resource={**told, **counted, "member": members}, if_match=stored.version)


def _members(
    told: Sequence[Resource], named: Sequence[str], before: Sequence[Resource], news: Collection[int]
) -> list[Resource]:
    places: dict[str, list[int]] = {}
    for place, one in enumerate(before):
        places.setdefault(_reference(one), []).insert(0, place)
    found = list(told)
    taken: set[int] = set()
    for place, name in enumerate(named):
        if name and places.get(name):
            there = places[name].pop()
            taken.add(there)
            found[place] = told[place] if place in news else before[there]
    return [*found, *(one for place, one in enumerate(before) if place not in taken)]


def _named(connection: Connection, access: Access, base: str, members: Sequence[Resource]) -> list[str]:
    """Whom the conditional references mean; empty where nobody is there yet, or several."""
    asked = [_query(_reference(one), base) for one in members]
    ahead = Ahead(connection, access, filter(None, asked))
    found = [_only(candidates(connection, access, one, (), base, ahead=ahead)) if one else None for one in asked]
    return [f"{one.type}/{one.id}" if one else "" for one in found]


def _query(reference: str, base: str) -> Query | None:
    kind, _, condition = reference.partition("?")
    return query_of(kind, condition, base) if condition else None


def _only(found: Sequence[Stored]) -> Stored | None:
    return found[0] if len(found) == 1 else None


def _reference(member: Resource) -> str:
    entity: Any = member.get("entity")
    return str(entity.get("reference", "")) if isinstance(entity, dict) else ""
