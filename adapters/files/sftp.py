"""Files from an SFTP server: pull, archive there, answer.

Rules: draft-ietf-secsh-filexfer-02 (SFTP 3), docs/files.md "SFTP". A file is taken when it is complete, read to the
hub's own disk (what was read before a cut is not read again), handed over, and then renamed into the server's
archive folder; where there is none, or the server does not allow it, the hub remembers what it has. A file is
sent as `NAME.part` and renamed when it is there in whole.
Refuses: names that are not plain (left where they are), files that change while they are read (later),
checksums that do not fit. Raises Fault (adapters.files.ssh) when tries are used up.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import asyncssh

from adapters.files.complete import (
    CHECKSUM,
    COMPANIONS,
    REPORT,
    Quiet,
    Stamp,
    Watch,
    refused_checksum,
    refused_name,
)
from adapters.files.drop_folder import CONFLICT, Deliver, Ended, locked, reused
from adapters.files.faults import DENIED, MISSING, REFUSED, Fault
from adapters.files.sftp_push import BLOCK, PART, again_and_again, put, read
from adapters.files.ssh import Server, connected, faults
from hub.feeds.files import File
from hub.feeds.records import Feed, Reject
from hub.feeds.report import as_csv

log = logging.getLogger("adapters.files")
MOST_BYTES = 20 << 30
FILES = (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN)  # not every server tells
OF_ONE_FILE = (DENIED, MISSING, REFUSED)


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of the server. `incoming` is read; files go to `archive` when they were taken; reject reports go to
    `reports`, what the hub sends to `out`. Empty: not done."""

    incoming: str = ""
    archive: str = ""
    reports: str = ""
    out: str = ""


@dataclass(slots=True)
class SftpFeed:
    """One feed's server. `spool` is a folder of its own on our disk. `clock` counts seconds and never goes back."""

    server: Server
    places: Places
    feed: Feed
    deliver: Deliver
    ended: Ended
    spool: Path
    watch: Watch = field(default_factory=Watch)
    clock: Callable[[], float] = time.monotonic
    _quiet: Quiet = field(init=False)

    def __post_init__(self) -> None:
        self._quiet = Quiet(self.watch.quiet)

    def poll(self) -> int:
        """Look once; how many files were taken, 0 where another process is at it. Raises Fault,
        OSError, Problem."""
        self.spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(self.spool) as mine:
            return asyncio.run(again_and_again(self._poll)) if mine else 0

    async def _poll(self) -> int:
        async with connected(self.server) as client:
            taken = await self._collect(client) if self.places.incoming else 0
            if self.places.reports:
                await self._answer(client)
            return taken

    async def _collect(self, client: asyncssh.SFTPClient) -> int:
        listed = await self._listed(client)
        names = self.watch.names(listed)
        self._quiet.forget_all_but(names)
        self._forget_drafts({_draft(name, listed[name]) for name in names})
        left = {name: stamp for name, stamp in self._left().items() if listed.get(name) == stamp}
        taken = 0
        for name in names:
            if name in left or not self._is_complete(name, listed):
                continue
            taken += await self._tried(client, name, listed, left)
        self._keep_left(left)
        return taken

    async def _tried(
        self, client: asyncssh.SFTPClient, name: str, listed: Mapping[str, Stamp], left: dict[str, Stamp]
    ) -> bool:
        """One file: what the server refuses of it does not keep the others."""
        if refused_name(name):
            log.warning("feed %s: a file on the server has a name that is not taken", self.feed.name)
            left[name] = listed[name]
            return False
        try:
            if not await self._take(client, name, listed):
                return False
        except Fault as fault:
            if fault.code not in OF_ONE_FILE:
                raise
            log.warning("feed %s: a file cannot be read: %s", self.feed.name, fault)
            return False
        if not await self._archived(client, name, listed):
            left[name] = listed[name]
            self._keep_left(left)
        return True

    async def _listed(self, client: asyncssh.SFTPClient) -> dict[str, Stamp]:
        with faults():
            async with asyncio.timeout(self.server.seconds):
                found = await client.readdir(self.places.incoming)
        return {str(one.filename): _stamp(one.attrs) for one in found if one.attrs.type in FILES}

    def _is_complete(self, name: str, listed: Mapping[str, Stamp]) -> bool:
        return self.watch.is_complete(name, listed[name], self._quiet, self.clock(), listed.__contains__)

    async def _take(self, client: asyncssh.SFTPClient, name: str, listed: Mapping[str, Stamp]) -> bool:
        """Read it and hand it over; False where it changed meanwhile."""
        remote, draft = f"{self.places.incoming}/{name}", self.spool / _draft(name, listed[name])
        if not await self._downloaded(client, remote, draft, listed[name]):
            draft.unlink(missing_ok=True)
            return False
        refusal = await self._refusal(client, remote, draft) if name + CHECKSUM in listed else None
        receipt = CONFLICT if refusal else (await asyncio.to_thread(self.deliver, draft, name, self.feed))[0]
        if receipt == CONFLICT:
            self._reject(name, refusal or reused())
        elif self.places.reports:
            self._awaited(name).touch()
        draft.unlink()
        return True

    def _reject(self, name: str, refusal: Reject) -> None:
        log.warning("feed %s: a file was rejected: %s", self.feed.name, refusal.code)
        self._write_report(name, as_csv(File(0, self.feed.name, name, "", "refused"), [refusal]))

    async def _downloaded(self, client: asyncssh.SFTPClient, remote: str, draft: Path, stamp: Stamp) -> bool:
        """Goes on where the draft ends."""
        if stamp.size > MOST_BYTES:
            return False
        with draft.open("ab") as target:
            with faults():
                async with client.open(remote, "rb") as source:
                    while target.tell() <= stamp.size:
                        async with asyncio.timeout(self.server.seconds):
                            data = await read(source, BLOCK, target.tell())
                        if not data:
                            break
                        target.write(data)
            size = target.tell()
        with faults():
            return size == stamp.size and _stamp(await client.stat(remote)) == stamp

    async def _refusal(self, client: asyncssh.SFTPClient, remote: str, draft: Path) -> Reject | None:
        with faults():
            async with asyncio.timeout(self.server.seconds), client.open(remote + CHECKSUM, "rb") as source:
                said = await read(source, 4096, 0)
        return await asyncio.to_thread(refused_checksum, draft, said)

    async def _archived(self, client: asyncssh.SFTPClient, name: str, listed: Mapping[str, Stamp]) -> bool:
        """Whether it is out of the way on the server."""
        if not self.places.archive:
            return False
        try:
            for one in (*(name + suffix for suffix in COMPANIONS if name + suffix in listed), name):
                await _renamed(client, f"{self.places.incoming}/{one}", f"{self.places.archive}/{one}")
        except Fault as fault:
            if fault.code not in OF_ONE_FILE:
                raise
            log.warning("feed %s: a file cannot be archived: %s", self.feed.name, fault)
            return False
        return True

    async def _answer(self, client: asyncssh.SFTPClient) -> None:
        """Send the reports of files that the hub is done with."""
        for waiting in sorted(self.spool.glob("*.awaited")):
            name = waiting.name.removesuffix(".awaited")
            ending = await asyncio.to_thread(self.ended, self.feed, name)
            if ending is not None:
                self._write_report(name, ending.report)
                waiting.unlink()
        for report in sorted(self.spool.glob(f"*{REPORT}")):
            await self._put_report(client, report)

    async def _put_report(self, client: asyncssh.SFTPClient, report: Path) -> None:
        try:
            await put(client, report, f"{self.places.reports}/{report.name}", self.server.seconds, replaces=True)
            report.unlink()
        except Fault as fault:  # it stays here, and is tried at the next look
            if fault.code not in OF_ONE_FILE:
                raise
            log.warning("feed %s: a report cannot be put: %s", self.feed.name, fault)

    def _write_report(self, name: str, lines: Iterable[str]) -> None:
        text = "".join(lines)
        if text and self.places.reports:
            (self.spool / f"{name}{REPORT}").write_text(text, encoding="utf-8", newline="")

    def _awaited(self, name: str) -> Path:
        return self.spool / f"{name}.awaited"

    def _forget_drafts(self, wanted: Collection[str]) -> None:
        """Of files that changed, or that were taken back."""
        for draft in self.spool.glob(f"*{PART}"):
            if draft.name not in wanted:
                draft.unlink()

    def _left(self) -> dict[str, Stamp]:
        """What was taken and lies there still."""
        path = self.spool / "left.json"
        if not path.exists():
            return {}
        return {name: Stamp(*stamp) for name, stamp in json.loads(path.read_text(encoding="utf-8")).items()}

    def _keep_left(self, left: Mapping[str, Stamp]) -> None:
        draft = self.spool / "left.json.part"
        draft.write_text(json.dumps(left), encoding="utf-8")
        draft.replace(self.spool / "left.json")


async def _renamed(client: asyncssh.SFTPClient, old: str, new: str) -> None:
    """SFTP does not rename over a file that is there: the name gets a number."""
    with faults():
        target, number = new, 1
        while await client.lexists(target):
            number += 1
            target = f"{new}.{number}"
        await client.rename(old, target)


def _draft(name: str, stamp: Stamp) -> str:
    return sha256(f"{name}\n{stamp}".encode()).hexdigest()[:32] + PART


def _stamp(attributes: asyncssh.SFTPAttrs) -> Stamp:
    return Stamp(attributes.size or 0, attributes.mtime or 0)
