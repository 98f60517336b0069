"""System calls of running processes, as strace tells them: when each began and returned, and on what."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CALLS = "read,recvfrom,recvmsg,readv,write,sendto,sendmsg,writev,fsync,fdatasync,rename,renameat,renameat2"
_LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
_BEGUN, _RESUMED = re.compile(r"(.*) <unfinished \.\.\.>$"), re.compile(r"<\.\.\. \w+ resumed>(.*)")
_DONE = re.compile(r"(\w+)\((.*)\) += (-?\d+)(?: <(\d+\.\d+)>)?(?: |$)")


@dataclass(frozen=True, slots=True)
class Call:
    """`what` is everything between the parentheses, strings and paths of descriptors in it. Seconds since 1970."""

    name: str
    what: str
    result: int
    began: float
    ended: float


def missing() -> str:
    """Why nothing can be traced here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace here: {tried.stderr.strip()[-200:]}" if tried.returncode else ""


@contextmanager
def traced(pids: Sequence[int], out: Path, calls: str = CALLS) -> Iterator[None]:
    """These processes with all their threads, and the children that they make from now on."""
    command = ["strace", "-f", "-ttt", "-T", "-y", "-s", "900", "-e", f"trace={calls}", "-e", "signal=none"]
    told = out.with_suffix(".err")
    with told.open("w") as errors:
        tracer = subprocess.Popen(
            [*command, "-o", str(out), *(f"-p{pid}" for pid in pids)], stderr=errors, stdin=subprocess.DEVNULL
        )
        try:
            _wait(pids, tracer, told)
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(30)


def _wait(pids: Sequence[int], tracer: subprocess.Popen[bytes], told: Path) -> None:
    """Until every thread of them has its tracer."""
    deadline = time.monotonic() + 60
    while not all(_is_traced(pid) for pid in pids):
        assert tracer.poll() is None, told.read_text()[-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_traced(pid: int) -> bool:
    statuses = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return all("TracerPid:\t0\n" not in status for status in statuses)


def calls_of(out: Path) -> list[Call]:
    """In the order in which they ended."""
    begun: dict[str, tuple[float, str]] = {}
    found: list[Call] = []
    for line in out.read_text(errors="replace").splitlines():
        parts = _LINE.fullmatch(line)
        if parts is None:
            continue
        thread, at, rest = parts[1], float(parts[2]), parts[3]
        if unfinished := _BEGUN.fullmatch(rest):
            begun[thread] = (at, unfinished[1])
            continue
        began = at
        if resumed := _RESUMED.match(rest):
            began, first = begun.pop(thread, (at, ""))
            rest = first + resumed[1]
        if done := _DONE.match(rest):
            took = float(done[4] or 0)
            found.append(Call(done[1], done[2], int(done[3]), began, began + took))
    return sorted(found, key=lambda call: call.ended)
