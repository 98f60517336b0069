"""One MLLP connection: bytes in, frames handed over, acknowledgments out in the order of the frames.

Rules: HL7 "Transport Specification: MLLP, Release 1"
(https://www.hl7.org/implement/standards/product_brief.cfm?product_id=55)
Refuses, by closing without an answer: broken framing, a frame past the largest size, a half frame that is not
complete within the idle time (so a byte now and then does not hold the place either), a peer that does not read its
acknowledgments for the stall time, a fault of our own.
Ceiling of memory: one half frame, PENDING_BYTES and one read of the socket (256 KiB) a connection.
"""

import asyncio
import logging
import socket
from typing import Protocol, cast

from adapters.adt.frames import FrameError, Splitter, framed
from adapters.adt.senders import Peer

PENDING_FRAMES = 64  # not yet acknowledged; no more is read from the connection meanwhile
PENDING_BYTES = 1 << 20
KEEP_ALIVE_SECONDS = 60

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What a connection needs of the listener."""

    max_bytes: int
    idle_seconds: float
    stall_seconds: float
    tolerant: bool

    def joined(self, connection: "Connection") -> None: ...
    def took(self, connection: "Connection", frame: bytes) -> None: ...
    def left(self, connection: "Connection", dropped: int) -> None: ...


class Connection(asyncio.Protocol):
    def __init__(self, listener: Listener):
        self._listener = listener
        self._splitter = Splitter(listener.max_bytes, listener.tolerant)
        self._frames = self._bytes = 0  # handed over and not yet settled
        self._over = False  # nothing more will come
        self._broken = False  # what came is not to be looked at any more
        self._peer_reads = True
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self.peer: Peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.peer = Peer.of(transport)
        _keep_alive(transport.get_extra_info("socket"))
        self._listener.joined(self)

    def data_received(self, data: bytes) -> None:
        self._splitter.feed(data)
        self._go_on()

    def eof_received(self) -> bool:
        """The peer sends no more; what it sent is still acknowledged. (TLS has no such half: it ends both ways.)"""
        self.finish()
        return self._transport.get_extra_info("ssl_object") is None

    def connection_lost(self, _error: Exception | None) -> None:
        self._broken = True
        self._stop_timer()
        self._stop_stall_timer()
        self._listener.left(self, self._splitter.dropped)

    def pause_writing(self) -> None:
        """The peer does not read its acknowledgments: no more messages of it until it does."""
        self._peer_reads = False
        self._start_stall_timer()
        self._go_on()

    def resume_writing(self) -> None:
        self._peer_reads = True
        self._stop_stall_timer()
        self._go_on()

    def finish(self) -> None:
        """Read no more; acknowledge the frames that are complete, then close."""
        self._over = True
        self._go_on()

    def abort(self) -> None:
        self._broken = True
        self._transport.abort()

    def settled(self, frames: list[bytes], answers: list[bytes]) -> None:
        """These frames are durable: send their acknowledgments."""
        self._frames -= len(frames)
        self._bytes -= sum(map(len, frames))
        if not self._transport.is_closing():
            self._transport.write(b"".join(framed(answer) for answer in answers if answer))
        self._go_on()

    def failed(self, why: str) -> None:
        """Close without an answer; the sender sends again. Answers given before still leave."""
        if not self._transport.is_closing():
            log.warning("MLLP connection from %s closed without an ACK: %s", self._peer(), why)
        self._broken = True
        self._stop_timer()
        self._close()

    def _close(self) -> None:
        if self._transport.is_closing():  # a transport of TLS does not bear it twice
            return
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._start_stall_timer()

    def _go_on(self) -> None:
        """Hand over what is complete and fits, then decide: read on, pause, wait or close."""
        try:
            while not self._broken and self._has_room() and (frame := self._splitter.next()) is not None:
                self._take(frame)
        except FrameError as error:
            log.warning("MLLP stream from %s cannot be read on: %s", self._peer(), error)
            self._over = self._broken = True
        except Exception as error:  # nothing that a peer sends may end more than its own connection
            self.failed(type(error).__name__)
        if self._over and not self._frames:
            self._close()
        self._read_or_pause()

    def _take(self, frame: bytes) -> None:
        self._stop_timer()
        self._frames += 1
        self._bytes += len(frame)
        self._listener.took(self, frame)

    def _has_room(self) -> bool:
        return self._peer_reads and self._frames < PENDING_FRAMES and self._bytes < PENDING_BYTES

    def _read_or_pause(self) -> None:
        if self._transport.is_closing():
            self._stop_timer()
            return
        reading = self._has_room() and not self._over
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
        if not (reading and self._splitter.is_half):
            self._stop_timer()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._listener.idle_seconds, self.failed, "a half frame stalled")

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _start_stall_timer(self) -> None:
        if self._stall_timer is None:
            loop = asyncio.get_running_loop()
            self._stall_timer = loop.call_later(self._listener.stall_seconds, self._stalled)

    def _stop_stall_timer(self) -> None:
        if self._stall_timer:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _stalled(self) -> None:
        """What the peer did not read is thrown away: it sends those messages again."""
        log.warning("MLLP connection from %s closed: it does not read its ACKs", self._peer())
        self.abort()

    def _peer(self) -> str:
        host, port, *_ = self._transport.get_extra_info("peername") or ("unknown", 0)
        return f"{host}:{port}"


def _keep_alive(sock: socket.socket) -> None:
    """A peer that vanished without a word is found out, and its place given back."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_SECONDS)
