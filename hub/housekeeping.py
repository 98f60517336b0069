"""The chores of the hub itself: index rows made anew, records moved into the audit, what is done or old
forgotten."""

from datetime import timedelta
from pathlib import Path

from hub import clock, outbox
from hub.audit import store as audit
from hub.notifications import happenings
from hub.reindex import Reindex
from hub.rights.labels import Part2Sources
from hub.store import idempotency, statistics
from hub.store.engine import Database
from hub.worker import Chore

COMPARED = timedelta(days=90) // clock.MICROSECOND  # a sender that is later than that is told of anew
KEPT = timedelta(days=7) // clock.MICROSECOND  # work that is done, so that a delivery can be looked up


def chores(database: Database, base: str, part2: Part2Sources, audit_folder: Path) -> list[Chore]:
    """`audit_folder` is where this node writes down what it answers."""
    reindex = Reindex(database, base, part2=part2)
    return [
        Chore(timedelta(hours=1), lambda now: database.writing(lambda c: happenings.forget(c, now - COMPARED))),
        Chore(timedelta(seconds=1), lambda _: reindex.turn()),
        Chore(timedelta(seconds=1), lambda _: audit.move(database, audit_folder)),
        Chore(timedelta(hours=1), lambda now: database.writing(lambda c: outbox.purge(c, now - KEPT))),
        Chore(timedelta(minutes=10), lambda now: database.writing(lambda c: idempotency.forget(c, now))),
        Chore(timedelta(days=1), lambda _: statistics.count_what_is_in_parts(database)),
    ]
