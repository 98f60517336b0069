"""A name as it is compared: family words, given words, suffix, and what stands where no name is known.

Rules: docs/identity.md "Names". Placeholders are named, not compared: `newborn` (BABY GIRL, with the order of a
twin and what else is said, mostly the mother's given name), `unknown` (UNKNOWN, NFN) and `doe` (John Doe).
Nicknames are nicknames.csv, written for this project (English and Spanish).
Refuses nothing: what cannot be read as a name is an empty name.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hub.identity.words import words

NEWBORN, UNKNOWN, DOE = "newborn", "unknown", "doe"
PARTICLES = frozenset(
    [
        "de",
        "la",
        "del",
        "las",
        "los",
        "le",
        "da",
        "das",
        "do",
        "dos",
        "di",
        "du",
        "van",
        "von",
        "der",
        "den",
        "ter",
        "ten",
        "bin",
        "ibn",
        "al",
        "el",
        "y",
        "e",
    ]
)
_SUFFIXES = {
    **dict.fromkeys(("jr", "junior"), "jr"),
    **dict.fromkeys(("sr", "senior"), "sr"),
    **dict.fromkeys(("ii", "2nd"), "2"),
    **dict.fromkeys(("iii", "3rd"), "3"),
    **dict.fromkeys(("iv", "4th"), "4"),
}
_NOBODY = frozenset(
    [
        "unknown",
        "unk",
        "unkn",
        "anonymous",
        "anon",
        "nfn",
        "nln",
        "noname",
        "refused",
        "declined",
        "withheld",
        "unidentified",
        "null",
        "none",
        "na",
        "patient",
        "test",
        "tbd",
        "unnamed",
        "xx",
        "xxx",
        "xxxx",
        "zzz",
        "zzzz",
    ]
)
_DOES = frozenset(["john", "jane", "johnny", "janie", "jon", "j", "baby"])
_BABIES = frozenset(
    ["baby", "babyboy", "babygirl", "bb", "bg", "newborn", "nb", "infant", "infantboy", "infantgirl"]
)
_OF_BABIES = frozenset(["boy", "girl", "male", "female", "infant", "newborn", "of"])
_ORDERS = {letter: order for order, letters in enumerate(("a1", "b2", "c3", "d4"), 1) for letter in letters}


@dataclass(frozen=True, slots=True)
class Name:
    """Words are normal (hub.identity.words). `family` is without particles. Of a newborn, `given` is what is said
    beside BABY, mostly the mother's given name, and `order` its place among twins (0: not said)."""

    family: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    suffix: str = ""
    placeholder: str = ""
    order: int = 0
    whole: str = ""  # the family name in one word, with its particles

    @property
    def first(self) -> str:
        """The given name that can be compared; empty where there is none."""
        return self.given[0] if self.given and self.placeholder != NEWBORN else ""


def name(family: str, given: Sequence[str], suffix: str = "") -> Name:
    """The name that a source says in these parts; a suffix may stand at the end of any of them."""
    family_words, family_suffix = _without_suffix(words(family))
    given_words, given_suffix = _without_suffix(words(" ".join(given)))
    said = suffix_of(suffix) or family_suffix or given_suffix
    if _BABIES & {*given_words[:1], *family_words[:1]} or given_words in (("boy",), ("girl",)):
        return _newborn(family_words, given_words)
    if family_words == ("doe",) and (not given_words or given_words[0] in _DOES):
        return Name(placeholder=DOE)
    known_family, known_given = _known(family_words), _known(given_words)
    placeholder = UNKNOWN if (known_family, known_given) != (family_words, given_words) else ""
    return Name(_bare(known_family), known_given, said, placeholder, whole="".join(known_family))


def suffix_of(text: str) -> str:
    """`jr`, `sr`, `2`, `3`, `4`; empty where it is none of them (MD, Esq.)."""
    return next((_SUFFIXES[word] for word in words(text) if word in _SUFFIXES), "")


def _without_suffix(parts: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    if len(parts) > 1 and parts[-1] in _SUFFIXES:
        return parts[:-1], _SUFFIXES[parts[-1]]
    return parts, ""


def _newborn(family: tuple[str, ...], given: tuple[str, ...]) -> Name:
    own = tuple(word for word in family if word not in _BABIES | _OF_BABIES)
    rest = [word for word in given if word not in _BABIES | _OF_BABIES]
    order = next((_ORDERS[word] for word in rest if word in _ORDERS), 0)
    mother = tuple(word for word in rest if len(word) > 1)
    return Name(_bare(own), mother, "", NEWBORN, order, "".join(own))


def _known(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for part in parts if part not in _NOBODY)


def _bare(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Without particles, unless nothing else is there."""
    return tuple(part for part in parts if part not in PARTICLES) or parts


@cache
def _roots() -> Mapping[str, frozenset[str]]:
    """Every nickname and name of the table with the names it may stand for."""
    found: dict[str, set[str]] = {}
    text = files("hub.identity").joinpath("nicknames.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        for word in (row["name"], *row["nicknames"].split()):
            found.setdefault(word, set()).add(row["name"])
    return {word: frozenset(names) for word, names in found.items()}


def roots(given: str) -> frozenset[str]:
    """The names that this one may stand for, with itself."""
    return _roots().get(given, frozenset()) | {given}


def nicknamed(one: str, other: str) -> bool:
    """One stands for the other, or both for a third: Bill and Will."""
    known = _roots()
    return bool(known.get(one, frozenset()) & known.get(other, frozenset()))


def best_first(names: Iterable[Name]) -> tuple[Name, ...]:
    """Different names once each; those that say most come first."""
    found = sorted(set(names), key=lambda n: (bool(n.placeholder), -len(n.family) - len(n.given), n.whole, n.given))
    return tuple(each for each in found if each.family or each.given or each.placeholder)
