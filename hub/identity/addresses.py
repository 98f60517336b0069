"""Postal addresses and telephone numbers as keys that can be compared, and how two addresses agree.

Rules: abbreviations of streets, directions and units as in USPS Publication 28, appendix C
(https://pe.usps.com/text/pub28/28apc_002.htm); telephone numbers of the North American plan: ten digits, neither
the area nor the exchange begins with 0 or 1. What stands where no address is known (homeless, general delivery,
unknown) is no address.
Refuses nothing: what cannot be read is left out (None).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein

from hub.identity.words import LONGEST, alike, words

SLIPPED = 0.85  # alike as texts
MOST_WORDS, FEWEST = 0.6, 3  # of the shorter line
_SHORT = {
    long: short
    for short, longs in {
        "st": "street str", "ave": "avenue av aven", "blvd": "boulevard boul", "rd": "road", "dr": "drive drv",
        "ln": "lane", "ct": "court", "pl": "place", "cir": "circle", "ter": "terrace", "pkwy": "parkway",
        "hwy": "highway", "sq": "square", "trl": "trail", "way": "wy", "n": "north", "s": "south", "e": "east",
        "w": "west", "apt": "apartment unit ste suite no num rm room spc space lot",
    }.items()
    for long in longs.split()
}  # fmt: skip
_NO_ADDRESS = frozenset(["homeless", "unknown", "transient", "unhoused", "none", "na", "unk"])
_NO_PLACE = ("general delivery", "no fixed", "no address", "address unknown", "no permanent")
_UNIT = re.compile(r"#\s*")
_MADE_UP = frozenset(["1234567890", "0123456789"])
_DIGITS = re.compile(r"[0-9]")


@dataclass(frozen=True, slots=True)
class Address:
    """`street` is empty where only the place is known; `unit` may be empty; `area` is the postal code's five
    digits, or the city. `city` is no part of the key: it says that a place is the same where the code is wrong."""

    street: str
    unit: str = ""
    area: str = ""
    city: str = ""

    @property
    def building(self) -> str:
        return f"{self.street}|{self.area}"

    @property
    def key(self) -> str:
        """What persons who live together share, and what is counted (Frequencies, `address`)."""
        return f"{self.building}|{self.unit}"


def address(lines: list[str], city: str = "", postal_code: str = "") -> Address | None:
    """None where neither a street with a number nor a place is known."""
    street = [_SHORT.get(word, word) for word in words(_UNIT.sub(" apt ", " ".join(lines)[:LONGEST]))]
    digits = "".join(_DIGITS.findall(postal_code[:LONGEST]))[:5]
    town = " ".join(words(city))
    area = digits if len(digits) == 5 else town
    if not _is_somebodys(street):
        return Address("", "", area, town) if area else None
    at = street.index("apt") if "apt" in street[1:] else len(street)
    return Address(" ".join(street[:at]), "".join(w for w in street[at:] if w != "apt"), area, town)


def _is_somebodys(street: list[str]) -> bool:
    if _NO_ADDRESS & set(street) or " ".join(street).startswith(_NO_PLACE):
        return False
    return any(word[0].isdigit() for word in street)


def agreement(one: Address, other: Address) -> str:
    """A level of weights.csv, field `address`; how many share it is not asked here."""
    if one.street and other.street:
        if one.building == other.building:
            return "same" if one.unit == other.unit else "building"
        if _slipped(one.building, other.building):
            return "near"
        if _is_one_line(one.street, other.street):
            return "near" if _is_one_place(one, other) else "line"
    return "area" if one.area and one.area == other.area else "different"


def _is_one_place(one: Address, other: Address) -> bool:
    pairs = (one.area, other.area), (one.city, other.city)
    return any(mine and (mine == theirs or alike(mine, theirs)) for mine, theirs in pairs)


@lru_cache(maxsize=50_000)
def _is_one_line(one: str, other: str) -> bool:
    """A number in common, and alike, or most words of the shorter in any order: a word was left off, or the second
    line came first."""
    fewer, more = sorted((one.split(), other.split()), key=lambda line: (len(line), line))
    if not {word for word in fewer if word[0].isdigit()} & set(more):
        return False
    found = sum(any(word == each or alike(word, each) for each in more) for word in fewer)
    return _slipped(one, other) or (len(fewer) >= FEWEST and found > MOST_WORDS * len(fewer))


@lru_cache(maxsize=50_000)
def _slipped(one: str, other: str) -> bool:
    return DamerauLevenshtein.normalized_similarity(one, other) >= SLIPPED


def phone(text: str) -> str:
    """Ten digits, or empty where it is no telephone number of somebody's own."""
    digits = "".join(_DIGITS.findall(text[:LONGEST]))
    number = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    if len(number) != 10 or number[0] in "01" or number[3] in "01" or _is_made_up(number):
        return ""
    return number


def _is_made_up(number: str) -> bool:
    """Ends in one digit seven times, or counts up."""
    return len(set(number[-7:])) == 1 or number in _MADE_UP
