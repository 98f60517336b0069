"""The index of Subscriptions finds what a look at each of them finds, and looks at few."""

import random
from typing import Any

import pytest

from hub.notifications import filters
from hub.notifications.matching import Asked, asked_for
from hub.notifications.subscriptions import Subscription, subscription
from hub.notifications.topics import GRAVITY, OURS
from tests.hub.notifications.conftest import BASE, wanted

TASK = f"{GRAVITY}Task"
PATIENTS = [f"pat-{number}" for number in range(6)]
GROUPS = [f"panel-{number}" for number in range(4)]


def asked(identity: str, *texts: str, topic: str = TASK) -> Subscription:
    made = wanted("https://receiver.example/hook", identity, topic=topic, filters=texts)
    return subscription({**made, "status": "active", "meta": {"versionId": "1"}}, BASE)


def task(patient: str, owner: str = "Organization/a", **more: Any) -> dict[str, Any]:
    usual = {"resourceType": "Task", "id": "t-1", "status": "requested", "intent": "order"}
    return {**usual, "for": {"reference": f"Patient/{patient}"}, "owner": {"reference": owner}, **more}


def names(index: Asked, resource: dict[str, Any], panels: frozenset[str]) -> set[str]:
    found = index.candidates(resource, panels, BASE).values()
    return {one.id for one in found if filters.holds(one.filters, resource, panels, BASE)}


def brute(every: list[Subscription], resource: dict[str, Any], panels: frozenset[str]) -> set[str]:
    return {one.id for one in every if filters.holds(one.filters, resource, panels, BASE)}


CONDITIONS = [
    *(f"Task?patient=Patient/{patient}" for patient in PATIENTS),
    f"Task?patient={PATIENTS[0]},Patient/{PATIENTS[1]}",
    f"Task?patient={BASE}/Patient/{PATIENTS[2]}",
    *(f"Task?panel=Group/{group}" for group in GROUPS),
    f"Task?panel=Group/{GROUPS[0]},Group/{GROUPS[1]}",
    "Task?owner=Organization/a",
    "Task?owner=Organization/b,Organization/c",
    "Task?requester=https://elsewhere.example/fhir/Organization/far",
    "Task?status=requested",
    "Task?status=completed&owner=Organization/a",
]
OWNERS = ["Organization/a", "Organization/c", f"{BASE}/Organization/b", "https://elsewhere.example/x/1"]
FAR = {"requester": {"reference": "https://elsewhere.example/fhir/Organization/far"}}


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_what_a_look_at_each_finds(seed: int) -> None:
    chance = random.Random(seed)
    every = [asked(f"s-{n}", *chance.sample(CONDITIONS, chance.randint(0, 3))) for n in range(150)]
    index = asked_for(every)
    found = 0
    for _ in range(60):
        more = FAR if chance.random() < 0.3 else {}
        resource = task(chance.choice(PATIENTS), chance.choice(OWNERS), **more)
        panels = frozenset(chance.sample(GROUPS, chance.randint(0, 2)))
        told = names(index, resource, panels)
        assert told == brute(every, resource, panels)
        found += len(told)
    assert found > 100


def test_an_event_of_one_member_looks_at_few_of_ten_thousand() -> None:
    by_member = [asked(f"m-{n}", f"Task?patient=Patient/p-{n}") for n in range(8_000)]
    by_panel = [asked(f"g-{n}", f"Task?panel=Group/g-{n % 500}") for n in range(2_000)]
    index = asked_for([*by_member, *by_panel, asked("all"), asked("status", "Task?status=requested")])
    assert len(index) == 10_002
    found = index.candidates(task("p-17"), frozenset(("g-3",)), BASE)
    assert len(found) == 1 + 4 + 2
    assert {"m-17", "g-3", "g-503", "all", "status"} <= found.keys()


def test_what_is_found_by_id_is_found() -> None:
    one = asked("by-id", "Patient?_id=pat-1,pat-2", topic=f"{OURS}member-merged")
    index = asked_for([one])
    patient = {"resourceType": "Patient", "id": "pat-2"}
    assert names(index, patient, frozenset()) == {"by-id"}
    assert names(index, patient | {"id": "pat-3"}, frozenset()) == set()


def test_panels_and_what_is_silent_are_known_without_a_look_at_each() -> None:
    index = asked_for([asked("one", "Task?panel=Group/a,Group/b"), asked("two", "Task?panel=Group/c")])
    assert index.groups == {"a", "b", "c"}
    assert index.silent == frozenset()
