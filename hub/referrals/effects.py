"""What a commit makes the hub do for a referral: a row of the outbox, in the commit's own transaction.

Pure. What hangs on one referral stands in one line: it is done one after the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hub import outbox
from hub.fhir.systems import ASSESSMENT, REPORTED
from hub.referrals.terms import NOTICE, codes, is_clock, is_referral, target
from hub.transactions import Change

REFERRAL, CLOCKS, NOTIFY = "referral", "referral-clocks", "referral-notice"  # kinds of work


def effects(changes: Sequence[Change]) -> Iterator[Mapping[str, Any]]:
    """A row for each of these changes that matters to a referral."""
    for change in changes:
        if change.type == "Task" and _matters(change):
            yield _row(change, {"task": _root(change)})
        elif change.type == "ServiceRequest" and _is_asked_anew(change):
            yield _row(change, {"about": f"ServiceRequest/{change.id}"})
        elif change.type == "Communication" and codes((change.now or {}).get("topic"), NOTICE):
            yield from _of_notice(change)
        elif change.type == "Procedure" and (patient := _was_assessed(change)):
            yield _row(change, {"about": patient})


def _row(change: Change, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    line = f"Task/{payload['task']}" if "task" in payload else None
    return outbox.row(REFERRAL, f"{change.type}/{change.id}|{change.version}", payload, change.at, line)


def _is_asked_anew(change: Change) -> bool:
    """Its labels may have risen: what was made of it follows. It may name somebody else, or be in force by now."""
    return change.before is not None and _asks(change.before) != _asks(change.now or {})


def _asks(request: Mapping[str, Any]) -> Any:
    return request.get("meta", {}).get("security"), request.get("performer"), request.get("status")


def _of_notice(change: Change) -> Iterator[Mapping[str, Any]]:
    """A new one has to leave, and one that a person wants sent again; one that has left may stop a clock."""
    now: Mapping[str, Any] = change.now or {}
    before = (change.before or {}).get("status")
    if now.get("status") == "preparation" != before:
        key = f"Communication/{change.id}" + (f"|{change.version}" if change.before else "")
        yield outbox.row(NOTIFY, key, {"id": change.id}, change.at)
    has_left = now.get("status") == "completed" != before
    if has_left and (root := root_of(now)):
        yield _row(change, {"task": root})


def _was_assessed(change: Change) -> str:
    now: Mapping[str, Any] = change.now or {}
    return target(now.get("subject")) if ASSESSMENT in codes(now.get("code"), REPORTED) else ""


def alarm(task: str, at: int) -> Mapping[str, Any]:
    """A row to look at a referral's clocks when one of them changes by itself, in microseconds."""
    return outbox.row(CLOCKS, f"Task/{task}|{at}", {"task": task, "at": at}, at)


def _matters(change: Change) -> bool:
    versions = (change.before, change.now)
    return any(map(is_referral, versions)) and not any(map(is_clock, versions))


def _root(change: Change) -> str:
    """The id of the referral that a Task is part of: its own, where it is part of none."""
    return root_of(change.now or change.before or {}) or change.id


def root_of(task: Mapping[str, Any]) -> str:
    parts: Iterable[Any] = task.get("partOf", ())
    named = (target(one).split("/") for one in parts)
    return next((words[-1] for words in named if len(words) > 1 and words[-2] == "Task"), "")
