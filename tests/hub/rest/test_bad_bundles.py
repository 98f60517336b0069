"""Bad Bundles: what comes in, what must go out. A transaction is all or nothing; a batch answers entry by entry."""

from typing import Any

import pytest

from tests.hub.asking import MAX_ENTRIES, Api, entry, mrn, observation, patient, refused

MANY = [entry("POST", "Patient", patient()) for _ in range(MAX_ENTRIES + 1)]
BAD = entry("POST", "Patient", patient(gender="M"))
IDENTIFIED = patient(identifier=mrn("a"))
BY_A = "identifier=https://hospital.invalid/mrn|a"

# name: type, entries, status, issue code, the entry it is about
ROWS: dict[str, tuple[Any, Any, int, str, int | None]] = {
    "B01 no type": (None, [], 400, "invalid", None),
    "B01 document": ("document", [], 400, "invalid", None),
    "B01 collection": ("collection", [], 400, "invalid", None),
    "B01 a number": (1, [], 400, "invalid", None),
    "B01 entry is no list": ("batch", {"request": {}}, 400, "structure", None),
    "B01 an entry is no object": ("batch", [1], 400, "structure", None),
    "B02 no request": ("transaction", [{"resource": patient()}], 400, "required", 0),
    "B02 no request in a batch": ("batch", [{"resource": patient()}], 400, "required", 0),
    "B02 no url": ("transaction", [{"request": {"method": "GET"}}], 400, "required", 0),
    "B02 no method": ("transaction", [{"request": {"url": "Patient"}}], 400, "required", 0),
    "B02 PUT without resource": ("transaction", [entry("PUT", "Patient/1")], 400, "required", 0),
    "B02 POST without resource": ("transaction", [entry("POST", "Patient")], 400, "required", 0),
    "B02 a resource that is none": (
        "transaction",
        [entry("POST", "Patient") | {"resource": 1}],
        400,
        "required",
        0,
    ),
    "B02 an unknown method": ("transaction", [entry("BREW", "Patient")], 400, "value", 0),
    "B02 a method that is no text": (
        "transaction",
        [entry("GET", "Patient") | {"request": {"method": [], "url": "x"}}],
        400,
        "value",
        0,
    ),
    "B02 a condition that is no text": (
        "transaction",
        [entry("POST", "Patient", patient(), ifNoneExist=[1])],
        400,
        "structure",
        0,
    ),
    "B02 an ifMatch that is no text": (
        "transaction",
        [entry("PUT", "Patient/1", patient("1"), ifMatch=3)],
        400,
        "value",
        0,
    ),
    "B02 a fullUrl that is no text": (
        "transaction",
        [entry("POST", "Patient", patient(), full_url=1)],
        400,
        "structure",
        0,
    ),
    "B03 the last is bad": ("transaction", [*MANY[: MAX_ENTRIES - 1], BAD], 422, "code-invalid", MAX_ENTRIES - 1),
    "B03 the first is bad": ("transaction", [BAD, *MANY[: MAX_ENTRIES - 1]], 422, "code-invalid", 0),
    "B04 one id twice": ("transaction", [entry("PUT", "Patient/1", patient("1"))] * 2, 400, "duplicate", 1),
    "B04 one condition twice": (
        "transaction",
        [entry("PUT", f"Patient?{BY_A}", IDENTIFIED)] * 2,
        400,
        "duplicate",
        1,
    ),
    "B04 one conditional create twice": (
        "transaction",
        [entry("POST", "Patient", IDENTIFIED, ifNoneExist=BY_A)] * 2,
        400,
        "duplicate",
        1,
    ),
    "B04 create and update by one condition": (
        "transaction",
        [
            entry("PUT", f"Patient?{BY_A}", IDENTIFIED),
            entry("POST", "Patient", IDENTIFIED, ifNoneExist=BY_A.replace("|", "%7C").replace(":", "%3a")),
        ],
        400,
        "duplicate",
        0,
    ),
    "B05 nothing matches": (
        "transaction",
        [entry("POST", "Observation", observation(subject={"reference": f"Patient?{BY_A}"}))],
        412,
        "not-found",
        0,
    ),
    "B06 unresolved": (
        "transaction",
        [entry("POST", "Observation", observation(subject={"reference": "urn:uuid:0"}))],
        400,
        "not-found",
        0,
    ),
    "B08 one too many": ("transaction", MANY, 413, "too-costly", None),
    "B08 one too many in a batch": ("batch", MANY, 413, "too-costly", None),
    "B09 a Bundle inside": (
        "transaction",
        [MANY[0], entry("POST", "Bundle", {"resourceType": "Bundle", "type": "batch"})],
        400,
        "not-supported",
        1,
    ),
    "B10 another host": (
        "transaction",
        [entry("POST", "https://evil.invalid/Patient", patient())],
        400,
        "value",
        0,
    ),
    "B10 up": ("transaction", [entry("POST", "../Patient", patient())], 400, "value", 0),
    "B10 up by escapes": ("transaction", [entry("GET", "Patient%2f..%2f..%2fetc")], 400, "value", 0),
    "B10 //evil": ("batch", [entry("GET", "//evil.invalid/Patient")], 400, "value", 0),
    "B10 a line end": ("transaction", [entry("DELETE", "Patient/a%0a")], 400, "value", 0),
    "B10 an unknown type": ("transaction", [entry("DELETE", "Patiant/1")], 404, "not-supported", 0),
    "B10 GET an unknown type": ("batch", [entry("GET", "Patiant?x=1")], 404, "not-supported", 0),
    "B10 POST to an id": ("transaction", [entry("POST", "Patient/1", patient())], 400, "value", 0),
    "B10 POST to a condition": ("transaction", [entry("POST", f"Patient?{BY_A}", patient())], 400, "value", 0),
    "B10 PUT to a type": ("transaction", [entry("PUT", "Patient", patient())], 400, "value", 0),
    "B10 PUT to an id and a condition": (
        "transaction",
        [entry("PUT", f"Patient/1?{BY_A}", patient("1"))],
        400,
        "value",
        0,
    ),
    "B10 PUT to a version": ("transaction", [entry("PUT", "Patient/1/_history/1", patient("1"))], 400, "value", 0),
    "B10 DELETE of a version": ("transaction", [entry("DELETE", "Patient/1/_history/1")], 400, "value", 0),
    "B10 DELETE of a type": ("transaction", [entry("DELETE", "Patient")], 400, "value", 0),
    "B10 an operation": ("transaction", [entry("POST", "Patient/$match", patient())], 400, "value", 0),
    "B12 stale": (
        "transaction",
        [MANY[0], entry("PUT", "Patient/1", patient("1"), ifMatch='W/"7"')],
        412,
        "conflict",
        1,
    ),
    "B17 PUT and DELETE": (
        "transaction",
        [entry("PUT", "Patient/1", patient("1")), entry("DELETE", "Patient/1")],
        400,
        "conflict",
        0,
    ),
    "   PATCH without a patch": ("transaction", [MANY[0], entry("PATCH", "Patient/1")], 400, "required", 1),
    "   HEAD": ("transaction", [MANY[0], entry("HEAD", "Patient/1")], 400, "not-supported", 1),
    "   ifNoneMatch on a write": (
        "transaction",
        [entry("PUT", "Patient/1", patient("1"), ifNoneMatch="*")],
        400,
        "not-supported",
        0,
    ),
    "   GET of nothing": ("transaction", [MANY[0], entry("GET", "Patient/none")], 404, "not-found", 1),
    "   a bad search": ("transaction", [MANY[0], entry("GET", "Patient?shoesize=1")], 400, "not-supported", 1),
    "   a condition that narrows nothing": (
        "transaction",
        [entry("PUT", "Patient?&", patient())],
        400,
        "invalid",
        0,
    ),
    "   another type than the url": ("transaction", [entry("POST", "Patient", observation())], 400, "invalid", 0),
    "   another id than the url": ("transaction", [entry("PUT", "Patient/1", patient("2"))], 400, "invalid", 0),
}


@pytest.mark.parametrize(("kind", "entries", "status", "code", "place"), ROWS.values(), ids=ROWS)
def test_a_bad_bundle_is_refused_whole(
    api: Api, kind: Any, entries: Any, status: int, code: str, place: int | None
) -> None:
    bundle = {"resourceType": "Bundle"} | ({"type": kind} if kind else {}) | ({"entry": entries} if entries else {})
    issue = refused(api.post("", bundle), status, code)
    assert set(api.counts().values()) == {0}
    if place is not None:
        assert issue["expression"][0].startswith(f"Bundle.entry[{place}]")


def test_what_is_no_bundle_is_refused(api: Api) -> None:
    refused(api.post("", patient()), 400, "invalid")
