"""The application acknowledgment of enhanced mode: what became of a message, told to its sender later.

Rules: HL7 v2.5.1 chapter 2.9.3 and tables 0008, 0155: MSH-16 says who wants it; it is a message of its own, with
its own MSH-10, asks for a commit acknowledgment (MSH-15 = AL) and for no application acknowledgment (MSH-16 = NE).
It is a row of the outbox, written in the transaction that ends the message: `processed` is AA, a state in which it
waits for a person is AE with place and code. What was parked and is processed after all gets its AA then.
A dead message (a fault of ours) gets none until it is replayed and ends. Acknowledgments of one facility leave one
at a time, in order; silence, 206 and 207 are tried again for 72 hours; any other refusal is held for a person.
Refuses: nothing. Without a return address (adapters.adt.return_addresses) there is no row: the sender was answered.
"""

import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from adapters.adt.acknowledgment import Error, ack
from adapters.adt.header import Header, NoHeader, header
from adapters.adt.intake import WANTED
from adapters.adt.mllp_client import Held, NoAcknowledgment, Sender
from adapters.adt.return_addresses import Address, Addresses
from hub import clock, outbox
from hub.inbox.messages import Message
from hub.store.tables import outbox as table
from hub.worker import Park

log = logging.getLogger("hub.adt")
KIND = "hl7-application-ack"
NO_TRIES_LEFT = "no acknowledgment in 72 hours"
# states of the inbox -> code of table 0357, where the handler named none
CODES = {"unreadable": "102", "unmapped": "103", "unmatched": "204", "waiting": "204"}
_OWN_CODE = re.compile(r"(\d{3}): ")
_PLACE = re.compile(r"[A-Z][A-Z0-9]{2}(?:-\d{1,3})?")


@dataclass(frozen=True, slots=True)
class ApplicationAcks:
    """What happens in the transaction that ends a message."""

    addresses: Callable[[], Addresses]
    now: clock.Clock = clock.now

    def processed(self, connection: Connection, message: Message) -> None:
        self._add(connection, message, "A", None)

    def parked(self, connection: Connection, message: Message, park: Park) -> None:
        self._add(connection, message, "E", error_of(park))

    def _add(self, connection: Connection, message: Message, verdict: str, error: Error | None) -> None:
        head = _asking(message.raw)
        if head is None or head.facility_code not in self.addresses():
            return
        key = f"{message.seq}:{verdict}"
        if verdict in WANTED.get(head.application_ack, "AER") and not _is_there(connection, key):
            outbox.add(connection, [self._row(head, key, f"A{verdict}", error)])

    def _row(self, head: Header, key: str, code: str, error: Error | None) -> dict[str, Any]:
        at = self.now()
        message = ack(head, code, at, secrets.token_hex(10), error, wants=("AL", "NE"))
        payload = {"facility": head.facility_code, "message": message.decode("latin-1")}
        return outbox.row(KIND, key, payload, clock.micros(at), line=head.facility_code[:128])


def error_of(park: Park) -> Error:
    """What AE says of a message that waits: the handler's own code, or that of its state. Places that are none of
    HL7's (of a FHIR resource) are left out."""
    found = _OWN_CODE.match(park.reason)
    place = park.where if _PLACE.fullmatch(park.where) else ""
    return park.code or (found.group(1) if found else CODES.get(park.state, "207")), place, park.reason


def _asking(raw: bytes) -> Header | None:
    """The header, where it asks for an application acknowledgment at all."""
    try:
        head = header(raw)
    except NoHeader:
        return None
    return head if head.application_ack else None


def _is_there(connection: Connection, key: str) -> bool:
    """Parked twice is told once. The message is claimed: nobody else adds its row meanwhile."""
    found = select(table.c.seq).where(table.c.kind == KIND, table.c.key == key)
    return connection.execute(found).first() is not None


@dataclass(slots=True)
class Returning:
    """The worker's handler for rows of KIND. One connection to each facility is kept."""

    addresses: Callable[[], Addresses]
    now: clock.Clock = clock.now
    timeout: float = 15.0  # to connect, and to be answered: both end within a lease of the outbox
    chance: Callable[[], float] = secrets.SystemRandom().random
    _senders: dict[str, tuple[Address, Sender]] = field(default_factory=dict)

    def __call__(self, work: outbox.Work) -> outbox.Settled:
        settled = self._settled(work)
        if isinstance(settled, outbox.Dead):
            log.warning("application acknowledgment %s is held: %s", work.seq, settled.reason)
        return settled

    def _settled(self, work: outbox.Work) -> outbox.Settled:
        address = self.addresses().get(work.payload["facility"])
        if address is None:
            return outbox.Dead("the facility has no return address any more")
        try:
            self._sender(work.payload["facility"], address).send(work.payload["message"].encode("latin-1"))
        except NoAcknowledgment as error:
            return self._later(work, str(error))
        except Held as held:
            return self._later(work, str(held)) if held.is_for_now else outbox.Dead(str(held))
        return outbox.Done()

    def _sender(self, facility: str, address: Address) -> Sender:
        known = self._senders.get(facility)
        if known is None or known[0] is not address:
            if known:
                known[1].close()
            known = address, Sender(address.host, address.port, address.tls, self.timeout)
            self._senders[facility] = known
        return known[1]

    def _later(self, work: outbox.Work, reason: str) -> outbox.Settled:
        wait = outbox.retry_after(work.attempts)
        if wait is None:
            return outbox.Dead(f"{NO_TRIES_LEFT}: {reason}")
        due = self.now() + outbox.spread(wait, self.chance())
        return outbox.Later(clock.micros(due), reason)
