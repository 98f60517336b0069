"""What an answer of the plan means, and how long to wait after a failure. Pure.

Rules: RFC 9110 (status codes, 10.2.3 Retry-After); draft-ietf-httpapi-idempotency-key-header: 409 is a request of
this key that is still under way, 422 a key that was used for something else. An answer that is no whole JSON object
of the right type is a failure of whatever stands in between: it is tried again, and never taken for an answer.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from hub.fhir import json
from hub.notifications.connections import Answer
from hub.problems import Problem

AGAIN = frozenset((408, 409, 425, 429, 500, 502, 503, 504))
UNAUTHORIZED = 401
JSON_TYPES = frozenset(("application/fhir+json", "application/json"))
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds, between the tries of one call
LONGEST_ASKED = 86_400.0  # seconds; a Retry-After beyond that counts as that
Chance = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Good:
    """`body` is empty where the plan had nothing to say."""

    status: int
    body: dict[str, Any]
    location: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """To be tried again; after so many seconds at least where the plan asked for that."""

    reason: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Expired:
    """The token does not count (any more)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No try of the same request can be better."""

    reason: str


Outcome = Good | Failed | Expired | Refused


def judged(answer: Answer, now: datetime) -> Outcome:
    """What this answer means."""
    told = f"The plan answered {answer.status}"
    if answer.status == UNAUTHORIZED:
        return Expired()
    if answer.status in AGAIN:
        return Failed(told, retry_after(answer.headers, now))
    if not 200 <= answer.status < 300:
        return Refused(told)
    if not answer.is_whole:
        return Failed("The plan's answer broke off")
    if not answer.body.strip():
        return Good(answer.status, {}, answer.headers.get("Location", ""))
    body = _object(answer)
    if body is None:
        return Failed("The plan's answer is no JSON object")
    return Good(answer.status, body, answer.headers.get("Location", ""))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds, as a number or as a date; None where it says neither."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), LONGEST_ASKED)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return min(max((at - now).total_seconds(), 0.0), LONGEST_ASKED)


def wait_after(attempt: int, chance: Chance = random.random) -> float:
    """Seconds before the try after failed try `attempt` (1 = the first): doubles, and is up to a half shorter or
    longer, so that many callers do not march in step."""
    return float(min(FIRST_WAIT * 2 ** min(attempt - 1, 10), LONGEST_WAIT) * (0.5 + chance()))


def _object(answer: Answer) -> dict[str, Any] | None:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in JSON_TYPES:
        return None
    try:
        return json.read(answer.body)
    except Problem:
        return None
