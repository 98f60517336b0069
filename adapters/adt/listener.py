"""The MLLP listener as the settings want it: its doors, their limits, TLS, and who may send for whom.

HUB_MLLP_HOST and HUB_MLLP_PORT are the first door. HUB_MLLP_LISTENERS is a CSV with more of them: name, host and
port, and any of the columns in OPTIONAL. An empty cell means what the first door has, `none` that there is none.
Refuses to start (CannotStart, SettingsError): with TLS files that do not belong together, with certificates or a
table of senders that cannot be used, with a row that cannot be read, with two doors of one name or one address.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.adt.group_commit import Accept
from adapters.adt.mllp_door import Door
from adapters.adt.mllp_server import Alarm, Answered, MllpListener, no_alarm
from adapters.adt.return_addresses import return_addresses
from adapters.adt.senders import senders
from adapters.adt.tls import Files, ServerTls
from hub import clock
from hub.problems import CannotStart
from hub.setting_values import flag, port, positive
from hub.settings import Settings

NEEDED = ("name", "host", "port")
TLS = ("tls_cert", "tls_key", "client_ca")
LIMITS: Mapping[str, Callable[[str], Any]] = {
    "max_bytes": positive,
    "idle_seconds": positive,
    "stall_seconds": positive,
    "production": flag,
    "tolerant": flag,
}
OPTIONAL = (*TLS, "senders", *LIMITS)
NONE = "none"
Row = Mapping[str, str]


def listener(
    settings: Settings,
    accept: Accept,
    on_accepted: Callable[[], None],
    alarm: Alarm = no_alarm,
    answered: Answered = lambda door, code: None,
) -> MllpListener:
    """`accept` makes arrivals durable; `on_accepted` is called when there is new work; `alarm` is told of senders
    that speak for others, `answered` of each answer. Raises CannotStart."""
    returns = return_addresses(settings)
    return MllpListener(
        doors(settings),
        accept=accept,
        clock=clock.now,
        on_accepted=on_accepted,
        alarm=alarm,
        returns=lambda facility: facility in returns(),
        answered=answered,
    )


def doors(settings: Settings) -> list[Door]:
    """All doors, the first one first. Raises CannotStart."""
    path = settings.path("HUB_MLLP_LISTENERS")
    try:
        first = _first(settings)
        found = [first, *(_others(path, settings, first) if path else ())]
        _must_differ(found)
    except (ValueError, KeyError, OSError) as error:
        raise CannotStart(f"MLLP cannot be opened or secured as the settings say: {error}") from None
    return found


def _first(settings: Settings) -> Door:
    files = settings.tls_files("HUB_MLLP_TLS")
    table = settings.path("HUB_MLLP_SENDERS")
    return Door(
        settings["HUB_MLLP_HOST"],
        settings["HUB_MLLP_PORT"],
        max_bytes=settings["HUB_MLLP_MAX_BYTES"],
        idle_seconds=settings["HUB_MLLP_IDLE_SECONDS"],
        stall_seconds=settings["HUB_MLLP_STALL_SECONDS"],
        production=settings["HUB_ADT_PRODUCTION"],
        tolerant=settings["HUB_MLLP_TOLERANT"],
        tls=ServerTls(Files(*files)) if files else None,
        senders=senders(table) if table else None,
    )


def _others(path: Path, settings: Settings, first: Door) -> Iterator[Door]:
    for number, row in _rows(path):
        try:
            yield _door(row, settings, first)
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from None


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Line and cells. Raises ValueError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        names = rows.fieldnames or []
        if not set(NEEDED) <= set(names) <= {*NEEDED, *OPTIONAL}:
            raise ValueError(f"{path.name}: the columns are {','.join(NEEDED)} and any of {','.join(OPTIONAL)}")
        for row in rows:
            if None in row or None in row.values():
                raise ValueError(f"{path.name}, line {rows.line_num}: it has not as many cells as the first line")
            yield rows.line_num, {name: cell.strip() for name, cell in row.items()}


def _door(row: Row, settings: Settings, first: Door) -> Door:
    """Raises ValueError or OSError."""
    for name in NEEDED:
        if not row[name]:
            raise ValueError(f"{name} is missing")
    limits = {name: _read(name, read, row[name]) for name, read in LIMITS.items() if row.get(name)}
    table = row.get("senders", "")
    return replace(
        first,
        name=row["name"],
        host=row["host"],
        port=_read("port", port, row["port"]),
        tls=_tls(row, settings, first),
        senders=first.senders if not table else None if table == NONE else senders(Path(table)),
        **limits,
    )


def _read(name: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except (ValueError, KeyError):
        raise ValueError(f"{name} has a value that cannot be used") from None


def _tls(row: Row, settings: Settings, first: Door) -> ServerTls | None:
    cert, key, authorities = (row.get(name, "") for name in TLS)
    if (cert, key) == (NONE, NONE) and authorities in ("", NONE):
        return None
    if not (cert or key or authorities):
        return first.tls
    if NONE in (cert, key) or bool(cert) != bool(key):
        raise ValueError("tls_cert and tls_key go together")
    given = settings.tls_files("HUB_MLLP_TLS")
    own = (Path(cert), Path(key)) if cert else given[:2] if given else None
    if own is None:
        raise ValueError("client_ca needs tls_cert and tls_key")
    inherited = given[2] if given else None
    wanted = inherited if not authorities else None if authorities == NONE else Path(authorities)
    return ServerTls(Files(*own, wanted))


def _must_differ(found: Sequence[Door]) -> None:
    names, addresses = {door.name for door in found}, {(door.host, door.port) for door in found if door.port}
    if len(names) < len(found):
        raise ValueError("two listeners have one name (the first one's is `default`)")
    if len(addresses) < sum(1 for door in found if door.port):
        raise ValueError("two listeners have one address")
