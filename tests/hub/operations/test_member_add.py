"""$member-add and $member-remove: the plan's list of a provider's members, over HTTP, by whoever may."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from hub.operations.member_list import ATR, CHANGE, PROVIDER
from hub.store.engine import Database
from tests.hub.asking import BASE, Api, refused
from tests.hub.operations.attribution_world import (
    ANN,
    ANN_BY_NUMBERS,
    CIN,
    CLINIC,
    NPI,
    SPAN,
    group,
    have,
    listed,
    said,
    status,
)


@pytest.fixture
def hub(database: Database) -> Api:
    return listed(database)


def add(hub: Api, **parameters: Any) -> TestResponse:
    return hub.post("/Group/list/$member-add", said(**parameters))


def remove(hub: Api, **parameters: Any) -> TestResponse:
    return hub.post("/Group/list/$member-remove", said(**parameters))


def members(hub: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hub.get("/Group/list").json.get("member", [])
    return found


def extension(member: dict[str, Any], url: str) -> Any:
    found = next(one for one in member["extension"] if one["url"] == url)
    return found.get("valueCode") or found["valueReference"]["reference"]


@pytest.mark.parametrize(
    "parameters",
    [
        ANN,
        ANN_BY_NUMBERS,
        {**ANN_BY_NUMBERS, "memberId": {"value": "ANN"}},
        {**ANN_BY_NUMBERS, "memberId": {"system": "urn:example:card", "value": "CARD-ann"}},
        {"memberId": ANN_BY_NUMBERS["memberId"], "providerReference": ANN["providerReference"]},
        {**ANN, "patientReference": {"reference": f"{BASE}/Patient/ann"}},
    ],
)
def test_a_member_and_its_provider_come_onto_the_list(hub: Api, parameters: dict[str, Any]) -> None:
    assert add(hub, **parameters).status_code == 200
    (member,) = members(hub)
    assert member["entity"] == {"reference": "Patient/ann"}
    assert (extension(member, CHANGE), extension(member, PROVIDER)) == ("new", CLINIC)
    assert member["period"].keys() == {"start"}


def test_a_period_is_that_of_the_attribution(hub: Api) -> None:
    add(hub, **ANN, attributionPeriod=SPAN)
    assert members(hub)[0]["period"] == SPAN


def test_the_list_opens_the_record_to_the_provider_and_its_end_closes_it(hub: Api) -> None:
    clinic = hub.as_("clinic")
    assert clinic.get("/Patient/ann").status_code == 404
    add(hub, **ANN)
    assert clinic.get("/Patient/ann").status_code == 200
    remove(hub, patientReference=ANN["patientReference"])
    assert clinic.get("/Patient/ann").status_code == 404


def test_the_same_call_again_changes_nothing(hub: Api) -> None:
    add(hub, **ANN)
    before = hub.get("/Group/list").json
    answer = add(hub, **ANN)
    assert "already" in answer.json["issue"][0]["diagnostics"]
    assert hub.get("/Group/list").json == before


def test_another_period_is_a_change(hub: Api) -> None:
    add(hub, **ANN)
    add(hub, **ANN, attributionPeriod=SPAN)
    (member,) = members(hub)
    assert (member["period"], extension(member, CHANGE)) == (SPAN, "changed")


def test_one_member_may_be_attributed_to_two_providers(hub: Api) -> None:
    add(hub, **ANN)
    add(hub, patientReference=ANN["patientReference"], providerNpi={"system": NPI, "value": "4"})
    assert [extension(one, PROVIDER) for one in members(hub)] == [CLINIC, "Practitioner/dr"]


REMOVALS = {
    "by number": {"memberId": {"value": "ANN"}},
    "by number and provider": ANN_BY_NUMBERS,
    "by reference": {"patientReference": {"reference": "Patient/ann"}},
    "by reference and provider": ANN,
}


@pytest.mark.parametrize("case", REMOVALS)
def test_who_is_removed_stays_on_the_list_inactive(hub: Api, case: str) -> None:
    add(hub, **ANN)
    add(hub, patientReference={"reference": "Patient/bob"}, providerReference={"reference": CLINIC})
    assert remove(hub, **REMOVALS[case]).status_code == 200
    ann, bob = members(hub)
    assert (ann["inactive"], extension(ann, CHANGE)) == (True, "dropped")
    assert "end" in ann["period"]
    assert "inactive" not in bob


def test_a_removal_may_be_of_one_coverage_alone(hub: Api) -> None:
    covered = {"url": f"{ATR}ext-coverageReference", "valueReference": {"reference": "Coverage/ann"}}
    have(hub.database, group(member=[{"entity": {"reference": "Patient/ann"}, "extension": [covered]}]))
    other = {"coverageReference": {"reference": "Coverage/bob"}}
    refused(remove(hub, patientReference=ANN["patientReference"], **other), 422, "processing")
    remove(hub, patientReference=ANN["patientReference"], coverageReference={"reference": "Coverage/ann"})
    assert members(hub)[0]["inactive"] is True


def test_a_removal_of_one_provider_leaves_the_other(hub: Api) -> None:
    add(hub, **ANN)
    add(hub, patientReference=ANN["patientReference"], providerNpi={"value": "4"})
    remove(hub, **ANN)
    assert [one.get("inactive", False) for one in members(hub)] == [True, False]


def test_a_period_that_has_not_begun_ends_where_it_begins(hub: Api) -> None:
    add(hub, **ANN, attributionPeriod={"start": "2099-01-01"})
    remove(hub, **ANN)
    assert members(hub)[0]["period"] == {"start": "2099-01-01", "end": "2099-01-01"}


def test_a_period_that_is_over_stays_as_it_is(hub: Api) -> None:
    span = {"start": "2025-01-01", "end": "2025-12-31"}
    add(hub, **ANN, attributionPeriod=span)
    remove(hub, **ANN)
    assert members(hub)[0]["period"] == span


def test_a_list_that_counts_its_members_goes_on_counting_them(hub: Api) -> None:
    have(hub.database, group(quantity=0))
    counts = []
    for call in (add, add, remove, add):
        assert call(hub, **ANN).status_code == 200
        counts.append(hub.get("/Group/list").json["quantity"])
    assert counts == [1, 1, 0, 1]


def test_a_list_that_does_not_count_its_members_does_not_begin_to(hub: Api) -> None:
    add(hub, **ANN)
    assert "quantity" not in hub.get("/Group/list").json


def test_who_was_removed_can_be_added_again(hub: Api) -> None:
    add(hub, **ANN)
    remove(hub, **ANN)
    add(hub, **ANN)
    (member,) = members(hub)
    assert (member["inactive"], extension(member, CHANGE)) == (False, "new")
    assert "end" not in member["period"]


NOBODY = {
    "a number of nobody": ({**ANN_BY_NUMBERS, "memberId": {"system": CIN, "value": "NOBODY"}}, "memberId"),
    "a patient who is not there": (
        {**ANN, "patientReference": {"reference": "Patient/nobody"}},
        "patientReference",
    ),
    "a patient of another plan": (
        {**ANN, "patientReference": {"reference": "Patient/stranger"}},
        "patientReference",
    ),
    "a number of another plan's": ({**ANN_BY_NUMBERS, "memberId": {"value": "STRANGER"}}, "memberId"),
    "a provider of nobody": ({**ANN_BY_NUMBERS, "providerNpi": {"value": "99"}}, "providerNpi"),
    "a number of two providers": ({**ANN_BY_NUMBERS, "providerNpi": {"value": "3"}}, "providerNpi"),
    "a provider who is not there": (
        {**ANN, "providerReference": {"reference": "Organization/nobody"}},
        "providerReference",
    ),
}


@pytest.mark.parametrize("case", NOBODY)
def test_whom_the_plan_does_not_know_it_does_not_add(hub: Api, case: str) -> None:
    parameters, place = NOBODY[case]
    issue = refused(add(hub, **parameters), 422, "processing")
    assert issue["expression"] == [place]
    assert members(hub) == []


def test_a_hidden_patient_and_a_missing_one_are_answered_alike(hub: Api) -> None:
    answers = [
        add(hub, **{**ANN, "patientReference": {"reference": f"Patient/{who}"}}) for who in ("nobody", "stranger")
    ]
    assert answers[0].json == answers[1].json


BAD = {
    "no member": ({"providerNpi": {"value": "2"}}, "required"),
    "no provider": ({"memberId": {"value": "ANN"}}, "required"),
    "two members": ({**ANN, "memberId": {"value": "ANN"}}, "invalid"),
    "two providers": ({**ANN, "providerNpi": {"value": "2"}}, "invalid"),
    "a reference to something else": ({**ANN, "patientReference": {"reference": "Group/list"}}, "value"),
    "a provider of another type": ({**ANN, "providerReference": {"reference": "Patient/bob"}}, "value"),
    "a number without a value": ({**ANN_BY_NUMBERS, "memberId": {"system": CIN}}, "value"),
    "a period without an edge": ({**ANN, "attributionPeriod": {"extension": []}}, "value"),
    "a period of no dates": ({**ANN, "attributionPeriod": {"start": "soon"}}, "value"),
    "a period that ends before it starts": (
        {**ANN, "attributionPeriod": {"start": "2026-02-01", "end": "2026-01-01"}},
        "value",
    ),
    "a parameter nobody has": ({**ANN, "other": "x"}, "not-supported"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_say_whom_is_refused(hub: Api, case: str) -> None:
    parameters, code = BAD[case]
    refused(add(hub, **parameters), 400, code)
    assert members(hub) == []


def test_a_list_that_is_final_does_not_change(hub: Api) -> None:
    for code, expected in (("draft", 200), ("open", 200), ("final", 422)):
        have(hub.database, group(extension=status(code)))
        assert add(hub, **ANN).status_code == expected
    have(hub.database, group(extension=status("final"), member=[{"entity": {"reference": "Patient/ann"}}]))
    assert remove(hub, **ANN_BY_NUMBERS | {}).status_code == 422
    assert "inactive" not in members(hub)[0]


def test_a_group_of_other_things_is_no_list(hub: Api) -> None:
    have(hub.database, group(type="device"))
    refused(add(hub, **ANN), 422, "processing")


def test_who_is_not_on_the_list_cannot_be_removed(hub: Api) -> None:
    refused(remove(hub, **ANN), 422, "processing")
    add(hub, **ANN)
    remove(hub, **ANN)
    refused(remove(hub, **ANN), 422, "processing")


@pytest.mark.parametrize("who", ["clinic", "feeder"])
def test_who_may_not_update_a_group_may_not_do_this(hub: Api, who: str) -> None:
    for operation in ("add", "remove"):
        answer = hub.as_(who).post(f"/Group/list/$member-{operation}", said(**ANN))
        assert answer.status_code in (403, 404)
    assert members(hub) == []


def test_a_group_that_is_not_there_is_not_found(hub: Api) -> None:
    refused(hub.post("/Group/nothing/$member-add", said(**ANN)), 404, "not-found")


def test_it_is_by_post_and_of_a_group_only(hub: Api) -> None:
    assert hub.get("/Group/list/$member-add").status_code == 405
    assert hub.post("/Patient/ann/$member-add", said(**ANN)).status_code == 400
    assert hub.post("/Group/$member-add", said(**ANN)).status_code == 400


def test_another_version_than_the_one_meant_is_refused(hub: Api) -> None:
    refused(hub.post("/Group/list/$member-add", said(**ANN), If_Match='W/"7"'), 412, "conflict")
    assert members(hub) == []
