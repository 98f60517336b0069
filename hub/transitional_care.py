"""Transitional care: a discharge opens a Task for the member's lead care manager.

Rules: CalAIM ECM Policy Guide, core service "comprehensive transitional care"; Task
https://hl7.org/fhir/R4/task.html (`restriction.period.end` is when it is due).
A member without a lead care manager in an active CareTeam gets a Task without owner, which says so: somebody must
find out who that is. The Task opens nobody's record: a client writes CareTeams, and gives itself no relation by
the hub's hand (docs/access.md). One Encounter opens one Task, however often its discharge is told.
The Task has all labels of the Encounter, and of the CareTeam that names its owner: nothing open tells of a guarded
stay (42 CFR Part 2). Where the Encounter's rise later, the Task's rise, too.
Refuses (`business-rule`): a client's Task that says it is such a one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from hub import clock, outbox
from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.fhir.encounters import discharged
from hub.fhir.systems import LEAD_CARE_MANAGER, TRANSITIONAL_CARE
from hub.problems import Problem
from hub.rights.labels import raised, with_labels
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database
from hub.store.read import Stored
from hub.transactions import Change, Transactions, single
from hub.write_rules import Rule

KIND = "follow-up"
WAIT = timedelta(minutes=1) // clock.MICROSECOND  # until somebody has said how sensitive a stay is (hub.reindex)
HUB_ROLES = ("system", "custodian")  # the hub's own jobs; the custodian loads what stands elsewhere already
DIED = ("http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp")
MOST = 20  # CareTeams of a member, Tasks of an Encounter
NO_LEAD = "No lead care manager is known for this member"

Resource = dict[str, Any]


def followed_up(change: Change) -> bool:
    """The change ended a hospital stay, and the person lives."""
    if change.type != "Encounter" or not discharged(change.before, change.now):
        return False
    return DIED not in _dispositions(change.now or {})


def _dispositions(encounter: Mapping[str, Any]) -> list[tuple[str, str]]:
    codings = encounter.get("hospitalization", {}).get("dischargeDisposition", {}).get("coding", ())
    return [(coding.get("system", ""), coding.get("code", "")) for coding in codings]


def effects(changes: Sequence[Change]) -> Iterable[Mapping[str, Any]]:
    """An outbox row for each discharge among the changes of a commit, and for each Encounter whose labels change.
    Those of one Encounter are worked one after the other: when labels rise, a Task that is being made is there."""
    for change in changes:
        if (opens := followed_up(change)) or _is_labelled_anew(change):
            where = f"Encounter/{change.id}"
            payload = {"encounter": change.id, "opens": opens}
            yield outbox.row(KIND, f"{where}|{change.version}", payload, change.at, where)


def _is_labelled_anew(change: Change) -> bool:
    if change.type != "Encounter" or change.before is None or change.now is None:
        return False
    was, now = (each.get("meta", {}).get("security") for each in (change.before, change.now))
    return bool(was != now)


def rules() -> Mapping[str, Rule]:
    """By type, for hub.transactions."""
    return {"Task": kept}


def kept(before: Resource | None, now: Resource | None, access: Access, _: int) -> Resource | None:
    """Follow-ups are the hub's own: a client's would keep the hub's away, and tell its writer by its labels what is
    hidden from it. One stays the follow-up that it is. Raises Problem."""
    if now is not None and access.role not in HUB_ROLES and _followed(now) != _followed(before or {}):
        raise Problem("business-rule", "Follow-ups of discharges are the hub's own", "Task.identifier")
    return now


def _followed(task: Mapping[str, Any]) -> list[Any]:
    """The ids of the Encounters that a Task follows up."""
    return [one.get("value") for one in task.get("identifier", ()) if one.get("system") == TRANSITIONAL_CARE]


def lead_care_manager(care_teams: Iterable[Stored]) -> tuple[Resource | None, int]:
    """The reference to the member's lead care manager, the participant with that role, the newest team first; and
    the labels of the team that says so."""
    for row in care_teams:
        for participant in json.stored(row.body or b"{}").get("participant", ()):
            if any(_is_lead(coding) for role in participant.get("role", ()) for coding in role.get("coding", ())):
                return participant.get("member"), row.labels
    return None, 0


def _is_lead(coding: Mapping[str, Any]) -> bool:
    return (coding.get("system"), coding.get("code")) == LEAD_CARE_MANAGER


def follow_up_task(encounter: Resource, lead: Resource | None, now: datetime, days: int) -> Resource:
    """The Task; due `days` after the discharge (after now, where the discharge has no time)."""
    ended = encounter.get("period", {}).get("end")
    task: Resource = {
        "resourceType": "Task",
        "identifier": [{"system": TRANSITIONAL_CARE, "value": encounter["id"]}],
        "status": "requested",
        "intent": "order",
        "priority": "urgent",
        "code": {"text": "Transitional care: follow up after discharge"},
        "description": "Meet the member after discharge: medication, follow-up visits, services.",
        "focus": {"reference": f"Encounter/{encounter['id']}"},
        "encounter": {"reference": f"Encounter/{encounter['id']}"},
        "for": encounter["subject"],
        "authoredOn": clock.instant(clock.micros(now)),
        "restriction": {"period": {"end": _due(ended, now, days)}},
    }
    if lead is not None:
        return task | {"owner": lead}
    return task | {"businessStatus": {"text": NO_LEAD}}


def _due(ended: str | None, now: datetime, days: int) -> str:
    start = datetime.fromisoformat(ended) if ended and "T" in ended else now
    return (start + timedelta(days=days)).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The worker's handler for follow-up rows."""

    database: Database
    transactions: Transactions
    days: int
    now: clock.Clock = clock.now

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        """Open the Task, unless the Encounter is gone or no longer finished; raise its labels where it is open."""
        return self.together([work])[0]

    def together(self, works: Sequence[outbox.Work]) -> list[outbox.Outcome]:
        """For several Encounters, in one commit or not at all."""
        access = Access.system("transitional care")
        with self.database.read() as connection:
            asked = [self._entries(connection, access, work) for work in works]
        entries = [entry for some in asked for entry in some or ()]
        if entries:
            placed = [replace(entry, place=place) for place, entry in enumerate(entries)]
            self.transactions.commit(placed, access, many=len(placed) > 1)
        return [self._waits() if some is None else outbox.Done() for some in asked]

    def _waits(self) -> outbox.Later:
        return outbox.Later(clock.micros(self.now()) + WAIT, "Nobody said yet how sensitive this stay is")

    def _entries(self, connection: Connection, access: Access, work: outbox.Work) -> list[Entry] | None:
        """What is to be written for an Encounter; None where that has to wait for its labels."""
        found = read.current(connection, access, "Encounter", work.payload["encounter"])
        if found is None or found.body is None:
            return []
        if found.labels < 0:
            return None
        query = parse("Task", [("identifier", f"{TRANSITIONAL_CARE}|{found.id}")], Limits())
        if tasks := read.page(connection, access, query, (), MOST):
            return list(_guarded(tasks, found.labels))
        encounter = json.stored(found.body)
        if (
            not work.payload.get("opens", True)
            or encounter.get("status") != "finished"
            or "subject" not in encounter
        ):
            return []
        return self._opened(connection, access, encounter, found.labels)

    def _opened(
        self, connection: Connection, access: Access, encounter: Resource, labels: int
    ) -> list[Entry] | None:
        pairs = [("subject", encounter["subject"].get("reference", "")), ("status", "active")]
        query = parse("CareTeam", [*pairs, ("_sort", "-_lastUpdated")], Limits())
        lead, of_team = lead_care_manager(read.page(connection, access, query, (), MOST))
        if of_team < 0:
            return None
        task = with_labels(follow_up_task(encounter, lead, self.now(), self.days), raised(labels, of_team))
        condition = f"identifier={TRANSITIONAL_CARE}|{encounter['id']}"
        return [single("POST", "Task", resource=task, if_none_exist=condition)]


def _guarded(tasks: Iterable[Stored], labels: int) -> Iterator[Entry]:
    """What gives these Tasks the labels that they lack."""
    for row in tasks:
        task = json.stored(row.body or b"{}")
        if (made := with_labels(task, labels)) != task:
            yield single("PUT", "Task", id=row.id, resource=made, if_match=row.version)
