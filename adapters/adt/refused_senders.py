"""A sender that speaks for a facility that is not its own is a security event, recorded before it is answered.

Rules: bad-input.md V33; DICOM PS3.15 A.5.3 (node authentication, DCM 110126,
https://dicom.nema.org/medical/dicom/current/output/chtml/part15/sect_A.5.3.html); hub.audit.interactions.
Nothing of the message is recorded but the facility that it names, and only where that looks like a code.
Refuses: to let the answer leave where nothing can be recorded (Problem).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.adt.mllp_server import Stranger
from hub import clock
from hub.audit.journal import Journal
from hub.audit.record import Record, encoded

INTERACTION = "node-authentication"
FORBIDDEN = 403  # as HTTP would say it: the sender's failure
UNSPEAKABLE = "?"
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,40}")


@dataclass(frozen=True, slots=True)
class RefusedSenders:
    """An alarm of the listener (adapters.adt.mllp_server)."""

    journal: Journal
    now: clock.Clock = clock.now

    def __call__(self, strangers: Sequence[Stranger]) -> None:
        at = clock.micros(self.now())
        self.journal.append(*(encoded(_record(at, stranger)) for stranger in strangers))


def _record(at: int, stranger: Stranger) -> Record:
    facility = stranger.facility if _CODE.fullmatch(stranger.facility) else UNSPEAKABLE
    query = f"listener {stranger.door}: MSH-4 {facility}"
    return Record(at, INTERACTION, FORBIDDEN, method="MLLP", query=query, network=stranger.address)
