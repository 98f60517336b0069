"""What a commit says of somebody who was merged into another Patient goes to the one who remains.

Rules: docs/identity.md; https://hl7.org/fhir/R4/patient.html#links. A reference to a former Patient is
rewritten and remembered with its merge, so that taking the merge back takes it along. The links of a merge are
the hub's: an update of the Patient who remains keeps them.
Refuses (`conflict`): updates and deletions of a former Patient, and the deletion of one into whom others were
merged. Where nobody was ever merged, nothing is asked and nothing is looked at.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from hub.fhir.criteria_places import words
from hub.fhir.reference_places import Place, places, with_texts
from hub.problems import Problem
from hub.resolution import Content
from hub.rights.facts import is_review
from hub.search import merged
from hub.search.values import reference_of
from hub.store.conditions import Identity
from hub.store.engine import Overtaken
from hub.store.merges import Former, former_of, remember
from hub.versions import Change, Target

Resource = dict[str, Any]
REPLACES, REPLACED_BY = "replaces", "replaced-by"
NOT_REWRITTEN = ("AuditEvent",)


class _Moved(NamedTuple):
    identity: Identity
    event: int
    pointer: str
    before: str


class Members:
    """For one commit. Without `lock` a rewriting raises Overtaken; `merging`: the hub itself merges, and knows."""

    def __init__(self, connection: Connection, base: str, lock: bool, merging: bool):
        self._connection = connection
        self._base = base
        self._lock = lock
        self._merging = merging
        self._moved: list[_Moved] = []
        self._rows: list[dict[str, Any]] = []

    def led(self, contents: Sequence[Content], held: Collection[Identity]) -> list[Content]:
        """The same contents, about who people are now. Raises Problem."""
        if self._merging or not merged.are_there():
            return list(contents)
        found = [list(movable(resource, self._base)) if resource else [] for _, resource in contents]
        written = [t.identity[1] for t, _ in contents if t.identity and t.identity[0] == "Patient" and not t.found]
        named = {patient for each in found for _, patient in each}
        former = former_of(self._connection, named.union(written), written)
        if not former:
            return list(contents)
        by_id = {each.id: each for each in former}
        return [
            (target, self._led(target, resource, each, by_id, held))
            for (target, resource), each in zip(contents, found, strict=True)
        ]

    def _led(
        self,
        target: Target,
        resource: Resource | None,
        found: Iterable[tuple[Place, str]],
        former: Mapping[str, Former],
        held: Collection[Identity],
    ) -> Resource | None:
        if target.identity is None or target.found is not None:
            return resource
        if target.identity[0] == "Patient" and target.identity in held:
            _refuse(target, former)
        if resource is None:
            return None
        texts: dict[str, str] = {}
        for place, patient in found:
            if patient in former:
                texts[place.pointer] = f"Patient/{former[patient].member}"
                self._moved.append(_Moved(target.identity, former[patient].event, place.pointer, place.text))
        if texts and not self._lock:
            raise Overtaken
        return with_links(with_texts(resource, texts), target.identity, former.values())

    def settle(self, changes: Iterable[tuple[int, Change]]) -> None:
        """What is to be remembered of what is really written: row number and change."""
        by_identity = {(change.type, change.id): (rid, change.version) for rid, change in changes}
        for moved in self._moved:
            if moved.identity in by_identity:
                rid, version = by_identity[moved.identity]
                row = {"event": moved.event, "rid": rid, "pointer": moved.pointer, "before": moved.before}
                self._rows.append(row | {"version": version})

    def store(self) -> None:
        if self._rows:
            remember(self._connection, self._rows)


def _refuse(target: Target, former: Mapping[str, Former]) -> None:
    """Raises Problem where somebody writes who is not there any more, or deletes whom others have become."""
    identity = target.identity[1] if target.identity else ""
    if identity in former:
        where = f"Patient/{former[identity].member}"
        raise Problem("conflict", f"This Patient was merged: it is {where} now", "Patient.link")
    if target.entry.method == "DELETE" and any(each.member == identity for each in former.values()):
        raise Problem("conflict", "Others were merged into this Patient; unmerge them first", "Patient.link")


def movable(resource: Resource, base: str) -> Iterator[tuple[Place, str]]:
    """Every reference to a Patient of this hub that a merge rewrites, with the Patient's id."""
    if resource["resourceType"] in NOT_REWRITTEN or is_review(resource) or _is_signed(resource):
        return
    for place, said in _said(resource):
        kind, identity = reference_of(said, base)
        if kind == "Patient" and not _is_of_a_merge(resource, place.pointer):
            yield place, identity


def _said(resource: Resource) -> Iterator[tuple[Place, str]]:
    """Each place, with the reference that it means."""
    yield from ((place, place.text) for place in places(resource))
    if resource["resourceType"] == "Subscription":
        yield from ((Place(word.pointer, word.text), word.said) for word in words(resource))


def _is_signed(resource: Resource) -> bool:
    """A document that somebody signed: one letter more, and it is signed no more."""
    return resource["resourceType"] == "Bundle" and "signature" in resource


def _is_of_a_merge(resource: Resource, pointer: str) -> bool:
    if resource["resourceType"] != "Patient" or not pointer.startswith("/link/"):
        return False
    return resource["link"][int(pointer.split("/")[2])].get("type") in (REPLACES, REPLACED_BY)


def with_links(resource: Resource, identity: Identity, former: Iterable[Former]) -> Resource:
    """A Patient keeps the links to those who were merged into it."""
    if identity[0] != "Patient":
        return resource
    there = {_link(each) for each in resource.get("link", ())}
    mine = sorted(each.id for each in former if each.member == identity[1])
    lacking = [
        {"other": {"reference": f"Patient/{each}"}, "type": REPLACES}
        for each in mine
        if (REPLACES, f"Patient/{each}") not in there
    ]
    return {**resource, "link": [*resource.get("link", ()), *lacking]} if lacking else resource


def _link(node: Mapping[str, Any]) -> tuple[Any, Any]:
    return node.get("type"), node.get("other", {}).get("reference")
