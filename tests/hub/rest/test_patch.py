"""PATCH: JSON Patch and FHIRPath Patch change what they name, once, for those who may."""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.hub.asking import Api, app_of, entry, mrn, observation, patient, refused
from tests.hub.patching import BY_A, SENT, in_bundle, op, parameters, patched, step


def content(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {name: value for name, value in answer.json.items() if name != "meta"}


GOOD_JSON: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "add": ([op("add", "/gender", "other")], {"gender": "other"}),
    "add to a list": (
        [op("add", "/name/-", {"text": "Third"})],
        {"name": [*SENT["name"], {"text": "Third"}]},
    ),
    "a list begun and filled": (
        [op("add", "/telecom", []), op("add", "/telecom/-", {"system": "phone", "value": "1"})],
        {"telecom": [{"system": "phone", "value": "1"}]},
    ),
    "replace": ([op("replace", "/active", False)], {"active": False}),
    "remove": ([op("remove", "/birthDate")], {"birthDate": None}),
    "the last of a list": ([op("remove", "/identifier/0")], {"identifier": None}),
    "move": ([op("move", "/name/0", **{"from": "/name/1"})], {"name": SENT["name"][::-1]}),
    "copy": ([op("copy", "/name/-", **{"from": "/name/1"})], {"name": [*SENT["name"], SENT["name"][1]]}),
    "test": ([op("test", "/meta/versionId", "1"), op("replace", "/active", False)], {"active": False}),
    "the id as it is": ([op("replace", "/id", "1"), op("replace", "/active", False)], {"active": False}),
}
GOOD_PATH: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "add": (step("add", "Patient", name="gender", value={"valueCode": "other"}), {"gender": "other"}),
    "add to a list": (
        step("add", "Patient", name="name", value={"valueHumanName": {"text": "Third"}}),
        {"name": [*SENT["name"], {"text": "Third"}]},
    ),
    "add to a list that is not there": (
        step("add", "Patient", name="telecom", value={"valueContactPoint": {"system": "phone", "value": "1"}}),
        {"telecom": [{"system": "phone", "value": "1"}]},
    ),
    "add a backbone element": (
        step("add", "Patient", name="contact", value={"part": [
            {"name": "name", "valueHumanName": {"text": "Another"}},
            {"name": "telecom", "valueContactPoint": {"system": "phone", "value": "1"}}]}),
        {"contact": [*SENT["contact"],
                     {"name": {"text": "Another"}, "telecom": [{"system": "phone", "value": "1"}]}]},
    ),
    "add of an extension to a primitive": (
        step("add", "Patient.birthDate", name="extension", value={"valueExtension": {"url": "https://x.invalid/f", "valueCode": "b"}}),  # noqa: E501
        {"_birthDate": {"extension": [{"url": "https://x.invalid/f", "valueCode": "b"}]}},
    ),
    "insert between primitives": (
        step("insert", "Patient.name[0].given", index=1, value={"valueString": "Cy"}),
        {"name": [SENT["name"][0] | {"given": ["Ann", "Cy", "Bo"], "_given": [None, None, {"id": "second"}]},
                  SENT["name"][1]]},
    ),
    "insert without the type": (
        step("insert", "name", index=0, value={"valueHumanName": {"text": "First"}}),
        {"name": [{"text": "First"}, *SENT["name"]]},
    ),
    "delete": (step("delete", "Patient.birthDate"), {"birthDate": None}),
    "delete one of a list": (step("delete", "Patient.name.where(use = 'old')"), {"name": SENT["name"][:1]}),
    "delete with and": (
        step("delete", "Patient.name.where(family='Former' and use!='official')"), {"name": SENT["name"][:1]}
    ),
    "delete the last": (step("delete", "Patient.name.last()"), {"name": SENT["name"][:1]}),
    "delete what exists": (step("delete", "Patient.name.where(given.exists())"), {"name": SENT["name"][1:]}),
    "delete by extension()": (step("delete", "Patient.extension('https://x.invalid/e')"), {"extension": None}),
    "delete what a backbone holds only": (step("delete", "Patient.contact.first().name"), {"contact": None}),
    "replace": (step("replace", "Patient.active", value={"valueBoolean": False}), {"active": False}),
    "replace a choice by another type": (
        step("replace", "Patient.deceased", value={"valueDateTime": "2020"}),
        {"deceasedBoolean": None, "deceasedDateTime": "2020"},
    ),
    "replace one by its type": (
        step("replace", "Patient.deceased.ofType(boolean)", value={"valueBoolean": True}), {"deceasedBoolean": True}
    ),
    "replace by $this": (
        step("replace", "Patient.name[1].family.where($this = 'Former')", value={"valueString": "New"}),
        {"name": [SENT["name"][0], {"use": "old", "family": "New"}]},
    ),
    "move": (step("move", "Patient.name", source=1, destination=0), {"name": SENT["name"][::-1]}),
}  # fmt: skip


def changed(difference: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (SENT | difference).items() if value is not None}


@pytest.mark.parametrize(("operations", "difference"), GOOD_JSON.values(), ids=GOOD_JSON)
def test_a_json_patch_changes_what_it_names(
    api: Api, operations: list[dict[str, Any]], difference: dict[str, Any]
) -> None:
    api.have(SENT)
    answer = patched(api, operations)
    assert content(answer) == changed(difference)
    assert answer.headers["ETag"] == 'W/"2"'
    assert api.get("/Patient/1").data == answer.data


@pytest.mark.parametrize(("operation", "difference"), GOOD_PATH.values(), ids=GOOD_PATH)
def test_a_fhirpath_patch_changes_what_it_names(
    api: Api, operation: dict[str, Any], difference: dict[str, Any]
) -> None:
    api.have(SENT)
    answer = api.ask("PATCH", "/Patient/1", parameters(operation))
    assert content(answer) == changed(difference)
    assert answer.headers["ETag"] == 'W/"2"'


def test_a_patch_that_changes_nothing_makes_no_version(api: Api) -> None:
    api.have(SENT)
    for answer in (
        patched(api, []),
        patched(api, [op("test", "/active", True)]),
        patched(api, [op("replace", "/meta/versionId", "9"), op("remove", "/meta/lastUpdated")]),
        api.ask("PATCH", "/Patient/1", parameters()),
        api.ask("PATCH", "/Patient/1", parameters(step("delete", "Patient.photo"))),
    ):
        assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')
    assert api.counts()["history"] == 0


def test_decimals_keep_their_digits(api: Api) -> None:
    body = json.dumps(observation("1")).replace('"code"', '"valueQuantity": {"value": 72.50}, "code"')
    assert api.put("/Observation/1", body.encode()).status_code == 201
    answer = patched(api, b'[{"op": "add", "path": "/component", "value": [{"code": {"text": "x"}, '
                     b'"valueQuantity": {"value": 0.10}}]}]', "/Observation/1")  # fmt: skip
    assert b'"value":72.50' in answer.data
    assert b'"value":0.10' in answer.data


def test_only_what_is_there_is_patched(api: Api) -> None:
    api.have(SENT)
    refused(patched(api, [], "/Patient/none"), 404, "not-found")
    refused(patched(api, [], "/Patient/none", If_Match='W/"1"'), 412, "conflict")
    refused(patched(api, [], If_Match='W/"2"'), 412, "conflict")
    assert patched(api, [op("replace", "/active", False)], If_Match='W/"1"').status_code == 200
    api.delete("/Patient/1")
    gone = patched(api, [op("replace", "/active", False)])
    refused(gone, 410, "deleted")
    assert gone.headers["ETag"] == 'W/"3"'


def test_a_condition_finds_the_one_that_is_patched(api: Api) -> None:
    api.have(SENT, patient("2", active=True))
    change = [op("replace", "/active", False)]
    refused(patched(api, change, "/Patient?identifier=nobody"), 404, "not-found")
    refused(patched(api, change, "/Patient?active=true"), 412, "multiple-matches")
    refused(patched(api, change, f"/Patient?{BY_A}", If_Match='W/"7"'), 412, "conflict")
    refused(patched(api, change, "/Patient?&"), 400, "invalid")
    assert content(patched(api, change, f"/Patient?{BY_A}"))["active"] is False
    assert api.get("/Patient/2").json["active"] is True


@pytest.mark.parametrize("who", ["reader", "searcher", "creator", "updater", "deleter"])
def test_a_patch_needs_the_rights_to_update_and_to_read(api: Api, who: str) -> None:
    """Whether a `test` holds, a filter finds, or a change changes nothing tells what is stored."""
    api.have(SENT)
    before = api.counts()
    asking = [op("test", "/birthDate", "1980-01-01")]
    filtering = parameters(step("delete", "Patient.name.where(use = 'none')"))
    for path in ("/Patient/1", "/Patient/2", f"/Patient?{BY_A}"):
        refused(patched(api.as_(who), asking, path), 403, "forbidden")
        refused(api.as_(who).ask("PATCH", path, filtering), 403, "forbidden")
    done = api.as_(who).bundle("batch", in_bundle(asking))
    assert done.json["entry"][0]["response"]["status"].startswith("403")
    refused(api.as_(who).bundle("transaction", in_bundle(asking)), 403, "forbidden")
    assert api.counts() == before


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_bundle_patches(api: Api, kind: str) -> None:
    api.have(SENT, observation("o"))
    answer = api.bundle(
        kind,
        in_bundle([op("replace", "/active", False)], ifMatch='W/"1"'),
        entry("PATCH", "Observation/o", parameters(step("replace", "status", value={"valueCode": "amended"}))),
        entry("GET", "Patient/1"),
    )
    assert [e["response"]["status"][:3] for e in answer.json["entry"]] == ["200"] * 3
    assert answer.json["entry"][2]["resource"]["active"] is False
    assert api.get("/Observation/o").json["status"] == "amended"


def test_a_patch_in_a_transaction_may_refer_to_its_entries(api: Api) -> None:
    api.have(SENT)
    organization = {"resourceType": "Organization", "name": "Invented", "identifier": mrn("o")}
    answer = api.bundle(
        "transaction",
        in_bundle([op("add", "/managingOrganization", {"reference": "urn:uuid:o"})], f"Patient?{BY_A}"),
        entry("POST", "Organization", organization, full_url="urn:uuid:o"),
        entry("PUT", "Observation/o", observation("o", subject={"reference": "Patient?birthdate=1980-01-01"})),
    )
    assert answer.status_code == 200, answer.text
    made = answer.json["entry"][1]["resource"]["id"]
    assert api.get("/Patient/1").json["managingOrganization"]["reference"] == f"Organization/{made}"
    assert api.get("/Observation/o").json["subject"]["reference"] == "Patient/1"


def test_one_resource_is_patched_or_updated_or_deleted_once(api: Api) -> None:
    """B04, B17"""
    api.have(SENT)
    refused(api.bundle("transaction", in_bundle([]), entry("PUT", "Patient/1", SENT)), 400, "duplicate")
    refused(api.bundle("transaction", in_bundle([]), in_bundle([], f"Patient?{BY_A}")), 400, "duplicate")
    refused(api.bundle("transaction", in_bundle([]), entry("DELETE", "Patient/1")), 400, "conflict")


def test_what_is_patched_in_refers_to_something_where_integrity_is_asked_for(api: Api) -> None:
    """J23"""
    strict = Api(app_of(api.database, integrity=True), api.database)
    strict.have(SENT)
    change = [op("add", "/managingOrganization", {"reference": "Organization/none"})]
    refused(patched(strict, change), 422, "not-found")
    assert patched(api, change).status_code == 200
