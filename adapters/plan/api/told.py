"""What goes to the plan, recorded before it leaves: each try is a release of its own.

Rules: docs/audit.md: nobody knows what a receiver kept that did not answer.
Refuses (Problem): to let leave what cannot be recorded; the work waits then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub import clock
from hub.access import Access
from hub.audit.record import encoded
from hub.audit.recorder import About, Recorder
from hub.store.read import Stored

INTERACTION, SENT = "notice", 200  # in the words of the audit


@dataclass(frozen=True, slots=True)
class PlanTold:
    """`host` is the plan's."""

    recorder: Recorder
    host: str

    def __call__(self, access: Access, rows: Sequence[Stored]) -> None:
        first = rows[0]
        what = (first.type, first.id, first.version)
        about = About(INTERACTION, *what, "POST", f"/{first.type}/{first.id}/$to-plan", network=self.host)
        with self.recorder.database.read() as connection:
            at = clock.micros(self.recorder.now())
            record = self.recorder.record(connection, at, about, access, SENT, list(rows))
        self.recorder.journal.append(encoded(record))
