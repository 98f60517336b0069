"""A port that is given up without turning anybody away in the middle.

When a listener closes, Linux resets the connections that it has accepted and the process has not: their
requests are sent already, and neither a proxy nor a client may send a POST twice (RFC 9110 section 9.2.2). So
`let_nobody_in` has Linux drop the first packet (SYN) of each new connection, by a filter on the listener
(socket(7), SO_ATTACH_FILTER; it wants no privilege), while those who came before are taken in. A dropped packet
is sent again after a second; by then the port is closed, and whoever asks is refused before it has sent a
request: it goes to another node. Elsewhere than on Linux nothing happens.
"""

import ctypes
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

SO_ATTACH_FILTER = 26
# load the byte of the TCP header's flags; with ACK keep the packet, without (a SYN) drop it
FILTER = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x10), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0))
QUEUED = struct.Struct("24xI")  # tcp_info.tcpi_unacked of a listener: connections that wait to be accepted
MOST_SECONDS = 2.0
SETTLE_SECONDS = 0.3  # for the first bytes of those who came last


def let_nobody_in(port: int) -> None:
    """At this process' listeners on `port`; returns when those who came before are taken in."""
    with ExitStack() as held:
        listeners = [held.enter_context(one) for one in _listeners(port)]
        for listener in listeners:
            _drop_new(listener)
        until = time.monotonic() + MOST_SECONDS
        while any(_queued(listener) for listener in listeners) and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(SETTLE_SECONDS)


def _listeners(port: int) -> Iterator[socket.socket]:
    """Copies of them, to be closed."""
    with suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    found = socket.socket(fileno=os.dup(int(name)))
                    if _listens(found, port):
                        yield found
                    else:
                        found.close()


def _listens(found: socket.socket, port: int) -> bool:
    if found.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) and found.getsockname()[1] == port


def _drop_new(listener: socket.socket) -> None:
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in FILTER))
    with suppress(OSError):
        told = struct.pack("HP", len(FILTER), ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, told)


def _queued(listener: socket.socket) -> int:
    with suppress(OSError, struct.error):
        return int(QUEUED.unpack(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, QUEUED.size))[0])
    return 0
