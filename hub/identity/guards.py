"""What never links by itself, however much agrees: a table of guards, each of which lowers an outcome.

Rules: docs/identity.md "Guards" (SEC-55): twins, Jr/Sr, newborns, default birth dates, households, hashes.
- REVIEW: instead of a link a person looks at it.
- DOUBT: one step down: review instead of a link, distinct instead of a review.
- DISTINCT: two persons.
The shared address and the shared phone are a matter of comparing: they weigh nothing (hub.identity.compare).
Where a strong identifier is the same, guards marked `always` still hold; the others give way to the check of names
and dates (hub.identity.decide).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Final

from hub.identity.births import GENERATION
from hub.identity.frequencies import Frequencies
from hub.identity.names import NEWBORN
from hub.identity.person import Person
from hub.identity.strong import contradicting
from hub.identity.weights import Limits

REVIEW, DOUBT, DISTINCT = "review", "doubt", "distinct"
OWN_POINTS: Final = {
    **{("given", level): 2 for level in ("same", "nickname", "swapped")},
    **{("given", level): 1 for level in ("close", "near", "phonetic", "part", "first")},
    ("given_hash", "same"): 1,
    ("birth", "same"): 2,
    ("birth", "turned"): 1,
    ("birth", "digit"): 1,
    ("ssn4", "same"): 2,
}
CORROBORATING: Final = (
    ("ssn4", "same", "close"),
    ("phone", "same"),
    ("address", "same", "building", "near"),
    ("middle", "same"),
    ("deceased", "same"),
)
_SAME_GIVEN = frozenset(("same", "nickname", "swapped"))
_YOUNGER = frozenset(("jr", "2", "3", "4"))


@dataclass(slots=True)
class Pair:
    """Two persons and how they agree: field -> level."""

    one: Person
    other: Person
    levels: Mapping[str, str]
    weight: float
    frequencies: Frequencies
    limits: Limits

    @property
    def population(self) -> float:
        """Bits that it takes to single out one person."""
        return log2(max(self.frequencies.total, self.limits.least_population))

    def has(self, field: str, *levels: str) -> bool:
        return self.levels.get(field) in levels

    @property
    def suffixes(self) -> tuple[set[str], set[str]]:
        return _suffixes(self.one), _suffixes(self.other)


@dataclass(frozen=True, slots=True)
class Guard:
    """`check` says what to do, or empty."""

    name: str
    check: Callable[[Pair], str]
    always: bool = False


def _suffixes(person: Person) -> set[str]:
    return {each.suffix for each in person.names if each.suffix}


def _newborn(pair: Pair) -> str:
    """BABY GIRL: every newborn of a family name has it until it has a name."""
    if NEWBORN not in (pair.one.placeholder, pair.other.placeholder):
        return ""
    if pair.has("birth", "different", "generation") or pair.has("sex", "different"):
        return DISTINCT
    return DISTINCT if _other_mother(pair) else REVIEW


def _other_mother(pair: Pair) -> bool:
    """Both are BABY of a mother whose name is said, and the names differ."""
    if not pair.one.names or not pair.other.names:
        return False
    one, other = pair.one.names[0], pair.other.names[0]
    if one.placeholder != other.placeholder or not one.given or not other.given:
        return False
    return not set(one.given) & set(other.given)


def _placeholder(pair: Pair) -> str:
    """John Doe and UNKNOWN are nobody's names."""
    return REVIEW if pair.one.placeholder or pair.other.placeholder else ""


def _multiple_birth(pair: Pair) -> str:
    if pair.has("order", "different"):
        return DISTINCT
    marked = pair.one.order or pair.other.order
    return DOUBT if marked and not pair.has("given", *_SAME_GIVEN) else ""


def _twins(pair: Pair) -> str:
    """Born on one day with one family name, and another given name, however like it: Jaden and Jayden. A nickname
    is the name, unless SSN4 or sex differ: twins are called Elizabeth and Lisa, too."""
    if not pair.has("birth", "same", "default", "turned", "digit") or pair.has("given", "same", "swapped"):
        return ""
    if (
        pair.has("given", "nickname")
        and not pair.has("ssn4", "close", "different")
        and not pair.has("sex", "different")
    ):
        return ""
    other_given = pair.has("given", "different") or pair.has("given_hash", "different")
    if pair.has("ssn4", "same"):  # it may be their mother's, on both
        return REVIEW if _unlike(pair) or (other_given and not pair.limits.twin_ssn4) else ""
    if other_given:
        return DISTINCT
    return REVIEW if "given" in pair.levels else ""


def _unlike(pair: Pair) -> bool:
    return pair.has("sex", "different") or pair.has("middle", "different")


def _generations(pair: Pair) -> str:
    """Father and son, mother and daughter of one name."""
    one, other = pair.suffixes
    if one and other and not one & other and one | other != {"jr", "2"}:
        return DISTINCT
    if pair.has("birth", "generation"):
        return REVIEW
    one_younger = bool(_YOUNGER & one) != bool(_YOUNGER & other)
    return REVIEW if one_younger and not pair.has("birth", "same") and not pair.has("ssn4", "same") else ""


def _other_birth_date(pair: Pair) -> str:
    if not pair.has("birth", "different"):
        return ""
    assert pair.one.birth is not None
    assert pair.other.birth is not None
    apart = abs(pair.one.birth.year - pair.other.birth.year)
    if not pair.has("ssn4", "same"):
        return DISTINCT if apart >= GENERATION else DOUBT
    return DOUBT if apart >= GENERATION or not pair.has("given", *_SAME_GIVEN) else ""


def _too_little_of_their_own(pair: Pair) -> str:
    """A household shares family name, address and phone. A given name, a birth date or an SSN4 is one's own; two of
    them must agree, one of them exactly; an initial and a default date are not enough."""
    points = sum(OWN_POINTS.get(each, 0) for each in pair.levels.items())
    return "" if points >= pair.limits.own_evidence else REVIEW


def _bare(pair: Pair) -> str:
    """Names and birth date alone: enough for rare names only."""
    if any(pair.has(*each) for each in CORROBORATING):
        return ""
    return REVIEW if pair.weight < pair.population + pair.limits.bare_margin else ""


def _swapped(pair: Pair) -> str:
    """Thomas Martin and Martin Thomas may be two persons: something else than names must agree."""
    beside = any(pair.has(*each) for each in CORROBORATING if each[0] != "middle")
    return REVIEW if pair.has("given", "swapped") and not beside else ""


def _hashed(pair: Pair) -> str:
    """A digest of a Soundex code is shared by many names."""
    if not pair.one.hashed and not pair.other.hashed:
        return ""
    needed = ("given_hash", "family_hash", "birth", "ssn4")
    return "" if all(pair.has(field, "same") for field in needed) else REVIEW


def _other_identifier(pair: Pair) -> str:
    return DOUBT if contradicting(pair.one.identifiers, pair.other.identifiers) else ""


def _other_ssn(pair: Pair) -> str:
    return REVIEW if pair.has("ssn4", "different", "close") and not pair.has("birth", "same") else ""


GUARDS: Final = (
    Guard("newborn", _newborn, always=True),
    Guard("placeholder name", _placeholder),
    Guard("multiple birth", _multiple_birth, always=True),
    Guard("twins", _twins),
    Guard("generations", _generations, always=True),
    Guard("other birth date", _other_birth_date),
    Guard("too little of their own", _too_little_of_their_own),
    Guard("nothing but name and birth date", _bare),
    Guard("swapped names", _swapped),
    Guard("hashed", _hashed),
    Guard("other identifier", _other_identifier, always=True),
    Guard("other SSN4", _other_ssn),
)
