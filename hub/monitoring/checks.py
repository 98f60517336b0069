"""What `hub doctor` looks at. Limits stand beside each check; what is past them is told with its number.

Times are compared in seconds, sizes in bytes. A certificate is told 30 days before its end, urgently 14 days
before, and fails 3 days before.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from hub import clock
from hub.audit import journal, unmoved, verify
from hub.monitoring.doctor import FAIL, OK, WARN, Check, Finding
from hub.monitoring.gauges import SECOND, Node, Values, end_of, measured
from hub.store import schema

SCARCE, NONE_LEFT = 0.10, 0.02  # of the disk
SKEW = 2.0  # seconds between this machine and the database's
WAITED, STUCK = 60.0, 600.0  # seconds of the oldest work, and of the oldest record outside of the chain
JOURNALS = 16  # of a node: each process has one, and more are not moved
SOON, URGENT, NOW = timedelta(days=30), timedelta(days=14), timedelta(days=3)
# a state that waits for a person -> the section of the runbook
INBOX = {
    "dead": "Dead",
    "unmapped": "Unmapped: a code",
    "unmatched": "Unmatched",
    "unreadable": "Messages that wait: states of the inbox",
    "refused": "Refused",
    "late": "Messages that wait: states of the inbox",
}


@dataclass(frozen=True, slots=True)
class Stuck:
    """Work that waits for a person: a gauge whose last label is `state`. `told` has room for number and labels."""

    gauge: str
    state: str
    level: str
    told: str
    todo: str


STUCK_WORK = (
    *(
        Stuck("hub_inbox_messages", state, FAIL if state == "dead" else WARN, "inbox: {} {}", todo)
        for state, todo in INBOX.items()
    ),
    Stuck("hub_outbox_rows", "dead", FAIL, "outbox: {} of {} given up", "Work was given up"),
    Stuck("hub_files", "refused", WARN, "files: {} {}", "A file brought less than it should"),
    Stuck("hub_subscriptions", "error", WARN, "subscriptions: {} in error", "A webhook receiver is down"),
    Stuck("hub_bulk_jobs", "failed", WARN, "bulk jobs: {} {} failed", "Bulk jobs"),
    Stuck("hub_clocks", "late", WARN, "clocks: {} of {} late", "Referrals and their clocks"),
    Stuck("hub_clocks", "escalated", WARN, "clocks: {} of {} escalated", "Referrals and their clocks"),
)


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined. `certificates` by the name of their setting."""

    node: Node
    certificates: Mapping[str, Path]
    now: clock.Clock = clock.now


def checks(of: Patient) -> tuple[Check, ...]:
    return (
        Check("database", lambda: _database(of.node)),
        Check("disk", lambda: _disk(of.node.folder)),
        Check("clock", lambda: _clock(of.node)),
        Check("certificates", lambda: _certificates(of)),
        Check("work", lambda: _work(of.node)),
        Check("audit", lambda: _audit(of.node.folder / "audit")),
        Check("audit", lambda: _unmoved(of)),
    )


def _database(node: Node) -> Iterator[Finding]:
    began = time.monotonic()
    with node.database.read() as connection:
        connection.execute(text("SELECT 1"))
    took = (time.monotonic() - began) * 1000
    yield Finding(OK, f"{node.database.url.get_backend_name()} answers in {took:.0f} ms")
    found, own = schema.state(node.database), schema.newest()
    if found == schema.CURRENT:
        yield Finding(OK, f"has the schema of this release ({own})")
    elif found == schema.LATER:
        yield Finding(
            WARN, f"has the schema of a later release, with which this one ({own}) works: upgrade this node"
        )
    else:
        yield Finding(FAIL, f"has not the schema of this release ({own}): run `hub migrate`")


def _disk(folder: Path) -> Iterator[Finding]:
    seen = shutil.disk_usage(folder)
    share = seen.free / seen.total
    yield _room(share, f"{seen.free / 1e9:.1f} GB of {folder} free ({share:.0%})")
    nodes = os.statvfs(folder)
    if nodes.f_files:  # some file systems count none
        share = nodes.f_favail / nodes.f_files
        yield _room(share, f"{nodes.f_favail} more files fit there ({share:.0%})")


def _room(share: float, told: str) -> Finding:
    level = FAIL if share < NONE_LEFT else WARN if share < SCARCE else OK
    return Finding(level, told, "" if level == OK else "The disk is full")


def _clock(node: Node) -> Iterator[Finding]:
    """SQLite's clock is this machine's own."""
    if node.database.is_sqlite:
        yield Finding(OK, "this machine's; is it set by NTP?")
        return
    with node.database.read() as connection:
        before = clock.own().timestamp()
        theirs = float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar() or 0)
        apart = abs(theirs - (before + clock.own().timestamp()) / 2)
    level = OK if apart < SKEW else FAIL
    yield Finding(level, f"{apart:.2f} s from the database's", "" if level == OK else "The clocks disagree")


def _certificates(of: Patient) -> Iterator[Finding]:
    if not of.certificates:
        yield Finding(OK, "none are set")
    for name, path in of.certificates.items():
        try:
            ends = end_of(path)
        except ValueError:
            yield Finding(FAIL, f"{name} is no certificate in PEM", "TLS and who may connect")
            continue
        left = ends - of.now()
        level = FAIL if left < NOW else WARN if left < SOON else OK
        told = f"{name} ends in {left.days} days" + (": renew it now" if left < URGENT else "")
        yield Finding(level, told, "" if level == OK else "TLS and who may connect")


def _work(node: Node) -> Iterator[Finding]:
    seen: dict[str, Values] = {gauge.name: values for gauge, values in measured(node)}
    for what in ("inbox", "outbox"):
        oldest = seen[f"hub_{what}_oldest_seconds"].get((), 0.0)
        level = FAIL if oldest > STUCK else WARN if oldest > WAITED else OK
        yield Finding(level, f"{what}: the oldest work waits {oldest:.0f} s", "" if level == OK else "Look first")
    for row in STUCK_WORK:
        for labels, number in seen[row.gauge].items():
            if labels[-1] == row.state and number:
                told = row.told.format(f"{number:.0f}", *labels)
                yield Finding(row.level, told, row.todo)


def _audit(folder: Path) -> Iterator[Finding]:
    todo = "The audit is broken, or a journal is damaged"
    for name in verify.damaged(folder):
        yield Finding(FAIL, f"a journal is damaged: {name}", todo)
    files = [path.stat() for path in folder.glob(f"*{journal.SUFFIX}")]
    count = sum(one.st_size > 0 for one in files)
    level = WARN if count > JOURNALS else OK
    yield Finding(level, f"{count} journals of this node", todo if level != OK else "")


def _unmoved(of: Patient) -> Iterator[Finding]:
    """Records that no process of this node moved into the chain for long: it cannot, or its worker is gone."""
    with of.node.database.read() as connection:
        oldest = unmoved.oldest(connection, of.node.folder / "audit")
    waited = max(0.0, (clock.micros(of.now()) - oldest) / SECOND) if oldest else 0.0
    level = WARN if waited > WAITED else OK
    todo = "Records do not join the audit" if level != OK else ""
    yield Finding(level, f"the oldest record that is not in the chain waits {waited:.0f} s", todo)
