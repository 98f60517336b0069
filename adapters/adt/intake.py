"""Frame -> what the inbox is asked to keep; receipt -> what the sender is answered. Pure.

Rules: HL7 v2.5.1 chapters 2.9.2 (original mode) and 2.9.3 (enhanced mode), tables 0155 (who wants which
acknowledgment) and 0357. AA and CA mean: safe with us. What the message says is looked at later, by the worker.
Refuses: what its header already refuses (AR), what its bytes alone show to be wrong (AE, adapters.adt.checks), a
control id used before with other content (AE 205). All are kept.
A sender that may not speak for its facility (AR 207, adapters.adt.senders): of that nothing is kept.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from adapters.adt.acknowledgment import Error, ack, refusal
from adapters.adt.checks import fault
from adapters.adt.header import Header, NoHeader, header
from adapters.adt.lines import line_of
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import RECEIVED, REFUSED, Arrival

SOURCE = "adt"
UNKNOWN_FEED = "unknown"
NOT_BOUND: Error = ("207", "MSH-4", "This connection may not send for this facility")
USED_BEFORE: Error = ("205", "MSH-10", "Control id used before with other content")
WANTED = {"": "", "NE": "", "SU": "A", "ER": "ER", "AL": "AER"}  # table 0155: verdicts that are answered


@dataclass(frozen=True, slots=True)
class Intake:
    """One frame, judged by its header. `refused` is the error that the sender is answered, if any; what is not
    `kept` is answered and forgotten."""

    header: Header | None
    arrival: Arrival
    refused: Error | None
    kept: bool = True
    verdict: str = "R"  # of what is refused

    def from_a_stranger(self) -> "Intake":
        """The same frame, where its sender is not who it says. What is no message at all is told that."""
        return replace(self, refused=NOT_BOUND if self.header else self.refused, kept=False, verdict="R")


def intake(frame: bytes, received: int, production: bool) -> Intake:
    """Judge a frame by its header. `received` is in microseconds since 1970."""
    try:
        head = header(frame)
    except NoHeader:
        head = None
    refused = refusal(head, production) or (fault(frame, head) if head else None)
    feed = f"{head.application}|{head.facility}" if head else UNKNOWN_FEED
    control_id = head.control_id if head else ""
    if refused is None:
        line = line_of(SOURCE, feed, frame, head) if head else None
        return Intake(head, Arrival(SOURCE, feed, control_id, frame, received, member=line), None)
    code, place, text = refused[1]
    arrival = Arrival(SOURCE, feed, control_id, frame, received, REFUSED, f"{code} {text}", place)
    return Intake(head, arrival, refused[1], verdict=refused[0][-1])


def answer(taken: Intake, receipt: Receipt, at: datetime, control_id: str, later: bool = False) -> bytes:
    """The acknowledgment, to be sent after the commit; empty where the sender wants none, or none yet. `later`: the
    application acknowledgment of what is safe with us leaves when it is processed (application_acks)."""
    verdict, error = _verdict(taken, receipt)
    code = acknowledgment_code(taken.header, verdict, later and verdict == "A")
    return ack(taken.header, code, at, control_id, error) if code else b""


def _verdict(taken: Intake, receipt: Receipt) -> tuple[str, Error | None]:
    if taken.refused:
        return taken.verdict, taken.refused
    return ("E", USED_BEFORE) if receipt == "conflict" else ("A", None)


def acknowledgment_code(head: Header | None, verdict: str, later: bool = False) -> str:
    """AA, AE, AR in original mode; CA, CE, CR where the sender wants a commit acknowledgment. Where it wants
    only an application acknowledgment it gets that at once, unless that is sent `later`."""
    if head is None or not head.enhanced:
        return f"A{verdict}"
    for letter, wish in (("C", head.accept_ack), ("A", "NE" if later else head.application_ack)):
        if verdict in WANTED.get(wish, "AER"):
            return f"{letter}{verdict}"
    return ""


def is_work(taken: Intake, receipt: Receipt) -> bool:
    """Whether the worker has something new to do."""
    return receipt == "new" and taken.kept and taken.arrival.state == RECEIVED
