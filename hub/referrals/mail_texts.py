"""What a mail about referrals says: that there is something, and where. A table, to which a deployment adds rows.

    [[mail]]
    kind = "notice"        # there is a notice to read; or "link": a provider is asked
    language = "es"        # as BCP 47 has it
    subject = "..."
    text = "..."           # notice: {number}; link: {link} {until}

It names nobody, no service and no diagnosis: a mailbox may be read by others. English alone is shipped.
Refuses (CannotStart): rows that miss a key, another kind, places that nothing fills; a link's text without {link};
a subject of several lines.
"""

from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any, NamedTuple

from hub.problems import CannotStart

NOTICE, LINK = "notice", "link"
PLACES: Mapping[str, frozenset[str]] = {NOTICE: frozenset(("number",)), LINK: frozenset(("link", "until"))}
KEYS = ("kind", "language", "subject", "text")
ENGLISH = "en"


class Mail(NamedTuple):
    """`text` has places that `filled` fills; `language` is the one that it is in."""

    subject: str
    text: str
    language: str = ENGLISH

    def filled(self, **words: str) -> str:
        return self.text.format_map(words)


SHIPPED: Mapping[tuple[str, str], Mail] = {
    (NOTICE, ENGLISH): Mail(
        "There is news for you",
        "There is a new notice for you. For your privacy this mail does not say what it is about.\n"
        "Sign in where you usually read such notices, or ask the people who help you.\n\n"
        "Its number is {number}.\n",
    ),
    (LINK, ENGLISH): Mail(
        "You are asked to answer a referral",
        "A referral waits for your answer. For privacy this mail does not say whom or what it is about.\n"
        "Open this address to read and answer it:\n\n{link}\n\n"
        "Whoever has the address can do so until {until}: do not pass it on, and delete this mail afterwards.\n",
    ),
}


class MailTexts:
    """The table with a deployment's rows: theirs count. Raises CannotStart."""

    def __init__(self, tables: Iterable[Mapping[str, Any]] = ()):
        self._rows = {**SHIPPED, **dict(map(_checked, tables))}

    def of(self, kind: str, language: str) -> Mail:
        """In the reader's language, in that of its region's neighbours (`es` for `es-MX`), else in English."""
        for known in (language, language.partition("-")[0]):
            if found := self._rows.get((kind, known)):
                return found
        return self._rows[(kind, ENGLISH)]


def _checked(row: Mapping[str, Any]) -> tuple[tuple[str, str], Mail]:
    if row.keys() != set(KEYS) or not all(isinstance(row[key], str) and row[key].strip() for key in KEYS):
        raise CannotStart(f"Referrals: [[mail]] has {', '.join(KEYS)}")
    kind, language, subject, text = (row[key] for key in KEYS)
    if kind not in PLACES or not subject.isprintable():
        raise CannotStart(f"Referrals: [[mail]] is of {' or '.join(PLACES)}, with a subject of one line")
    try:
        places = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError:
        places = {""}
    if not places <= PLACES[kind] or (kind == LINK and "link" not in places):
        raise CannotStart(f"Referrals: a mail of {kind} has places for {', '.join(sorted(PLACES[kind]))}")
    return (kind, language), Mail(subject, text, language)
