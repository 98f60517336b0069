"""What somebody may answer to a referral at a page: words for the moves, and what each wants to be said. Pure.

Rules: hub.referrals.moves (the table of moves and what they need; here are only its words for people)
Refuses (`faults`, by field): a reason or what was done that is missing, too long or not readable text; a day that
is none, or is not here yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hub.moves import Move
from hub.referrals.moves import ACTIVITY, REASON

REASON_FIELD, DONE_FIELD, DAY_FIELD = "reason", "done", "day"
LONGEST = 500  # characters
FIRST_DAY = date(2020, 1, 1)

# to -> the heading, the button, the label of the reason
WORDS: Mapping[str, tuple[str, str, str]] = {
    "accepted": ("Accept", "Accept this referral", ""),
    "in-progress": ("Work has begun", "Say that work has begun", ""),
    "completed": ("Close: it is done", "Close as done", ""),
    "on-hold": ("It waits", "Say that it waits", "What does it wait for?"),
    "requested": ("It goes on, not accepted yet", "Say that it goes on, not accepted", ""),
    "rejected": ("Decline", "Decline this referral", "Why do you decline?"),
    "failed": ("Close: it could not be done", "Close as not done", "Why could it not be done?"),
}
STATES: Mapping[str, str] = {
    "draft": "It is being written.",
    "requested": "It waits for your answer.",
    "accepted": "You accepted it.",
    "in-progress": "Work has begun.",
    "on-hold": "It waits.",
    "completed": "It is closed: done.",
    "rejected": "It was declined.",
    "failed": "It is closed: it could not be done.",
    "cancelled": "It was taken back.",
    "entered-in-error": "It was a mistake.",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A move as the page offers it. `reason` is the label of its field, empty where none is wanted."""

    to: str
    heading: str
    button: str
    reason: str
    wants_activity: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What was sent, tidied. `faults` by field; empty where it can be done."""

    to: str
    reason: str
    done: str
    day: str
    faults: Mapping[str, str]


def choices(moves: Sequence[Move]) -> list[Choice]:
    """Those moves that have words, in the order of WORDS."""
    found = {one.to: one for one in moves}
    return [_choice(found[to], *words) for to, words in WORDS.items() if to in found]


def _choice(move: Move, heading: str, button: str, reason: str) -> Choice:
    return Choice(move.to, heading, button, reason if REASON in move.needs else "", ACTIVITY in move.needs)


def answered(choice: Choice, form: Mapping[str, str], today: date) -> Answer:
    """The form's answer for one of the choices."""
    reason, done = (_tidy(form.get(name, "")) if wanted else "" for name, wanted in (
        (REASON_FIELD, choice.reason), (DONE_FIELD, choice.wants_activity)
    ))  # fmt: skip
    day = form.get(DAY_FIELD, "").strip() if choice.wants_activity else ""
    wrong = {REASON_FIELD: _text_fault(reason, "the reason")} if choice.reason else {}
    if choice.wants_activity:
        wrong |= {DONE_FIELD: _text_fault(done, "what was done"), DAY_FIELD: _day_fault(day, today)}
    return Answer(choice.to, reason, done, day, {name: text for name, text in wrong.items() if text})


def _tidy(text: str) -> str:
    """One line: line ends of a text area are spaces in FHIR's strings."""
    return " ".join(text.split())


def _text_fault(text: str, what: str) -> str:
    if not text:
        return f"Write {what}."
    if len(text) > LONGEST:
        return f"Write {what} in at most {LONGEST} characters."
    return "" if text.isprintable() else f"Write {what} without control characters."


def _day_fault(text: str, today: date) -> str:
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None:
        return "Give the day as year-month-day, such as 2026-11-23."
    if day > today:
        return "Give a day that is not in the future."
    return "" if day >= FIRST_DAY else "Give a day that is not so long ago."
