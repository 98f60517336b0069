"""Batch frame -> its messages; receipts -> one batch of acknowledgments. Pure.

Rules: HL7 v2.5.1 chapters 2.10.3 (FHS, BHS, BTS, FTS) and 2.15.2, 2.15.3, 2.15.6, 2.15.7 (their fields).
A frame that begins with FHS or BHS is a batch. Each message of it is kept and answered as if it had come alone,
in one commit for all. The answer has the batch's delimiters; its BHS-12 and FHS-12 repeat the control ids of the
batch. A batch that comes again is a duplicate, message by message: their own control ids say so.
Refuses whole (AE 100, and nothing of it is work): counts in BTS-1 or FTS-1 that do not hold, an envelope that is
not closed or in another order, segments of no message, delimiters that change, more than MOST_MESSAGES.
Ceiling: a message takes 0.1 ms to judge, in which nobody else is answered: half a second for the largest batch.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from adapters.adt.acknowledgment import Error, ack
from adapters.adt.header import STANDARD, Header, first_line
from adapters.adt.intake import SOURCE, UNKNOWN_FEED, Intake, acknowledgment_code, answer
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import REFUSED, Arrival

MOST_MESSAGES = 5_000
MOST_PIECES = 2 * MOST_MESSAGES  # messages and segments of the envelope: what a frame may cost to take apart
_STARTS = re.compile(rb"(?:^|[\r\n])(FHS|BHS|MSH|BTS|FTS)")
_FIELDS = 13  # an envelope's header has 12


class BadBatch(Exception):
    """The envelope does not hold its messages. The text says why, `where` at which field."""

    def __init__(self, reason: str, where: str):
        super().__init__(reason, where)
        self.reason, self.where = reason, where


@dataclass(frozen=True, slots=True)
class Head:
    """FHS or BHS. `separators` as in Header; values as sent."""

    separators: str
    sender: tuple[str, str]  # application, facility
    receiver: tuple[str, str]
    control_id: str


@dataclass(slots=True)
class Envelope:
    """What the frame says of itself. `messages` are the bytes of each; a batch in the file has a Head."""

    file: Head | None = None
    batches: list[tuple[Head | None, list[bytes]]] = field(default_factory=list)

    @property
    def messages(self) -> list[bytes]:
        return [message for _, messages in self.batches for message in messages]


@dataclass(frozen=True, slots=True)
class BatchIntake:
    """A frame with several messages, each judged. With `refused` the batch itself is kept, as refused, and `parts`
    are there only to be answered."""

    envelope: Envelope
    parts: tuple[Intake, ...]
    refused: Error | None = None
    whole: Arrival | None = None

    def unkept(self) -> "BatchIntake":
        """A refused batch of a sender that may not send: nothing of it is kept."""
        return replace(self, whole=None)

    @property
    def arrivals(self) -> list[Arrival]:
        if self.whole is not None:
            return [self.whole]
        return [part.arrival for part in self.parts if part.kept]


Judge = Callable[[bytes], Intake]


def is_batch(frame: bytes) -> bool:
    return first_line(frame)[:3] in (b"FHS", b"BHS")


def batch_intake(frame: bytes, received: int, judge: Judge) -> BatchIntake:
    """Judge a batch; `judge` does it for each message."""
    envelope = Envelope()
    try:
        _read(frame, envelope)
    except BadBatch as bad:
        error = ("100", bad.where, bad.reason)
        parts = tuple(replace(judge(message), refused=error, kept=False) for message in envelope.messages)
        return BatchIntake(envelope, parts, error, _kept(frame, envelope, received, error))
    return BatchIntake(envelope, tuple(judge(message) for message in envelope.messages))


def _kept(frame: bytes, envelope: Envelope, received: int, error: Error) -> Arrival:
    """The refused batch, for a person to look at."""
    code, place, text = error
    head = _first_head(envelope)
    feed = "|".join(head.sender) if head else UNKNOWN_FEED
    control_id = head.control_id if head else ""
    return Arrival(SOURCE, feed, control_id, frame, received, REFUSED, f"{code} {text}", place)


def _first_head(envelope: Envelope) -> Head | None:
    return envelope.file or next((head for head, _ in envelope.batches if head), None)


def _read(frame: bytes, envelope: Envelope) -> None:
    """Raises BadBatch; what was read until then stays in the envelope."""
    starts = [*islice(_starts(frame), MOST_PIECES + 1)]
    if len(starts) > MOST_PIECES or sum(name == "MSH" for name, _ in starts) > MOST_MESSAGES:
        raise BadBatch(f"More than {MOST_MESSAGES} messages", "BTS-1")
    reading = _Reading(envelope)
    ends = [at for _, at in starts[1:]] + [len(frame)]
    for (name, start), end in zip(starts, ends, strict=True):
        reading.take(name, frame[start:end])
    reading.end()


@dataclass(slots=True)
class _Reading:
    """What is open. A file holds batches, or messages alone: HL7 makes BHS and BTS optional there."""

    envelope: Envelope
    file: bool = False
    batch: bool = False
    over: bool = False

    def take(self, name: str, piece: bytes) -> None:
        """Raises BadBatch."""
        if self.over:
            raise BadBatch("Something follows the end", name)
        match name:
            case "FHS" if self.envelope.file is None and not self.envelope.batches:
                self.envelope.file, self.file = _head(piece), True
            case "BHS" if not self.batch and not self._loose():
                self.envelope.batches.append((_head(piece), []))
                self.batch = True
            case "MSH" if self.batch or self.file:
                self._message(piece)
            case "BTS" if self.batch:
                _must_count(piece, self.envelope, len(self.envelope.batches[-1][1]), "BTS-1")
                self.batch, self.over = False, not self.file
            case "FTS" if self.file and not self.batch:
                _must_count(piece, self.envelope, len(self.envelope.batches), "FTS-1")
                self.file, self.over = False, True
            case _:
                raise BadBatch("The segments of the batch are not in their order", name)

    def end(self) -> None:
        """Raises BadBatch."""
        if self.batch or self.file:
            raise BadBatch("The batch is not closed", "BTS" if self.batch else "FTS")

    def _loose(self) -> bool:
        """Whether the file's messages stand in no batch."""
        return bool(self.envelope.batches) and self.envelope.batches[0][0] is None

    def _message(self, piece: bytes) -> None:
        if not self.batch and self.envelope.batches and not self._loose():
            raise BadBatch("A message stands outside of the batches", "MSH")
        if not self.envelope.batches:
            self.envelope.batches.append((None, []))
        head = _first_head(self.envelope)
        self.envelope.batches[-1][1].append(piece)
        if head and piece[3:4] != head.separators[0].encode("latin-1"):
            raise BadBatch("A message has other delimiters than its batch", "MSH-1")


def _starts(frame: bytes) -> Iterator[tuple[str, int]]:
    """Where a piece of the batch begins: an envelope's segment or a message. All else belongs to its message."""
    for found in _STARTS.finditer(frame):
        yield found.group(1).decode(), found.start(1)


def _head(piece: bytes) -> Head:
    line = first_line(piece).decode("latin-1")
    if len(line) < 5 or line[3].isalnum():
        raise BadBatch("The batch names no delimiters", f"{line[:3]}-1")
    parts = line.split(line[3], _FIELDS)
    parts += [""] * (_FIELDS - len(parts))
    marks = line[3] + (parts[1] + STANDARD[len(parts[1]) + 1 :])[:4]
    return Head(marks, (parts[2], parts[3]), (parts[4], parts[5]), parts[10])


def _must_count(piece: bytes, envelope: Envelope, found: int, where: str) -> None:
    """BTS-1 and FTS-1 may be empty; what they say must hold."""
    line = first_line(piece).decode("latin-1")
    head = _first_head(envelope)
    said = line.split(head.separators[0] if head else line[3:4])[1:2] if len(line) > 3 else []
    text = said[0].strip() if said else ""
    if not text:
        return
    if not (text.isascii() and text.isdigit() and int(text[:9]) == found and len(text) <= 9):
        raise BadBatch(f"The count does not hold: {found} came", where)


def batch_answer(
    taken: BatchIntake,
    receipts: Sequence[Receipt],
    at: datetime,
    control_id: Callable[[], str],
    returns: Callable[[str], bool] = lambda facility: False,
) -> bytes:
    """The batch of acknowledgments, to be sent after the commit; empty where nobody in it wants one. `receipts`
    are those of `arrivals`; `control_id` makes a new one; `returns` says which facilities get application
    acknowledgments later."""
    given = iter(receipts)
    answers: list[bytes] = []
    for part in taken.parts:
        receipt: Receipt = next(given) if part.kept and taken.whole is None else "new"
        if taken.refused:
            answers.append(_refusal(part.header, taken.refused, at, control_id()))
        else:
            later = part.header is not None and returns(part.header.facility_code)
            answers.append(answer(part, receipt, at, control_id(), later))
    if taken.refused and not taken.parts:
        answers = [_of_envelope(taken, at, control_id())]
    told = [one for one in answers if one]
    return _wrapped(taken, told, at, control_id) if told else b""


def _refusal(head: Header | None, error: Error, at: datetime, control_id: str) -> bytes:
    code = acknowledgment_code(head, "E")
    return ack(head, code, at, control_id, error) if code else b""


def _of_envelope(taken: BatchIntake, at: datetime, control_id: str) -> bytes:
    """A refused batch without messages: MSA-2 repeats its own control id."""
    head = _first_head(taken.envelope)
    made: Header | None = None
    if head:
        fields = (*head.sender, *head.receiver, "", "", "", head.control_id, "P", "", "", "", "")
        made = Header(head.separators, *fields)
    return ack(made, "AE", at, control_id, taken.refused)


def _wrapped(taken: BatchIntake, answers: Sequence[bytes], at: datetime, control_id: Callable[[], str]) -> bytes:
    """The answers in one batch, of the first one's name; a file comes back as a file."""
    envelope = taken.envelope
    batch = next((head for head, _ in envelope.batches if head), None)
    named = batch or envelope.file
    marks = named.separators if named else STANDARD
    note = taken.refused[2] if taken.refused else ""
    lines = [
        *([_answering("FHS", envelope.file, at, control_id(), note)] if envelope.file else []),
        _answering("BHS", named, at, control_id(), note),
    ]
    ends = [f"BTS{marks[0]}{len(answers)}", *([f"FTS{marks[0]}1"] if envelope.file else [])]
    return b"".join((_lines(lines), *answers, _lines(ends)))


def _answering(name: str, head: Head | None, at: datetime, control_id: str, note: str) -> str:
    marks = head.separators if head else STANDARD
    sender, receiver = (head.receiver, head.sender) if head else (("", ""), ("", ""))
    moment = at.strftime("%Y%m%d%H%M%S%z")
    fields = [
        name,
        marks[1:],
        *sender,
        *receiver,
        moment,
        "",
        "",
        note,
        control_id,
        head.control_id if head else "",
    ]
    return marks[0].join(fields)


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r" for line in lines).encode("latin-1", "replace")
