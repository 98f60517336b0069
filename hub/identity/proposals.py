"""A merge that a person asks for: done at once, or when a second one has asked for the same.

Rules: docs/identity.md "Review", HUB_IDENTITY_REVIEWERS. What the first one asked for is an event (`proposal`); the
merge takes it back. Where merges are told by a source (A34, A40) or found by the hub, nobody is asked here.
Refuses: what hub.identity.merge refuses, at the first time, too.
"""

from collections.abc import Mapping
from typing import Any

from hub.identity import events
from hub.identity.chosen import current
from hub.identity.desk import Desk
from hub.identity.merge import Merged, checked, merge

WAITS = "Nothing was changed: a second person must ask for the same"


def agreed(
    desk: Desk, survivor: str, absorbed: str, who: str, evidence: Mapping[str, Any] | None = None
) -> Merged | None:
    """None where a second person must agree. Raises Problem."""
    told = dict(evidence or {})
    if current().reviewers < 2:
        return merge(desk, survivor, absorbed, who, told)
    target = checked(desk, survivor, absorbed)
    found = [one for one in _open(desk, absorbed) if one.survivor == target]
    first = next((one for one in found if one.who != who[:128]), None)
    if first is None:
        if not found:
            events.add(desk.connection, desk.now, events.PROPOSAL, who, survivor=target, absorbed=absorbed)
        return None
    done = merge(desk, target, absorbed, who, told | {"proposal": first.seq})
    events.take_back(desk.connection, first.seq, done.event)
    return done


def _open(desk: Desk, absorbed: str) -> list[events.Event]:
    told = events.of_patient(desk.connection, absorbed)
    mine = (one for one in told if one.kind == events.PROPOSAL and one.absorbed == absorbed)
    return [one for one in mine if not one.undone_by]
