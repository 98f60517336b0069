"""TLS for MLLP: the listener's side, whose files may be replaced while it runs, and the sender's.

Rules: RFC 9325 (TLS 1.2 and 1.3 only), RFC 5280; IHE ITI TF-2 section 3.19 (node authentication: both sides show a
certificate). A session is resumed under the files it began with only (each context has its own).
Refuses, during the handshake: TLS 1.1 and older, plain text, and, where authorities are named, a sender without a
certificate of theirs. Files that cannot be used keep the last good ones in force and are named in the log; at the
start they keep the listener from starting (ValueError, OSError).
"""

import hashlib
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger("adapters.adt.tls")
Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files: a certificate with its chain, its key, and the authorities of the other side (if any)."""

    certificate: Path
    key: Path
    authorities: Path | None = None

    def stamp(self) -> Stamp:
        """Another one when a file was replaced. Raises OSError."""
        paths = (self.certificate, self.key, *([self.authorities] if self.authorities else []))
        return tuple((found.st_ino, found.st_mtime_ns, found.st_size) for found in (p.stat() for p in paths))


class ServerTls(ssl.SSLContext):
    """A context for asyncio's server, which wraps each connection by it: with the files as they are then."""

    def __new__(cls, _files: Files) -> "ServerTls":
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: Files):
        self._files = files
        self._stamp = files.stamp()
        self._current = _server(files)

    def wrap_bio(self, *parts: Any, **options: Any) -> ssl.SSLObject:
        self._renew()
        return self._current.wrap_bio(*parts, **options)

    def _renew(self) -> None:
        try:
            stamp = self._files.stamp()
            if stamp == self._stamp:
                return
            self._current, self._stamp = _server(self._files), stamp
            log.info("MLLP uses the new certificate files")
        except (OSError, ValueError) as error:  # half of them replaced, perhaps: the next handshake looks again
            log.error("MLLP keeps its certificate files as they were: %s", type(error).__name__)


def _server(files: Files) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    found.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    found.load_cert_chain(files.certificate, files.key)
    if files.authorities:
        found.load_verify_locations(files.authorities)
        found.verify_mode = ssl.CERT_REQUIRED
    return found


def client(authorities: Path | None = None, own: Files | None = None) -> ssl.SSLContext:
    """For a sender: it checks the listener's certificate and name, and shows its own, if it has one."""
    found = ssl.create_default_context(cafile=authorities)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    if own:
        found.load_cert_chain(own.certificate, own.key)
    return found


def thumbprint(certificate: bytes) -> str:
    """SHA-256 of a certificate (DER), in small hexadecimal digits."""
    return hashlib.sha256(certificate).hexdigest()
