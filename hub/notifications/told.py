"""What a webhook is sent, recorded before it leaves: each send and each retry is a release of its own.

Rules: docs/audit.md. Nobody knows what a receiver kept that did not answer: whatever is sent counts as disclosed. A
handshake and an `empty` notice tell of nobody.
Refuses (Problem): to let leave what cannot be recorded; the notice waits then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub import clock
from hub.access import Access
from hub.audit.record import encoded
from hub.audit.recorder import About, Recorder
from hub.notifications.events import Event
from hub.notifications.subscriptions import EMPTY, Subscription
from hub.store import read

INTERACTION = "notice"
SENT = 200
WHY = "to record what a notice tells"


@dataclass(frozen=True, slots=True)
class NoticesTold:
    """For hub.notifications.deliver. `access_of`: what a client may see now."""

    recorder: Recorder
    access_of: Callable[[str], Access | None]

    def __call__(self, asked: Subscription, owner: str, event: Event | None) -> None:
        tells = event if asked.content != EMPTY else None
        path = f"/Subscription/{asked.id}/{'$notice' if event else '$handshake'}"
        what = (tells.type, tells.id, tells.version) if tells else ("Subscription", asked.id, asked.version)
        about = About(INTERACTION, *what, "POST", path, network=urlsplit(asked.endpoint).hostname or "")
        access = self.access_of(owner) or Access(owner, frozenset())
        at = clock.micros(self.recorder.now())
        with self.recorder.database.read() as connection:
            found = read.version(connection, Access.system(WHY), *what) if tells else None
            record = self.recorder.record(connection, at, about, access, SENT, [found] if found else [])
        self.recorder.journal.append(encoded(record))
