"""$attribution-status and $confirm-attribution-list: what a list says of a member, and that it is final."""

from typing import Any

import pytest
from sqlalchemy import insert
from werkzeug.test import TestResponse

from auth.tokens import token_hash
from hub import clock
from hub.operations.member_list import ATR, COVERAGE
from hub.store import tables
from hub.store.engine import Database
from tests.hub.asking import Api, refused, token_of
from tests.hub.operations.attribution_world import ANN, ANN_BY_NUMBERS, HOUR, group, have, listed, said, status

BY_REFERENCE = {"patientReference": ANN["patientReference"]}
BY_NUMBER = {"memberId": ANN_BY_NUMBERS["memberId"]}
BOB = {"patientReference": {"reference": "Patient/bob"}, "providerReference": ANN["providerReference"]}


@pytest.fixture
def hub(database: Database) -> Api:
    """Ann and Bob are on the list."""
    made = listed(database)
    for who in (ANN, BOB):
        assert made.post("/Group/list/$member-add", said(**who)).status_code == 200
    return made


def asked(hub: Api, **parameters: Any) -> TestResponse:
    return hub.post("/Group/list/$attribution-status", said(**parameters))


def names(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    entries = [entry for entry in answer.json.get("entry", ()) if entry["search"]["mode"] != "outcome"]
    return [f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}" for entry in entries]


@pytest.mark.parametrize("who", [BY_REFERENCE, BY_NUMBER, {"memberId": {"value": "CARD-ann"}}])
def test_the_status_is_the_entry_of_the_member_and_what_it_names(hub: Api, who: dict[str, Any]) -> None:
    answer = asked(hub, **who)
    assert names(answer) == ["Group/list", "Patient/ann", "Organization/clinic"]
    (member,) = answer.json["entry"][0]["resource"]["member"]
    assert member["entity"] == {"reference": "Patient/ann"}
    assert "bob" not in answer.text
    assert "SUBSETTED" in answer.text


def test_the_coverage_of_an_entry_is_in_it(hub: Api) -> None:
    covered = {"url": COVERAGE, "valueReference": {"reference": "Coverage/ann"}}
    have(hub.database, group(member=[{"entity": {"reference": "Patient/ann"}, "extension": [covered]}]))
    answer = asked(hub, **BY_REFERENCE)
    assert names(answer) == ["Group/list", "Patient/ann", "Coverage/ann"]
    assert "SUBSETTED" not in answer.text  # nobody else is on the list


def test_whose_attribution_ended_is_told_so(hub: Api) -> None:
    hub.post("/Group/list/$member-remove", said(**BY_REFERENCE))
    (member,) = asked(hub, **BY_REFERENCE).json["entry"][0]["resource"]["member"]
    assert member["inactive"] is True


def test_who_is_not_on_the_list_has_no_status(hub: Api) -> None:
    have(hub.database, group())
    answer = asked(hub, **BY_REFERENCE)
    assert (names(answer), answer.json["total"]) == ([], 0)
    assert "no entry" in answer.json["entry"][0]["resource"]["issue"][0]["diagnostics"]


def test_the_provider_of_the_list_asks_for_its_members(hub: Api) -> None:
    assert names(asked(hub.as_("clinic"), **BY_REFERENCE))[:2] == ["Group/list", "Patient/ann"]


def test_whom_a_caller_does_not_see_is_answered_as_if_not_there(hub: Api) -> None:
    answers = [asked(hub, patientReference={"reference": f"Patient/{who}"}) for who in ("nobody", "stranger")]
    assert answers[0].json == answers[1].json
    refused(answers[0], 422, "processing")


def test_a_list_out_of_sight_is_missing(hub: Api) -> None:
    refused(asked(hub.as_("county"), **BY_REFERENCE), 404, "not-found")


def test_the_number_of_nobody_stands_in_a_link(hub: Api) -> None:
    answer = asked(hub, **BY_NUMBER)
    assert all("ANN" not in link["url"] for link in answer.json["link"])


@pytest.mark.parametrize("parameters", [{}, {**BY_REFERENCE, **BY_NUMBER}])
def test_the_status_is_of_one_member_named_in_one_way(hub: Api, parameters: dict[str, Any]) -> None:
    assert asked(hub, **parameters).status_code == 400


def narrow(hub: Api, scopes: str) -> Api:
    """The plan with another token."""
    now = clock.micros(clock.now())
    token = {"hash": token_hash(token_of("narrow")), "client": "plan", "scopes": scopes}
    with hub.database.write() as connection:
        connection.execute(insert(tables.token).values(token | {"issued": now, "expires": now + HOUR}))
    return hub.as_("narrow")


def test_types_that_a_token_may_not_read_are_not_told(hub: Api) -> None:
    covered = {"url": COVERAGE, "valueReference": {"reference": "Coverage/ann"}}
    have(hub.database, group(member=[{"entity": {"reference": "Patient/ann"}, "extension": [covered]}]))
    asking = narrow(hub, "system/Group.rs system/Patient.rs")
    assert names(asked(asking, **BY_REFERENCE)) == ["Group/list", "Patient/ann"]


@pytest.mark.parametrize("who", [BY_REFERENCE, BY_NUMBER])
def test_who_may_not_read_patients_asks_for_none(hub: Api, who: dict[str, Any]) -> None:
    refused(asked(narrow(hub, "system/Group.rs"), **who), 403, "forbidden")


def confirm(hub: Api) -> TestResponse:
    return hub.post("/Group/list/$confirm-attribution-list", said())


def held(hub: Api) -> list[str]:
    """The states that the list says of itself."""
    extensions = hub.get("/Group/list").json.get("extension", ())
    return [one["valueCode"] for one in extensions if one["url"] == f"{ATR}ext-attributionListStatus"]


@pytest.mark.parametrize(
    ("before", "after"), [([], ["final"]), (["draft"], ["final"]), (["open"], ["open"]), (["final"], ["final"])]
)
def test_a_draft_that_is_confirmed_is_final(hub: Api, before: list[str], after: list[str]) -> None:
    have(hub.database, group(extension=[one for code in before for one in status(code)]) if before else group())
    for _ in range(2):
        assert confirm(hub).status_code == 201
        assert held(hub) == after


def test_what_is_final_does_not_change(hub: Api) -> None:
    assert hub.post("/Group/list/$member-add", said(**ANN)).status_code == 200
    confirm(hub)
    refused(hub.post("/Group/list/$member-add", said(**ANN)), 422, "processing")


def test_only_who_may_change_the_list_confirms_it(hub: Api) -> None:
    refused(confirm(hub.as_("county")), 404, "not-found")
    refused(confirm(narrow(hub, "system/Group.rs")), 403, "forbidden")


def test_a_group_of_other_things_is_no_list(hub: Api) -> None:
    have(hub.database, group(type="device"))
    refused(confirm(hub), 422, "processing")
    refused(asked(hub, **BY_REFERENCE), 422, "processing")
