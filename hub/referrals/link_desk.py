"""What a signed link opens: the referral as the organization may see it, and the moves that it may make.

Rules: docs/referrals.md "A provider without FHIR"; docs/access.md: what is shown passes hub.leaving with the access
of the Task's owner, never the hub's own. A look changes nothing: mail scanners follow links.
Of a referral that is over and that its owner may not see any more only the state is told, to whoever owned it last.
Refuses (Problem): what this hub did not sign (`not-found`); a link that ended, whose Task is another's now, or is
not there for its owner (`expired`); a move of a Task that changed since the page was made (`precondition`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from hub import clock, leaving
from hub.access import Access
from hub.audit.recorder import Recording
from hub.fhir import json
from hub.problems import Problem
from hub.referrals.answers import Answer, Choice, answered, choices
from hub.referrals.link_facts import Fact, facts
from hub.referrals.links import Link, opened
from hub.referrals.moving import Moving
from hub.referrals.terms import OVER, Resource, is_referral, local
from hub.store import merges, read
from hub.store.read import Stored
from hub.transactions import Transactions

AccessOf = Callable[[str], Access]  # of an organization, by its reference
NAMED = ("Organization", "Practitioner", "PractitionerRole", "Patient", "RelatedPerson")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a link shows now. `rows` are the resources whose content left; none where only the state is told."""

    link: Link
    access: Access
    state: str
    version: int
    facts: tuple[Fact, ...] = ()
    choices: tuple[Choice, ...] = ()
    rows: tuple[Stored, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkDesk:
    """`zone`: the deployment's day is today's."""

    transactions: Transactions
    access_of: AccessOf
    zone: ZoneInfo
    secret_key: bytes = field(repr=False)
    now: clock.Clock = clock.now

    def link(self, text: str) -> Link:
        """Raises Problem."""
        found = opened(text, self.secret_key)
        if found is None:
            raise Problem("not-found", "There is no such link")
        if found.has_ended(self.now()):
            raise Problem("expired", "The link has ended")
        return found

    def look(self, link: Link) -> Seen:
        """Raises Problem."""
        merges.look(self.transactions.database)
        access = self.access_of(link.owner)
        with self.transactions.database.read() as connection:
            status, version = self._stands(connection, link)
            rows = self._rows(connection, access, link)
        if not rows and status not in OVER:
            raise Problem("expired", "There is no such referral for whom the link was made")
        made = Seen(link, access, status, version)
        if not rows:
            return made
        legal = self._moving(access).legal(link.task)
        return replace(made, facts=tuple(facts(_content(rows))), choices=tuple(choices(legal)), rows=tuple(rows))

    def answer(self, seen: Seen, form: Mapping[str, str], recording: Recording | None = None) -> Answer:
        """Move the Task, unless the answer has faults. Raises Problem."""
        choice = next((one for one in seen.choices if one.to == form.get("to")), None)
        if choice is None or form.get("version") != str(seen.version):
            raise Problem("precondition", "The referral changed since the page was opened")
        said = answered(choice, form, self.now().astimezone(self.zone).date())
        if not said.faults:
            moving = self._moving(seen.access, recording)
            if choice.wants_activity:
                moving.deliver(seen.link.task, said.done, said.day)
            else:
                moving.move(seen.link.task, said.to, said.reason)
        return said

    def _moving(self, access: Access, recording: Recording | None = None) -> Moving:
        return Moving(self.transactions, access, recording)

    def _stands(self, connection: Connection, link: Link) -> tuple[str, int]:
        """Where the Task stands, if it is still asked of the same organization. Raises Problem."""
        found = read.current(connection, Access.system("whose a referral's link is"), "Task", link.task)
        task = json.stored(found.body) if found and found.body else {}
        is_theirs = local(task.get("owner"), self.transactions.base, "Organization") == link.owner
        if found is None or not is_referral(task) or not is_theirs:
            raise Problem("expired", "The referral is not asked of whom the link was made for")
        return str(task.get("status")), found.version

    def _rows(self, connection: Connection, access: Access, link: Link) -> list[Stored]:
        """The Task, its request, who it is for and who asks, as far as they may leave; without the Task nothing."""
        task = self._row(connection, access, f"Task/{link.task}")
        if task is None:
            return []
        content, base = json.stored(task.body or b"{}"), self.transactions.base
        named = (
            local(content.get("focus"), base, "ServiceRequest"),
            local(content.get("for"), base, "Patient"),
            local(content.get("requester"), base, *NAMED),
        )
        others = (self._row(connection, access, one) for one in dict.fromkeys(named) if one)
        return [task, *filter(None, others)]

    def _row(self, connection: Connection, access: Access, reference: str) -> Stored | None:
        kind, _, identity = reference.partition("/")
        found = read.current(connection, access, kind, identity) if access.may("read", kind) else None
        return leaving.one(connection, access, found, self.transactions.base) if found and found.body else None


def _content(rows: list[Stored]) -> dict[str, Resource]:
    return {f"{one.type}/{one.id}": json.stored(one.body or b"{}") for one in rows}
