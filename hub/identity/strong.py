"""Identifiers that name one person: their formats, whose they are, and what two persons' identifiers say.

Rules: docs/identity.md "Strong identifiers".
- CIN: eight digits and a letter; unusual unless it begins with 9 and ends with a letter that LA County DMH bulletin
  NGA 12-041 allows (facts.md §6).
- MBI: https://www.cms.gov/medicare/new-medicare-card/understanding-the-mbi.pdf: eleven places, no S, L, O, I, B, Z.
- MRN, county client number, HMIS PersonalID: any text, of one authority (the system).
- A person has one CIN, one MBI and one MRN of an authority: another value is evidence against. HMIS and counties
  register people twice, so two of their numbers say nothing.
- Never: SSN, MEDS-ID (facts.md §6), NPI (a professional's), and numbers made of one repeated digit.
Refuses: a value against the hard rule, which is then no identifier (None).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from hub.fhir.systems import CIN_SYSTEM, MRN_SYSTEM_BASE, OWN

US_MBI = "http://hl7.org/fhir/sid/us-mbi"
COUNTY_SYSTEM_BASE = OWN + "sid/county/"
HMIS_SYSTEM_BASE = OWN + "sid/hmis/"
LONGEST = 64
_M_LETTER, _M_EITHER = "[AC-HJKMNP-RT-Y]", "[0-9AC-HJKMNP-RT-Y]"
_MBI = f"[1-9]{_M_LETTER}{_M_EITHER}[0-9]{_M_LETTER}{_M_EITHER}[0-9]{_M_LETTER}{{2}}[0-9]{{2}}"
_MADE_UP = re.compile(r"([0-9A-Za-z])\1{2,}[A-Z]?")
_RECORD_NUMBER = "MR"  # https://terminology.hl7.org/CodeSystem-v2-0203.html


class Identifier(NamedTuple):
    kind: str
    system: str
    value: str


@dataclass(frozen=True, slots=True)
class Kind:
    """`hard` refuses, `usual` warns; `one`: a person has only one of a system."""

    hard: re.Pattern[str]
    usual: re.Pattern[str] | None
    one: bool


_ANY = re.compile(r"\S.*")
KINDS: Final = {
    "cin": Kind(re.compile(r"[0-9]{8}[A-Z]"), re.compile(r"9[0-9]{7}[ACDEFGHMNT-Z]"), True),
    "mbi": Kind(re.compile(_MBI), None, True),
    "mrn": Kind(_ANY, None, True),
    "county": Kind(_ANY, None, False),
    "hmis": Kind(_ANY, None, False),
}


@dataclass(frozen=True, slots=True)
class Systems:
    """Which system holds which kind: whole URIs first, then beginnings. A deployment names its own."""

    exact: tuple[tuple[str, str], ...] = ((CIN_SYSTEM, "cin"), (US_MBI, "mbi"))
    beginnings: tuple[tuple[str, str], ...] = (
        (MRN_SYSTEM_BASE, "mrn"),
        (COUNTY_SYSTEM_BASE, "county"),
        (HMIS_SYSTEM_BASE, "hmis"),
    )

    def kind(self, system: str, type_code: str = "") -> str:
        """Empty for a system that names no person. `type_code` is of v2-0203: MR makes any system an authority."""
        exact = (kind for known, kind in self.exact if known == system)
        begun = (kind for beginning, kind in self.beginnings if system.startswith(beginning))
        return next(exact, "") or next(begun, "") or ("mrn" if system and type_code == _RECORD_NUMBER else "")


def identifier(system: str, value: str, systems: Systems, type_code: str = "") -> Identifier | None:
    """None where the system names no person or the value breaks the kind's hard rule."""
    kind = systems.kind(system, type_code)
    written = _written(kind, value)
    if not kind or len(written) > LONGEST or not KINDS[kind].hard.fullmatch(written) or _MADE_UP.fullmatch(written):
        return None
    return Identifier(kind, system, written)


def unusual(one: Identifier) -> bool:
    """It keeps the hard rule and breaks the one that only warns."""
    usual = KINDS[one.kind].usual
    return usual is not None and not usual.fullmatch(one.value)


def _written(kind: str, value: str) -> str:
    """CIN and MBI without the dashes and spaces they are printed with; other numbers as they are."""
    text = value[: LONGEST * 2].strip()
    return re.sub(r"[\s-]", "", text).upper() if kind in ("cin", "mbi") else text


def shared(one: Iterable[Identifier], other: Iterable[Identifier]) -> tuple[str, ...]:
    """The kinds of which both have the same number."""
    known = frozenset(other)
    return tuple(sorted({each.kind for each in one if each in known})) if known else ()


def contradicting(one: Iterable[Identifier], other: Iterable[Identifier]) -> tuple[str, ...]:
    """The kinds a person has one of, where both have some of one system and none is the same."""
    mine, theirs = _of_systems(one), _of_systems(other)
    return tuple(sorted({key[0] for key in mine.keys() & theirs.keys() if not mine[key] & theirs[key]}))


def _of_systems(several: Iterable[Identifier]) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for each in several:
        if KINDS[each.kind].one:
            found.setdefault((each.kind, each.system), set()).add(each.value)
    return found
