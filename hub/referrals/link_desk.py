"""What a signed link opens: the referral as the organization may see it, and the moves that it may make.

Rules: docs/referrals.md "A provider without FHIR"; docs/access.md: what is shown passes hub.leaving with the access
of the Task's owner, never the hub's own. A look changes nothing: mail scanners follow links.
Of a referral that is over only the state is told, to whoever owned it last.
Refuses (Problem): what this hub did not sign (`not-found`); a link that ended, was revoked, whose Task is another's
now, or is not there for its owner (`expired`); a move of a Task that changed since the page was made
(`precondition`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.audit.recorder import Recording
from hub.fhir import json
from hub.problems import Problem
from hub.referrals.answers import Answer, Choice, answered, choices
from hub.referrals.link_facts import Fact, facts
from hub.referrals.link_letters import holds
from hub.referrals.links import Link, opened
from hub.referrals.moving import Moving
from hub.referrals.shown_rows import contents, shown_rows
from hub.referrals.terms import OVER, is_referral, local
from hub.store import merges, read
from hub.store.read import Stored
from hub.transactions import Transactions

AccessOf = Callable[[str], Access]  # of an organization, by its reference


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
            rows = [] if status in OVER else shown_rows(connection, access, link.task, self.transactions.base)
        made = Seen(link, access, status, version)
        if status in OVER:
            return made
        if not rows:
            raise Problem("expired", "There is no such referral for whom the link was made")
        legal = self._moving(access).legal(link.task)
        return replace(made, facts=tuple(facts(contents(rows))), choices=tuple(choices(legal)), rows=tuple(rows))

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
        ours, base = Access.system("whose a referral's link is"), self.transactions.base
        letter = read.current(connection, ours, "Communication", link.letter)
        if letter is None or not letter.body or not holds(json.stored(letter.body), link, base):
            raise Problem("expired", "The link was revoked")
        found = read.current(connection, ours, "Task", link.task)
        task = json.stored(found.body) if found and found.body else {}
        is_theirs = local(task.get("owner"), base, "Organization") == link.owner
        if found is None or not is_referral(task) or not is_theirs:
            raise Problem("expired", "The referral is not asked of whom the link was made for")
        return str(task.get("status")), found.version
