"""What one source says of a person, in the form in which persons are compared.

Rules: docs/identity.md. A `Person` is plain values (msgspec turns it to JSON and back), so that the store can keep
what a source said and compare it again. Of an SSN only the last four digits are kept. `Quality` are HUD's codes
(3.01.5, 3.02.2, 3.03.2: 1 full, 2 partial or approximate, 8 9 99 nothing said); sources without codes say 1.
Refuses nothing: what cannot be read is left out. Of names, addresses and phones MOST are read, and no more, because
comparing takes the product.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hub.identity.addresses import Address, address, phone
from hub.identity.births import Birth, birth
from hub.identity.names import Name, best_first, name
from hub.identity.strong import Identifier

MOST = 5
FULL, PARTIAL = 1, 2
_LAST_FOUR = re.compile(r"([0-9]{4})\s*\Z")
_NO_SSN = re.compile(r"(\d)\1{8}|123456789|000000000")
SEXES = frozenset(("female", "male"))


@dataclass(frozen=True, slots=True)
class Quality:
    name: int = FULL
    birth: int = FULL
    ssn: int = FULL


@dataclass(frozen=True, slots=True)
class Hashed:
    """What a hashed HMIS export says in place of names: digests, and by which scheme they were made."""

    scheme: str
    family: str = ""
    given: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """`sex` is female, male or empty. `order`: place in a multiple birth; 0 not said, -1 said without a place.
    `deceased`: a date, or empty."""

    source: str
    names: tuple[Name, ...] = ()
    birth: Birth | None = None
    sex: str = ""
    phones: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    ssn4: str = ""
    order: int = 0
    deceased: str = ""
    identifiers: tuple[Identifier, ...] = ()
    hashed: Hashed | None = None
    quality: Quality = field(default_factory=Quality)

    @property
    def placeholder(self) -> str:
        """Empty as soon as one name is a name."""
        return self.names[0].placeholder if self.names else ""


@dataclass(frozen=True, slots=True)
class Said:
    """A source's own words: names as (family, given parts, suffix), addresses as (lines, city, postal code)."""

    names: Sequence[tuple[str, Sequence[str], str]] = ()
    born: str = ""
    sex: str = ""
    phones: Sequence[str] = ()
    addresses: Sequence[tuple[list[str], str, str]] = ()
    ssn: str = ""
    order: int = 0
    deceased: str = ""
    identifiers: Iterable[Identifier] = ()
    hashed: Hashed | None = None
    quality: Quality = field(default_factory=Quality)


def person(source: str, said: Said) -> Person:
    """What was said, normalised."""
    quality = said.quality
    names = best_first(name(*each) for each in said.names[:MOST]) if quality.name in (FULL, PARTIAL) else ()
    return Person(
        source=source,
        names=names,
        birth=birth(said.born) if quality.birth in (FULL, PARTIAL) else None,
        sex=said.sex if said.sex in SEXES else "",
        phones=tuple(sorted({number for each in said.phones[:MOST] if (number := phone(each))})),
        addresses=_addresses(said.addresses[:MOST]),
        ssn4=last_four(said.ssn) if quality.ssn in (FULL, PARTIAL) else "",
        order=said.order or next((each.order for each in names if each.order), 0),
        deceased=said.deceased[:10],
        identifiers=tuple(sorted(set(said.identifiers))),
        hashed=said.hashed,
        quality=quality,
    )


def last_four(text: str) -> str:
    """The last four digits of an SSN, also of one that is masked (`xxxxx1234`); empty where there are none."""
    found = _LAST_FOUR.search(text[:40])
    if found is None or found[1] == "0000" or _NO_SSN.fullmatch("".join(c for c in text[:40] if c.isdigit())):
        return ""
    return found[1]


def _addresses(said: Sequence[tuple[list[str], str, str]]) -> tuple[Address, ...]:
    found = {key for each in said if (key := address(*each))}
    return tuple(sorted(found, key=lambda each: each.key))
