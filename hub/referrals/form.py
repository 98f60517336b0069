"""The form by which anybody refers: its fields, and what somebody wrote into them. Pure.

Rules: docs/referrals.md "No wrong door"; WCAG 2.2 3.3.1 (each fault says what to write, by field). Nothing that is
written here is looked up: whether somebody is a member this page cannot tell.
Refuses (`faults`, by field): what is missing, too long, not readable text, no day of the calendar, no CIN, a choice
that the form does not have.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from hub.fhir.systems import CIN_SYSTEM
from hub.identity.strong import Systems, identifier

RELATIONS: Mapping[str, str] = {
    "self": "I refer myself",
    "family": "Family, friend or caregiver",
    "provider": "Health care or service provider",
    "community": "Community organization",
    "other": "Somebody else",
}
OLDEST = 120  # years


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form. `complete`: what a browser may fill in (WCAG 1.3.5), about who writes."""

    name: str
    label: str
    hint: str = ""
    longest: int = 100
    is_required: bool = True
    complete: str = "off"

    @property
    def what(self) -> str:
        return self.label[0].lower() + self.label[1:]


WHO = (
    Field("referrer", "Your name", complete="name"),
    Field("relation", "Who you are to the person"),
    Field("contact", "Your telephone or e-mail", "So that the care team can reach you.", 200),
)
MEMBER = (
    Field("given", "Given name"),
    Field("family", "Family name"),
    Field("born", "Birth date", "Year-month-day, such as 1980-04-02.", 10),
    Field("cin", "Medi-Cal number (CIN)", "Eight digits and a letter, if you know it.", 20, is_required=False),
    Field("phone", "Telephone of the person", "If you know one.", 40, is_required=False),
)
WISH = (
    Field("service", "What help is asked for"),
    Field("words", "What else the care team should know", "If there is anything.", 1000, is_required=False),
)
FIELDS = (*WHO, *MEMBER, *WISH)


@dataclass(frozen=True, slots=True)
class Filled:
    """What was sent, tidied, by field; `faults` by field, empty where it can be taken."""

    values: Mapping[str, str]
    faults: Mapping[str, str]


EMPTY = Filled({field.name: "" for field in FIELDS}, {})


def filled(form: Mapping[str, str], services: Iterable[str], today: date) -> Filled:
    """`services` are the codes that the form offers."""
    values = {field.name: " ".join(form.get(field.name, "").split()) for field in FIELDS}
    faults = {field.name: _text_fault(field, values[field.name]) for field in FIELDS}
    for name, offered in (("relation", RELATIONS), ("service", tuple(services))):
        if values[name] not in offered:
            faults[name], values[name] = "Choose one of the list.", ""
    faults["born"] = _born_fault(values["born"], today)
    if values["cin"] and not faults["cin"]:
        found = identifier(CIN_SYSTEM, values["cin"], Systems())
        faults["cin"] = "" if found else "Write the CIN as eight digits and a letter, or leave it empty."
        values["cin"] = found.value if found else values["cin"]
    return Filled(values, {name: text for name, text in faults.items() if text})


def _text_fault(field: Field, text: str) -> str:
    if not text:
        return f"Write {field.what}." if field.is_required else ""
    if len(text) > field.longest:
        return f"Write {field.what} in at most {field.longest} characters."
    return "" if text.isprintable() else f"Write {field.what} without control characters."


def _born_fault(text: str, today: date) -> str:
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None:
        return "Write the birth date as year-month-day, such as 1980-04-02."
    return "" if today.year - OLDEST <= day.year and day <= today else "Write a birth date that can be."
