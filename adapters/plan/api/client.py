"""The calls of the plan's API: submit a referral, fetch the decision, write care plans and tasks.

Rules: docs/plan-api.md. Each write carries an Idempotency-Key that stays the same at every try
(draft-ietf-httpapi-idempotency-key-header): what was lost on the way is sent again, and done once. A few quick
tries here, with back-off and jitter; then the outbox waits, longer. A Retry-After is kept to. While the circuit
is open nobody asks. Raises TryLater (nothing is decided) and Rejected (the plan wants it otherwise; a person must
look).
"""

import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from adapters.plan.api.circuit import FAILURE, SUCCESS, Breaker
from adapters.plan.api.configuration import PlanApi
from adapters.plan.api.outcomes import Chance, Expired, Failed, Good, Outcome, Refused, judged, wait_after
from adapters.plan.api.tokens import Tokens
from hub import clock
from hub.fhir import json
from hub.notifications.connections import Refused as NotCalled
from hub.notifications.connections import Unreachable, exchange

TRIES = 3
LONGEST_SLEEP = 10.0  # seconds; a plan that asks for more is asked later, by the outbox
BUDGET = 45.0  # seconds; the worker's lease of the outbox row is 60
MOST_ANSWER = 1 << 20
FHIR_JSON = "application/fhir+json"
PENDING = 202
_NUMBER = re.compile(r"[A-Za-z0-9._:-]{1,128}")
Resource = dict[str, Any]
Sleep = Callable[[float], None]


class TryLater(Exception):
    """`after`: seconds that the plan, or the circuit, asks for; None where nobody says."""

    def __init__(self, reason: str, after: float | None = None):
        super().__init__(reason)
        self.reason, self.after = reason, after


class Rejected(Exception):
    """The text names no person."""


@dataclass(slots=True)
class PlanClient:
    """One for a process: token and circuit are shared by its threads."""

    api: PlanApi
    now: clock.Clock = clock.now
    sleep: Sleep = time.sleep
    chance: Chance = random.random
    breaker: Breaker = field(default_factory=Breaker)
    tokens: Tokens = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.api, self.now)

    def submit(self, bundle: Resource, key: str) -> str:
        """The plan's number of the referral; the same one however often it is asked with this key."""
        return _number(self._asked("POST", self.api.place("referral"), bundle, key))

    def decision(self, number: str) -> Resource | None:
        """A Task as the plan has it; None while nothing is decided."""
        found = self._asked("GET", self.api.place("decision", quote(number, safe="")))
        return None if found.status == PENDING else found.body

    def write(self, kind: str, identity: str, resource: Resource, key: str) -> None:
        """A CarePlan or a Task as the hub has it."""
        self._asked("PUT", self.api.place(kind, quote(identity, safe="")), resource, key)

    def _asked(self, method: str, url: str, resource: Resource | None = None, key: str = "") -> Good:
        """Raises TryLater, Rejected."""
        body = json.write(resource) if resource is not None else None
        begun = self.now()
        for attempt in range(1, TRIES + 1):
            wait = self.breaker.wait(self._micros())
            if wait is not None:
                raise TryLater("The plan failed several times: nobody asks for a while", wait)
            found = self._once(method, url, body, key)
            self.breaker.ended(FAILURE if isinstance(found, Failed) else SUCCESS, self._micros())
            if isinstance(found, Good):
                return found
            self._pause(found, attempt, BUDGET - self.api.seconds - (self.now() - begun).total_seconds())
        raise AssertionError("unreachable: the last pause raises")

    def _pause(self, found: Outcome, attempt: int, left: float) -> None:
        """Raises where this call is over. `left`: the seconds that a pause may take."""
        if isinstance(found, Refused):
            raise Rejected(found.reason)
        reason, after = (found.reason, found.after) if isinstance(found, Failed) else ("No token is taken", None)
        wait = max(wait_after(attempt, self.chance), after or 0) if isinstance(found, Failed) else 0.0
        if attempt == TRIES or wait > min(LONGEST_SLEEP, left):
            raise TryLater(reason, after)
        self.sleep(wait)

    def _once(self, method: str, url: str, body: bytes | None, key: str) -> Outcome:
        token = self.tokens.current()
        if not isinstance(token, str):
            return token
        headers = _headers(token, body, key)
        try:
            answer = exchange(method, url, body, headers, self.api.seconds, self.api.route, MOST_ANSWER)
        except (Unreachable, NotCalled) as fault:  # the second is a matter of our configuration
            return Failed(f"No answer of the plan: {fault}")
        found = judged(answer, self.now())
        if isinstance(found, Expired):
            self.tokens.drop(token)
        return found

    def _micros(self) -> int:
        return clock.micros(self.now())


def _headers(token: str, body: bytes | None, key: str) -> Mapping[str, str]:
    headers = {"Authorization": f"Bearer {token}", "Accept": FHIR_JSON}
    headers |= {"Content-Type": FHIR_JSON} if body is not None else {}
    return headers | ({"Idempotency-Key": f'"{key}"'} if key else {})


def _number(found: Good) -> str:
    """From the Task or Parameters in the answer, else from its Location. Raises TryLater."""
    identifiers = found.body.get("identifier")
    said = (
        [each.get("value") for each in identifiers if isinstance(each, dict)]
        if isinstance(identifiers, list)
        else []
    )
    named = [*said, found.body.get("id"), found.location.rstrip("/").rpartition("/")[2]]
    for each in named:
        if isinstance(each, str) and _NUMBER.fullmatch(each):
            return each
    raise TryLater("The plan took the referral and gave no number")
