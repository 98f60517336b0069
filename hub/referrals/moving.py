"""Moves as functions, for doors that are no FHIR API: a signed link, a line of a file, a person at the console.

Each is one commit against the version that was read; the same rule decides as for a client (hub.referrals.rule).
Who moves is an Access: a door that lets somebody answer for a provider brings one that says so. A move is a patch:
whoever is shown a part of a Task moves it, and leaves the rest as it is (hub.shown_part).
Refuses (Problem): what is not there for this Access, what the rule refuses, what changed meanwhile
(`precondition`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from hub.access import Access
from hub.audit.recorder import Recording, riding
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.fhir.systems import SDOHCC
from hub.moves import Move
from hub.problems import Problem
from hub.referrals.coordination import PROVIDERS
from hub.referrals.moves import legal
from hub.referrals.parties import parties
from hub.referrals.terms import ACTIVITY, ASSIGNED, Resource, concept, is_referral
from hub.store import read
from hub.store.read import Stored
from hub.transactions import Transactions


@dataclass(frozen=True, slots=True)
class Moving:
    """The referrals that this Access sees. `recording`: the request that asks for the move, where one does."""

    transactions: Transactions
    access: Access
    recording: Recording | None = None

    def legal(self, task: str) -> list[Move]:
        """The moves that are legal now."""
        found = self._read(task)
        return legal_of(self.access, json.stored(found.body or b"{}"), found.source, self.transactions.base)

    def move(self, task: str, to: str, reason: str = "", **said: Any) -> Resource:
        """To another status, with a reason in words and what else is said (`output`, `businessStatus`)."""
        told = {"statusReason": {"text": reason}} if reason else {}
        return self._written(task, {"status": to, **told, **said})

    def deliver(self, task: str, done: str, day: str) -> Resource:
        """It is completed: what was done, and when, becomes a Procedure in the same commit."""
        before, urn = json.stored(self._read(task).body or b"{}"), uuid4().urn
        made = {
            "resourceType": "Procedure",
            "status": "completed",
            "code": {"text": done},
            "performedDateTime": day,
            "subject": before.get("for"),
            "basedOn": [before.get("focus")],
            "performer": [{"actor": before["owner"]}] if "owner" in before else [],
        }
        procedure = {name: value for name, value in made.items() if value}
        output = {"type": concept(SDOHCC, ACTIVITY), "valueReference": {"reference": urn}}
        said = {"status": "completed", "output": [*before.get("output", ()), output]}
        return self._written(task, said, Entry("POST", "Procedure", resource=procedure, full_url=urn))

    def assign(self, task: str, provider: str) -> Resource:
        """A person assigns the provider, such as `Organization/house`: it is asked next."""
        before = json.stored(self._read(task).body or b"{}")
        kind, _, identity = provider.partition("/")
        with self.transactions.database.read() as connection:
            who = read.current(connection, self.access, kind, identity) if kind in PROVIDERS else None
        if who is None or who.deleted:
            raise Problem("reference-missing", "There is no such provider here", "Task.input")
        named = {"type": concept(*ASSIGNED), "valueReference": {"reference": provider}}
        return self._written(task, {"input": [*before.get("input", ()), named]})

    def _written(self, task: str, said: Mapping[str, Any], *along: Entry) -> Resource:
        found = self._read(task)
        patch = Entry("PATCH", "Task", task, patch=lambda seen: _moved(seen, said), if_match=found.version)
        entries = [replace(one, place=place) for place, one in enumerate((*along, patch))]
        audit = riding(self.recording, entries, self.access)
        *_, result = self.transactions.commit(entries, self.access, many=bool(along), audit=audit)
        if self.recording is not None:
            self.recording.committed()
        return json.stored(result.stored.body or b"{}") if result.stored else {}

    def _read(self, task: str) -> Stored:
        with self.transactions.database.read() as connection:
            found = read.current(connection, self.access, "Task", task)
        if found is None or found.body is None or not is_referral(json.stored(found.body)):
            raise Problem("not-found", "There is no such referral")
        return found


def legal_of(access: Access, task: Resource, source: int, base: str) -> list[Move]:
    """The moves that this Access may make now; `source` is whose data the Task is (hub.store)."""
    return list(legal(str(task.get("status")), parties(access, task, task, source, base)))


def _moved(before: Resource, said: Mapping[str, Any]) -> Resource:
    now = {name: value for name, value in {**before, **said}.items() if value not in (None, [], {})}
    if before.get("status") == "on-hold" and "statusReason" not in said:
        now.pop("statusReason", None)
    return now
