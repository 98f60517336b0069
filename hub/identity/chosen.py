"""What this deployment chose for who is who: limits of matching, hash schemes, how many persons a merge needs.

Rules: docs/identity.md, docs/settings.md. `use` is called once, when a process starts; before, and in tests, the
tables of the hub count alone.
Refuses to start (CannotStart): a limit that is not in limits.csv, a hash scheme that nobody can compute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.identity import hashed
from hub.identity.weights import LIMITS, Limits
from hub.problems import CannotStart, Problem
from hub.settings import Settings


@dataclass(frozen=True, slots=True)
class Chosen:
    """`schemes` are those of hashed exports, by HashStatus; `reviewers` how many persons agree to a merge."""

    limits: Limits = LIMITS
    schemes: Mapping[int, str] = field(default_factory=lambda: hashed.KNOWN)
    reviewers: int = 1


@dataclass(slots=True)
class _Held:
    chosen: Chosen


_held = _Held(Chosen())


def current() -> Chosen:
    return _held.chosen


def replace(chosen: Chosen) -> None:
    """These count in this process from now on."""
    _held.chosen = chosen


def use(settings: Settings) -> None:
    """Raises CannotStart."""
    try:
        limits = LIMITS.configured(settings["HUB_IDENTITY_LIMITS"])
        schemes = hashed.configured(settings[hashed.SETTING])
    except Problem as problem:
        raise CannotStart(f"HUB_IDENTITY_LIMITS or {hashed.SETTING}: {problem.issues[0].message}") from None
    replace(Chosen(limits, schemes, settings["HUB_IDENTITY_REVIEWERS"]))
