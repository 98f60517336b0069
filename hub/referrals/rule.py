"""The rule that every write of a referral's Task keeps, whichever way it comes: create, update, patch, transaction,
import. The front door hands it to the one writer (hub.write_rules), with one for notices (`kept_notice`).

Rules: docs/moves.md; hub.referrals.moves (the table); Task.lastModified is when the Task last moved
(https://hl7.org/fhir/R4/task-definitions.html#Task.lastModified): the day that the plan's return file tells.
What the hub itself brings of a Task that has moved on meanwhile (an authorization's file comes each month and says
`requested`) keeps how far it came: a file does not undo what people did.
Refuses (`business-rule`, 422): illegal moves, with those that are legal; a Task that stops being this referral; its
deletion by a client; a clock (hub.referrals.clock_tasks) that a client writes; codes of the closed loop that are
not configured (`code-invalid`), or that contradict Task.status.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from hub import clock
from hub.access import Access
from hub.fhir.systems import CLOSURE_REASON, REFERRAL_STATUS
from hub.problems import Issue, Problem
from hub.referrals.fixed import changed
from hub.referrals.link_letters import is_link
from hub.referrals.moves import HUB, issues, legal, move
from hub.referrals.parties import HUB_ROLES, parties
from hub.referrals.terms import (
    NOTICE,
    Node,
    activities,
    clock_states,
    codes,
    is_clock,
    is_referral,
    local,
    target,
)
from hub.search import merged
from hub.search.values import date_range
from hub.write_rules import Lead, Rule

Resource = dict[str, Any]
SYSTEM = "system"  # the role of the hub's own jobs
MOVED = ("status", "statusReason", "businessStatus", "output", "input", "lastModified")
LOOP = (("businessStatus", REFERRAL_STATUS), ("statusReason", CLOSURE_REASON))


@dataclass(frozen=True, slots=True)
class Words:
    """The configured words of the closed loop. `known` says whether a system has a code; `stands_for` are the
    Task's statuses of a referral status, empty where no row says it."""

    known: Callable[[str, str], bool] = lambda system, code: True
    stands_for: Callable[[str], frozenset[str]] = lambda code: frozenset()


@dataclass(frozen=True, slots=True)
class MoveRule:
    """`base` is the hub's FHIR base; days are those of `zone`: a plan is told the day on which a Task moved."""

    base: str
    words: Words
    zone: ZoneInfo
    now: clock.Clock = clock.now

    def __call__(
        self, before: Resource | None, now: Resource | None, access: Access, source: int
    ) -> Resource | None:
        """What is to be written. Raises Problem."""
        if access.role != SYSTEM and not clock_states(now) <= clock_states(before):
            raise Problem("business-rule", "How a clock stands, the hub alone says", "Task.meta.tag")
        if not any(map(is_clock, (before, now))) and not any(map(is_referral, (before, now))):
            return now
        who = parties(access, before, now or before or {}, source, self.base)
        if now is None:
            _refuse_deletion(before or {}, who)
            return None
        if is_clock(before) or is_clock(now):
            if access.role != SYSTEM:
                raise Problem("business-rule", "Clocks are the hub's own: it alone writes them", "Task.code")
            return now
        if access.role == SYSTEM and before is not None:
            now = _as_far(before, now)
        found = [*issues(before, now, who), *changed(before, now, access, who, self.base), *self._loop(now)]
        if found:
            raise Problem.of(found)
        return self._stamped(before, now)

    def leads(self, before: Resource | None, now: Resource, access: Access) -> Iterator[Lead]:
        """What a client says was done is here, and was done for this member."""
        if access.role in HUB_ROLES or not is_referral(now):
            return
        said = [target(one["valueReference"]) for one in activities(before or {})]
        patient = local(now.get("for"), self.base, "Patient").partition("/")[2]
        for one in activities(now):
            if target(one["valueReference"]) not in said:
                told = "What was done is a Procedure that is here and about the same member"
                whose = merged.member_of(patient) if patient else ""
                yield Lead(one["valueReference"], "Procedure", whose, "Task.output", told)

    def _loop(self, task: Node) -> Iterator[Issue]:
        for element, system in LOOP:
            for code in codes(task.get(element), system):
                if not self.words.known(system, code):
                    yield Issue(
                        "code-invalid", "This code is not configured (HUB_TERMINOLOGY_DIR)", f"Task.{element}"
                    )
        for code in codes(task.get("businessStatus"), REFERRAL_STATUS):
            allowed = self.words.stands_for(code)
            if allowed and task.get("status") not in allowed:
                told = f"This referral status stands for a Task that is {' or '.join(sorted(allowed))}"
                yield Issue("business-rule", told, "Task.businessStatus")

    def _stamped(self, before: Resource | None, now: Resource) -> Resource:
        """Who moves a Task and says no new `lastModified`, has it said by the hub."""
        old: Node = before or {}
        has_moved = any(old.get(name) != now.get(name) for name in ("status", "businessStatus", "statusReason"))
        if not has_moved or (now.get("lastModified") and now.get("lastModified") != old.get("lastModified")):
            return now
        return {**now, "lastModified": self._moment(str(now.get("authoredOn", "")))}

    def _moment(self, authored: str) -> str:
        """Now, in full; never before the Task was written (Task's invariant inv-1), whatever clock that was."""
        moment = self.now().astimezone(self.zone)
        span = date_range(authored) if "T" in authored else None
        if span and span[0] > clock.micros(moment):
            return authored
        if authored and not span and moment.date().isoformat()[: len(authored)] <= authored:
            return authored  # the same day, month or year: nobody can tell which of both was first
        return moment.isoformat(timespec="microseconds")


def _as_far(before: Resource, now: Resource) -> Resource:
    """What a file says anew, with how far the Task came since."""
    if before.get("status") == now.get("status") or move(str(before.get("status")), str(now.get("status"))):
        return now
    kept = {name: before[name] for name in MOVED if name in before}
    return {**{name: value for name, value in now.items() if name not in MOVED}, **kept}


def _refuse_deletion(task: Node, who: frozenset[str]) -> None:
    if HUB in who:
        return
    named = ", ".join(dict.fromkeys(one.to for one in legal(str(task.get("status")), who))) or "none"
    raise Problem("business-rule", f"A referral is not deleted. Legal moves: {named}", "Task.status")


def kept_notice(before: Resource | None, now: Resource | None, access: Access, _: int) -> Resource | None:
    """What the hub tells of a referral, it alone writes first: a notice is mailed, and stops a clock when it has
    left. Whoever delivers it writes on that it has; a link is revoked, or not, by the hub alone. Raises Problem."""
    if access.role not in HUB_ROLES and is_link(before):
        raise Problem("business-rule", "Links to referrals are the hub's own", "Communication.topic")
    if access.role not in HUB_ROLES and _is_notice(now) and not _is_notice(before):
        raise Problem("business-rule", "Notices of referrals are the hub's own", "Communication.topic")
    return now


def _is_notice(communication: Node | None) -> bool:
    return bool(codes((communication or {}).get("topic"), NOTICE))


def rules(base: str, words: Words, zone: ZoneInfo, now: clock.Clock = clock.now) -> Mapping[str, Rule]:
    """By type, for hub.transactions."""
    return {"Task": MoveRule(base, words, zone, now), "Communication": kept_notice}
