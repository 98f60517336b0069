"""The worker's handlers of `plan-referral` and `plan-status`: outbox rows go to the plan, its decision comes back.

Rules: docs/plan-api.md; hub.outbox (at least once: the same Idempotency-Key each time makes it once). Each time
it is asked anew what the plan may see (access, labels, consents), and recorded before it leaves. A referral that
has the plan's number is never sent again: its decision is asked for until there is one. What the plan refuses,
and what it does not decide in time, is dead: a person must look. Reasons name no person.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapters.plan.api import decisions
from adapters.plan.api.bundles import about_member, referral_bundle
from adapters.plan.api.client import PlanClient, Rejected, TryLater
from adapters.plan.api.effects import REFERRAL, STATUS
from adapters.plan.api.outcomes import Chance
from hub import clock, leaving, outbox
from hub.access import Access
from hub.fhir import json
from hub.outbox import Dead, Done, Later, Settled, Work
from hub.problems import Problem
from hub.search.values import references
from hub.store import merges, read
from hub.store.engine import Database
from hub.store.read import Stored
from hub.transactions import Transactions, single

NOT_SEEN = "The plan may not see this (any more)"
NOT_ASKED = "The Task does not ask the plan (any more)"
NEWER = "A newer version follows"
CHANGED_SECONDS = 1
WHY = "to talk with the plan"
Resource = dict[str, Any]
Tell = Callable[[Access, Sequence[Stored]], None]


@dataclass(frozen=True, slots=True)
class PlanWork:
    """`access_of`: what the plan may see now, None where it is no client; `own` writes for the hub itself; `tell`
    records what leaves, and raises where it cannot; `poll` between two looks for a decision, `days` until a person
    must look."""

    client: PlanClient
    database: Database
    own: Transactions
    access_of: Callable[[], Access | None]
    tell: Tell
    base: str
    cin_system: str
    poll: timedelta
    days: timedelta
    now: clock.Clock = clock.now
    chance: Chance = field(default=random.random)

    def handlers(self) -> dict[str, outbox.Handler]:
        return {REFERRAL: self.referral, STATUS: self.status}

    def referral(self, work: Work) -> Settled:
        """Submit it once, then ask for the decision until there is one."""
        task = self._whole("Task", work.payload["id"])
        if task is None:
            return Done(NOT_ASKED)
        number = self._number(task)
        try:
            return self._decision(work, task, number) if number else self._submit(work, task)
        except TryLater as later:
            return self._later(work, later, is_submitted=bool(number))
        except Rejected as rejected:
            return Dead(str(rejected))

    def status(self, work: Work) -> Settled:
        """Write back what stands now."""
        kind, identity, version = (work.payload[name] for name in ("type", "id", "version"))
        access = self._access()
        with self.database.read() as connection:
            stored = read.current(connection, Access.system(WHY), kind, identity)
        if stored is None or stored.body is None:
            return Done("It is not there any more")
        if stored.version > version:
            return Done(NEWER)
        seen = self._seen(access, [(kind, identity), self._member(json.stored(stored.body))])
        if access is None or seen is None:
            return Done(NOT_SEEN)
        resource, patient = (json.stored(row.body or b"{}") for row in seen)
        self.tell(access, seen)
        told = about_member(resource, patient, self.base, self.cin_system)
        try:
            self.client.write(kind, identity, told, self._key(f"{kind}/{identity}/{version}"))
        except TryLater as later:
            return self._later(work, later, is_submitted=False)
        except Rejected as rejected:
            return Dead(str(rejected))
        return Done()

    def _submit(self, work: Work, task: Resource) -> Settled:
        """Raises TryLater, Rejected."""
        if task.get("status") != "requested":
            return Done(NOT_ASKED)
        access = self._access()
        named = [("Task", task["id"]), _target(task, "focus", "ServiceRequest", self.base), self._member(task)]
        seen = self._seen(access, named)
        if access is None or seen is None:
            return Done(NOT_SEEN)
        sent, request, patient = (json.stored(row.body or b"{}") for row in seen)
        bundle = referral_bundle(sent, request, patient, self.base, self.cin_system)
        self.tell(access, seen)
        number = self.client.submit(bundle, self._key(f"Task/{task['id']}"))
        named_by_plan = {"system": self.client.api.system, "value": number}
        return (
            self._kept(task, {**task, "identifier": [*task.get("identifier", ()), named_by_plan]}) or self._wait()
        )

    def _decision(self, work: Work, task: Resource, number: str) -> Settled:
        """Raises TryLater, Rejected."""
        if task.get("status") not in decisions.OPEN:
            return Done("The Task is decided")
        try:
            found = self.client.decision(number)
            if found is None or decisions.is_pending(found):
                return Dead(f"No decision within {self.days.days} days") if self._is_late(work) else self._wait()
            made = decisions.decided(task, found)
        except ValueError as error:
            return Dead(f"The plan's decision cannot be read: {error}")
        try:
            return self._kept(task, made) or Done()
        except Problem:
            return Dead("The plan's decision cannot be kept: it is no valid Task")

    def _kept(self, task: Resource, made: Resource) -> Later | None:
        """Write the Task; Later where it changed meanwhile. Raises Problem."""
        version = int(task["meta"]["versionId"])
        entry = single("PUT", "Task", id=task["id"], resource=made, if_match=version)
        try:
            self.own.commit([entry], Access.system(WHY, source=self.client.api.organization))
        except Problem as problem:
            if problem.kind not in ("precondition", "busy"):
                raise
            return Later(self._micros() + CHANGED_SECONDS * outbox.SECOND, "The Task changed meanwhile")
        return None

    def _whole(self, kind: str, identity: str) -> Resource | None:
        merges.look(self.database)
        with self.database.read() as connection:
            stored = read.current(connection, Access.system(WHY), kind, identity)
        return json.stored(stored.body) if stored and stored.body else None

    def _access(self) -> Access | None:
        merges.look(self.database)
        return self.access_of()

    def _seen(self, access: Access | None, named: Sequence[tuple[str, str]]) -> list[Stored] | None:
        """All of these, as the plan may have them; None where one may not leave."""
        if access is None or not all(kind and access.may("read", kind) for kind, _ in named):
            return None
        found: list[Stored] = []
        with self.database.read() as connection:
            for kind, identity in named:
                stored = read.current(connection, access, kind, identity)
                left = leaving.one(connection, access, stored, self.base) if stored and stored.body else None
                if left is None:
                    return None
                found.append(left)
        return found

    def _member(self, resource: Resource) -> tuple[str, str]:
        return _target(resource, "for" if resource["resourceType"] == "Task" else "subject", "Patient", self.base)

    def _number(self, task: Resource) -> str:
        system = self.client.api.system
        return next((one["value"] for one in task.get("identifier", ()) if one.get("system") == system), "")

    def _key(self, what: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"{self.base}/{what}"))

    def _wait(self) -> Later:
        wait = outbox.spread(self.poll, self.chance())
        return Later(self._micros() + wait // clock.MICROSECOND, "The plan has not decided yet")

    def _later(self, work: Work, later: TryLater, is_submitted: bool) -> Settled:
        wait = outbox.retry_after(work.attempts)
        if wait is None and not is_submitted:
            return Dead(f"Given up after {work.attempts} tries: {later.reason}")
        if is_submitted and self._is_late(work):
            return Dead(f"No decision within {self.days.days} days: {later.reason}")
        spread = outbox.spread(wait or outbox.LONGEST_WAIT, self.chance())
        due = max(spread, timedelta(seconds=later.after or 0))
        return Later(self._micros() + due // clock.MICROSECOND, later.reason)

    def _is_late(self, work: Work) -> bool:
        return self._micros() - work.created > self.days // clock.MICROSECOND

    def _micros(self) -> int:
        return clock.micros(self.now())


def _target(resource: Resource, element: str, kind: str, base: str) -> tuple[str, str]:
    """What an element refers to in this hub; ("", "") where that is nothing of this type."""
    found = (pair for pair in references(resource.get(element), base) if pair[0] == kind)
    return next(((kind, identity) for _, identity in found), ("", ""))
