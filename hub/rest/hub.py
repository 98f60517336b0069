"""The parts that the interactions work with, put together by the front door."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub import clock
from hub.access import Access
from hub.audit.recorder import Recorder
from hub.operations.call import NO_ENGINES, Engines
from hub.rest.asked import Answer, Asked
from hub.search.query import Limits
from hub.store.engine import Database
from hub.transactions import Transactions


@dataclass(frozen=True, slots=True)
class Hub:
    """`base` is the public FHIR base URL; `secret` signs page links; `capabilities` and `guard` come from above.
    `audit` records every interaction; without it nothing is recorded (HUB_AUDIT)."""

    database: Database
    transactions: Transactions
    base: str
    secret: bytes
    limits: Limits
    cursor_seconds: int
    most_entries: int
    capabilities: Callable[[], dict[str, Any]]
    guard: Callable[[dict[str, Any]], Access]
    shell: Callable[[dict[str, Any]], Any]
    now: clock.Clock = clock.now
    engines: Engines = NO_ENGINES
    audit: Recorder | None = None


Interaction = Callable[[Hub, Asked, Access], Answer]
