"""What leaves: resources that the predicate let through, as who asked may see them. Every exit comes by here.

Rules: docs/access.md (minimum sets of elements, members of a Group), 42 CFR 2.32 (hub.release: the notice and the
consent travel with every release), https://hl7.org/fhir/R4/security-labels.html (labels of what was raised later
stand on its earlier versions, too), hub.told_labels (of inherited labels, those of targets that are seen).
Refuses: what tells of substance use, is closed, and has a label for which no consent is found any more. It does not
leave.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from hub import clock, release
from hub.access import Access
from hub.earlier import is_theirs
from hub.fhir import json
from hub.fhir.systems import CLOCK_STATE
from hub.rights.labels import SUD_BITS, with_labels
from hub.search.edges import address
from hub.search.values import references
from hub.sight import Sight
from hub.store import consents
from hub.store.read import Stored
from hub.store.sight import glass_is_broken, related
from hub.told_labels import may_inherit, told

ALWAYS_SHOWN = frozenset(("resourceType", "id", "meta"))
META_SHOWN = frozenset(("versionId", "lastUpdated", "profile", "security"))
SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}


@dataclass(slots=True)
class Leaving:
    """The resources of one answer. `relied_on`: the Consents that opened what tells of substance use."""

    rows: list[Stored]
    labels: int = 0
    relied_on: set[str] = field(default_factory=set)

    @property
    def consents(self) -> list[str]:
        """`Consent/<id>` of all of them."""
        return sorted(f"Consent/{each}" for each in self.relied_on)

    def security(self) -> list[dict[str, Any]]:
        """For `Bundle.meta.security`: the Bundle is as sensitive as its entries."""
        return release.bundle_security([self.labels], self.consents) if self.labels else []

    def notices(self) -> list[dict[str, Any]]:
        """The entries of a searchset that must travel with these."""
        return [release.bundle_notice(self.consents)] if release.needs_notice(self.labels, self.consents) else []


def leaving(connection: Connection, access: Access, rows: Sequence[Stored], base: str = "") -> Leaving:
    """The same rows in the same order, with the bodies that may leave; without those that may not any more."""
    sight = access.sight
    if sight.everything:
        return Leaving([_whole(row) for row in rows])
    if not any(row.labels > 0 or row.is_earlier or _is_shaped(sight, row.type) for row in rows):
        return Leaving(list(rows))
    closed: dict[int, int] = {}
    for row in rows:
        if labels := _closed(sight, row):
            closed[row.patient] = closed.get(row.patient, 0) | labels
    relied_on = consents.relied_on(connection, closed, sight, clock.micros(clock.now())) if closed else {}
    less = told(connection, access, rows)
    found = Leaving([])
    for row in rows:
        shut = _closed(sight, row)
        is_open = not shut or consents.opening(relied_on, row.patient, shut)
        if not (is_open or glass_is_broken(connection, sight, row.patient)):  # 42 CFR 2.51
            continue
        if row.is_earlier and not is_theirs(connection, sight, row, base):
            continue
        labels = less.get(row.rid, max(row.labels, 0))
        rests_on = consents.opening(relied_on, row.patient, labels & shut)
        found.labels |= labels
        found.relied_on |= set(rests_on)
        found.rows.append(_shown(connection, sight, row, labels, rests_on, base))
    return found


def one(connection: Connection, access: Access, row: Stored, base: str = "") -> Stored | None:
    """A single resource as it may leave; None where it may not any more."""
    found = leaving(connection, access, [row], base).rows
    return found[0] if found else None


def _whole(row: Stored) -> Stored:
    """For the hub's own jobs: inherited labels do not stand in what is stored."""
    if row.body is None or not may_inherit(row):
        return row
    return replace(row, body=json.write(with_labels(json.stored(row.body), row.labels)))


def _is_shaped(sight: Sight, kind: str) -> bool:
    return kind in sight.elements or (kind == "Group" and not sight.all_patients)


def _closed(sight: Sight, row: Stored) -> int:
    """The labels of substance use that only a consent opens to this caller; none of what is its own."""
    return 0 if sight.own and row.source == sight.own else row.labels & SUD_BITS & sight.guarded


def _shown(
    connection: Connection, sight: Sight, row: Stored, labels: int, relied_on: Sequence[str], base: str
) -> Stored:
    body = row.body
    if body is None:
        return row
    if _is_shaped(sight, row.type):
        body = json.write(_shaped(connection, sight, json.stored(body), base))
    if labels:
        body = release.released(body, labels, [f"Consent/{each}" for each in relied_on])
    return row if body is row.body else replace(row, body=body)


def _shaped(connection: Connection, sight: Sight, content: dict[str, Any], base: str) -> dict[str, Any]:
    kind = content["resourceType"]
    if kind == "Group" and "member" in content:
        content = _with_members(content, members_seen(connection, sight, content["member"], base), base)
    shown = sight.elements.get(kind)
    if shown is None:
        return content
    kept = {name: value for name, value in content.items() if name.removeprefix("_") in shown | ALWAYS_SHOWN}
    # where it came from may tell what it is about
    kept["meta"] = {name: value for name, value in content.get("meta", {}).items() if name in META_SHOWN}
    if kind == "Task" and (stands := _clock_states(content)):
        kept["meta"]["tag"] = stands
    return kept if len(kept) == len(content) else _subsetted(kept)


def _clock_states(task: dict[str, Any]) -> list[Any]:
    """How a clock of a referral stands: the hub alone says that of a Task (hub.referrals.rule)."""
    return [tag for tag in task.get("meta", {}).get("tag", ()) if tag.get("system") == CLOCK_STATE]


def members_seen(connection: Connection, sight: Sight, members: Iterable[Any], base: str) -> Collection[int]:
    patients = {each for member in members for each in member_patients(member, base)}
    return related(connection, sight, patients)


def _with_members(content: dict[str, Any], seen: Collection[int], base: str) -> dict[str, Any]:
    """A Group without the people that the caller has nothing to do with now; its number of members goes, too."""
    kept = [member for member in content["member"] if set(member_patients(member, base)) <= set(seen)]
    if len(kept) == len(content["member"]):
        return content
    rest = {name: value for name, value in content.items() if name not in ("member", "quantity", "text")}
    return _subsetted(rest | ({"member": kept} if kept else {}))


def member_patients(member: Any, base: str) -> list[int]:
    """The address of who a member is; somebody who is no resource here is nobody's."""
    named = references(member.get("entity"), base)
    found = [address(kind, identity) if kind else 0 for kind, identity in named]
    return found or [0]


def _subsetted(content: dict[str, Any]) -> dict[str, Any]:
    meta = content.get("meta", {})
    tags = [*meta.get("tag", ()), SUBSETTED]
    return {**content, "meta": {**meta, "tag": tags}}
