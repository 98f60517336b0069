"""Hashed HMIS exports: the same transform, applied to clear names, makes them comparable.

Rules: facts.md §1.2. Known: HashStatus 4 is the SHA-256, in hex, of the Soundex of the first, middle and last name;
its SSN begins with the last four digits in clear; the birth date is in clear. What 2 (SHA-1) and 3 (other) hash is
not known: a deployment that knows says so (`configured`). Soundex is coarse, so hashes alone never link.
Refuses: a HashStatus without a scheme (`not-supported`), a scheme that is not DIGEST:FORM (`value`).
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import new
from types import MappingProxyType
from typing import Final

from hub.identity.names import Name
from hub.identity.person import Hashed, Person, Quality, Said, person
from hub.identity.strong import Identifier
from hub.identity.words import normal, soundex
from hub.problems import Problem

UNHASHED = 1
SETTING = "HUB_HMIS_HASHES"  # where a deployment says what it knows
SHA256_SOUNDEX = "sha256:soundex"
KNOWN: Final[Mapping[int, str]] = MappingProxyType({4: SHA256_SOUNDEX})
_SCHEME = re.compile(r"(sha1|sha256|sha512|md5):(soundex|lower|upper)")
_HEX = re.compile(r"[0-9a-f]{32,128}")
_SEXES = {"0": "female", "1": "male"}


def configured(text: str) -> Mapping[int, str]:
    """`2=sha1:soundex,3=sha256:lower` as schemes by HashStatus, with the known ones. FORM is what is hashed: the
    `soundex` code, or the name in `lower` or `upper` case."""
    found = dict(KNOWN)
    for row in filter(None, (each.strip() for each in text.split(","))):
        status, _, scheme = row.partition("=")
        if not status.isascii() or not status.isdigit() or not _SCHEME.fullmatch(scheme):
            raise Problem("value", "A hash scheme is written as 2=sha1:soundex", "hash schemes")
        found[int(status)] = scheme
    return MappingProxyType(found)


def scheme_of(status: int, schemes: Mapping[int, str] = KNOWN) -> str:
    """By which transform an export with this HashStatus can be compared."""
    if status not in schemes:
        raise Problem(
            "not-supported", f"HashStatus {status}: {SETTING} does not say how it hashes", "Export.HashStatus"
        )
    return schemes[status]


@lru_cache(maxsize=100_000)
def digest(scheme: str, text: str) -> str:
    """What an export hashed by this scheme writes for the name; empty where nothing is left to hash."""
    algorithm, form = scheme.split(":")
    joined = normal(text).replace(" ", "")
    said = soundex(joined) if form == "soundex" else joined.upper() if form == "upper" else joined
    return new(algorithm, said.encode(), usedforsecurity=False).hexdigest() if said else ""


def client(row: Mapping[str, str], scheme: str, source: str, identifiers: tuple[Identifier, ...]) -> Person:
    """The Person of a row of a hashed Client.csv."""
    hashed = Hashed(scheme, digest_in(row.get("LastName", "")), digest_in(row.get("FirstName", "")))
    said = Said(
        born=row.get("DOB", ""),
        sex=_SEXES.get(row.get("Sex", ""), ""),
        ssn=_clear_part(row.get("SSN", "")),
        identifiers=identifiers,
        hashed=hashed,
        quality=Quality(*(_code(row.get(f"{part}DataQuality", "")) for part in ("Name", "DOB", "SSN"))),
    )
    return person(source, said)


def families(scheme: str, one: Name) -> frozenset[str]:
    """Digests of the whole family name and of each of its words: an export has one or the other."""
    return frozenset(filter(None, (digest(scheme, text) for text in (one.whole, *one.family))))


def givens(scheme: str, one: Name) -> frozenset[str]:
    return frozenset(filter(None, (digest(scheme, text) for text in ("".join(one.given), one.first)))) - {""}


def digests(one: Person, scheme: str) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """(families, givens) of each of a person's names by this scheme; of a hashed one, what the export says."""
    if one.hashed is None:
        yield from ((families(scheme, each), givens(scheme, each)) for each in one.names)
    elif one.hashed.scheme == scheme:
        yield frozenset(filter(None, (one.hashed.family,))), frozenset(filter(None, (one.hashed.given,)))


def digest_in(text: str) -> str:
    """A digest in small letters; empty where the text is none."""
    lower = text.strip().lower()
    return lower if _HEX.fullmatch(lower) else ""


def _clear_part(text: str) -> str:
    """The last four digits stand before the digest."""
    return text[:4] if text[:4].isascii() and text[:4].isdigit() and len(text) > 4 else ""


def _code(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 2 else 99
