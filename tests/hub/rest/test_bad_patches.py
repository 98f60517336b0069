"""Bad patches: what comes in, what must go out. Nothing changes when one operation fails."""

from typing import Any

import pytest

from tests.hub.asking import Api, entry, patient, refused
from tests.hub.patching import PATCH_JSON, SENT, in_bundle, op, parameters, patched, step

BAD_JSON: dict[str, tuple[Any, int, str]] = {
    "J37 bad path": ([op("replace", "/shoesize", 1)], 422, "processing"),
    "J37 no pointer": ([op("replace", "active", False)], 422, "processing"),
    "J37 past the end": ([op("remove", "/name/9")], 422, "processing"),
    "J37 into a text": ([op("add", "/birthDate/0", "x")], 422, "processing"),
    "J37 no index": ([op("add", "/name/x", {})], 422, "processing"),
    "J37 from nowhere": ([op("move", "/active", **{"from": "/shoesize"})], 422, "processing"),
    "J37 test fails": ([op("test", "/active", False)], 422, "conflict"),
    "J37 test of nothing": ([op("test", "/shoesize", 1)], 422, "conflict"),
    "J37 true is not 1": ([op("test", "/active", 1)], 422, "conflict"),
    "J37 remove of id": ([op("remove", "/id")], 400, "invalid"),
    "J37 another id": ([op("replace", "/id", "2")], 400, "invalid"),
    "J37 another type": ([op("replace", "/resourceType", "Person")], 400, "invalid"),
    "J37 no type": ([op("remove", "/resourceType")], 400, "invalid"),
    "J37 10,000 operations": ([op("test", "/active", True)] * 10_000, 413, "too-costly"),
    "another whole": ([op("replace", "", [])], 422, "processing"),
    "an empty patch": (b"", 400, "structure"),
    "no list": ({"op": "test"}, 400, "structure"),
    "no operation": ([1], 400, "structure"),
    "no op": ([{"path": "/active"}], 400, "structure"),
    "an unknown op": ([op("burn", "/active")], 400, "structure"),
    "an op that is no text": ([{"op": [], "path": "/active"}], 400, "structure"),
    "a path that is no text": ([{"op": "remove", "path": 1}], 400, "structure"),
    "no value": ([op("add", "/active")], 400, "structure"),
    "no from": ([op("move", "/active")], 400, "structure"),
    "the same key twice": (b'[{"op": "remove", "op": "test", "path": "/active", "value": true}]', 400, "structure"),
    "a code that is none": ([op("replace", "/gender", "M")], 422, "processing"),
    "a code that is none, added": ([op("add", "/gender", "M")], 422, "code-invalid"),
    "an unknown element": ([op("add", "/shoesize", 1)], 400, "structure"),
    "null": ([{"op": "replace", "path": "/active", "value": None}], 400, "structure"),
    "a bad date": ([op("replace", "/birthDate", "2026-02-30")], 400, "value"),
    "a swelling copy": (
        [op("add", "/contact/0/name/text", "x" * 100_000)]
        + [op("copy", "/contact/-", **{"from": "/contact/0"})] * 50,
        413,
        "too-long",
    ),
}  # fmt: skip
BAD_PATH: dict[str, tuple[Any, int, str]] = {
    "J37 bad path": (step("delete", "Patient.shoesize"), 422, "processing"),
    "J37 leads to nothing": (step("replace", "Patient.gender", value={"valueCode": "male"}), 422, "processing"),
    "J37 leads to several": (step("delete", "Patient.name"), 422, "processing"),
    "J37 of another type": (step("delete", "Person.birthDate"), 422, "processing"),
    "J37 a function": (step("delete", "Patient.name.skip(1)"), 422, "processing"),
    "J37 arithmetic": (step("delete", "Patient.name[1 - 1]"), 422, "processing"),
    "J37 or": (step("delete", "Patient.name.where(use = 'old' or use = 'x')"), 422, "processing"),
    "J37 not closed": (step("delete", "Patient.name.where(use = 'old'"), 422, "processing"),
    "J37 nested too deep": (step("delete", "Patient" + ".name.where(a" * 20), 422, "processing"),
    "J37 too long": (step("delete", "Patient" + ".name" * 500), 422, "processing"),
    "J37 empty": (step("delete", ""), 422, "processing"),
    "J37 the whole": (step("delete", "Patient"), 422, "processing"),
    "J37 remove of id": (step("delete", "Patient.id"), 400, "invalid"),
    "J37 another id": (step("replace", "Patient.id", value={"valueId": "2"}), 400, "invalid"),
    "J37 an index past the end": (
        step("insert", "Patient.name", index=3, value={"valueHumanName": {"text": "x"}}), 422, "processing"),
    "J37 an index below": (
        step("insert", "Patient.name", index=-1, value={"valueHumanName": {"text": "x"}}), 422, "processing"),
    "J37 a move past the end": (step("move", "Patient.name", source=0, destination=2), 422, "processing"),
    "a move of no list": (step("move", "Patient.birthDate", source=0, destination=0), 422, "processing"),
    "an add of what is there": (
        step("add", "Patient", name="birthDate", value={"valueDate": "1970"}), 422, "processing"),
    "an add of a second choice": (
        step("add", "Patient", name="deceased", value={"valueDateTime": "2020"}), 422, "processing"),
    "a type the choice has not": (
        step("replace", "Patient.deceased", value={"valueInteger": 1}), 422, "processing"),
    "no operation": ({"name": "burn"}, 400, "invalid"),
    "no part": ({"name": "operation", "part": []}, 400, "required"),
    "an unknown type": (step("burn", "Patient.name"), 400, "invalid"),
    "no value": (step("replace", "Patient.active"), 400, "required"),
    "a value that is none": (step("replace", "Patient.active", value={}), 400, "required"),
    "one part too many": (step("delete", "Patient.active", index=1), 400, "invalid"),
    "one part twice": (
        {"name": "operation", "part": step("delete", "Patient.active")["part"] * 2}, 400, "invalid"),
    "an index that is no number": (
        step("insert", "Patient.name", index="1", value={"valueHumanName": {"text": "x"}}), 400, "required"),
    "a code that is none": (
        step("add", "Patient", name="gender", value={"valueCode": "M"}), 422, "code-invalid"),
    "another type of value": (step("replace", "Patient.active", value={"valueString": "x"}), 400, "value"),
}  # fmt: skip


@pytest.mark.parametrize(("operations", "status", "code"), BAD_JSON.values(), ids=BAD_JSON)
def test_a_bad_json_patch_changes_nothing(api: Api, operations: Any, status: int, code: str) -> None:
    api.have(SENT)
    before = api.counts()
    if isinstance(operations, list) and isinstance(operations[0], dict):
        operations = [op("add", "/language", "en"), *operations] if len(operations) < 1000 else operations
    refused(patched(api, operations), status, code)
    assert api.counts() == before
    assert api.get("/Patient/1").headers["ETag"] == 'W/"1"'


@pytest.mark.parametrize(("operation", "status", "code"), BAD_PATH.values(), ids=BAD_PATH)
def test_a_bad_fhirpath_patch_changes_nothing(api: Api, operation: Any, status: int, code: str) -> None:
    api.have(SENT)
    before = api.counts()
    first = step("add", "Patient", name="language", value={"valueCode": "en"})
    refused(api.ask("PATCH", "/Patient/1", parameters(first, operation)), status, code)
    assert api.counts() == before
    assert api.get("/Patient/1").headers["ETag"] == 'W/"1"'


def test_too_many_operations_of_fhirpath_are_refused(api: Api) -> None:
    """J37"""
    api.have(SENT)
    many = parameters(*[step("delete", "Patient.photo")] * 10_000)
    refused(api.ask("PATCH", "/Patient/1", many), 413, "too-costly")
    refused(api.ask("PATCH", "/Patient/1", {"resourceType": "Parameters", "parameter": 1}), 400, "structure")


def test_what_is_no_patch_is_refused(api: Api) -> None:
    api.have(SENT)
    refused(api.ask("PATCH", "/Patient/1", SENT), 400, "invalid")
    binary = {"resourceType": "Binary", "contentType": PATCH_JSON, "data": "W10="}
    refused(api.ask("PATCH", "/Patient/1", binary), 400, "invalid")
    refused(
        api.ask("PATCH", "/Patient/1", b"[]", Content_Type="application/merge-patch+json"), 415, "not-supported"
    )
    refused(patched(api, [], "/Patient/1?active=true"), 400, "not-supported")
    refused(patched(api, [], "/Patient"), 405, "not-supported")


BAD_ENTRIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "test fails": (in_bundle([op("test", "/active", False)]), 422, "conflict"),
    "J37 remove of id": (in_bundle([op("remove", "/id")]), 400, "invalid"),
    "B12 stale": (in_bundle([], ifMatch='W/"7"'), 412, "conflict"),
    "nothing there": (in_bundle([], "Patient/none"), 404, "not-found"),
    "nothing found": (in_bundle([], "Patient?identifier=nobody"), 404, "not-found"),
    "no patch": (entry("PATCH", "Patient/1", patient("1")), 400, "invalid"),
    "another Binary": (
        entry("PATCH", "Patient/1", {"resourceType": "Binary", "contentType": "text/plain", "data": "W10="}),
        415,
        "not-supported",
    ),
    "no base64": (
        entry("PATCH", "Patient/1", {"resourceType": "Binary", "contentType": PATCH_JSON, "data": "[]"}),
        400,
        "value",
    ),
    "no JSON": (
        entry("PATCH", "Patient/1", {"resourceType": "Binary", "contentType": PATCH_JSON}),
        400,
        "structure",
    ),
}


@pytest.mark.parametrize(("bad", "status", "code"), BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_a_bad_patch_fails_its_transaction_or_its_batch_entry(
    api: Api, bad: dict[str, Any], status: int, code: str
) -> None:
    api.have(SENT)
    before = api.counts()
    issue = refused(api.bundle("transaction", entry("POST", "Patient", patient()), bad), status, code)
    assert issue["expression"][0].startswith("Bundle.entry[1]")
    assert api.counts() == before
    done = api.bundle("batch", entry("POST", "Patient", patient()), bad).json["entry"]
    assert done[0]["response"]["status"][:3] == "201"
    assert done[1]["response"]["status"][:3] == str(status)
    assert done[1]["response"]["outcome"]["issue"][0]["code"] == code
