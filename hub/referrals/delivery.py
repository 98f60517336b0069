"""The worker's handler of `referral-notice`: a notice of a referral leaves electronically, and says when.

Rules: DHCS' closed-loop referrals: electronic delivery (a fax is none). What leaves is a mail without content: that
there is a notice, and its number here; who has a right to read it signs in. The front door says how to send.
https://hl7.org/fhir/R4/communication.html: `completed` with `sent` when it has left; `on-hold` with a reason where
nobody knows an electronic address: that waits for a person.
Without a way to send (no relay is set) notices stay in `preparation`, and are read over the API.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hub import clock, outbox
from hub.fhir.bundles import Entry
from hub.outbox import Dead, Done, Later, Settled, Work
from hub.problems import Problem
from hub.referrals.case import Known, access, known
from hub.referrals.effects import NOTIFY
from hub.referrals.terms import Resource, local
from hub.store.engine import Database
from hub.transactions import Transactions, single

NO_ADDRESS = "No electronic address of the recipient is known"
READERS = ("Organization", "Patient", "PractitionerRole", "Practitioner", "RelatedPerson")
# a mailbox, the notice's `Communication/id`: why it could not leave, empty where it did. At least once
Send = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class NoticeWork:
    """`own` writes for the hub itself; `send` None: there is no way to send."""

    database: Database
    own: Transactions
    base: str
    send: Send | None = None
    now: clock.Clock = clock.now

    def handlers(self) -> dict[str, outbox.Handler]:
        return {NOTIFY: self}

    def __call__(self, work: Work) -> Settled:
        with self.database.read() as connection:
            notice = known(connection, "Communication", work.payload["id"])
            named = (
                [local(one, self.base, *READERS) for one in notice.resource.get("recipient", ())] if notice else []
            )
            people = [known(connection, *each.split("/")) for each in named if each]
        if notice is None or notice.status != "preparation":
            return Done("It is not to be sent (any more)")
        if self.send is None:
            return Done("There is no way to send")
        mailbox = next(iter(_mailboxes(people)), "")
        if not mailbox:
            return self._written(notice, status="on-hold", statusReason={"text": NO_ADDRESS})
        if failed := self.send(mailbox, f"Communication/{notice.id}"):
            wait = outbox.retry_after(work.attempts)
            return Later(self._micros() + wait // clock.MICROSECOND, failed) if wait else Dead(failed)
        return self._written(notice, status="completed", sent=clock.instant(self._micros()))

    def _written(self, notice: Known, **said: Any) -> Settled:
        try:
            self.own.commit([_entry(notice, said)], access())
        except Problem as problem:
            if problem.kind not in ("precondition", "busy"):
                raise
            return Later(self._micros() + outbox.SECOND, "The notice changed meanwhile")
        return Done()

    def _micros(self) -> int:
        return clock.micros(self.now())


def _entry(notice: Known, said: Resource) -> Entry:
    made = {**notice.resource, **said}
    return single("PUT", "Communication", id=notice.id, resource=made, if_match=notice.version)


def _mailboxes(people: list[Known | None]) -> Iterator[str]:
    """Those in use, the preferred ones first."""
    said = [one for who in people if who for one in who.resource.get("telecom", ()) if one.get("system") == "email"]
    current = [one for one in said if one.get("value") and one.get("use") != "old" and "period" not in one]
    for one in sorted(current, key=lambda one: one.get("rank", 99)):
        yield str(one["value"])
