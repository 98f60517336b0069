"""What notices say, by kind, reader and language: a table, to which a deployment adds rows in referrals.toml.

    [[text]]
    notice = "authorized"      # or assigned, denied, closed
    reader = "member"          # or referrer, pcp
    language = "es"            # as BCP 47 has it
    text = "..."               # {service} {provider} {contact} {reason}

A language for which there is no text is told in English, and the reader's wish stays with the notice. English
alone is shipped: a translation of what a member has a right to be told is for people to make.
Refuses (CannotStart): rows that miss a key, kinds and readers that are not known, places in a text that nothing
fills.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from string import Formatter
from typing import Any, NamedTuple

from hub.problems import CannotStart

AUTHORIZED, ASSIGNED, DENIED, CLOSED = NOTICES = ("authorized", "assigned", "denied", "closed")
REFERRER, MEMBER, PCP = READERS = ("referrer", "member", "pcp")
ENGLISH = "en"
PLACES = frozenset(("service", "provider", "contact", "reason"))
KEYS = ("notice", "reader", "language", "text")


class Said(NamedTuple):
    """A text, and the language that it is in."""

    text: str
    language: str


class Texts:
    """The table with a deployment's rows: theirs count. Raises CannotStart."""

    def __init__(self, tables: Iterable[Mapping[str, Any]] = ()):
        self._rows = {(row["notice"], row["reader"], row["language"]): row["text"] for row in _rows(tables)}

    def has(self, notice: str, reader: str) -> bool:
        return (notice, reader, ENGLISH) in self._rows

    def said(self, notice: str, reader: str, language: str, words: Mapping[str, str]) -> Said:
        """In the reader's language, in that of its region's neighbours (`es` for `es-MX`), else in English."""
        for known in (language, language.partition("-")[0], ENGLISH):
            if known and (text := self._rows.get((notice, reader, known))):
                return Said(" ".join(text.format_map(words).split()), known)
        raise KeyError(notice)


def _rows(tables: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(files(__package__).joinpath("notice_texts.csv").read_text("utf-8").splitlines())
    yield from map(_checked, tables)


def _checked(row: Mapping[str, Any]) -> dict[str, str]:
    if row.keys() != set(KEYS) or not all(isinstance(row[key], str) and row[key].strip() for key in KEYS):
        raise CannotStart(f"Referrals: [[text]] has {', '.join(KEYS)}")
    if row["notice"] not in NOTICES or row["reader"] not in READERS:
        raise CannotStart(f"Referrals: [[text]] is of {', '.join(NOTICES)}, for {', '.join(READERS)}")
    try:
        places = {name for _, name, _, _ in Formatter().parse(row["text"]) if name is not None}
    except ValueError:
        places = {""}
    if not places <= PLACES:
        raise CannotStart(f"Referrals: a text has places for {', '.join(sorted(PLACES))} only")
    return {key: row[key] for key in KEYS}
