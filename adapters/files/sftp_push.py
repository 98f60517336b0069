"""Files to an SFTP server.

Rules: draft-ietf-secsh-filexfer-02 (SFTP 3), docs/files.md "SFTP". A file is sent as `NAME.part` and renamed
when all of it is there. What is over in a moment is tried again.
Refuses (Fault, adapters.files.ssh): to replace a file that the server has under this name; the same bytes are fine.
Answers may be replaced: one that is made again has another time in it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import asyncssh

from adapters.files.faults import FOR_NOW, REFUSED, TAKEN, Fault
from adapters.files.ssh import Server, connected, faults

BLOCK = 1 << 20
TRIES = 3
FIRST_WAIT = 2.0  # seconds
PART = ".part"


def send(path: Path, name: str, server: Server, out: str, replaces: bool = False) -> None:
    """Put the file there. The same bytes under this name are there already: fine. Raises Fault."""

    async def sent() -> int:
        async with connected(server) as client:
            await put(client, path, f"{out}/{name}", server.seconds, replaces)
        return 1

    asyncio.run(again_and_again(sent))


async def again_and_again(step: Callable[[], Awaitable[int]]) -> int:
    """What is over in a moment is tried again."""
    for attempt in range(1, TRIES):
        try:
            return await step()
        except Fault as fault:
            if fault.code not in FOR_NOW:
                raise
            wait = FIRST_WAIT * 2 ** (attempt - 1)
            await asyncio.sleep(wait * (0.75 + random.random() / 2))  # noqa: S311 - not a secret
    return await step()


async def put(client: asyncssh.SFTPClient, path: Path, remote: str, seconds: float, replaces: bool) -> None:
    with faults():
        if not replaces and await client.exists(remote):
            await _must_be_same(client, path, remote)
            return
        async with client.open(remote + PART, "wb") as target:
            with path.open("rb") as source:
                while data := source.read(BLOCK):
                    async with asyncio.timeout(seconds):
                        await target.write(data)
        if (await client.stat(remote + PART)).size != path.stat().st_size:
            raise Fault(REFUSED)
        if replaces and await client.exists(remote):
            await client.remove(remote)
        await client.rename(remote + PART, remote)


async def _must_be_same(client: asyncssh.SFTPClient, path: Path, remote: str) -> None:
    """Raises Fault(TAKEN)."""
    async with client.open(remote, "rb") as there:
        with path.open("rb") as here:
            while data := here.read(BLOCK):
                if await read(there, len(data)) != data:
                    raise Fault(TAKEN)
        if await read(there, 1):
            raise Fault(TAKEN)


async def read(source: asyncssh.SFTPClientFile, size: int, offset: int | None = None) -> bytes:
    return cast(bytes, await source.read(size, offset))
