"""A line of a file answers a referral: the same moves by the same rule as by a link (hub.referrals.moving).

Rules: docs/referrals.md "Answers by file". The sender is the organization of its feed, and answers what is asked of
it alone. An answer that stands already is nothing to do: a line may be done twice where the hub was killed.
What labels hide from the sender, as after a consent was revoked, is not there for it, whatever number it knows. Its
relation is not asked for first: that ends when the referral is over, and how it ended the sender may hear.
Refuses, with a line of the report: a referral that is not there for the sender (REFERENCE: whether there is one
nobody learns), an answer that is not legal now (MOVE, with those that are), one without what it needs (REQUIRED).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.feeds.records import Feed, Kept, Reject
from hub.leaving import one as leaving
from hub.problems import Problem
from hub.referrals.answer_words import ANSWERS, legal_words
from hub.referrals.answers import Choice, answered, choices
from hub.referrals.case import Known, known
from hub.referrals.case import access as of_hub
from hub.referrals.moving import Moving
from hub.referrals.terms import OVER, activities, is_referral, local, reason
from hub.store import read
from hub.transactions import Transactions

AccessOf = Callable[[str], Access]  # of an organization, by its reference
TRIES = 5  # others write the same Task, too
NOBODY = "No referral of this number is asked of the sender."
UNFIT = "The hub does not take this answer as it is written."


@dataclass(frozen=True, slots=True)
class AnsweringByFile:
    """The act of a row (hub.feeds.acting). `transactions` are those of clients, days those of `zone`."""

    transactions: Transactions
    access_of: AccessOf
    zone: ZoneInfo
    now: clock.Clock = clock.now

    def __call__(self, feed: Feed, row: Kept) -> Reject | None:
        """Raises Problem where it must be tried again."""
        for _ in range(TRIES):
            try:
                return self._answered(feed, row)
            except Problem as problem:
                if problem.kind == "precondition":
                    continue
                if problem.status >= 500:
                    raise
                return _reject(row, "MOVE", "answer", UNFIT)
        raise Problem("busy", "Others kept writing the referral")

    def _answered(self, feed: Feed, row: Kept) -> Reject | None:
        said, to = row.values, ANSWERS[row.values["answer"]]
        access = self.access_of(feed.organization)
        with self.transactions.database.read() as connection:
            task = self._task(connection, access, said["task"], feed.organization)
            if task is None:
                return _reject(row, "REFERENCE", "task", NOBODY)
            if task.status == to and _stands(connection, access, task, said):
                return None
        if task.status in OVER:
            return _illegal(row, task.status, [])
        moving = Moving(self.transactions, access)
        try:
            offered = choices(moving.legal(task.id))
        except Problem:
            return _reject(row, "REFERENCE", "task", NOBODY)
        choice = next((one for one in offered if one.to == to), None)
        if choice is None:
            return _illegal(row, task.status, [one.to for one in offered])
        return self._moved(moving, choice, row)

    def _moved(self, moving: Moving, choice: Choice, row: Kept) -> Reject | None:
        said = answered(choice, row.values, self.now().astimezone(self.zone).date())
        for column, text in said.faults.items():
            return _reject(row, "REQUIRED", column, text)
        if choice.wants_activity:
            moving.deliver(row.values["task"], said.done, said.day)
        else:
            moving.move(row.values["task"], said.to, said.reason)
        return None

    def _task(self, connection: Connection, access: Access, identity: str, sender: str) -> Known | None:
        """What this sender is asked."""
        found = _open(connection, access, "Task", identity)
        if found is None or not is_referral(found.resource):
            return None
        owner = local(found.resource.get("owner"), self.transactions.base, "Organization")
        return found if sender and owner == sender else None


def _open(connection: Connection, access: Access, kind: str, identity: str) -> Known | None:
    """As the hub knows it; None where labels hide it from this access. Of relations and types nothing is asked."""
    asking = replace(of_hub(), sight=replace(access.sight, all_patients=True))
    found = known(connection, kind, identity)
    row = read.current(connection, asking, kind, identity) if found else None
    return found if row and leaving(connection, asking, row) else None


def _stands(connection: Connection, access: Access, task: Known, said: Any) -> bool:
    """Whether the Task says already what the line says."""
    if task.status != "completed":
        return not said.get("reason") or reason(task.resource) == " ".join(said["reason"].split())
    done = " ".join(said.get("done", "").split())
    for one in activities(task.resource):
        procedure = _open(connection, access, "Procedure", one["valueReference"]["reference"].rpartition("/")[2])
        if procedure and procedure.resource.get("code", {}).get("text") == done:
            return True
    return False


def _illegal(row: Kept, status: str, legal: list[str]) -> Reject:
    return _reject(row, "MOVE", "answer", f"The referral is {status}. Legal now: {legal_words(legal)}.")


def _reject(row: Kept, code: str, column: str, what: str) -> Reject:
    return Reject(code, row.line, column, what, row.part)
