"""The text of a search value as it enters: what it may hold, how long it may be, and where it is taken apart.

Rules: https://hl7.org/fhir/R4/search.html#escaping
Refuses: what no database holds as a text (`value`); values longer than LONGEST, with an alternative longer than
LONGEST_PART, or as long as what the index keeps of a text (`search-too-long`).
"""

import re

from hub.problems import Problem
from hub.search.index import MAX_STRING

LONGEST = 100_000  # characters of a value, with all its alternatives
LONGEST_PART = 4_000  # of one alternative

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def split(text: str, separator: str) -> list[str]:
    r"""Parts between separators that are not escaped; the backslashes stay. In `a\\,b` the backslash is escaped."""
    if "\\" not in text:
        return text.split(separator)
    parts: list[list[str]] = [[]]
    for piece in re.findall(rf"\\.|[^\\{separator}]+|.", text, re.DOTALL):
        if piece == separator:
            parts.append([])
        else:
            parts[-1].append(piece)
    return ["".join(pieces) for pieces in parts]


def entered(text: str, name: str) -> str:
    """The text of a value as it came from outside, where a database can hold it and its length is fair."""
    if len(text) > LONGEST:
        raise Problem("search-too-long", f"'{name[:64]}' takes at most {LONGEST} characters", name[:64])
    if _NO_TEXT.search(text):
        message = f"The value of '{name[:64]}' holds a NUL character or half of a surrogate pair"
        raise Problem("value", message, name[:64])
    return text


def alternatives(text: str, name: str) -> list[str]:
    """The alternatives in a value, without the empty ones."""
    parts = [part for part in split(text, ",") if part]
    if any(len(part) > LONGEST_PART for part in parts):
        message = f"One value of '{name[:64]}' has at most {LONGEST_PART} characters"
        raise Problem("search-too-long", message, name[:64])
    return parts


def kept(text: str, name: str) -> str:
    """A text that the index can tell from every other one: of a longer one it knows the beginning only."""
    if len(text) >= MAX_STRING:
        message = f"'{name[:64]}' compares texts of fewer than {MAX_STRING} characters"
        raise Problem("search-too-long", message, name[:64])
    return text


def escaped(text: str) -> str:
    """A text as a value of a token: `|`, `,`, `$` and the backslash are parts of it."""
    return "".join(f"\\{char}" if char in "\\|,$" else char for char in text)


def unescape(text: str) -> str:
    r"""`\,` `\|` `\$` and `\\` as the characters they stand for. https://hl7.org/fhir/R4/search.html#escaping"""
    return re.sub(r"\\([,|$\\])", r"\1", text)
