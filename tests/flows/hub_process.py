"""A real hub in processes of its own, for stories and for killing: `hub serve`, a folder, free ports."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90  # a busy machine starts slowly; a hub that cannot start ends, and that is seen at once
HUB = (sys.executable, "-c", "import wsgi; wsgi.main()")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class HubProcess:
    """`hub serve` on free ports of 127.0.0.1. `settings` are further environment variables."""

    def __init__(self, folder: Path, database_url: str = "", **settings: str):
        self.folder = folder
        self.root = ROOT
        self.http_port, self.mllp_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.http_port}"
        self.fhir = f"{self.base}/fhir"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
            "HUB_DATA_DIR": str(folder),
            "HUB_DATABASE_URL": database_url,
            "HUB_HTTP_PORT": str(self.http_port),
            "HUB_MLLP_PORT": str(self.mllp_port),
            "PYTHONPATH": str(ROOT),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "hub.log"

    def take_the_place_of(self, other: "HubProcess") -> None:
        """The same addresses, so that clients need not be told; `other` has ended."""
        self.http_port, self.mllp_port, self.base, self.fhir = (
            other.http_port,
            other.mllp_port,
            other.base,
            other.fhir,
        )
        self.environment |= {"HUB_HTTP_PORT": str(self.http_port), "HUB_MLLP_PORT": str(self.mllp_port)}

    def of_release(self, root: Path) -> "HubProcess":
        """This one, of another release, whose code is in `root`."""
        self.root = root
        self.environment["PYTHONPATH"] = str(root)
        return self

    def command(self, *words: str, check: bool = True) -> str:
        """A `hub` command; what it printed."""
        done = subprocess.run(
            [*HUB, *words], env=self.environment, cwd=self.root, capture_output=True, text=True, timeout=120
        )
        if check and done.returncode:
            raise AssertionError(f"hub {words[0]} failed: {done.stderr[-2000:]}")
        return done.stdout if check else done.stdout + done.stderr

    def start(self, *roles: str) -> float:
        """Start the roles (all, if none is named) and wait until they answer; how many seconds that took."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*HUB, "serve", *roles],
                env=self.environment,
                cwd=self.root,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._answers(roles):
            if self._process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise AssertionError(f"the hub does not answer: {self.log.read_text()[-3000:]}")
            time.sleep(0.02)
        return time.monotonic() - began

    def _answers(self, roles: tuple[str, ...]) -> bool:
        web = not roles or "--web" in roles
        ports = [self.http_port] if web else []
        ports += [self.mllp_port] if not roles or "--mllp" in roles else []
        for port in ports:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)):
                    return False
        if not web:
            return True
        try:
            return requests.get(f"{self.fhir}/metadata", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def pids(self) -> list[int]:
        """The hub's processes, the first one first."""
        listing = subprocess.run(
            ["ps", "-o", "pid=", "-g", str(self.pid)], capture_output=True, text=True, check=False
        ).stdout
        return sorted(int(line) for line in listing.split())

    def kill(self) -> None:
        """kill -9 of every process at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_for_end(self, seconds: float = 40) -> None:
        """The first process is gone, and with it, by themselves, the others."""
        group = self.pid
        assert self._process is not None
        self._process.wait(seconds)
        deadline = time.monotonic() + seconds
        while _is_there(group):
            if time.monotonic() > deadline:
                raise AssertionError("a process outlived the first one")
            time.sleep(0.05)

    def stop(self) -> float:
        """SIGINT, as Ctrl-C sends it; how many seconds it took to end."""
        assert self._process is not None
        began = time.monotonic()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
            try:
                self._process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("the hub did not stop in 40 s") from None
        return time.monotonic() - began


def _is_there(group: int) -> bool:
    """Whether a process group has a process yet."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def running(folder: Path, database_url: str = "", **settings: Any) -> Iterator[HubProcess]:
    """A migrated, running hub; stopped at the end, and killed where that fails."""
    hub = HubProcess(folder, database_url, **settings)
    hub.command("migrate")
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()
