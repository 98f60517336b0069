"""POST /hl7v2: a hospital message over HTTP, for networks without MLLP. Same intake, inbox and acknowledgment.

Rules: https://hapifhir.github.io/hapi-hl7v2/hapi-hl7overhttp/specification.html: 2.4 (content types, character
set), 2.6 (whatever the acknowledgment says, AE and AR too, the status is 2xx; other statuses carry no HL7), 3
(security, here OAuth: docs/hl7-over-http.md). The answer leaves after the commit. docs/adr/0006.
- The token needs `system/Encounter.c`, and its client a row of HUB_HL7V2_CLIENTS for MSH-4; else AR 207, and of the
  message nothing is kept.
- The charset of Content-Type must not contradict MSH-18 about bytes that are not ASCII: AE 102, kept. (The
  specification has MSH-18 ignored; what is kept here must say by itself how to read it.)
- A sender that wants no acknowledgment (MSH-15, MSH-16: NE) gets 204.
Refuses: 403 without the scope, 415 for other content types and unknown character sets, 503 where the message cannot
be stored: nothing is acknowledged then, and it is to be sent again.
"""

import codecs
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from email.message import Message

from adapters.adt.acknowledgment import Error
from adapters.adt.batches import BatchIntake, batch_answer, batch_intake, is_batch
from adapters.adt.charset import CHARSETS, encoding
from adapters.adt.group_commit import Accept
from adapters.adt.http_clients import Pairs, bound_clients
from adapters.adt.intake import Intake, answer, intake
from hub import clock
from hub.access import Access
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import REFUSED, Arrival
from hub.problems import CannotStart, Problem
from hub.rest.doors import Beside, Headers, Reply
from hub.settings import Settings

log = logging.getLogger("hub.adt")

PATH = "/hl7v2"
MIMES = ("application/hl7-v2", "application/hl7-v2+er7", "x-application/hl7-v2+er7")
CONTRADICTION: Error = ("102", "MSH-18", "MSH-18 and the charset of Content-Type disagree")
FORBIDDEN = 403  # in the audit, where the sender is told AR 207


@dataclass(frozen=True, slots=True)
class HttpIntake:
    """`accept` makes arrivals durable; `bound` are the pairs of client and facility."""

    accept: Accept
    bound: Callable[[], Pairs]
    production: bool
    now: clock.Clock = clock.now

    def admits(self, access: Access, headers: Headers) -> None:
        """Raises Problem (`forbidden`, `media-type`)."""
        access.require("create", "Encounter")
        _sent_as(headers)

    def serve(self, access: Access, headers: Headers, body: bytes) -> Reply:
        """Raises Problem(`busy`)."""
        mime, codec = _sent_as(headers)
        judge = _Judge(self, access.who, codec)
        if is_batch(body):
            batch = batch_intake(body, judge.received, judge)
            batch = batch.unkept() if batch.refused and judge.strangers else batch
            told = self._told_batch(batch)
        else:
            told = self._told(judge(body))
        written = f"{mime}; charset={_iana(codec)}"
        return Reply(200 if told else 204, written, told, FORBIDDEN if judge.strangers else 0)

    def _told(self, taken: Intake) -> bytes:
        receipts = self._accepted([taken.arrival] if taken.kept else [])
        return answer(taken, receipts[0] if receipts else "new", self.now(), _control_id())

    def _told_batch(self, taken: BatchIntake) -> bytes:
        return batch_answer(taken, self._accepted(taken.arrivals), self.now(), _control_id)

    def _accepted(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        if not arrivals:
            return []
        try:
            return self.accept(arrivals)
        except Exception as error:  # ours, whatever it is: no acknowledgment
            log.error("/hl7v2: %d messages were not stored: %s", len(arrivals), type(error).__name__)
            retry = {"Retry-After": "5"}
            raise Problem("busy", "The message could not be stored; send it again", headers=retry) from error


@dataclass(slots=True)
class _Judge:
    """A message of this client, in this character set."""

    door: HttpIntake
    client: str
    codec: str
    received: int = field(init=False)
    strangers: int = 0

    def __post_init__(self) -> None:
        self.received = clock.micros(self.door.now())

    def __call__(self, frame: bytes) -> Intake:
        taken = intake(frame, self.received, self.door.production)
        if taken.header is None or (self.client, taken.header.facility_code) not in self.door.bound():
            self.strangers += 1
            return taken.from_a_stranger()
        if taken.refused is None and _contradicts(taken, self.codec):
            return _refused(taken, CONTRADICTION)
        return taken


def _contradicts(taken: Intake, codec: str) -> bool:
    """Only where it makes a difference: ASCII is the same in all of these."""
    said = encoding(taken.header.charset) if taken.header else ""
    return bool(codec and said) and codec != codecs.lookup(said).name and not taken.arrival.raw.isascii()


def _refused(taken: Intake, error: Error) -> Intake:
    code, place, text = error
    arrival = replace(taken.arrival, state=REFUSED, reason=f"{code} {text}", location=place)
    return replace(taken, arrival=arrival, refused=error, verdict="E")


def _sent_as(headers: Headers) -> tuple[str, str]:
    """The media type, and the codec of its charset where it names one. Raises Problem(`media-type`)."""
    line = Message()
    line["Content-Type"] = headers.get("content-type", "")
    mime = line.get_content_type()
    if mime not in MIMES:
        raise Problem("media-type", f"The content type is {MIMES[0]}", "Content-Type")
    charset = line.get_param("charset", "")
    try:
        codec = codecs.lookup(str(charset)).name if charset else ""
    except LookupError:
        codec = "unknown"
    if codec and codec not in _CODECS:
        raise Problem("media-type", "The charset is none that messages are read in", "Content-Type")
    return mime, codec


_CODECS = frozenset(codecs.lookup(name).name for name in CHARSETS.values())


def _iana(codec: str) -> str:
    """Python's name of a character set as IANA writes it."""
    if codec in ("", "ascii"):
        return "us-ascii" if codec else "utf-8"
    return codec.replace("iso8859", "iso-8859").replace("_", "-")


def _control_id() -> str:
    return secrets.token_hex(10)


def hl7_over_http(settings: Settings, accept: Callable[[], Accept]) -> list[Beside]:
    """The door, where the settings name who may come through it; else none. Raises CannotStart."""
    bound = clients_of(settings)
    if bound is None:
        return []
    door = HttpIntake(accept(), bound, settings["HUB_ADT_PRODUCTION"])
    return [Beside(PATH, "message", settings["HUB_MLLP_MAX_BYTES"], door.admits, door.serve)]


def clients_of(settings: Settings) -> Callable[[], Pairs] | None:
    """Who may speak for whom, if the settings say so. Raises CannotStart."""
    table = settings.path("HUB_HL7V2_CLIENTS")
    try:
        return bound_clients(table) if table else None
    except (ValueError, OSError) as error:
        raise CannotStart(f"HUB_HL7V2_CLIENTS: {error}") from None
