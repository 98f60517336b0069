"""A connection to an SFTP server whose key is known beforehand.

Rules: RFC 4253 section 8 (host keys), RFC 4252 (who we are), by asyncssh. The server's key is pinned by the feed: a
fingerprint (`SHA256:...`, as ssh-keygen -l prints it), a public key, or a known_hosts file; nothing is trusted
because it was seen first. Keys and passwords are read from files; the files of the account (~/.ssh) and agents
are not used.
Refuses (Fault, with a code that holds no name of a file): another host key, a login that fails, a server that
cannot be reached or does not answer in time, what the server refuses.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from adapters.files.faults import CUT, DENIED, HOST_KEY, LOGIN, MISSING, NO_SPACE, REFUSED, UNREACHABLE, Fault

CONNECT_SECONDS = 30.0
ALIVE_SECONDS, ALIVE_TIMES = 15.0, 3
FINGERPRINT = "SHA256:"

# below it tells names of files, and a name may be a person's
logging.getLogger("asyncssh").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Server:
    """Where, as whom, and which keys it may have. `seconds` is how long one answer may take."""

    host: str
    user: str
    host_keys: tuple[str, ...] = ()
    known_hosts: str = ""
    port: int = 22
    key_file: str = ""
    key_password_file: str = ""
    password_file: str = ""
    seconds: float = 60.0


def server(table: Mapping[str, Any]) -> Server:
    """From a feed's table `sftp`. Raises ValueError (what is missing or wrong)."""
    pinned = table.get("host_key", ())
    made = Server(
        host=_text(table, "host"),
        user=_text(table, "user"),
        host_keys=(pinned,) if isinstance(pinned, str) else tuple(pinned),
        known_hosts=_text(table, "known_hosts"),
        port=int(table.get("port", 22)),
        key_file=_text(table, "key_file"),
        key_password_file=_text(table, "key_password_file"),
        password_file=_text(table, "password_file"),
        seconds=float(table.get("seconds", 60)),
    )
    _check(made)
    return made


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"sftp.{name} is a text")
    return value


def _check(made: Server) -> None:
    if not made.host or not made.user:
        raise ValueError("sftp has a host and a user")
    if not made.host_keys and not made.known_hosts:
        raise ValueError("sftp has a host_key or known_hosts: no server is trusted because it answers")
    if not made.key_file and not made.password_file:
        raise ValueError("sftp has a key_file or a password_file")
    for path in filter(None, (made.key_file, made.key_password_file, made.password_file, made.known_hosts)):
        if not Path(path).is_file():
            raise ValueError("a file that sftp names is not there")
    for key in made.host_keys:
        if not key.startswith(FINGERPRINT):
            try:
                asyncssh.import_public_key(key)
            except asyncssh.KeyImportError:
                raise ValueError("sftp.host_key is a fingerprint SHA256:..., or a public key") from None


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[asyncssh.SFTPClient]:
    """Raises Fault."""
    connection = await _connection(server)
    try:
        with faults(CUT):
            async with asyncio.timeout(server.seconds):
                client = await connection.start_sftp_client()
        yield client
    finally:
        connection.abort()


async def _connection(server: Server) -> asyncssh.SSHClientConnection:
    with faults(UNREACHABLE):
        try:
            return await asyncssh.connect(server.host, **_options(server))
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise Fault(LOGIN) from None
        except OSError:
            raise Fault(UNREACHABLE) from None


def _options(server: Server) -> dict[str, Any]:
    secret = _first_line(server.key_password_file)
    keys = (
        [(server.key_file, secret)]
        if server.key_file and secret
        else [server.key_file]
        if server.key_file
        else None
    )
    return {
        "port": server.port,
        "username": server.user,
        "client_factory": lambda: _Pinned(server.host_keys),
        "known_hosts": server.known_hosts or _public_keys(server.host_keys),
        "server_host_key_algs": "default" if any(k.startswith(FINGERPRINT) for k in server.host_keys) else (),
        "client_keys": keys,
        "password": _first_line(server.password_file) or None,
        "agent_path": None,
        "config": None,
        "gss_host": None,
        "connect_timeout": CONNECT_SECONDS,
        "login_timeout": CONNECT_SECONDS,
        "keepalive_interval": ALIVE_SECONDS,
        "keepalive_count_max": ALIVE_TIMES,
    }


def _first_line(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").splitlines()[0] if path else ""


def _public_keys(pinned: tuple[str, ...]) -> tuple[list[asyncssh.SSHKey], list[Any], list[Any]]:
    return [asyncssh.import_public_key(key) for key in pinned if not key.startswith(FINGERPRINT)], [], []


class _Pinned(asyncssh.SSHClient):
    """Asked about a key that is no known public key: is it a pinned fingerprint?"""

    def __init__(self, pinned: tuple[str, ...]):
        self._pinned = [key.strip() for key in pinned if key.startswith(FINGERPRINT)]

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return key.get_fingerprint("sha256") in self._pinned


@contextmanager
def faults(otherwise: str = CUT) -> Iterator[None]:
    """What asyncssh raises, as a Fault."""
    try:
        yield
    except asyncssh.HostKeyNotVerifiable:
        raise Fault(HOST_KEY) from None
    except asyncssh.PermissionDenied:
        raise Fault(LOGIN) from None
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        raise Fault(MISSING) from None
    except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect):
        raise Fault(DENIED) from None
    except (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded):
        raise Fault(NO_SPACE) from None
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
        raise Fault(CUT) from None
    except asyncssh.SFTPError:
        raise Fault(REFUSED) from None
    except (asyncssh.Error, TimeoutError, ConnectionError, EOFError):
        raise Fault(otherwise) from None
