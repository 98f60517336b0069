"""What `hub doctor` looks at. Limits stand beside each check; what is past them is told with its number.

Times are compared in seconds, sizes in bytes. A certificate is told 30 days before its end, and fails 3 days
before.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from sqlalchemy import text

from hub import clock
from hub.monitoring.doctor import FAIL, OK, WARN, Check, Finding
from hub.monitoring.gauges import Node, Values, measured
from hub.store.schema import is_current, newest

SCARCE, NONE_LEFT = 0.10, 0.02  # of the disk
SKEW = 2.0  # seconds between this machine and the database's
WAITED, STUCK = 60.0, 600.0  # seconds of the oldest work
SOON, NOW = timedelta(days=30), timedelta(days=3)
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
class Patient:
    """What is examined. `certificates` by the name of their setting."""

    node: Node
    certificates: dict[str, Path]
    now: clock.Clock = clock.now


def checks(of: Patient) -> tuple[Check, ...]:
    return (
        Check("database", lambda: _database(of.node)),
        Check("disk", lambda: _disk(of.node.folder)),
        Check("clock", lambda: _clock(of.node)),
        Check("certificates", lambda: _certificates(of)),
        Check("work", lambda: _work(of.node)),
    )


def _database(node: Node) -> Iterator[Finding]:
    began = time.monotonic()
    with node.database.read() as connection:
        connection.execute(text("SELECT 1"))
    took = (time.monotonic() - began) * 1000
    yield Finding(OK, f"{node.database.url.get_backend_name()} answers in {took:.0f} ms")
    if is_current(node.database):
        yield Finding(OK, f"has the schema of this release ({newest()})")
    else:
        yield Finding(FAIL, f"has not the schema of this release ({newest()}): run `hub migrate`")


def _disk(folder: Path) -> Iterator[Finding]:
    seen = shutil.disk_usage(folder)
    share = seen.free / seen.total
    level = FAIL if share < NONE_LEFT else WARN if share < SCARCE else OK
    yield Finding(
        level, f"{seen.free / 1e9:.1f} GB of {folder} free ({share:.0%})", "" if level == OK else "The disk is full"
    )


def _clock(node: Node) -> Iterator[Finding]:
    """SQLite's clock is this machine's own."""
    if node.database.is_sqlite:
        yield Finding(OK, "this machine's; is it set by NTP?")
        return
    with node.database.read() as connection:
        before = clock.now().timestamp()
        theirs = float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar() or 0)
        apart = abs(theirs - (before + clock.now().timestamp()) / 2)
    level = OK if apart < SKEW else FAIL
    yield Finding(level, f"{apart:.2f} s from the database's", "" if level == OK else "The clocks disagree")


def _certificates(of: Patient) -> Iterator[Finding]:
    if not of.certificates:
        yield Finding(OK, "none are set")
    for name, path in of.certificates.items():
        try:
            ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        except ValueError:
            yield Finding(FAIL, f"{name} is no certificate in PEM", "TLS and who may connect")
            continue
        left = ends - of.now()
        level = FAIL if left < NOW else WARN if left < SOON else OK
        yield Finding(level, f"{name} ends in {left.days} days", "" if level == OK else "TLS and who may connect")


def _work(node: Node) -> Iterator[Finding]:
    seen: dict[str, Values] = {gauge.name: values for gauge, values in measured(node)}
    for what in ("inbox", "outbox"):
        oldest = seen[f"hub_{what}_oldest_seconds"].get((), 0.0)
        level = FAIL if oldest > STUCK else WARN if oldest > WAITED else OK
        yield Finding(level, f"{what}: the oldest work waits {oldest:.0f} s", "" if level == OK else "Look first")
    for (state,), number in seen["hub_inbox_messages"].items():
        if state in INBOX:
            yield Finding(FAIL if state == "dead" else WARN, f"inbox: {number:.0f} {state}", INBOX[state])
    for (kind, state), number in seen["hub_outbox_rows"].items():
        if state == "dead":
            yield Finding(FAIL, f"outbox: {number:.0f} of {kind} given up", "Work was given up")
    for (state,), number in seen["hub_files"].items():
        if state == "refused":
            yield Finding(WARN, f"files: {number:.0f} refused", "A file brought less than it should")
    in_error = seen["hub_subscriptions"].get(("error",), 0)
    if in_error:
        yield Finding(WARN, f"subscriptions: {in_error:.0f} in error", "A webhook receiver is down")
