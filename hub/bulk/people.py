"""Whose records an export of a Group is about: its members now, as its reader sees them. Pure.

Rules: docs/access.md (who is a member while). Who was merged into another Patient is that one.
"""

from collections.abc import Mapping
from typing import Any

from hub.rights.relations import members_of
from hub.search import merged
from hub.search.edges import address
from hub.search.values import references


def members(group: Mapping[str, Any], now: int, base: str) -> set[int]:
    """The addresses of the Patients who are members at this time."""
    found: set[int] = set()
    for entity, span in members_of(group):
        if span is not None and span[0] <= now < span[1]:
            found.update(person(named) for kind, named in references(entity, base) if kind == "Patient")
    return found


def person(identity: str) -> int:
    """The address of a Patient, or of who that is now."""
    return address("Patient", merged.member_of(identity))
