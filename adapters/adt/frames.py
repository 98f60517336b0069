"""Bytes of a stream in, MLLP frames out, however the network cuts the stream.

Rules: HL7 "Transport Specification: MLLP, Release 1": `<0x0B> message <0x1C><0x0D>`
(https://www.hl7.org/implement/standards/product_brief.cfm?product_id=55).
Bytes before 0x0B are dropped and counted. An empty frame is a frame. `tolerant` takes 0x1C alone for the end.
Refuses: 0x1C that is not followed by 0x0D, 0x0B inside a frame (two messages are never joined), a frame past
the largest size (FrameError; the stream has no meaning after it).
"""

START, END, RETURN = b"\x0b", b"\x1c", 0x0D
COMPACT_AT = 1 << 16  # bytes read before the buffer is moved up


class FrameError(Exception):
    """The stream breaks the framing; the text says how and shows no content."""


def framed(message: bytes) -> bytes:
    """One message as a frame."""
    return START + message + END + b"\r"


class Splitter:
    """Takes bytes with `feed`, gives complete frames with `next`, one a call."""

    def __init__(self, max_bytes: int, tolerant: bool = False):
        self.dropped = 0  # bytes outside of frames
        self._max_bytes = max_bytes
        self._tolerant = tolerant
        self._owed_return = False  # a 0x0D that belongs to the end of the last frame may still come
        self._buffer = bytearray()
        self._start = -1  # of the frame's content; -1 outside of a frame
        self._seen = 0  # nothing before here needs another look

    @property
    def is_half(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._start >= 0

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> bytes | None:
        """The next complete frame, or None until more bytes come. Raises FrameError."""
        if self._start < 0 and not self._begin():
            return None
        end = self._buffer.find(END, self._seen)
        stop = end if end >= 0 else len(self._buffer)
        if self._buffer.find(START, self._seen, stop) >= 0:
            raise FrameError("0x0B inside a frame")
        if stop - self._start > self._max_bytes:
            raise FrameError("the frame is too large")
        return self._ended(end, stop)

    def _begin(self) -> bool:
        if self._owed_return and len(self._buffer) > self._seen:
            self._seen += self._buffer[self._seen] == RETURN
            self._owed_return = False
        found = self._buffer.find(START, self._seen)
        stop = found if found >= 0 else len(self._buffer)
        self.dropped += stop - self._seen
        if found < 0:
            self._buffer.clear()
            self._seen = 0
            return False
        self._start = self._seen = found + 1
        return True

    def _ended(self, end: int, stop: int) -> bytes | None:
        self._seen = stop
        if end < 0 or (end + 1 == len(self._buffer) and not self._tolerant):
            return None
        if not self._tolerant and self._buffer[end + 1] != RETURN:
            raise FrameError("0x1C without 0x0D")
        frame = bytes(self._buffer[self._start : end])
        self._start, self._seen = -1, end + (1 if self._tolerant else 2)
        self._owed_return = self._tolerant
        self._compact()
        return frame

    def _compact(self) -> None:
        if self._seen == len(self._buffer) or self._seen > COMPACT_AT:
            del self._buffer[: self._seen]
            self._seen = 0
