"""Transitional care: a discharge opens a Task for the member's lead care manager.

Rules: CalAIM ECM Policy Guide, core service "comprehensive transitional care"; Task
https://hl7.org/fhir/R4/task.html (`restriction.period.end` is when it is due).
A member without a lead care manager in an active CareTeam gets a Task without owner, which says so: somebody must
find out who that is. The Task opens nobody's record: a client writes CareTeams, and gives itself no relation by
the hub's hand (docs/access.md). One Encounter opens one Task, however often its discharge is told.
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
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database
from hub.transactions import Change, Transactions, single

KIND = "follow-up"
DIED = ("http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp")
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
    """An outbox row for each discharge among the changes of a commit."""
    for change in changes:
        if followed_up(change):
            yield outbox.row(KIND, f"Encounter/{change.id}", {"encounter": change.id}, change.at)


def lead_care_manager(care_teams: Iterable[Resource]) -> Resource | None:
    """The reference to the member's lead care manager: the participant with that role, the newest team first."""
    for team in care_teams:
        for participant in team.get("participant", ()):
            if any(_is_lead(coding) for role in participant.get("role", ()) for coding in role.get("coding", ())):
                member: Resource | None = participant.get("member")
                return member
    return None


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
        """Open the Task, unless the Encounter is gone or no longer finished."""
        return self.together([work])[0]

    def together(self, works: Sequence[outbox.Work]) -> list[outbox.Outcome]:
        """For several Encounters, in one commit or not at all."""
        access = Access.system("transitional care")
        with self.database.read() as connection:
            entries = [entry for work in works for entry in self._entries(connection, access, work)]
        if entries:
            placed = [replace(entry, place=place) for place, entry in enumerate(entries)]
            self.transactions.commit(placed, access, many=len(placed) > 1)
        return [outbox.Done() for _ in works]

    def _entries(self, connection: Connection, access: Access, work: outbox.Work) -> Iterator[Entry]:
        found = read.current(connection, access, "Encounter", work.payload["encounter"])
        encounter = json.stored(found.body) if found and found.body else {}
        if encounter.get("status") != "finished" or "subject" not in encounter:
            return
        pairs = [("subject", encounter["subject"].get("reference", "")), ("status", "active")]
        query = parse("CareTeam", [*pairs, ("_sort", "-_lastUpdated")], Limits())
        teams = [json.stored(row.body) for row in read.page(connection, access, query, (), 20) if row.body]
        task = follow_up_task(encounter, lead_care_manager(teams), self.now(), self.days)
        condition = f"identifier={TRANSITIONAL_CARE}|{encounter['id']}"
        yield single("POST", "Task", resource=task, if_none_exist=condition)
