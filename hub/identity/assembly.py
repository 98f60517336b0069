"""Identity as the worker does it: asks, decides what was answered, and looks again after a merge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub import outbox
from hub.identity import indexing, review
from hub.identity.desk import Registry
from hub.identity.facing import FACE, Facing
from hub.identity.indexing import COMPARE, Comparing
from hub.identity.merge import SWEEP, sweep
from hub.identity.resolve import ASK
from hub.identity.review import DECIDED, Asking, Deciding
from hub.transactions import Change, Transactions


@dataclass(frozen=True, slots=True)
class Sweeping:
    """The handler for a merge that happened a moment ago."""

    registry: Registry

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        self.registry.decide(lambda desk: sweep(desk, work.payload["absorbed"]))
        return outbox.Done()


def work(own: Transactions, base: str) -> dict[str, outbox.Handler]:
    """By kind. `own` writes for the hub itself."""
    registry = Registry.of(own, base)
    return {
        ASK: Asking(registry),
        COMPARE: Comparing(registry),
        DECIDED: Deciding(registry),
        FACE: Facing(registry),
        SWEEP: Sweeping(registry),
    }


def effects(changes: Sequence[Change]) -> Iterator[Mapping[str, Any]]:
    """What a commit causes: Patients are compared, answers of reviewers are done."""
    yield from review.effects(changes)
    yield from indexing.effects(changes)
