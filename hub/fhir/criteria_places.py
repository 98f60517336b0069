"""Whom a Subscription's criteria name: each word of their queries as a place, such as `Patient/x` in
`Encounter?patient=Patient/x,Patient/y&class=IMP`. Pure.

Rules: https://hl7.org/fhir/R4/subscription-definitions.html#Subscription.criteria and the filters beside it
(hub.notifications.filters). A place is the text's pointer and two numbers more: which parameter, which value of it.
A word is kept as it was sent, with its percent signs; `said` is the reference that it means.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

Resource = Mapping[str, Any]
BY_ID = frozenset(("patient", "subject"))  # a bare id names a Patient here


class Word(NamedTuple):
    pointer: str
    text: str
    said: str


def words(subscription: Resource) -> Iterator[Word]:
    """Every value of every query, in order."""
    for at, text in _queries(subscription):
        for number, pair in enumerate(text.partition("?")[2].split("&")):
            name, _, values = pair.partition("=")
            for place, value in enumerate(values.split(",")):
                yield Word(f"{at}/{number}/{place}", value, _said(name.partition(":")[0], unquote_plus(value)))


def _said(name: str, value: str) -> str:
    return f"Patient/{value}" if name in BY_ID and value and "/" not in value else value


def _queries(subscription: Resource) -> Iterator[tuple[str, str]]:
    if isinstance(text := subscription.get("criteria"), str) and "?" in text:
        yield "/criteria", text
    for place, extension in enumerate(subscription.get("_criteria", {}).get("extension", ())):
        if isinstance(text := extension.get("valueString"), str) and "?" in text:
            yield f"/_criteria/extension/{place}/valueString", text


def with_word(query: str, number: int, place: int, word: str) -> str:
    """The query with another word in a place."""
    head, _, told = query.partition("?")
    pairs = told.split("&")
    name, equals, values = pairs[number].partition("=")
    several = values.split(",")
    several[place] = word
    pairs[number] = f"{name}{equals}{','.join(several)}"
    return f"{head}?{'&'.join(pairs)}"
