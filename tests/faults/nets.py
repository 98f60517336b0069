"""A way to a PostgreSQL server that can be cut: a network of its own (a namespace of Linux), a cable to it, and
behind that a forwarder to the server's socket in the file system.

    python -m tests.faults.nets ADDRESS PORT SOCKET     the forwarder
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PORT = 6432
BLOCK = 1 << 18


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def missing() -> str:
    """Why there can be no network of one's own here; empty where there can."""
    try:
        _ip("netns", "add", f"probe{os.getpid()}")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"a network namespace cannot be made here: {error}"
    _ip("netns", "delete", f"probe{os.getpid()}")
    return ""


@dataclass(frozen=True)
class Cable:
    """`near` is the end of the hub, `far` where the server is."""

    name: str
    near: str
    far: str

    @property
    def device(self) -> str:
        return f"{self.name}n"

    @property
    def other(self) -> str:
        """The end of the server's network."""
        return f"{self.name}f"

    def cut(self) -> None:
        """Nothing goes either way; nobody is told."""
        _ip("link", "set", self.device, "down")

    def join(self) -> None:
        _ip("link", "set", self.device, "up")

    def cut_one_way(self) -> None:
        """What the hub sends arrives; what the server answers does not."""
        _ip("-n", self.name, "route", "replace", "blackhole", f"{self.near}/32")

    def join_one_way(self) -> None:
        _ip("-n", self.name, "route", "replace", f"{self.near}/32", "dev", self.other)


@contextmanager
def cable(server: Path) -> Iterator[Cable]:
    """`server` is the server's socket. While the block lasts it is reached at (`far`, PORT), too."""
    number = os.getpid() % 60_000
    made = Cable(f"h{number}", *(f"10.213.{number // 250}.{number % 250 + end}" for end in (1, 2)))
    with ExitStack() as stack:
        _ip("netns", "add", made.name)
        stack.callback(_ip, "netns", "delete", made.name)
        _ip("link", "add", made.device, "type", "veth", "peer", "name", made.other, "netns", made.name)
        _ip("address", "add", made.near, "peer", made.far, "dev", made.device)
        _ip("-n", made.name, "address", "add", made.far, "peer", made.near, "dev", made.other)
        _ip("-n", made.name, "link", "set", made.other, "up")
        made.join()
        words = [sys.executable, "-m", "tests.faults.nets", made.far, str(PORT), str(server)]
        forwarder = subprocess.Popen(["ip", "netns", "exec", made.name, *words], cwd=ROOT)
        stack.callback(forwarder.wait, 10)
        stack.callback(forwarder.kill)
        _wait(made.far)
        yield made


def _wait(host: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        with suppress(OSError), socket.create_connection((host, PORT), 1):
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(BLOCK):
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def forward(host: str, port: int, path: str) -> None:
    server = socket.create_server((host, port))
    while True:
        near, _ = server.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(path)
        for pair in ((near, far), (far, near)):
            threading.Thread(target=_pass_on, args=pair, daemon=True).start()


if __name__ == "__main__":
    forward(sys.argv[1], int(sys.argv[2]), sys.argv[3])
