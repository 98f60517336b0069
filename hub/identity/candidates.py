"""Whom a person might be: source persons that share a key with it, the likeliest first.

Rules: docs/identity.md "Blocking". A key that more than COMMON persons have selects nobody: no more than that
is read of any key, so that a search costs the same among a thousand members and among a million. At most MOST
are compared: those that share the most keys.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.identity import persons
from hub.identity.blocking import COMMON, keys
from hub.identity.person import Person
from hub.identity.persons import SourcePerson
from hub.search.hashes import key
from hub.store.identity_keys import sharing

MOST = 60


def candidates(connection: Connection, said: Person, besides: Collection[int] = ()) -> list[SourcePerson]:
    """All but these."""
    shared = Counter(person for person in _sharing(connection, keys(said)) if person not in besides)
    likely = [person for person, _ in shared.most_common(MOST)]
    return persons.several(connection, likely)


def identified(connection: Connection, said: Person, besides: Collection[int] = ()) -> list[SourcePerson]:
    """Only those that have one of its strong identifiers."""
    named = [key("identity", "identifier", one.system, one.value) for one in said.identifiers]
    return persons.several(connection, {each for each in _sharing(connection, named) if each not in besides})


def _sharing(connection: Connection, hashes: Iterable[int]) -> list[int]:
    """Once for each key that is not too common."""
    return [person for _, persons in sharing(connection, hashes, COMMON) for person in persons]


def said_by(record: SourcePerson) -> Person:
    """What the source said last, as it is compared."""
    return msgspec.convert(record.record["said"], Person)


def recorded(said: Person, patient: Any) -> dict[str, Any]:
    """A source's own record, as it is kept."""
    return {"said": msgspec.to_builtins(said), "patient": patient}
