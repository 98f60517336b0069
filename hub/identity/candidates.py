"""Whom a person might be: source persons that share a key with it, the likeliest first.

Rules: docs/identity.md "Blocking". A key that more than COMMON persons have selects nobody: no more than that
is read of any key, so that a search costs the same among a thousand members and among a million. At most MOST
are compared: those that share the most keys.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.identity import persons
from hub.identity.blocking import COMMON, keys
from hub.identity.person import Person
from hub.identity.persons import SourcePerson
from hub.search.hashes import key
from hub.store.identity_keys import sharing

MOST = 30


Asked = tuple[Person, Collection[int]]  # a person, and whom it is not to be compared with


def candidates(connection: Connection, said: Person, besides: Collection[int] = ()) -> list[SourcePerson]:
    """All but these."""
    return candidates_of(connection, [(said, besides)])[0]


def candidates_of(connection: Connection, asked: Sequence[Asked]) -> list[list[SourcePerson]]:
    """The same for several persons."""
    return _found(connection, [keys(said) for said, _ in asked], [besides for _, besides in asked])


def identified(connection: Connection, said: Person, besides: Collection[int] = ()) -> list[SourcePerson]:
    """Only those that have one of its strong identifiers."""
    return identified_of(connection, [(said, besides)])[0]


def identified_of(connection: Connection, asked: Sequence[Asked]) -> list[list[SourcePerson]]:
    """The same for several persons."""
    return _found(connection, [_named(said) for said, _ in asked], [besides for _, besides in asked], None)


def _named(said: Person) -> frozenset[int]:
    return frozenset(key("identity", "identifier", one.system, one.value) for one in said.identifiers)


def _found(
    connection: Connection,
    hashes: Sequence[frozenset[int]],
    besides: Sequence[Collection[int]],
    most: int | None = MOST,
) -> list[list[SourcePerson]]:
    """Who shares one of these keys, for each set of them: up to `most`, by the number of keys that they share."""
    if not any(hashes):
        return [[] for _ in hashes]
    sharing_one = dict(sharing(connection, frozenset().union(*hashes), COMMON))
    likely = [
        _likely((sharing_one[each] for each in sorted(mine) if each in sharing_one), apart, most)
        for mine, apart in zip(hashes, besides, strict=True)
    ]
    known = {one.person: one for one in persons.several(connection, {each for some in likely for each in some})}
    return [[known[each] for each in sorted(some) if each in known] for some in likely]


def _likely(shared: Iterable[Sequence[int]], besides: Collection[int], most: int | None) -> list[int]:
    counted = Counter(person for several in shared for person in several if person not in besides)
    return [person for person, _ in counted.most_common(most)]


def said_by(record: SourcePerson) -> Person:
    """What the source said last, as it is compared."""
    return msgspec.convert(record.record["said"], Person)


def recorded(said: Person, patient: Any) -> dict[str, Any]:
    """A source's own record, as it is kept."""
    return {"said": msgspec.to_builtins(said), "patient": patient}
