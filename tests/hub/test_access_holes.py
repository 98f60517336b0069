"""Ways round the predicate and round what is shown of a resource, each of which was open once."""

from typing import Any

import pytest

from hub.store.engine import Database
from tests.hub.asking import Api, observation, patient
from tests.hub.sighted import api_of, caller, panel, to

JSON_PATCH = "application/json-patch+json"
SHOWN = {
    "Task": frozenset(("status", "intent", "for", "businessStatus", "owner")),
    "Observation": frozenset(("code", "status", "subject")),
}


@pytest.fixture
def county(swept: Database) -> Api:
    callers = {
        "harbor": caller(),
        "masked": caller("masked", elements=SHOWN),
    }
    api = api_of(swept, callers)
    api.have(*(patient(each) for each in ("seen", "too", "stranger", "other")), panel("seen", "too"))
    return api


def patched(api: Api, where: str, *operations: dict[str, Any], **headers: str) -> Any:
    return api.ask("PATCH", where, list(operations), Content_Type=JSON_PATCH, **headers)


def meeting(*patients: str) -> dict[str, Any]:
    people = [{"actor": to("Patient", each), "status": "accepted"} for each in patients]
    return {"resourceType": "Appointment", "id": "m", "status": "proposed", "participant": people, "comment": "ZQ"}


PATHS = ["/Appointment/m", "/Appointment/m/_history", "/Appointment/m/_history/1", "/Appointment/_history"]


@pytest.mark.parametrize("path", PATHS)
def test_what_was_about_several_stays_hidden_when_it_is_deleted(county: Api, path: str) -> None:
    county.have(meeting("stranger", "other"))
    before = county.as_("harbor").get(path)
    assert county.delete("/Appointment/m").status_code == 204
    after = county.as_("harbor").get(path)
    assert (after.status_code, after.text) == (before.status_code, before.text)
    assert county.get("/Appointment/m").status_code == 410


def test_whoever_saw_what_was_about_several_sees_that_it_was_deleted(county: Api) -> None:
    county.have(meeting("seen", "too"))
    county.delete("/Appointment/m")
    assert county.as_("harbor").get("/Appointment/m").status_code == 410
    county.have(meeting("seen", "stranger"))
    assert county.as_("harbor").get("/Appointment/m").status_code == 404


def task(**parts: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Task",
        "id": "t",
        "status": "requested",
        "intent": "order",
        "for": to("Patient", "seen"),
    }
    return (
        made
        | {"description": "ZQ-hidden", "meta": {"source": "urn:ZQ-source", "tag": [{"code": "ZQ-tag"}]}}
        | parts
    )


CHANGE = {"op": "replace", "path": "/status", "value": "accepted"}


@pytest.mark.parametrize("prefer", ["return=other", "return=", 'return="x"', "return=Minimal", "return=minimal2"])
def test_a_preference_that_nobody_knows_does_not_show_more(county: Api, prefer: str) -> None:
    county.have(task())
    answer = patched(county.as_("masked"), "/Task/t", CHANGE, Prefer=prefer)
    assert answer.status_code == 200
    assert "ZQ" not in answer.text
    found = county.as_("masked").post("/Task", task(id="x"), If_None_Exist="_id=t", Prefer=prefer)
    assert found.status_code == 200
    assert "ZQ" not in found.text


def test_a_patch_copies_nothing_that_is_not_shown(county: Api) -> None:
    county.have(task(businessStatus={"text": "x"}))
    copying = {"op": "copy", "from": "/description", "path": "/businessStatus/text"}
    answer = patched(county.as_("masked"), "/Task/t", copying)
    assert "ZQ" not in answer.text
    assert "ZQ" not in county.as_("masked").get("/Task/t").text


TESTED = [
    {"op": "test", "path": "/description", "value": "ZQ-hidden"},
    {"op": "test", "path": "/meta/source", "value": "urn:ZQ-source"},
    {"op": "test", "path": "/meta/tag/0/code", "value": "ZQ-tag"},
]


@pytest.mark.parametrize("test", TESTED, ids=lambda each: each["path"])
def test_a_patch_tests_nothing_that_is_not_shown(county: Api, test: dict[str, Any]) -> None:
    county.have(task())
    right = patched(county.as_("masked"), "/Task/t", test, CHANGE)
    wrong = patched(county.as_("masked"), "/Task/t", {**test, "value": "wrong"}, CHANGE)
    assert (right.status_code, right.text) == (wrong.status_code, wrong.text)


def test_a_patch_of_what_is_shown_leaves_the_rest_as_it_is(county: Api) -> None:
    county.have(task())
    assert patched(county.as_("masked"), "/Task/t", CHANGE).status_code == 200
    stored: Any = county.get("/Task/t").json
    assert (stored["status"], stored["description"]) == ("accepted", "ZQ-hidden")
    assert stored["meta"]["source"] == "urn:ZQ-source"
    assert [tag["code"] for tag in stored["meta"]["tag"]] == ["ZQ-tag"]


@pytest.mark.parametrize("description", ["ZQ-hidden", "wrong", None])
def test_an_update_does_not_tell_whether_it_guessed_what_is_not_shown(county: Api, description: str | None) -> None:
    county.have(task(), task(id="plain") | {"description": "other"})
    sent = task(status="accepted", description=description)
    answers = [county.as_("masked").put("/Task/t", {n: v for n, v in sent.items() if v is not None})]
    assert [answer.status_code for answer in answers] == [403]


@pytest.mark.parametrize("path", ["/Task?_source=urn:ZQ-source", "/Task?_tag=ZQ-tag", "/Task?_sort=_tag"])
def test_where_it_came_from_and_its_tags_are_not_searched_by(county: Api, path: str) -> None:
    county.have(task())
    assert county.as_("masked").get(path).status_code == 403
    assert county.as_("harbor").get(path).status_code in (200, 400)


def test_the_answer_to_a_changed_meta_shows_no_more_than_a_read(county: Api) -> None:
    county.have(task())
    meta = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": {"profile": ["urn:p"]}}]}
    answer = county.as_("masked").post("/Task/t/$meta-add", meta)
    assert "ZQ" not in answer.text


HISTORY = ["/Observation/o/_history", "/Observation/o/_history/1", "/Observation/_history", "/_history?_count=50"]


@pytest.mark.parametrize("path", HISTORY)
def test_what_was_about_somebody_else_is_not_read_of_whom_it_is_about_now(county: Api, path: str) -> None:
    county.have(observation("o", subject=to("Patient", "stranger"), valueString="ZQ"))
    county.have(observation("o", subject=to("Patient", "seen"), valueString="fine"))
    answer = county.as_("harbor").get(path)
    assert "ZQ" not in answer.text
    assert "stranger" not in answer.text


def test_nothing_is_taken_out_of_a_patients_record_by_writing_nobody(county: Api) -> None:
    county.have(observation("o", subject=to("Patient", "seen")))
    harbor = county.as_("harbor")
    assert patched(harbor, "/Observation/o", {"op": "remove", "path": "/subject"}).status_code == 403
    assert harbor.put("/Observation/o", observation("o")).status_code == 403
    stored: Any = county.get("/Observation/o").json
    assert stored["subject"] == to("Patient", "seen")


def test_a_group_is_not_emptied_of_whom_its_writer_does_not_see(county: Api) -> None:
    county.have(panel("seen", stranger={"end": "2020-01-01"}))
    harbor = county.as_("harbor")
    group: Any = harbor.get("/Group/panel").json
    assert len(group["member"]) == 1
    assert harbor.put("/Group/panel", group | {"name": "new"}).status_code == 200
    whole: Any = county.get("/Group/panel").json
    assert len(whole["member"]) == 2


def test_a_patch_of_a_group_tests_no_member_that_its_writer_does_not_see(county: Api) -> None:
    county.have(panel("seen", stranger={"end": "2020-01-01"}))
    harbor = county.as_("harbor")
    tests = (
        {"op": "test", "path": "/member/1/entity/reference", "value": each} for each in ("Patient/stranger", "x")
    )
    told = [patched(harbor, "/Group/panel", test).status_code for test in tests]
    assert told[0] == told[1]


def test_an_answer_that_was_kept_is_not_given_again_once_the_patient_is_gone(county: Api) -> None:
    county.have(observation("o", subject=to("Patient", "seen"), valueString="ZQ"))
    harbor = county.as_("harbor")
    change = {"op": "add", "path": "/language", "value": "en"}
    first = patched(harbor, "/Observation/o", change, Idempotency_Key="k1")
    assert "ZQ" in first.text
    county.have(panel("too"))
    again = patched(harbor, "/Observation/o", change, Idempotency_Key="k1")
    assert "ZQ" not in again.text
