"""A peer that does not read its acknowledgments is not read either."""

import asyncio
import socket

from adapters.adt.frames import framed
from adapters.adt.mllp_connection import Connection


class Counting:
    """A listener that counts frames and settles them at once, with an answer of 10 KB."""

    max_bytes = 1000
    idle_seconds = 60.0

    def __init__(self) -> None:
        self.taken = 0

    def joined(self, connection: Connection) -> None: ...

    def left(self, connection: Connection, dropped: int) -> None: ...

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
