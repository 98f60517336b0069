"""An SFTP server process, a feed, and a hub that takes files and answers as it is told."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from adapters.files.drop_folder import Ending
from hub.feeds.records import Feed

ROOT = Path(__file__).parents[3]


@dataclass
class Hub:
    """What a hub does with files: it keeps them by name, and says how they ended once it was told."""

    taken: list[tuple[str, bytes]] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    endings: dict[str, Ending] = field(default_factory=dict)
    broken: Exception | None = None

    def deliver(self, path: Path, name: str, feed: Feed) -> tuple[str, int]:
        if self.broken:
            raise self.broken
        content = path.read_bytes()
        before = self.kept.setdefault(name, content)
        if before != content:
            return "conflict", 0
        receipt = "duplicate" if name in [one for one, _ in self.taken] else "new"
        self.taken.append((name, content))
        return receipt, len(self.taken)

    def ended(self, feed: Feed, name: str) -> Ending | None:
        return self.endings.get(name)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.taken]


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def feed() -> Feed:
    return Feed("sample", "plan-834", "https://plan.example/feed")


@dataclass
class SftpServer:
    """`root` is what its users see as /; `key` its public key."""

    root: Path
    port: int
    key: str
    fingerprint: str
    client_key: Path
    faults_file: Path

    def faults(self, **told: Any) -> None:
        self.faults_file.write_text(json.dumps(told))

    def table(self, **changed: Any) -> dict[str, Any]:
        """As a feed's table `sftp` says it."""
        places = {"in": "/in", "archive": "/archive", "reports": "/reports", "out": "/out"}
        keys = {"host_key": self.fingerprint, "key_file": str(self.client_key)}
        where = {"host": "127.0.0.1", "port": self.port, "user": "plan", "quiet_seconds": 0}
        return {**where, **keys, **places, **changed}

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.root / folder).iterdir())

    def reads(self) -> list[int]:
        """The offsets that were read."""
        log = self.root.parent / "log.txt"
        return [int(line.split()[1]) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def sftp_server(tmp_path: Path) -> Iterator[SftpServer]:
    base = tmp_path / "server"
    for folder in ("in", "archive", "reports", "out"):
        (base / "root" / folder).mkdir(parents=True)
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    for name, key in (("host", host), ("client", client)):
        key.write_private_key(base / name)
    (base / "client").chmod(0o600)
    client.write_public_key(base / "authorized")
    arguments = [base / "root", base / "host", base / "authorized", base / "port"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.files.sftp_server", *map(str, arguments)],
        cwd=ROOT,
    )
    try:
        port = _port(process, base / "port")
        public = host.export_public_key().decode()
        yield SftpServer(base / "root", port, public, host.get_fingerprint(), base / "client", base / "faults.json")
    finally:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[bytes], path: Path) -> int:
    for _ in range(600):
        if path.exists():
            return int(path.read_text())
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError("the SFTP server did not start")
