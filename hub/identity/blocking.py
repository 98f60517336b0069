"""Blocking: the 64-bit keys of a person; two persons are compared when they share a key that is not too common.

Rules: docs/identity.md "Blocking". Each pass survives other errors than the rest: a wrong birth date, a wrong name,
swapped names, a nickname, a move. Names enter as digests of their Soundex codes, so that a hashed export has the
same keys. Keys are hub.search.hashes.key; other schemes of hashing than the usual one add keys of their own.
"""

from collections.abc import Callable, Iterator
from typing import Final

from hub.identity.hashed import SHA256_SOUNDEX, digest
from hub.identity.names import Name, roots
from hub.identity.person import Person
from hub.search.hashes import key

COMMON: Final = 100  # members: a key that more of them have does not select
FEW = 2  # words of a name, and roots of a nickname, that make keys


def keys(person: Person, schemes: tuple[str, ...] = (SHA256_SOUNDEX,)) -> frozenset[int]:
    """All keys of a person: about fifteen. `schemes`: those by which exports that may come are hashed."""
    return frozenset(key("identity", *each) for each in _parts(person, schemes))


def selective(person_keys: frozenset[int], count: Callable[[int], int], most: int = COMMON) -> frozenset[int]:
    """Those worth looking up; `count` says how many members have a key."""
    return frozenset(each for each in person_keys if count(each) <= most)


def _parts(person: Person, schemes: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for one in person.identifiers:
        yield "identifier", one.system, one.value
    for number in person.phones:
        yield "phone", number
    for place in person.addresses:
        if place.street:
            yield "address", place.key
    yield from _born(person)
    for scheme in schemes:
        yield from _named(person, scheme)


def _born(person: Person) -> Iterator[tuple[str, ...]]:
    birth = person.birth
    if birth is None:
        return
    if birth.whole:
        yield "born", str(birth.year), *sorted((f"{birth.month:02d}", f"{birth.day:02d}"))
    if person.ssn4:
        yield "ssn4-year", person.ssn4, str(birth.year)


def _named(person: Person, scheme: str) -> Iterator[tuple[str, ...]]:
    for families, givens in _codes(person, scheme):
        yield from _of_families(person, families)
        yield from _of_givens(person, givens)
        for pair in sorted({tuple(sorted((f, g))) for f in families for g in givens}):
            yield "names", *pair
            if person.birth:
                yield "names-year", *pair, str(person.birth.year)


def _of_families(person: Person, families: frozenset[str]) -> Iterator[tuple[str, ...]]:
    for family in families:
        if person.birth and person.birth.month:
            yield "family-month", family, person.birth.text[:6]
        if person.ssn4:
            yield "ssn4-family", person.ssn4, family


def _of_givens(person: Person, givens: frozenset[str]) -> Iterator[tuple[str, ...]]:
    for given in givens:
        if person.birth and person.birth.whole and not person.birth.usual_default:
            yield "given-day", given, person.birth.text[4:]
        if person.ssn4:
            yield "ssn4-given", person.ssn4, given


def _codes(person: Person, scheme: str) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    hashed = person.hashed
    if hashed is None:
        yield from (_codes_of(each, scheme) for each in person.names)
    elif hashed.scheme == scheme:
        yield frozenset(filter(None, (hashed.family,))), frozenset(filter(None, (hashed.given,)))


def _codes_of(one: Name, scheme: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words of the family name and the whole; the given name and what it may stand for."""
    families = {digest(scheme, text) for text in (*one.family[:FEW], one.whole)}
    givens = {digest(scheme, text) for text in (one.first, *sorted(roots(one.first))[:FEW]) if text}
    return frozenset(families - {""}), frozenset(givens - {""})
