"""What part somebody has in a referral: who asks, who is asked, the plan, an operator, the hub itself. Pure.

Rules: Gravity SDOH Clinical Care: `requester` asks, `owner` answers; a Task without an owner may be claimed by
whoever sees it. Whoever wrote the Task first has asked, too, whomever it names as the requester.
Whether somebody sees the referral at all is decided elsewhere (hub.whose): here nobody gets a relation.
"""

from collections.abc import Iterator

from hub.access import Access
from hub.referrals.moves import HUB, OPERATOR, OWNER, PLAN, REQUESTER
from hub.referrals.terms import Node
from hub.search.edges import address
from hub.search.values import references

# the hub's own jobs; the custodian loads what stands elsewhere already
HUB_ROLES = frozenset(("system", "custodian"))
ROLES = {"plan": PLAN, "operator": OPERATOR}


def parties(access: Access, before: Node | None, now: Node, source: int, base: str) -> frozenset[str]:
    """The parts of this writer. `source` is whose data the Task is (hub.store), 0 where nobody's."""
    return frozenset(_parties(access, before, now, source, base))


def _parties(access: Access, before: Node | None, now: Node, source: int, base: str) -> Iterator[str]:
    if access.role in HUB_ROLES:
        yield HUB
    if found := ROLES.get(access.role):
        yield found
    task = before or now
    wrote = before is None or bool(source and source == access.sight.own)
    if wrote or is_named(access, task, "requester", base):
        yield REQUESTER
    claims = not (before or {}).get("owner") and is_named(access, now, "owner", base)
    if before is not None and (claims or is_named(access, before, "owner", base)):
        yield OWNER


def is_named(access: Access, task: Node, element: str, base: str) -> bool:
    """The writer's organization, or its person, is what this element refers to."""
    node = task.get(element)
    held = {*access.sight.holders, *((access.sight.patient,) if access.sight.self_only else ())}
    return any(address(kind, identity) in held for kind, identity in references(node, base) if kind)
