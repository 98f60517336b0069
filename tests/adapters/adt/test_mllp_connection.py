"""A peer that does not read its acknowledgments is not read either."""

import asyncio
import socket

import pytest

from adapters.adt.frames import framed
from adapters.adt.mllp_connection import Connection


class Counting:
    """A listener that counts frames and settles them at once, with an answer of 10 KB."""

    max_bytes = 1000
    idle_seconds = 60.0
    tolerant = False

    def __init__(self, stall_seconds: float = 60.0) -> None:
        self.taken = self.gone = 0
        self.stall_seconds = stall_seconds

    def joined(self, connection: Connection) -> None: ...

    def left(self, connection: Connection, dropped: int) -> None:
        self.gone += 1

    def took(self, connection: Connection, frame: bytes) -> None:
        self.taken += 1
        asyncio.get_running_loop().call_soon(connection.settled, [frame], [b"x" * 10_000])


async def _taken_while_the_peer_reads_nothing(frames: int) -> tuple[int, int]:
    """Frames taken before the peer reads, and after it has read everything."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    listener, loop = Counting(), asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(lambda: Connection(listener), ours)
    await loop.sock_sendall(theirs, framed(b"m") * frames)
    await asyncio.sleep(0.1)
    before, read = listener.taken, 0
    while read < frames * 10_003:
        read += len(await asyncio.wait_for(loop.sock_recv(theirs, 1 << 20), 5))
    transport.close()
    theirs.close()
    return before, listener.taken


def test_no_message_is_taken_while_the_peer_reads_no_acknowledgments() -> None:
    before, after = asyncio.run(_taken_while_the_peer_reads_nothing(1000))
    assert before < 200
    assert after == 1000


async def _is_given_up(frames: int, end_first: bool) -> bool:
    """Whether the connection of a peer that never reads is gone in the end."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    listener, loop = Counting(stall_seconds=0.1), asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: Connection(listener), ours)
    await loop.sock_sendall(theirs, framed(b"m") * frames)
    if end_first:
        theirs.shutdown(socket.SHUT_WR)
    for _ in range(500):
        if listener.gone:
            break
        await asyncio.sleep(0.01)
    theirs.close()
    return listener.gone == 1


@pytest.mark.parametrize("end_first", [False, True])
def test_a_peer_that_never_reads_its_acknowledgments_is_given_up(
    caplog: pytest.LogCaptureFixture, end_first: bool
) -> None:
    assert asyncio.run(_is_given_up(60, end_first))
    assert "does not read its ACKs" in caplog.text
