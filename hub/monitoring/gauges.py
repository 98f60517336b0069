"""What a scrape of /metrics finds out anew: a table of gauges, each one question to the database or the machine.

Names and units as https://prometheus.io/docs/practices/naming/ wants them. Labels are states, kinds and names of
clocks: never an id, a client or a person. Cost: counts go by the indexes of what waits; a state that nothing waits
in (processed, done) is not counted, for its rows are the many.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Column, Connection, Table, func, select, text

from hub.access import Access
from hub.clock import micros, now
from hub.referrals import measures
from hub.referrals.clock_table import ClockRow
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database
from hub.store.tables import inbox, outbox
from hub.store.tables_bulk import bulk_job
from hub.store.tables_feeds import feed_file

Values = Mapping[tuple[str, ...], float]
SECOND = 1_000_000
INBOX_STATES = ("received", "unmapped", "unmatched", "unreadable", "refused", "waiting", "late", "dead")
SUBSCRIPTION_STATES = ("requested", "active", "error", "off")


@dataclass(frozen=True, slots=True)
class Node:
    """What is asked: the database, the folder of this node, the deployment's clocks, and the node's certificates by
    the name of their setting."""

    database: Database
    folder: Path
    clocks: tuple[ClockRow, ...]
    certificates: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gauge:
    """`measure` gives a value for each combination of labels that there is."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    measure: Callable[[Connection, Node], Values]


def measured(node: Node) -> Iterator[tuple[Gauge, Values]]:
    """Each gauge with its values, as of one moment of the database. Raises Problem where it cannot be asked."""
    found = node.database.reading(lambda connection: [one.measure(connection, node) for one in GAUGES])
    yield from zip(GAUGES, found, strict=True)


def _inbox(connection: Connection, _: Node) -> Values:
    return _counts(connection, inbox, (inbox.c.state,), INBOX_STATES)


def _outbox(connection: Connection, _: Node) -> Values:
    return _counts(connection, outbox, (outbox.c.kind, outbox.c.state), ("waiting", "dead"))


def _files(connection: Connection, _: Node) -> Values:
    return _counts(connection, feed_file, (feed_file.c.state,), (), ("done",))


def _jobs(connection: Connection, _: Node) -> Values:
    return _counts(connection, bulk_job, (bulk_job.c.kind, bulk_job.c.state), ("waiting", "failed"))


def _counts(
    connection: Connection,
    table: Table,
    labels: tuple[Column[str], ...],
    states: tuple[str, ...],
    but: tuple[str, ...] = (),
) -> Values:
    state = table.c.state
    which = state.in_(states) if states else state.not_in(but)
    asked = select(*labels, func.count()).where(which).group_by(*labels)
    return {tuple(row[:-1]): float(row[-1]) for row in connection.execute(asked)}


def _inbox_oldest(connection: Connection, _: Node) -> Values:
    asked = select(func.min(inbox.c.received)).where(inbox.c.state == "received")
    return {(): _age(connection.execute(asked).scalar())}


def _outbox_oldest(connection: Connection, _: Node) -> Values:
    asked = select(func.min(outbox.c.due)).where(outbox.c.state == "waiting")
    return {(): _age(connection.execute(asked).scalar())}


def _age(moment: int | None) -> float:
    return max(0.0, (micros(now()) - moment) / SECOND) if moment else 0.0


def _subscriptions(connection: Connection, _: Node) -> Values:
    access = Access.system("metrics")
    found: Counter[tuple[str, ...]] = Counter()
    for status in SUBSCRIPTION_STATES:
        found[(status,)] = read.total(connection, access, parse("Subscription", [("status", status)], Limits()))
    return found


def _clocks(_: Connection, node: Node) -> Values:
    return {tuple(labels): number for labels, number in measures.counts(node.database, node.clocks).items()}


def _database_size(connection: Connection, _: Node) -> Values:
    if connection.dialect.name == "postgresql":
        asked = "SELECT pg_database_size(current_database())"
    else:
        asked = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    return {(): float(connection.execute(text(asked)).scalar() or 0)}


def _free(_: Connection, node: Node) -> Values:
    return {(): float(shutil.disk_usage(node.folder).free)} if node.folder.exists() else {}


def _certificates(_: Connection, node: Node) -> Values:
    """What is none, or cannot be read, `hub doctor` tells."""
    found: dict[tuple[str, ...], float] = {}
    for name, path in node.certificates.items():
        with suppress(OSError, ValueError):
            found[(name,)] = (end_of(path) - now()).total_seconds()
    return found


def end_of(path: Path) -> datetime:
    """Until when a certificate in PEM is good. Raises OSError, ValueError."""
    from cryptography import x509  # loaded where there is a certificate

    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


GAUGES: tuple[Gauge, ...] = (
    Gauge("hub_inbox_messages", "Messages that wait, by state (docs/inbox.md).", ("state",), _inbox),
    Gauge("hub_inbox_oldest_seconds", "How long the oldest received message has waited.", (), _inbox_oldest),
    Gauge("hub_outbox_rows", "Work that waits, and that was given up.", ("kind", "state"), _outbox),
    Gauge("hub_outbox_oldest_seconds", "How long the oldest work has been due.", (), _outbox_oldest),
    Gauge("hub_files", "Files of feeds that are not done.", ("state",), _files),
    Gauge("hub_bulk_jobs", "Bulk jobs that wait, and that failed.", ("kind", "state"), _jobs),
    Gauge("hub_subscriptions", "Subscriptions, by status.", ("status",), _subscriptions),
    Gauge("hub_clocks", "Clocks of referrals, by how they stand (docs/clocks.md).", ("clock", "state"), _clocks),
    Gauge("hub_database_bytes", "Size of the database.", (), _database_size),
    Gauge(
        "hub_certificate_seconds",
        "Until a certificate of this node ends.",
        ("setting",),
        _certificates,
    ),
    Gauge("hub_disk_free_bytes", "Free space where HUB_DATA_DIR is.", (), _free),
)
