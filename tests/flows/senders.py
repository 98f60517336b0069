"""Partners with an SFTP server, as the hub's feeds name it: what they put there, and what they find."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.adapters.files.conftest import SftpServer
from tests.flows.county_partners import eventually

PLACES = ("in", "archive", "reports", "out")


@dataclass
class Sender:
    """Each feed has folders of its own on the server."""

    server: SftpServer

    def feed(self, name: str, kind: str, *more: str) -> str:
        """Its table for the file of feeds; `more` are further lines of TOML. The sender makes its folders."""
        for place in PLACES:
            self._path(name, place).mkdir(parents=True, exist_ok=True)
        table = self.server.table(**{place: f"/{name}/{place}" for place in PLACES})
        lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        return "\n".join([f"[feeds.{name}]", f'kind = "{kind}"', *more, f"[feeds.{name}.sftp]", *lines, "", ""])

    def puts(self, feed: str, name: str, content: bytes) -> None:
        """As a sender does it: written under another name, then renamed."""
        draft = self._path(feed, "in") / f"{name}.part"
        draft.write_bytes(content)
        draft.rename(draft.with_name(name))

    def sends(self, feed: str, name: str, content: bytes) -> None:
        """The same, and waits until the hub took it away."""
        self.puts(feed, name, content)
        eventually(lambda: name in self.names(feed, "archive"), f"the hub has taken {name}")

    def names(self, feed: str, place: str) -> list[str]:
        return sorted(path.name for path in self._path(feed, place).iterdir() if path.suffix != ".part")

    def finds(self, feed: str, place: str, name: str) -> bytes:
        """What the hub put there, when it is there."""
        path = self._path(feed, place) / name
        eventually(path.exists, f"{name} lies in {place} of {feed}")
        return path.read_bytes()

    def _path(self, feed: str, place: str) -> Path:
        return self.server.root / feed / place


def text(*lines: str) -> bytes:
    """A CSV as people send it."""
    return "".join(f"{line}\r\n" for line in lines).encode()
