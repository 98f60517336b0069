"""A member whom a guarded source brought first gets an open face when an open source knows them, too.

Rules: docs/identity.md "Guarded sources". A Patient of a homeless system or a Part 2 program carries its labels,
and labels are never taken away. If the plan's rows were hung on it, nobody could see them without a consent that
they do not need. So the open source gets a Patient of its own, and the guarded one is merged into it: its
resources keep their labels, its identifiers stay where they are (hub.identity.merge).
Refuses: nothing. Who was merged meanwhile is left as it is.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from hub import outbox
from hub.identity.desk import Registry
from hub.identity.merge import merge
from hub.identity.resolve import HUB
from hub.problems import Problem

FACE = "identity-face"  # the kind of work that merges them
BECAUSE = "an open source knows the member whom a guarded one brought"


def ask(connection: Connection, open_face: str, guarded: str, now: int) -> None:
    """In the transaction that writes the open one: ids of Patients."""
    payload = {"survivor": open_face, "absorbed": guarded}
    outbox.add(connection, [outbox.row(FACE, f"{open_face}/{guarded}", payload, now)])


@dataclass(frozen=True, slots=True)
class Facing:
    """The worker's handler."""

    registry: Registry

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        survivor, absorbed = work.payload["survivor"], work.payload["absorbed"]
        try:
            self.registry.decide(lambda desk: merge(desk, survivor, absorbed, HUB, {"because": BECAUSE}))
        except Problem as problem:
            if problem.kind not in ("conflict", "not-found"):
                raise
        return outbox.Done()
