"""A real SFTP server on loopback, in a process of its own, with faults that are switched on by a file.

    python -m tests.adapters.files.sftp_server ROOT KEY AUTHORIZED PORT_FILE

Faults (the file ROOT/../faults.json): {"cut_after": bytes of one read connection, "slow": seconds a read,
"touched": true (the file changes while it
is read), "deny_rename": true, "deny_read": name, "no_space": true}. A cut happens once.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import asyncssh


def main(root: str, key: str, authorized: str, port_file: str) -> None:
    asyncio.run(_serve(Path(root), key, authorized, Path(port_file)))


async def _serve(root: Path, key: str, authorized: str, port_file: Path) -> None:
    faults = root.parent / "faults.json"
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Passwords,
        server_host_keys=[key],
        authorized_client_keys=authorized,
        sftp_factory=lambda channel: _Files(channel, root, faults),
    )
    draft = port_file.with_suffix(".draft")
    draft.write_text(str(server.get_port()))
    draft.replace(port_file)
    await server.wait_closed()


class _Passwords(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("plan", "an invented password")


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: Any, root: Path, faults: Path):
        super().__init__(channel, chroot=os.fsencode(root))
        self._connection = channel.get_connection()
        self._faults = faults
        self._read_bytes = 0
        self._log = root.parent / "log.txt"

    def _fault(self, name: str) -> Any:
        return json.loads(self._faults.read_text()).get(name) if self._faults.exists() else None

    def _once(self, name: str) -> None:
        told = json.loads(self._faults.read_text())
        del told[name]
        self._faults.write_text(json.dumps(told))

    def _note(self, *words: object) -> None:
        with self._log.open("a") as log:
            log.write(" ".join(map(str, words)) + "\n")

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        denied = self._fault("deny_read")
        if denied and path.endswith(denied.encode()):
            raise asyncssh.SFTPPermissionDenied("no")
        return super().open(path, pflags, attrs)

    def read(self, file_obj: Any, offset: int, size: int) -> Any:
        self._note("read", offset, size)
        if slow := self._fault("slow"):
            time.sleep(slow)
        if self._fault("touched"):
            self._once("touched")
            os.utime(file_obj.fileno(), (1, 1))
        self._read_bytes += size
        limit = self._fault("cut_after")
        if limit is not None and self._read_bytes > limit:
            self._once("cut_after")
            self._connection.abort()
        return super().read(file_obj, offset, size)

    def write(self, file_obj: Any, offset: int, data: bytes) -> Any:
        if self._fault("no_space"):
            raise asyncssh.SFTPFailure("No space left on device")
        limit = self._fault("cut_write_after")
        if limit is not None and offset > limit:
            self._once("cut_write_after")
            self._connection.abort()
        return super().write(file_obj, offset, data)

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        if self._fault("deny_rename"):
            raise asyncssh.SFTPPermissionDenied("no")
        return super().rename(oldpath, newpath)


if __name__ == "__main__":
    main(*sys.argv[1:])
