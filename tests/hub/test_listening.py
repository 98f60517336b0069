"""A port that is given up: who came before is taken in, who comes late is refused before it has said anything."""

import socket
import subprocess
import sys
import threading
import time

import pytest

from hub.listening import let_nobody_in
from tests.flows.hub_process import ROOT


@pytest.fixture
def listener() -> socket.socket:
    found = socket.create_server(("127.0.0.1", 0), backlog=16)
    found.settimeout(20)
    return found


def test_who_came_before_is_taken_in_and_who_comes_late_is_refused(listener: socket.socket) -> None:
    address = listener.getsockname()
    early = [socket.create_connection(address, 20) for _ in range(3)]
    ending = threading.Thread(target=let_nobody_in, args=(address[1],))
    ending.start()
    time.sleep(0.1)
    assert ending.is_alive()  # it waits for those in the queue
    late: list[BaseException | None] = []
    knocking = threading.Thread(target=lambda: late.append(_knock(address)))
    knocking.start()
    for _ in early:
        listener.accept()[0].sendall(b"served")
    ending.join(20)
    assert [wire.recv(6) for wire in early] == [b"served"] * 3
    listener.settimeout(0.1)
    with pytest.raises(TimeoutError):  # the late one is not in the queue, where closing would reset it
        listener.accept()
    listener.close()
    knocking.join(20)
    assert [type(error) for error in late] == [ConnectionRefusedError]


def _knock(address: tuple[str, int]) -> BaseException | None:
    try:
        socket.create_connection(address, 20).close()
    except OSError as error:
        return error
    return None


def test_other_ports_and_open_connections_go_on(listener: socket.socket) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    wire = socket.create_connection(listener.getsockname(), 20)
    served, _ = listener.accept()
    let_nobody_in(listener.getsockname()[1])
    wire.sendall(b"still here")
    assert served.recv(10) == b"still here"
    socket.create_connection(other.getsockname(), 5).close()


STOPPED = """
import os, signal, socket, threading
from hub import processes, stopping

listener = socket.create_server(("127.0.0.1", 0))
processes._stop_once(listener.getsockname()[1], lambda: print("the worker ends"))
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
[thread] = [each for each in threading.enumerate() if each.name == "stopping"]
thread.join()
print("has begun" if stopping.has_begun() else "goes on")
try:
    socket.create_connection(listener.getsockname(), 0.3)
    print("let in")
except TimeoutError:
    print("not let in")
"""


def test_a_web_process_that_is_told_to_end_does_so() -> None:
    """And ends its worker at the same time, once."""
    done = subprocess.run([sys.executable, "-c", STOPPED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["the worker ends", "has begun", "not let in"], done.stderr
