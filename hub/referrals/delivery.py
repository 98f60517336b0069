"""The worker's handler of `referral-notice`: a notice of a referral leaves electronically, and says when.

Rules: DHCS' closed-loop referrals: electronic delivery (a fax is none). What leaves is a mail without content: that
there is a notice, and its number here; who has a right to read it signs in. A provider that is asked by a link gets
the link (hub.referrals.link_letters). The front door says how to send.
https://hl7.org/fhir/R4/communication.html: `completed` with `sent` when it has left; `on-hold` with a reason where
nobody knows an electronic address, or the mail could not be delivered: that waits for a person, who writes
`preparation` again. Without a way to send (no relay is set) notices stay in `preparation`, and are read over the
API.
Where to: of organizations and their people the mailbox that referrals.toml names, of the member and theirs the one
that stands with them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from hub import clock, outbox
from hub.fhir.bundles import Entry
from hub.notifications.outgoing import Failure
from hub.outbox import Done, Later, Settled, Work
from hub.problems import Problem
from hub.referrals.case import Known, access, known
from hub.referrals.contacts import Contacts, is_mailbox
from hub.referrals.effects import NOTIFY
from hub.referrals.link_letters import NEEDLESS, is_link, link_of
from hub.referrals.links import PATH, signed
from hub.referrals.mail_texts import LINK, NOTICE, MailTexts
from hub.referrals.mailing import Letter, Send
from hub.referrals.notices import PREFERRED
from hub.referrals.terms import Resource, local
from hub.store.engine import Database
from hub.transactions import Transactions, single

NO_ADDRESS = "No electronic address of the recipient is known"
NOT_DELIVERED = "It could not be delivered"
NOT_ASKED = "The referral does not wait for the recipient's answer (any more)"
CONFIGURED = ("Organization", "PractitionerRole", "Practitioner")
PERSONS = ("Patient", "RelatedPerson")


@dataclass(frozen=True, slots=True)
class NoticeWork:
    """`own` writes for the hub itself; `send` None: there is no way to send. `site` is the hub's address for
    browsers."""

    database: Database
    own: Transactions
    base: str
    contacts: Contacts
    texts: MailTexts
    site: str
    secret_key: bytes = field(repr=False)
    send: Send | None = None
    now: clock.Clock = clock.now

    def handlers(self) -> dict[str, outbox.Handler]:
        return {NOTIFY: self}

    def __call__(self, work: Work) -> Settled:
        with self.database.read() as connection:
            notice = known(connection, "Communication", work.payload["id"])
            if notice is None or notice.status != "preparation":
                return Done("It is not to be sent (any more)")
            is_wanted = not is_link(notice.resource) or self._is_asked(connection, notice.resource)
            mailbox = next(self._mailboxes(connection, notice.resource), "")
        if not is_wanted:
            return self._written(notice, status=NEEDLESS, statusReason={"text": NOT_ASKED})
        if self.send is None:
            return Done("There is no way to send")
        if not mailbox:
            return self._written(notice, status="on-hold", statusReason={"text": NO_ADDRESS})
        if failed := self.send(self._letter(notice.resource, mailbox)):
            return self._failed(notice, work.attempts, failed)
        return self._written(notice, status="completed", sent=clock.instant(self._micros()))

    def _letter(self, notice: Resource, mailbox: str) -> Letter:
        number, language = str(notice["id"]), _language(notice)
        if not is_link(notice):
            mail = self.texts.of(NOTICE, language)
            return Letter(mailbox, number, mail, mail.filled(number=number))
        link, mail = link_of(notice, self.base), self.texts.of(LINK, language)
        until = clock.instant(link.ends * outbox.SECOND)[:10]
        address = f"{self.site}{PATH}{signed(link, self.secret_key)}"
        return Letter(mailbox, number, mail, mail.filled(link=address, until=until))

    def _failed(self, notice: Known, attempts: int, failed: Failure) -> Settled:
        """Tried again, unless no try can be better; in the end a person looks."""
        wait = None if failed.final else outbox.retry_after(attempts)
        if wait is not None:
            return Later(self._micros() + wait // clock.MICROSECOND, failed.reason)
        return self._written(notice, status="on-hold", statusReason={"text": f"{NOT_DELIVERED}: {failed.reason}"})

    def _is_asked(self, connection: Connection, notice: Resource) -> bool:
        link = link_of(notice, self.base)
        task = known(connection, "Task", link.task)
        owner = local(task.resource.get("owner"), self.base, "Organization") if task else ""
        return task is not None and task.status in ("requested", "on-hold") and owner == link.owner

    def _mailboxes(self, connection: Connection, notice: Resource) -> Iterator[str]:
        """Those that may be used, the first one first."""
        for one in notice.get("recipient", ()):
            who = local(one, self.base, *CONFIGURED, *PERSONS)
            kind, _, identity = who.partition("/")
            if configured := self.contacts.mailbox(who):
                yield configured
            elif kind in PERSONS and (person := known(connection, kind, identity)):
                yield from _own(person.resource.get("telecom", ()))

    def _written(self, notice: Known, **said: Any) -> Settled:
        try:
            self.own.commit([_entry(notice, said)], access())
        except Problem as problem:
            if problem.kind not in ("precondition", "busy"):
                raise
            return Later(self._micros() + outbox.SECOND, "The notice changed meanwhile")
        return Done(str(said.get("statusReason", {}).get("text", "")))

    def _micros(self) -> int:
        return clock.micros(self.now())


def _entry(notice: Known, said: Resource) -> Entry:
    made = {**notice.resource, **said}
    if "statusReason" not in said:
        made.pop("statusReason", None)
    return single("PUT", "Communication", id=notice.id, resource=made, if_match=notice.version)


def _own(telecom: Iterable[Resource]) -> Iterator[str]:
    """A person's own mailboxes that are in use, the preferred ones first."""
    said = [one for one in telecom if one.get("system") == "email" and one.get("use") != "old"]
    for one in sorted(said, key=lambda one: one.get("rank", 99)):
        if "period" not in one and is_mailbox(str(one.get("value", ""))):
            yield str(one["value"])


def _language(notice: Resource) -> str:
    """The one that the reader wishes, else that of the notice."""
    wished = (one.get("valueCode", "") for one in notice.get("extension", ()) if one.get("url") == PREFERRED)
    return next(filter(None, wished), "") or str(notice.get("language", ""))
