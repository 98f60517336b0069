"""Texts of names and addresses as words that can be compared, and how alike two words are.

Rules: Unicode NFKD (https://unicode.org/reports/tr15/) without marks, casefolded; letters that do not decompose are
written as is usual in English (ø as o). American Soundex: https://www.archives.gov/research/census/soundex.
Words of different alphabets are never alike: a Cyrillic а is no typing error for a Latin one (SEC-27).
Refuses nothing; reads LONGEST characters of a text, because comparing takes the square of its length.
"""

import re
import unicodedata
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

LONGEST = 100
_WRITTEN = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
_LETTERS = str.maketrans(_WRITTEN)
_QUOTES = re.compile("['`´ʹʻʼʽˈ‘’‛′]")
_GROUPS = {"bfpv": "1", "cgjkqsxz": "2", "dt": "3", "l": "4", "mn": "5", "r": "6"}
_SOUNDS = {letter: digit for letters, digit in _GROUPS.items() for letter in letters}
CLOSE, NEAR = 0.92, 0.83  # Jaro-Winkler
SHORT, SHORTEST = 4, 3  # letters


def normal(text: str) -> str:
    """Lower-case letters and digits without marks, words parted by one space; the same when it is done again."""
    folded = unicodedata.normalize("NFKD", text[:LONGEST]).casefold()
    plain = unicodedata.normalize("NFKD", folded.translate(_LETTERS))
    kept = (c for c in _QUOTES.sub("", plain) if not unicodedata.combining(c))
    return " ".join("".join(c if c.isalnum() else " " for c in kept).split())[:LONGEST].strip()


def words(text: str) -> tuple[str, ...]:
    return tuple(normal(text).split())


@lru_cache(maxsize=50_000)
def soundex(text: str) -> str:
    """`S530` of smith; empty where there is no Latin letter."""
    letters = [c for c in normal(text) if "a" <= c <= "z"]
    if not letters:
        return ""
    code, last = letters[0].upper(), _SOUNDS.get(letters[0], "")
    for letter in letters[1:]:
        digit = _SOUNDS.get(letter, "")
        if digit and digit != last:
            code += digit
        if letter not in "hw":  # between two letters of one sound they count as not there
            last = digit
    return (code + "000")[:4]


@lru_cache(maxsize=200_000)
def likeness(one: str, other: str) -> str:
    """`close`: one slip of the pen apart, or nearly the same from the beginning on. `near`: further apart, or in a
    short word, where each letter makes another name. Empty: other words."""
    if one.isascii() != other.isascii() or min(len(one), len(other)) < SHORTEST:
        return ""
    apart = DamerauLevenshtein.distance(one, other, score_cutoff=2)
    similar = JaroWinkler.similarity(one, other)
    if min(len(one), len(other)) >= SHORT and (apart <= 1 or similar >= CLOSE):
        return "close"
    return "near" if apart <= 1 or similar >= NEAR else ""


def alike(one: str, other: str) -> bool:
    return likeness(one, other) == "close"


def sounds_alike(one: str, other: str) -> bool:
    return bool(code := soundex(one)) and code == soundex(other) and one.isascii() == other.isascii()
