"""Which patients a signed-in person can choose for an app: those they may see, found by name, birth date or number.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#requesting-context-with-scopes
The list is a search of the FHIR store with the person's own Access: what they may not see is not there. A patient's
own account has one choice, that of a RelatedPerson whom it is one of, now.
Refuses: a choice that is not among these, whatever a form says.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from auth.launch import content_of
from auth.users import User
from hub.access import Access
from hub.fhir import json
from hub.problems import Problem
from hub.search.match import matches
from hub.search.query import Limits, Pair, parse
from hub.store import read

MOST = 20
LONGEST = 200
MOST_WORDS = 8
WHY = "whose related person somebody is"

AccessOf = Callable[[str], Access]  # what the person may see, with this patient chosen or (empty) with none
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_SPECIAL = re.compile(r"([\\,|$])")
_LOCAL = re.compile(r"(?:.*/)?(Patient)/([A-Za-z0-9.-]{1,64})")


@dataclass(frozen=True, slots=True)
class Choice:
    """A patient as the list shows them."""

    id: str
    name: str
    born: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the list; `more`: there are others, to be searched for."""

    choices: tuple[Choice, ...]
    more: bool = False


def own(connection: Connection, access_of: AccessOf, user: User, now: datetime) -> tuple[Choice, ...] | None:
    """The patients of a patient's or related person's account; None for everyone else, who has a list."""
    kind, _, identity = user.fhir_user.partition("/")
    if kind not in ("Patient", "RelatedPerson"):
        return None
    ids = (identity,) if kind == "Patient" else _related(connection, identity, now.date())
    return tuple(found for each in ids if (found := one(connection, access_of(each), each)))


def search(connection: Connection, access: Access, text: str, base: str) -> Found:
    """The patients that the text finds, of those the caller may see."""
    try:
        query = parse("Patient", _pairs(text), Limits(MOST, MOST, base))
        rows = read.page(connection, access, query, (), MOST + 1)
    except Problem as problem:
        if problem.status in (400, 403):  # such words find nobody, nor does a role without patients
            return Found(())
        raise
    contents = [json.stored(row.body) for row in rows if row.body is not None]
    choices = [_choice(content) for content in contents if matches(query.criteria, content, base)]
    return Found(tuple(choices[:MOST]), len(rows) > MOST)


def one(connection: Connection, access: Access, identity: str) -> Choice | None:
    """This patient, if the caller may see them."""
    content = content_of(connection, access, "Patient", identity)
    return _choice(content) if content else None


def _pairs(text: str) -> list[Pair]:
    """Each word is a date of birth, a number, or the beginning of a name; all must fit."""
    return [_pair(word) for word in text[:LONGEST].split()[:MOST_WORDS]]


def _pair(word: str) -> Pair:
    if _DATE.fullmatch(word) and _is_date(word):
        return ("birthdate", word)
    escaped = _SPECIAL.sub(r"\\\1", word)
    return ("identifier" if any(character.isdigit() for character in word) else "name", escaped)


def _is_date(word: str) -> bool:
    try:
        date.fromisoformat(f"{word}-01-01"[:10] if len(word) == 4 else f"{word}-01"[:10])
    except ValueError:
        return False
    return len(word) > 4  # four digits alone are a number as well as a year


def _related(connection: Connection, identity: str, today: date) -> tuple[str, ...]:
    """Whose related person this is. The hub looks itself; each is judged by the person's own Access afterwards."""
    content = content_of(connection, Access.system(WHY), "RelatedPerson", identity)
    return tuple(_patient_of(content or {}, today))


def _patient_of(related: dict[str, Any], today: date) -> Iterator[str]:
    found = _LOCAL.fullmatch(related.get("patient", {}).get("reference", ""))
    if found and related.get("active") is not False and _is_now(related.get("period", {}), today):
        yield found[2]


def _is_now(period: dict[str, str], today: date) -> bool:
    """Compared as far as the dates say: a month or a year is meant whole."""
    text = today.isoformat()
    start, end = period.get("start", "")[:10], period.get("end", "")[:10]
    return start <= text[: len(start)] and (not end or text[: len(end)] <= end)


def _choice(content: dict[str, Any]) -> Choice:
    return Choice(content["id"], _name(content), content.get("birthDate", ""), content.get("gender", ""))


def _name(content: dict[str, Any]) -> str:
    names = [name for name in content.get("name", ()) if name.get("use") != "old"]
    names.sort(key=lambda name: name.get("use") != "official")
    for name in names:
        text = name.get("text") or " ".join((*name.get("given", ()), name.get("family", ""))).strip()
        if text:
            return str(text)
    return "No name recorded"
