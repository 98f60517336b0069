"""What a commit makes the hub do for an enrolment: a row of the outbox, in the commit's own transaction. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hub import outbox
from hub.ecm.reassessment import is_assessment, plans_assessment
from hub.ecm.terms import is_enrolment
from hub.referrals.terms import target
from hub.transactions import Change

ENROLMENT, ALARM = "ecm-enrolment", "ecm-clock"  # kinds of work


def effects(changes: Sequence[Change]) -> Iterator[Mapping[str, Any]]:
    """A row for each of these changes that a member's clock depends on."""
    for change in changes:
        versions: list[Mapping[str, Any]] = [one for one in (change.before, change.now) if one]
        if change.type == "EpisodeOfCare" and any(map(is_enrolment, versions)):
            yield _row(change, {"episode": change.id}, f"EpisodeOfCare/{change.id}")
        elif any(map(plans_assessment, versions)) or any(map(is_assessment, versions)):
            yield from _of_member(change, versions)


def _of_member(change: Change, versions: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for patient in sorted({target(one.get("subject")) for one in versions} - {""}):
        yield _row(change, {"about": patient}, None)


def _row(change: Change, payload: Mapping[str, Any], line: str | None) -> Mapping[str, Any]:
    key = f"{change.type}/{change.id}|{change.version}|{payload.get('about', '')}"
    return outbox.row(ENROLMENT, key, payload, change.at, line)


def alarm(episode: str, at: int) -> Mapping[str, Any]:
    """A row to look at an enrolment's clock when it changes by itself, in microseconds."""
    return outbox.row(ALARM, f"EpisodeOfCare/{episode}|{at}", {"episode": episode, "at": at}, at)
