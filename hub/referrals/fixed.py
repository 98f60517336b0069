"""What of a referral's Task nobody but the hub changes: what it is about, whom it is asked of, all of it once it is
over. Pure.

Rules: https://hl7.org/fhir/R4/task.html#statemachine (the final states); docs/access.md: nobody gives itself a
relation. What is told of a referral that is over (its day, its numbers, what was done) stands in a plan's return
file: notes may follow, and DHCS' words for how it ended.
Refuses (`business-rule`).
"""

from collections.abc import Iterator
from typing import Any

from hub.access import Access
from hub.problems import Issue
from hub.referrals.moves import HUB, OWNER
from hub.referrals.parties import is_named
from hub.referrals.terms import APPROVE, FULFILL, OVER, Node, assigned, is_referral, target
from hub.rights.facts import STAFF
from hub.search.values import references

FIXED = ("for", "focus", "requester", "partOf")
# of a Task that is over: what a person adds, and how it ended; `status` where a move allows it
AFTER = frozenset(("note", "text", "meta", "status", "statusReason", "businessStatus"))


def changed(before: Node | None, now: Node, access: Access, who: frozenset[str], base: str) -> Iterator[Issue]:
    """What this writer, who has these parts, may not write."""
    if HUB in who:
        return
    yield from _assigns_itself(before or {}, now, access, base)
    if before is None:
        return
    if any(is_referral(before, code) != is_referral(now, code) for code in (FULFILL, APPROVE)):
        yield Issue(
            "business-rule", "A referral's Task stays one: its code, intent and focus do not change", "Task"
        )
    for name in FIXED:
        if name in before and _targets(before.get(name)) != _targets(now.get(name)):
            yield Issue("business-rule", "This does not change: write another referral", f"Task.{name}")
    yield from _owner(before, now, access, who, base)
    yield from _after_the_end(before, now)


def _owner(before: Node, now: Node, access: Access, who: frozenset[str], base: str) -> Iterator[Issue]:
    if target(before.get("owner")) == target(now.get("owner")):
        return
    claims = not before.get("owner") and is_named(access, now, "owner", base)
    if not claims and who <= {OWNER}:
        yield Issue("business-rule", "Who was asked hands a referral to nobody else: decline it", "Task.owner")


def _after_the_end(before: Node, now: Node) -> Iterator[Issue]:
    if before.get("status") not in OVER:
        return
    names = sorted({*before, *now})
    for name in names:
        if name.removeprefix("_") not in AFTER and before.get(name) != now.get(name):
            told = f"This referral is over: it gets {', '.join(sorted(AFTER - {'meta', 'status'}))} only"
            yield Issue("business-rule", told, f"Task.{name}")


def _assigns_itself(before: Node, now: Node, access: Access, base: str) -> Iterator[Issue]:
    """Whom the hub asks gets to see the member. Whose staff a person is, nobody can tell here: perhaps its own."""
    said = assigned(now)
    if not said or [target(one) for one in assigned(before)] == [target(one) for one in said]:
        return
    if is_named(access, {"valueReference": said[-1]}, "valueReference", base):
        yield Issue("business-rule", "Nobody assigns itself: somebody else says who delivers", "Task.input")
    elif any(kind in STAFF for kind, _ in references(said[-1], base)):
        yield Issue("business-rule", "A client assigns an organization; persons the hub's operators", "Task.input")


def _targets(node: Any) -> Any:
    return [target(one) for one in node] if isinstance(node, list) else target(node)
