"""Where application acknowledgments go: a facility's own MLLP listener.

Rules: HL7 v2.5.1 chapter 2.9.3: in enhanced mode the application acknowledgment is a message of its own, begun by
the receiver. A connection that a sender opened carries its messages and their answers only: it goes to an address.
File: HUB_MLLP_RETURN_ADDRESSES, a CSV with the columns facility (MSH-4.1), host, port, ca, cert, key; read again
when it changes. `ca` is a PEM file of the authorities that the facility's listener is checked with: then TLS is
spoken; `cert` and `key` are what the hub shows (mutual TLS).
Refuses: other columns, half rows, two rows of one facility, TLS files that cannot be used (ValueError, OSError).
"""

import csv
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.adt import tls
from adapters.adt.local_tables import Reloading
from hub.problems import CannotStart
from hub.setting_values import port
from hub.settings import Settings

COLUMNS = ["facility", "host", "port", "ca", "cert", "key"]


@dataclass(frozen=True, slots=True)
class Address:
    """A listener of a hospital."""

    host: str
    port: int
    tls: ssl.SSLContext | None = field(default=None, compare=False)


Addresses = Mapping[str, Address]  # by facility


def return_addresses(settings: Settings) -> Callable[[], Addresses]:
    """The table as it is at each call; empty where the settings name none. Raises CannotStart."""
    path = settings.path("HUB_MLLP_RETURN_ADDRESSES")
    if path is None:
        return dict
    found = Reloading(lambda: [path], lambda: read(path))
    try:
        found()
    except (ValueError, OSError) as error:
        raise CannotStart(f"HUB_MLLP_RETURN_ADDRESSES cannot be used: {error}") from None
    return found


def read(path: Path) -> Addresses:
    """Raises ValueError (naming the line) or OSError."""
    found: dict[str, Address] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != COLUMNS:
            raise ValueError(f"{path.name}: the columns are {','.join(COLUMNS)}")
        for row in rows:
            cells = [(row[name] or "").strip() for name in COLUMNS]
            try:
                _take(found, *cells)
            except (ValueError, OSError) as error:
                raise ValueError(f"{path.name}, line {rows.line_num}: {error}") from None
    return found


def _take(found: dict[str, Address], facility: str, host: str, number: str, ca: str, cert: str, key: str) -> None:
    if not facility or not host or not number:
        raise ValueError("facility, host and port are needed")
    if facility in found:
        raise ValueError("the facility has a row already")
    if bool(cert) != bool(key) or (cert and not ca):
        raise ValueError("cert and key go together, and need ca")
    own = tls.Files(Path(cert), Path(key)) if cert else None
    found[facility] = Address(host, port(number), tls.client(Path(ca), own) if ca else None)
