"""Which connection may speak for which facility: MSH-4 is what a sender writes, this is what it is.

File: HUB_MLLP_SENDERS, a CSV with the columns facility, certificate, network; read again when it changes, for open
connections, too. A facility may have several rows; one must hold, with all that it names:
`certificate`: `sha256:` and the SHA-256 of the sender's certificate in hexadecimal, or one of its subject
alternative names as `DNS:adt.harbor.example` (or `URI:`, `IP Address:`); it needs HUB_MLLP_TLS_CLIENT_CA, or nobody
has proved that the certificate is theirs. `network`: `10.4.0.0/16` or one address.
Refuses: a facility without a row and a connection that none of its rows names. Rows that bind nothing, other
columns or what is no network (ValueError): nothing starts with these, and a running listener keeps the last good
table (adapters.adt.local_tables).
"""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from adapters.adt.local_tables import Reloading
from adapters.adt.tls import thumbprint

COLUMNS = ["facility", "certificate", "network"]
_PRINT = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"(?:DNS|URI|IP Address):\S+")


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a connection. `names` are its certificate's thumbprint and alternative names."""

    address: str
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, transport: Any) -> "Peer":
        """The peer of an asyncio transport."""
        address = str((transport.get_extra_info("peername") or ("",))[0])
        connection = transport.get_extra_info("ssl_object")
        raw = connection.getpeercert(binary_form=True) if connection else None
        if not raw:
            return cls(address)
        alternative = (connection.getpeercert() or {}).get("subjectAltName", ())
        shown = (f"{kind}:{value.lower() if kind == 'DNS' else value}" for kind, value in alternative)
        return cls(address, frozenset((f"sha256:{thumbprint(raw)}", *shown)))


@dataclass(frozen=True, slots=True)
class Binding:
    """One row: what a connection must show. Empty and None ask for nothing, but not both."""

    certificate: str
    network: IPv4Network | IPv6Network | None

    def holds(self, peer: Peer) -> bool:
        return (not self.certificate or self.certificate in peer.names) and self._is_inside(peer.address)

    def _is_inside(self, address: str) -> bool:
        if self.network is None:
            return True
        try:
            found = ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return found.version == self.network.version and found in self.network


Bindings = Mapping[str, tuple[Binding, ...]]


class Senders:
    """`may` says whether a connection may send for a facility, by the table as it is now."""

    def __init__(self, table: Callable[[], Bindings]):
        self._table = table

    def may(self, peer: Peer, facility: str) -> bool:
        return any(binding.holds(peer) for binding in self._table().get(facility, ()))


def senders(path: Path) -> Senders:
    """The senders of a file. Raises ValueError or OSError where it cannot be used."""
    found = Reloading(lambda: [path], lambda: read(path))
    found()
    return Senders(found)


def read(path: Path) -> Bindings:
    """The rows of the table. Raises ValueError (naming the line) or OSError."""
    bindings: dict[str, tuple[Binding, ...]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != COLUMNS:
            raise ValueError(f"{path.name}: the columns are {','.join(COLUMNS)}")
        for row in rows:
            try:
                facility, binding = _binding(row)
            except ValueError as error:
                raise ValueError(f"{path.name}, line {rows.line_num}: {error}") from None
            bindings[facility] = (*bindings.get(facility, ()), binding)
    return bindings


def _binding(row: Mapping[str, str | None]) -> tuple[str, Binding]:
    facility, certificate, network = ((row[name] or "").strip() for name in COLUMNS)
    if not facility:
        raise ValueError("facility is missing")
    if not certificate and not network:
        raise ValueError("neither certificate nor network: the row would bind nobody")
    return facility, Binding(_certificate(certificate), ip_network(network) if network else None)


def _certificate(text: str) -> str:
    kind, _, value = text.partition(":")
    if kind == "sha256":
        text = f"sha256:{value.replace(':', '').lower()}"
    elif kind == "DNS":
        text = f"DNS:{value.lower()}"
    if text and not _PRINT.fullmatch(text) and not _NAME.fullmatch(text):
        raise ValueError("certificate is sha256:<64 hexadecimal digits> or a name such as DNS:adt.harbor.example")
    return text
