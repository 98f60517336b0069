"""Who has to do with a patient, from when until when: each fact that opens it, and each that does not."""

from copy import deepcopy
from typing import Any

import pytest

from hub.rights.directory import DIRECTORY
from hub.rights.relations import TYPES, Relation, relations_of, without_own
from hub.search.compartments import member_types
from hub.search.edges import address
from hub.search.values import FOREVER, NEVER, date_range
from hub.sight import COVERAGE, EPISODE, NAMED, PANEL, PROXY, REFERRAL, TEAM

BASE = "https://hub.example/fhir"
MARCH = {"start": "2026-03-01", "end": "2026-03-31"}
MODIFIER = [{"url": "https://elsewhere.invalid/not", "valueBoolean": True}]


def at(day: str, end: bool = False) -> int:
    found = date_range(day)
    assert found
    return found[end]


IN_MARCH = at("2026-03-01"), at("2026-03-31", end=True)


def ref(text: str) -> dict[str, str]:
    return {"reference": text}


ANN, BEN = ref("Patient/ann"), ref("Patient/ben")
HARBOR, NURSE = ref("Organization/harbor"), ref("Practitioner/nurse")


def row(holder: str, kind: int, low: int = NEVER, high: int = FOREVER, patient: str = "ann") -> Relation:
    holder_type, _, identity = holder.partition("/")
    return address("Patient", patient), address(holder_type, identity), kind, low, high


def group(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Group",
        "id": "panel",
        "type": "person",
        "actual": True,
        "managingEntity": HARBOR,
        "member": list(members) or [{"entity": ANN}],
    } | more


def team(*participants: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "CareTeam",
        "id": "team",
        "status": "active",
        "subject": ANN,
        "participant": list(participants) or [{"member": HARBOR}],
    } | more


def task(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "id": "t",
        "status": "accepted",
        "intent": "order",
        "for": ANN,
        "owner": HARBOR,
    } | more


def request(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "subject": ANN,
        "performer": [HARBOR],
    } | more


def coverage(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Coverage", "id": "c", "status": "active", "beneficiary": ANN, "payor": [HARBOR]} | more


def episode(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "EpisodeOfCare",
        "id": "e",
        "status": "active",
        "patient": ANN,
        "managingOrganization": HARBOR,
    } | more


def related(**more: Any) -> dict[str, Any]:
    return {"resourceType": "RelatedPerson", "id": "mum", "patient": ANN} | more


# a resource, and the relation that it opens
OPENS: dict[str, tuple[dict[str, Any], set[Relation]]] = {
    "a member of a Group": (group(), {row("Organization/harbor", PANEL)}),
    "members from when until when": (
        group({"entity": ANN, "period": MARCH, "inactive": False}, {"entity": BEN}),
        {row("Organization/harbor", PANEL, *IN_MARCH), row("Organization/harbor", PANEL, patient="ben")},
    ),
    "a Group that says it is active": (group(active=True), {row("Organization/harbor", PANEL)}),
    "a Group of a practitioner": (group(managingEntity=NURSE), {row("Practitioner/nurse", PANEL)}),
    "a participant": (team(), {row("Organization/harbor", TEAM)}),
    "participants of each kind": (
        team({"member": NURSE}, {"member": ref("PractitionerRole/night")}, {"member": ref("RelatedPerson/mum")}),
        {row("Practitioner/nurse", TEAM), row("PractitionerRole/night", TEAM)},
    ),
    "the managing organization of a team": (
        team({"member": ANN}, managingOrganization=[HARBOR], period=MARCH),
        {row("Organization/harbor", TEAM, *IN_MARCH)},
    ),
    "a participant inside the time of the team": (
        team({"member": NURSE, "period": {"start": "2026-02-01", "end": "2026-03-10"}}, period=MARCH),
        {row("Practitioner/nurse", TEAM, at("2026-03-01"), at("2026-03-10", end=True))},
    ),
    "an owner": (task(), {row("Organization/harbor", REFERRAL)}),
    "an owner while it may": (
        task(restriction={"period": MARCH}, executionPeriod={"start": "2026-03-05"}),
        {row("Organization/harbor", REFERRAL, at("2026-03-05"), IN_MARCH[1])},
    ),
    "a performer": (
        request(performer=[HARBOR, NURSE]),
        {row(who, kind) for who in ("Organization/harbor", "Practitioner/nurse") for kind in (REFERRAL, NAMED)},
    ),
    "a performer for a time": (
        request(occurrencePeriod=MARCH, status="on-hold"),
        {row("Organization/harbor", kind, *IN_MARCH) for kind in (REFERRAL, NAMED)},
    ),
    "a payor": (coverage(), {row("Organization/harbor", COVERAGE)}),
    "a payor for a time": (coverage(period=MARCH), {row("Organization/harbor", COVERAGE, *IN_MARCH)}),
    "an episode": (
        episode(period=MARCH, careManager=NURSE),
        {row("Organization/harbor", EPISODE, *IN_MARCH), row("Practitioner/nurse", EPISODE, *IN_MARCH)},
    ),
    "a proxy": (related(period=MARCH, active=True), {row("RelatedPerson/mum", PROXY, *IN_MARCH)}),
    "references with this hub's own address": (
        task(**{"for": ref(f"{BASE}/Patient/ann"), "owner": ref(f"{BASE}/Organization/harbor/_history/2")}),
        {row("Organization/harbor", REFERRAL)},
    ),
}


@pytest.mark.parametrize("what", OPENS)
def test_a_fact_opens_a_relation(what: str) -> None:
    resource, rows = OPENS[what]
    assert relations_of(resource, BASE) == rows


# what stands elsewhere, is over, was never in force, or cannot be told
OPENS_NOTHING: dict[str, dict[str, Any]] = {
    "inactive member": group({"entity": ANN, "inactive": True}),
    "member of whom nobody can tell": group({"entity": ANN, "_inactive": {"extension": []}}),
    "inactive Group": group(active=False),
    "Group by characteristics": group(actual=False),
    "Group of devices": group(type="device"),
    "Group of nobody": group(managingEntity=None),
    "Group managed by a relative": group(managingEntity=ref("RelatedPerson/mum")),
    "member that is a Group": group({"entity": ref("Group/other")}),
    "Group with a modifier": group(modifierExtension=MODIFIER),
    "member with a modifier": group({"entity": ANN, "modifierExtension": MODIFIER}),
    "managing organization elsewhere": group(managingEntity=ref("https://elsewhere.invalid/Organization/harbor")),
    "contained organization": group(managingEntity=ref("#harbor")),
    "organization by its identifier alone": group(managingEntity={"identifier": {"value": "harbor"}}),
    "patient elsewhere": task(**{"for": ref("https://elsewhere.invalid/Patient/ann")}),
    "team for a Group": team(subject=ref("Group/panel")),
    "team outside the participant's time": team({"member": HARBOR, "period": {"end": "2026-02-01"}}, period=MARCH),
    "participant on behalf of an organization": team({"member": ANN, "onBehalfOf": HARBOR}),
    "task for nobody": task(**{"for": None}),
    "task about the patient only by its focus": task(**{"for": None, "focus": ANN}),
    "task of its requester": task(owner=None, requester=HARBOR),
    "restricted by what nobody can tell": task(restriction={"period": MARCH, "modifierExtension": MODIFIER}),
    "restriction that is none": task(restriction="until March"),
    "request not to do it": request(doNotPerform=True),
    "request for a Group": request(subject=ref("Group/panel")),
    "requester": request(performer=[], requester=HARBOR),
    "payor that is a person": coverage(payor=[ANN, NURSE, ref("RelatedPerson/mum")]),
    "subscriber": coverage(beneficiary=None, subscriber=ANN),
    "episode's team": episode(managingOrganization=None, team=[ref("CareTeam/team")]),
    "inactive proxy": related(active=False),
    "proxy without an id": related(id=None),
    "another type": {"resourceType": "Encounter", "id": "x", "subject": ANN, "serviceProvider": HARBOR},
}


@pytest.mark.parametrize("what", OPENS_NOTHING)
def test_what_is_not_in_force_or_cannot_be_told_opens_nothing(what: str) -> None:
    assert relations_of(OPENS_NOTHING[what], BASE) == set()


STATUSES = {
    "CareTeam": (team, {"active"}, {"proposed", "suspended", "inactive", "entered-in-error", "", None}),
    "Task": (
        task,
        {"requested", "received", "accepted", "ready", "in-progress", "on-hold"},
        {"draft", "rejected", "cancelled", "failed", "completed", "entered-in-error", "Accepted", None},
    ),
    "ServiceRequest": (
        request,
        {"active", "on-hold"},
        {"draft", "revoked", "completed", "entered-in-error", "unknown", None},
    ),
    "Coverage": (coverage, {"active"}, {"cancelled", "draft", "entered-in-error", None}),
    "EpisodeOfCare": (
        episode,
        {"planned", "waitlist", "active", "onhold"},
        {"finished", "cancelled", "entered-in-error", None},
    ),
}


@pytest.mark.parametrize("kind", STATUSES)
def test_a_relation_lasts_while_the_status_is_in_force(kind: str) -> None:
    make, in_force, others = STATUSES[kind]
    assert {status for status in in_force | others if relations_of(make(status=status), BASE)} == in_force


# where each type says from when until when
TIMED: dict[str, Any] = {
    "Group": lambda period: group({"entity": ANN, "period": period}),
    "CareTeam": lambda period: team(period=period),
    "CareTeam.participant": lambda period: team({"member": HARBOR, "period": period}),
    "Task.restriction": lambda period: task(restriction={"period": period}),
    "Task.executionPeriod": lambda period: task(executionPeriod=period),
    "ServiceRequest": lambda period: request(occurrencePeriod=period),
    "Coverage": lambda period: coverage(period=period),
    "EpisodeOfCare": lambda period: episode(period=period),
    "RelatedPerson": lambda period: related(period=period),
}
UNREADABLE: dict[str, Any] = {
    "no date": {"start": "2026-03-01", "end": "soon"},
    "no day": {"end": "2026-02-30"},
    "not a text": {"start": 20260301},
    "not a period": "2026-03",
    "nothing": None,
    "neither end": {},
    "an extension in place of the end": {"start": "2026-03-01", "_end": {"extension": MODIFIER}},
    "an extension in place of both": {"extension": MODIFIER},
    "the end before the start": {"start": "2026-03-02", "end": "2026-03-01"},
}


@pytest.mark.parametrize("where", TIMED)
def test_every_period_bounds_its_relation(where: str) -> None:
    spans = {
        "2026-03-01": IN_MARCH[0],
        "2026-03-01T08:00:00-07:00": at("2026-03-01T15:00:00Z"),
        "2026": at("2026-01-01"),
    }
    for start, low in spans.items():
        assert {found[3:] for found in relations_of(TIMED[where]({"start": start}), BASE)} == {(low, FOREVER)}
    ended = relations_of(TIMED[where]({"end": "2026-03-31"}), BASE)
    assert {found[3:] for found in ended} == {(NEVER, IN_MARCH[1])}


@pytest.mark.parametrize("where", TIMED)
@pytest.mark.parametrize("how", UNREADABLE)
def test_a_period_that_cannot_be_told_opens_nothing(where: str, how: str) -> None:
    assert relations_of(TIMED[where](UNREADABLE[how]), BASE) == set()


@pytest.mark.parametrize("resource", [case for case, _ in OPENS.values()], ids=OPENS)
def test_nothing_that_is_malformed_raises_or_opens_more(resource: dict[str, Any]) -> None:
    whole = relations_of(resource, BASE)
    for name in resource.keys() - {"resourceType", "id"}:
        for wrong in ("x", 1, None, True, [], [1], {"reference": 1}, {}):
            found = relations_of(deepcopy(resource) | {name: wrong}, BASE)
            assert {each[:3] for each in found} <= {each[:3] for each in whole}, (name, wrong)


HARBORS = address("Organization", "harbor")


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [
        ([], [(1, HARBORS, PANEL, 10, 20)], []),
        ([(1, HARBORS, PANEL, 10, 20)], [(1, HARBORS, PANEL, 10, 20)], [(1, HARBORS, PANEL, 10, 20)]),
        ([(1, HARBORS, PANEL, 10, 20)], [(1, HARBORS, PANEL, 12, 18)], [(1, HARBORS, PANEL, 12, 18)]),
        ([(1, HARBORS, PANEL, 10, 20)], [(1, HARBORS, PANEL, 5, FOREVER)], [(1, HARBORS, PANEL, 10, 20)]),
        ([(1, HARBORS, PANEL, 10, 20)], [(1, HARBORS, PANEL, 20, 30)], []),
        ([(1, HARBORS, PANEL, 10, 20)], [(2, HARBORS, PANEL, 10, 20)], []),
        ([(1, HARBORS, PANEL, 10, 20)], [(1, HARBORS, TEAM, 10, 20)], []),
        ([(1, 99, PANEL, 10, 20)], [(1, HARBORS, PANEL, 10, 20)], []),
        ([], [(1, 99, PANEL, 10, 20)], [(1, 99, PANEL, 10, 20)]),
        ([(1, HARBORS, PANEL, 10, 20)], [], []),
    ],
    ids=[
        "gains nothing",
        "keeps what it had",
        "may shorten",
        "does not extend",
        "does not move",
        "no other patient",
        "no other kind",
        "not what another had",
        "others may gain",
        "may end",
    ],
)
def test_nobody_gives_itself_a_relation(before: list[Relation], now: list[Relation], kept: list[Relation]) -> None:
    assert without_own(before, now, (HARBORS, 7)) == set(kept)


@pytest.mark.parametrize(
    ("was", "edited"),
    [
        (group({"entity": ANN, "period": MARCH}), group({"entity": ANN}, {"entity": BEN})),
        (team(period=MARCH), team()),
        (team({"member": HARBOR}), team({"member": HARBOR}, managingOrganization=[HARBOR])),
        (task(restriction={"period": MARCH}), task()),
        (task(), task(**{"for": ANN}, status="on-hold")),
    ],
    ids=["Group", "CareTeam", "CareTeam managed", "Task", "Task's status"],
)
def test_a_provider_who_edits_its_own_neither_gains_nor_extends_and_keeps_what_it_had(
    was: dict[str, Any], edited: dict[str, Any]
) -> None:
    had = relations_of(was, BASE)
    assert had
    assert without_own(had, relations_of(edited, BASE), {HARBORS}) == had


def test_types_that_belong_to_nobody_are_in_no_patients_compartment_and_open_nothing() -> None:
    assert not DIRECTORY & {*member_types("Patient"), *TYPES}
    # these are about somebody, though R4 has them in no Patient compartment
    assert not DIRECTORY & {"Binary", "Bundle", "Device", "Linkage", "Subscription", "Task", "Slot", "Contract"}
