"""Topics of every type from a write to a notice: whose they are, what filters hold, and what nobody may learn of.

Two worlds that differ in what a subscriber may not see bring it the same notices, with the same numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub.access import Access
from hub.notifications.fan_out import FanOut
from hub.notifications.looking import Looking
from hub.notifications.topics import GRAVITY, OURS, PANEL, ROWS, Topic
from hub.rights.facts import client_number
from hub.sight import OWNED
from hub.sight import PANEL as BY_PANEL
from tests.hub.notifications.conftest import BASE, SmallHub, encounter
from tests.hub.sighted import HARBOR, caller, labelled, panel, to
from tests.hub.sighted_world import agreed

OWNER = "client-lantern"
TASK = f"{GRAVITY}Task"
Resource = dict[str, Any]
EXAMPLE: dict[str, Callable[[Resource], Resource]] = {
    "Encounter": lambda whose: {"status": "in-progress", "class": {"code": "IMP"}, "subject": whose},
    "Task": lambda whose: {"status": "requested", "intent": "order", "for": whose},
    "ServiceRequest": lambda whose: {"status": "active", "intent": "order", "subject": whose},
    "CarePlan": lambda whose: {"status": "active", "intent": "plan", "subject": whose},
    "CareTeam": lambda whose: {"status": "active", "subject": whose},
    "Coverage": lambda whose: {"status": "active", "beneficiary": whose, "payor": [to("Organization", "plan")]},
}


def example(kind: str, patient: str, identity: str, *codes: str, **more: Any) -> Resource:
    made = {"resourceType": kind, "id": identity, **EXAMPLE[kind](to("Patient", patient)), **more}
    return made | ({"meta": labelled(*codes)} if codes else {})


def changed(hub: SmallHub, made: Resource, status: str) -> None:
    """It is written twice: some topics tell of updates only."""
    hub.put(made)
    hub.wait(milliseconds=5)
    hub.put(made | {"status": status})
    hub.wait(milliseconds=5)
    hub.drive()


AFTERWARDS = {"Encounter": "onleave", "Coverage": "cancelled", "CareTeam": "inactive"}
TOLD = [row for row in ROWS if row.type in EXAMPLE and row.url in (TASK, f"{GRAVITY}Servicerequest")] + [
    row for row in ROWS if row.url in (f"{OURS}encounter-admission", f"{OURS}careplan", f"{OURS}careteam")
]
TOLD += [row for row in ROWS if row.url == f"{OURS}coverage"]


def focuses(hub: SmallHub) -> list[str]:
    """The resources that notices named, in order, with their numbers."""
    found = []
    for got in hub.receiver.received:
        for entry in got.bundle["entry"][1:]:
            found.append(
                f"{got.parameters['events-since-subscription-start']} {entry['fullUrl'].rpartition('/')[2]}"
            )
    return found


@dataclass
class Lantern:
    hub: SmallHub
    callers: dict[str, Access]


@pytest.fixture
def lantern(hub: SmallHub) -> Lantern:
    """`seen` is in the client's panel and agreed to HIV; `other` is in nobody's."""
    holders = (HARBOR, client_number(OWNER))
    callers = {OWNER: caller(OWNER, own=0, holders=holders, kinds=BY_PANEL | OWNED)}
    look = Looking(hub.database, callers.get, BASE)
    hub.handlers |= replace(hub.deliveries, look=look).handlers()
    hub.handlers["event"] = FanOut(hub.database, look, BASE, hub.now)
    for identity in ("seen", "other"):
        hub.put({"resourceType": "Patient", "id": identity})
    hub.put(panel("seen"))
    return Lantern(hub, callers)


@pytest.mark.parametrize("topic", TOLD, ids=lambda topic: topic.url.rpartition("/")[2])
def test_each_topic_tells_of_members_of_a_panel_and_of_nobody_else(lantern: Lantern, topic: Topic) -> None:
    hub, kind = lantern.hub, topic.type
    hub.subscribe(topic=topic.url, filters=(f"{kind}?{PANEL}=Group/panel",))
    for whose in ("other", "seen"):
        changed(hub, example(kind, whose, f"x-{whose}"), AFTERWARDS.get(kind, "completed"))
    told = {name.partition(" ")[2] for name in focuses(hub)}
    assert told == {"x-seen"}


@pytest.mark.parametrize("topic", TOLD, ids=lambda topic: topic.url.rpartition("/")[2])
def test_each_topic_is_filtered_by_member(lantern: Lantern, topic: Topic) -> None:
    hub, kind = lantern.hub, topic.type
    hub.put(panel("seen", "other"))
    hub.subscribe(topic=topic.url, filters=(f"{kind}?patient=Patient/seen",))
    for whose in ("other", "seen"):
        changed(hub, example(kind, whose, f"x-{whose}"), AFTERWARDS.get(kind, "completed"))
    assert {name.partition(" ")[2] for name in focuses(hub)} == {"x-seen"}


@pytest.mark.parametrize("topic", TOLD, ids=lambda topic: topic.url.rpartition("/")[2])
@pytest.mark.parametrize(
    "hidden",
    [("other",), ("seen", "HIV"), ("seen", "PSYTHPN")],
    ids=["of a stranger", "without consent", "never"],
)
def test_what_is_hidden_takes_no_number(lantern: Lantern, topic: Topic, hidden: tuple[str, ...]) -> None:
    """The world with the hidden resource and the world without it bring the same."""
    hub, kind = lantern.hub, topic.type
    hub.subscribe(topic=topic.url)
    after = AFTERWARDS.get(kind, "completed")
    changed(hub, example(kind, hidden[0], "x-hidden", *hidden[1:]), after)
    assert focuses(hub) == []
    changed(hub, example(kind, "seen", "x-seen"), after)
    assert focuses(hub)[0] == "1 x-seen"
    assert not any(b"x-hidden" in got.body for got in hub.receiver.received)


def test_what_a_consent_opens_is_told(lantern: Lantern) -> None:
    """Else a hub that tells nothing of what is labelled would pass."""
    lantern.hub.put(agreed("seen", "HIV"))
    lantern.hub.subscribe(topic=TASK)
    changed(lantern.hub, example("Task", "seen", "x-1", "HIV"), "accepted")
    assert focuses(lantern.hub) == ["1 x-1", "2 x-1"]


def _shows(lantern: Lantern, *elements: str) -> None:
    few = {"Task": frozenset(("resourceType", "id", "meta", "status", "intent", "for", *elements))}
    lantern.callers[OWNER] = caller(
        OWNER, own=0, holders=(HARBOR, client_number(OWNER)), kinds=BY_PANEL | OWNED, elements=few
    )


def test_a_change_of_what_is_not_shown_is_not_told(lantern: Lantern) -> None:
    hub, made = lantern.hub, example("Task", "seen", "x-1", description="an invented note")
    _shows(lantern)
    hub.subscribe(topic=TASK, content="full-resource")
    hub.put(made)
    hub.wait(milliseconds=5)
    hub.put(made | {"description": "another invented note"})
    hub.wait(milliseconds=5)
    without = {name: value for name, value in made.items() if name != "description"}
    hub.put(without)
    hub.wait(milliseconds=5)
    hub.drive()
    assert focuses(hub) == ["1 x-1"]
    assert not any(b"invented note" in got.body for got in hub.receiver.received)
    hub.put(without | {"status": "accepted"})
    hub.drive()
    assert focuses(hub) == ["1 x-1", "2 x-1"]


def test_a_filter_by_what_is_not_shown_holds_for_nothing(lantern: Lantern) -> None:
    hub = lantern.hub
    _shows(lantern)
    hub.subscribe(topic=TASK, filters=("Task?owner=Organization/harbor",))
    changed(hub, example("Task", "seen", "x-1", owner=to("Organization", "harbor")), "accepted")
    assert focuses(hub) == []
    _shows(lantern, "owner")
    changed(hub, example("Task", "seen", "x-2", owner=to("Organization", "harbor")), "accepted")
    assert {name.partition(" ")[2] for name in focuses(hub)} == {"x-2"}


def test_a_deletion_is_told_without_content(lantern: Lantern) -> None:
    hub = lantern.hub
    hub.put(example("CarePlan", "seen", "x-1", title="an invented plan"))
    hub.subscribe(topic=f"{OURS}careplan", content="full-resource")
    hub.delete("CarePlan", "x-1")
    hub.wait(milliseconds=5)
    hub.drive()
    got = hub.receiver.received[-1]
    (entry,) = got.bundle["entry"][1:]
    assert entry["request"] == {"method": "DELETE", "url": "CarePlan/x-1"}
    assert "resource" not in entry
    assert b"invented plan" not in got.body


def test_a_deletion_of_what_is_hidden_is_not_told(lantern: Lantern) -> None:
    hub = lantern.hub
    hub.put(example("CarePlan", "seen", "x-1", "HIV"))
    hub.put(example("CarePlan", "other", "x-2"))
    hub.subscribe(topic=f"{OURS}careplan")
    for identity in ("x-1", "x-2"):
        hub.delete("CarePlan", identity)
    hub.wait(milliseconds=5)
    hub.drive()
    assert focuses(hub) == []


@pytest.mark.parametrize("marked", ["", "HIV"])
def test_a_revoked_consent_is_told_to_who_could_read_it(lantern: Lantern, marked: str) -> None:
    """One that names what is guarded is guarded itself, and opens itself: test_revoked_consent.py."""
    hub = lantern.hub
    hub.put(agreed("seen", marked))
    hub.subscribe(topic=f"{OURS}consent-revoked")
    hub.put(agreed("seen", marked, status="inactive"))
    hub.wait(milliseconds=5)
    hub.drive()
    assert len(focuses(hub)) == 1


def test_an_encounter_is_no_event_of_another_types_topic(lantern: Lantern) -> None:
    hub = lantern.hub
    hub.subscribe(topic=TASK)
    hub.put(encounter("enc-1", "seen"))
    hub.drive()
    assert focuses(hub) == []
