"""The search parameters of this deployment (SearchParameter resources), as this process knows them.

Rules: https://hl7.org/fhir/R4/search.html#custom, docs/runbook.md. One immutable snapshot, replaced as a whole by
hub.store.parameters. What is computed from it is cached as ever, in functions that are `renewed`: where there are
no such parameters, they cost nothing.

A definition's rows stand under a key of its own (`Known.key_code`): the rows of a former definition are out of
reach from the moment that this one counts, and can be taken away at leisure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

INDEXING, READY, STOPPED, REMOVING = STATES = ("indexing", "ready", "stopped", "removing")
LIVE = (INDEXING, READY, STOPPED)
Cached = TypeVar("Cached", bound=Any)


@dataclass(frozen=True, slots=True)
class Definition:
    """One parameter of one resource type; `expression` is the part of the path that begins at the type."""

    url: str
    base: str
    code: str
    type: str
    expression: str
    targets: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """A definition that writers index. `number` is its row's, and never used again."""

    number: int
    definition: Definition
    state: str

    @property
    def key_code(self) -> str:
        return f"{self.definition.code}~{self.number}"

    @property
    def row(self) -> dict[str, str]:
        """As a row of r4_parameters.csv."""
        one = self.definition
        row = {"base": one.base, "code": one.code, "type": one.type, "expression": one.expression}
        return row | {"targets": one.targets, "url": one.url, "components": "", "required": "", "systems": ""}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`merging`: index rows may be there already when they are written, because a job writes them, too."""

    known: Mapping[str, tuple[Known, ...]] = field(default_factory=dict)
    merging: bool = False

    def indexed(self, base: str) -> tuple[Known, ...]:
        return self.known.get(base, ())

    def searched(self, base: str) -> tuple[Known, ...]:
        return tuple(one for one in self.indexed(base) if one.state == READY)


_caches: list[Any] = []
_held = [Snapshot()]


def current() -> Snapshot:
    return _held[0]


def replace(snapshot: Snapshot) -> None:
    """Let this snapshot count from now on."""
    _held[0] = snapshot
    renew()


def renew() -> None:
    """Forget what was computed. A thread may still be at it and remember what the former snapshot said: whoever
    replaced one calls this again some seconds later."""
    for cached in _caches:
        cached.cache_clear()


def renewed(cached: Cached) -> Cached:
    """Decorates a function with a cache: it is asked anew when the snapshot is another."""
    _caches.append(cached)
    return cached


def why_not(base: str, code: str) -> str:
    """Why a parameter that writers know is not searched by; empty for one they do not know."""
    found = next((one for one in current().indexed(base) if one.definition.code == code), None)
    return "" if found is None or found.state == READY else _WHY[found.state]


_WHY: Mapping[str, str] = {INDEXING: "it is being indexed", STOPPED: "its indexing was stopped"}
