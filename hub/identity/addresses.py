"""Postal addresses and telephone numbers as keys that can be compared.

Rules: abbreviations of streets, directions and units as in USPS Publication 28, appendix C
(https://pe.usps.com/text/pub28/28apc_002.htm); telephone numbers of the North American plan: ten digits, neither
the area nor the exchange begins with 0 or 1. What stands where no address is known (homeless, general delivery,
unknown) is no address.
Refuses nothing: what cannot be read is left out (None).
"""

import re
from dataclasses import dataclass

from hub.identity.words import LONGEST, words

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
    digits, or the city."""

    street: str
    unit: str = ""
    area: str = ""

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
    area = digits if len(digits) == 5 else " ".join(words(city))
    if not _is_somebodys(street):
        return Address("", "", area) if area else None
    at = street.index("apt") if "apt" in street[1:] else len(street)
    return Address(" ".join(street[:at]), "".join(w for w in street[at:] if w != "apt"), area)


def _is_somebodys(street: list[str]) -> bool:
    if _NO_ADDRESS & set(street) or " ".join(street).startswith(_NO_PLACE):
        return False
    return any(word[0].isdigit() for word in street)


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
