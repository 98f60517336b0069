"""The digest file of a panel: made, recorded, put at the partner's place, and then done with.

Rules: docs/digests.md. The file is named by its place in the row of files, so that a partner sees a gap and knows a
file that comes again. It is put by the machinery of all files that go out (adapters.files.transports).
- Each release is recorded before it leaves; nothing leaves where that is not possible.
- A file that was begun before is made anew from the same events: what the client may not see any more is not in it,
  and it takes the place of the one of its name.
Refuses: Problem (a panel that the client may not read), Fault and OSError (the place does not take it): the file
stays open, the next run sends it.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.files import transports
from fhir_mappings.digests.event_csv import COLUMNS, event_row
from hub import clock
from hub.access import Access
from hub.feeds.records import Feed
from hub.fhir import json
from hub.notifications.digests import Digest, Digests, File
from hub.rights.part2 import NOTICE
from hub.store.read import Stored

Tell = Callable[[Sequence[Stored]], None]  # records a disclosure before it happens; raises where it cannot
Put = Callable[[Path, Feed, str, bool], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """`forgotten`: events that were not kept for so long."""

    name: str
    rows: int
    forgotten: int
    again: bool


def send_digest(
    digests: Digests,
    digest: Digest,
    access: Access,
    feed: Feed,
    tell: Tell,
    put: Put = lambda path, feed, name, replaces: transports.send(path, feed, name, replaces),
) -> Sent:
    """The next file of the digest, or the one that was begun. Raises Problem, Fault, OSError, ValueError."""
    digests.begin(digest, access)
    file = digests.open(digest)
    name = file_name(digest, file)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        with path.open("w", encoding="utf-8", newline="") as out:
            rows, forgotten = _write(digests, digest, access, feed, file, tell, out)
        put(path, feed, name, file.again)
    digests.close(digest, file)
    return Sent(name, rows, forgotten, file.again)


def file_name(digest: Digest, file: File) -> str:
    """`digest-CLIENT-PANEL-000001.csv`."""
    return f"digest-{digest.client}-{digest.panel.removeprefix('Group/')}-{file.sequence:06}.csv"


def _write(
    digests: Digests,
    digest: Digest,
    access: Access,
    feed: Feed,
    file: File,
    tell: Tell,
    out: io.TextIOBase,
) -> tuple[int, int]:
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    count = 0
    with digests.database.read() as connection:
        for told in digests.events(connection, digest, access, file):
            patient = digests.whose(connection, access, told)
            tell([told.shown, *([patient] if patient else [])])
            whose = json.stored(patient.body) if patient and patient.body else {}
            at, topic = clock.instant(told.event.at), told.topic.url.rpartition("/")[2]
            system = str(feed.options.get("cin_system", ""))
            writer.writerow(event_row(topic, told.number, at, told.resource, whose, system, NOTICE))
            count += 1
        return count, digests.forgotten(connection, digest, file)
