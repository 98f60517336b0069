"""Two source persons are two people: held apart from now on, and taken apart if the hub had made them one.

Rules: docs/identity.md "Not a duplicate". It is taken back by a merge, which says that they are one after all.
Refuses: a source person that is not there (`not-found`).
"""

from collections.abc import Mapping
from typing import Any

from hub.identity import events, pairs, persons
from hub.identity.desk import Desk
from hub.identity.split import split
from hub.problems import Problem


def distinct(desk: Desk, one: int, other: int, who: str, evidence: Mapping[str, Any] | None = None) -> int:
    """The event."""
    found = persons.several(desk.connection, (one, other))
    if len(found) != 2:
        raise Problem("not-found", "There are no such two source persons")
    if found[0].patient and found[0].patient == found[1].patient:
        split(desk, max(one, other), who, "not a duplicate")
    event = events.add(
        desk.connection, desk.now, events.APART, who, persons=[one, other], evidence=dict(evidence or {})
    )
    pairs.put(desk.connection, one, other, pairs.HELD_APART, event)
    return event
