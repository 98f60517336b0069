"""The review queue: a Task for each pair that a person has to look at, and what becomes of its answer.

Rules: docs/identity.md "Review"; https://hl7.org/fhir/R4/task.html. A Task with the code `identity-review` belongs
to nobody but the operators (hub.rights.facts); it names both Patients and the evidence, never what a source said.
Who completes it with the output `link` or `distinct` has decided: the worker does it, in the name of that person.
Where two persons must agree (HUB_IDENTITY_REVIEWERS) to a link, the Task is open again until another one says so.
Refuses: an answer that is neither, and one that cannot be done: the Task is open again and says why.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from hub import clock, outbox
from hub.access import Access
from hub.fhir import json
from hub.fhir.systems import OWN
from hub.identity import events, former, pairs, persons
from hub.identity.apart import distinct
from hub.identity.chosen import current
from hub.identity.desk import Desk, Registry
from hub.identity.merge import merge
from hub.identity.pairs import Pair
from hub.identity.unmerge import Unmerged
from hub.problems import Problem
from hub.rights.facts import REVIEW, is_review
from hub.store import read
from hub.transactions import Change, single

SYSTEM = OWN + "CodeSystem/identity"
DECIDED = "identity-decision"
LINK, DISTINCT = "link", "distinct"
SECOND = "One person has said link; another one must agree"
Resource = dict[str, Any]


def task(identity: str, patients: Sequence[str], because: str, now: int, names: Sequence[str] = ()) -> Resource:
    """`patients`: who might remain comes first. `names`: other resources to be looked at."""
    others = patients[1:]
    asked = [("candidate", f"Patient/{each}") for each in others] + [("look-at", each) for each in names]
    return {
        "resourceType": "Task",
        "id": identity,
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": SYSTEM, "code": REVIEW}]},
        "description": because[:1000] or "Are these one person?",
        **({"focus": {"reference": f"Patient/{patients[0]}"}} if patients else {}),
        "authoredOn": clock.instant(now),
        **({"input": [_input(*each) for each in asked]} if asked else {}),
    }


def _input(kind: str, reference: str) -> Resource:
    return {"type": _type(kind), "valueReference": {"reference": reference}}


def _type(code: str) -> Resource:
    return {"coding": [{"system": SYSTEM, "code": code}]}


def effects(changes: Iterable[Change]) -> Iterable[Mapping[str, Any]]:
    """An outbox row for each review that was completed."""
    for change in changes:
        if change.now is not None and is_review(change.now) and _is_completed(change):
            key = f"{change.id}/{change.version}"
            yield outbox.row(DECIDED, key, {"task": change.id, "who": change.who}, change.at)


def _is_completed(change: Change) -> bool:
    was = (change.before or {}).get("status")
    return (change.now or {}).get("status") == "completed" and was != "completed"


@dataclass(frozen=True, slots=True)
class Asking:
    """The worker's handler for pairs that want a Task."""

    registry: Registry

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        self.registry.decide(lambda desk: _ask(desk, work.payload))
        return outbox.Done()


def _ask(desk: Desk, payload: Mapping[str, Any]) -> None:
    pair = pairs.find(desk.connection, payload["one"], payload["other"])
    if pair is None or pair.state != pairs.IN_REVIEW or pair.task:
        return
    found = {one.person: one.patient for one in persons.several(desk.connection, (pair.low, pair.high))}
    named = [found[each] for each in (payload["other"], payload["one"]) if found.get(each)]
    if not named:
        return
    identity = str(uuid5(NAMESPACE_URL, f"{OWN}identity-review/{pair.low}/{pair.high}/{pair.event}"))
    made = task(identity, list(dict.fromkeys(named)), payload.get("because", ""), desk.now)
    desk.transactions.commit([single("PUT", "Task", id=identity, resource=made)], Access.system("identity review"))
    pairs.asked(desk.connection, pair, identity)


def lost_task(desk: Desk, done: Unmerged) -> None:
    """What nobody could put back after an unmerge, a person looks at."""
    if not done.lost:
        return
    identity = str(uuid5(NAMESPACE_URL, f"{OWN}identity-lost/{done.event}"))
    because = "Edited after the merge: whose are these?"
    made = task(identity, [done.holder, done.patient], because, desk.now, done.lost)
    desk.transactions.commit([single("PUT", "Task", id=identity, resource=made)], Access.system("identity review"))


@dataclass(frozen=True, slots=True)
class Deciding:
    """The worker's handler for reviews that were completed."""

    registry: Registry

    def __call__(self, work: outbox.Work) -> outbox.Outcome:
        try:
            self.registry.decide(lambda desk: _decided(desk, work.payload["task"], work.payload["who"]))
        except Problem as problem:
            if problem.kind == "busy":
                raise
            why = problem.issues[0].message
            self.registry.decide(lambda desk: _reopened(desk, work.payload["task"], why))
        return outbox.Done()


def _decided(desk: Desk, identity: str, who: str) -> None:
    pair = pairs.of_task(desk.connection, identity)
    if pair is None or pair.state != pairs.IN_REVIEW:
        return
    found = read.current(desk.connection, Access.system("identity review"), "Task", identity)
    answer = _answer(json.stored(found.body) if found and found.body else {})
    if answer not in _ANSWERS:
        raise Problem("business-rule", "The output says neither link nor distinct", "Task.output")
    if answer == LINK and current().reviewers > 1 and pair.agreed in ("", who[:160]):
        pairs.agree(desk.connection, pair, who)
        _reopened(desk, identity, SECOND)
        return
    _ANSWERS[answer](desk, pair, who)


def _answer(content: Mapping[str, Any]) -> str:
    for output in content.get("output", ()):
        said = output.get("valueCode") or output.get("valueString")
        for coding in output.get("valueCodeableConcept", {}).get("coding", ()):
            said = said or coding.get("code")
        if said in _ANSWERS:
            return str(said)
    return ""


def _link(desk: Desk, pair: Pair, who: str) -> None:
    """The one who was there first remains."""
    found = sorted(persons.several(desk.connection, (pair.low, pair.high)), key=lambda one: one.person)
    evidence = {"review": pair.task} | ({"first": pair.agreed} if pair.agreed else {})
    remains, goes = (former.member_of(desk.connection, one.patient) if one.patient else "" for one in found)
    if remains and goes and remains != goes:
        merge(desk, remains, goes, who, evidence)
    elif remains or goes:  # one of them waits for a member
        persons.link(desk.connection, [one.person for one in found], remains or goes)
        events.add(desk.connection, desk.now, events.LINK, who, survivor=remains or goes,
                   persons=[one.person for one in found], evidence=evidence)  # fmt: skip
    pairs.remove(desk.connection, pair)


def _distinct(desk: Desk, pair: Pair, who: str) -> None:
    distinct(desk, pair.low, pair.high, who, {"review": pair.task})


_ANSWERS = {LINK: _link, DISTINCT: _distinct}


def _reopened(desk: Desk, identity: str, why: str) -> None:
    access = Access.system("identity review")
    found = read.current(desk.connection, access, "Task", identity)
    if found is None or not found.body:
        return
    content = json.stored(found.body) | {"status": "requested", "statusReason": {"text": why[:200]}}
    content.pop("output", None)
    desk.transactions.commit([single("PUT", "Task", id=identity, resource=content, if_match=found.version)], access)
