"""Which moves a referral's Task may make, by whom, and what each must bring: a table, and who reads it. Pure.

Rules: Gravity SDOH Clinical Care, Task for Referral Management (its statuses; `statusReason.text` where a referral
is rejected, cancelled, on hold or failed; what was done as `output`);
https://hl7.org/fhir/R4/task.html#statemachine; DHCS' closed-loop referrals: whoever referred is told a denial
and a closure with its reason. docs/moves.md is printed from this table, and a test fails when it is stale.
Refuses (Issues): a move without a row, one by somebody else than its row names, one without what it must bring. An
illegal move names those that are legal.
"""

from collections.abc import Iterable, Iterator

from hub.moves import NEW as NEW
from hub.moves import Move as Move
from hub.moves import Moves
from hub.problems import Issue
from hub.referrals.terms import OVER, Node, activities, reason

REQUESTER, OWNER, PLAN, OPERATOR, HUB = "requester", "owner", "plan", "operator", "hub"
REASON, ACTIVITY = "reason", "activity"
# the hub moves a Task for others: by the plan's API and files, by a child Task's status; whoever answers by a
# signed link is the owner

ASKS, DECIDES, DELIVERS = (REQUESTER, HUB), (OWNER, PLAN, HUB), (OWNER, HUB)
ENDS = (REQUESTER, PLAN, OPERATOR, HUB)
HUB_ALONE = (HUB,)

MOVES: tuple[Move, ...] = (
    Move(NEW, "draft", ASKS, (), "It is being written"),
    Move(NEW, "requested", ASKS, (), "Somebody refers"),
    Move("draft", "requested", ASKS, (), "It is sent"),
    Move("draft", "cancelled", ASKS, (REASON,), "It is not sent"),
    Move("requested", "accepted", DECIDES, (), "The provider will deliver; or the plan authorizes"),
    Move("requested", "rejected", (*DECIDES, OPERATOR), (REASON,), "Declined; or the plan denies"),
    Move("requested", "on-hold", (REQUESTER, *DECIDES), (REASON,), "It waits, as for the member's answer"),
    Move("requested", "cancelled", ENDS, (REASON,), "Taken back"),
    Move("accepted", "in-progress", DELIVERS, (), "Outreach or delivery began"),
    Move("accepted", "on-hold", (REQUESTER, *DELIVERS), (REASON,), "It waits"),
    Move("accepted", "completed", DELIVERS, (ACTIVITY,), "Delivered at once: what was done"),
    Move("accepted", "failed", DELIVERS, (REASON,), "It could not be delivered"),
    Move("accepted", "cancelled", ENDS, (REASON,), "Taken back"),
    Move("in-progress", "on-hold", (REQUESTER, *DELIVERS), (REASON,), "It waits"),
    Move("in-progress", "completed", DELIVERS, (ACTIVITY,), "Delivered: what was done"),
    Move("in-progress", "failed", DELIVERS, (REASON,), "It could not be delivered to the end"),
    Move("in-progress", "cancelled", ENDS, (REASON,), "Taken back"),
    Move("on-hold", "requested", (REQUESTER, *DECIDES), (), "It goes on; not accepted yet"),
    Move("on-hold", "accepted", DECIDES, (), "It goes on, accepted"),
    Move("on-hold", "in-progress", DELIVERS, (), "It goes on"),
    Move("on-hold", "rejected", (*DECIDES, OPERATOR), (REASON,), "Declined; or the plan denies"),
    Move("on-hold", "failed", DELIVERS, (REASON,), "It could not be delivered"),
    Move("on-hold", "cancelled", ENDS, (REASON,), "Taken back"),
    # what a file, a load or a child Task tells late: only where it stands now
    *(
        Move(NEW, to, HUB_ALONE, (), "Brought in as it stands: a load, a file")
        for to in ("accepted", "in-progress", "on-hold", "completed", "rejected", "failed", "cancelled")
    ),
    Move("requested", "in-progress", HUB_ALONE, (), "The child Task got there meanwhile"),
    Move("requested", "completed", HUB_ALONE, (ACTIVITY,), "The child Task got there meanwhile"),
    Move("requested", "failed", HUB_ALONE, (REASON,), "The child Task got there meanwhile"),
    Move("on-hold", "completed", HUB_ALONE, (ACTIVITY,), "The child Task got there meanwhile"),
    *(
        Move(source, "requested", HUB_ALONE, (), "The provider has it no more: another is asked")
        for source in ("accepted", "in-progress")
    ),
    Move("in-progress", "accepted", HUB_ALONE, (), "Another provider has accepted"),
    Move("cancelled", "requested", HUB_ALONE, (), "The plan's file names the authorization again"),
    *(
        Move(source, "entered-in-error", (REQUESTER, HUB), (), "It should never have been written")
        for source in ("draft", "requested", "accepted", "on-hold", "in-progress", "rejected", "completed")
    ),
    Move("failed", "entered-in-error", (REQUESTER, HUB), (), "It should never have been written"),
    Move("cancelled", "entered-in-error", (REQUESTER, HUB), (), "It should never have been written"),
)
SAID = {REASON: "a statusReason.text", ACTIVITY: "an output of type resulting-activity with a Procedure"}
WHERE = {REASON: "Task.statusReason.text", ACTIVITY: "Task.output"}
_TABLE = Moves(MOVES, "Task", "referral", OVER, SAID, WHERE)


def move(source: str, to: str) -> Move | None:
    return _TABLE.move(source, to)


def legal(source: str, who: Iterable[str]) -> Iterator[Move]:
    """The moves from a status that one of these parties may make."""
    return _TABLE.legal(source, who)


def issues(before: Node | None, now: Node, who: Iterable[str]) -> list[Issue]:
    """What keeps these parties from this move of a Task; where the status stays, what it must still say."""
    source, to = (before or {}).get("status", NEW), str(now.get("status"))
    parties = frozenset(who)
    if source == to:
        return _stays(before or {}, now, parties)
    if found := _TABLE.refused(source, to, parties):
        return found
    row = _TABLE.move(source, to)
    return _missing(row.needs if row else (), now) if HUB not in parties or source != NEW else []


def _stays(before: Node, now: Node, parties: frozenset[str]) -> list[Issue]:
    """A Task whose status stays as it was may be written on by whoever has a part in it; what was done stays."""
    if not parties:
        return [Issue("business-rule", "Only who has a part in this referral writes its Task", "Task")]
    needs = [REASON] if now.get("status") in ("rejected", "cancelled", "on-hold", "failed") else []
    needs += [ACTIVITY] if now.get("status") == "completed" and any(activities(before)) else []
    return _missing(needs, now) if HUB not in parties else []


def _missing(needs: Iterable[str], now: Node) -> list[Issue]:
    there = {REASON: bool(reason(now)), ACTIVITY: any(activities(now))}
    return _TABLE.missing(needs, str(now.get("status")), there)
