"""Patient/$everything: the whole record and what it refers to, in pages that stay right, and no more than that."""

from typing import Any

import pytest

from hub.operations import everything
from hub.operations.care_dates import CARE_DATES, UNTIL
from hub.search.parameters import parameters_of
from tests.hub.asking import BASE, Api, entry, observation, patient, refused

CODE = {"text": "invented"}
RESOLVED = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]}


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


def record(identity: str = "p1") -> list[dict[str, Any]]:
    """A patient with a small record; it refers to a practitioner, an organization and a binary."""
    me = to(f"Patient/{identity}")
    mine = {
        "Condition": {
            "subject": me,
            "code": CODE,
            "clinicalStatus": RESOLVED,
            "onsetDateTime": "2019-05-01",
            "abatementDateTime": "2020-02-01",
        },
        "Encounter": {
            "status": "finished",
            "class": {"code": "IMP"},
            "subject": me,
            "period": {"start": "2020-01-10", "end": "2020-01-20"},
            "serviceProvider": to("Organization/org"),
            "participant": [{"individual": to("Practitioner/dr/_history/1")}],
        },
        "Coverage": {"status": "active", "beneficiary": me, "payor": [to(f"{BASE}/Organization/org")]},
        "DocumentReference": {
            "status": "current",
            "subject": me,
            "date": "2021-06-01T00:00:00Z",
            "content": [{"attachment": {"url": "Binary/scan"}}],
        },
    }
    made = [{"resourceType": kind, "id": f"{identity}-{kind.lower()}", **parts} for kind, parts in mine.items()]
    seen = observation(
        f"{identity}-obs", subject=me, effectiveDateTime="2022-03-04", performer=[to("Practitioner/dr")]
    )
    return [*made, seen]


OTHERS = [
    {"resourceType": "Practitioner", "id": "dr"},
    {"resourceType": "Organization", "id": "org", "name": "Invented"},
    {"resourceType": "Organization", "id": "unrelated", "name": "Invented"},
    {"resourceType": "Binary", "id": "scan", "contentType": "text/plain", "data": "aW52ZW50ZWQ="},
    patient("p2"),
    observation("of-p2", subject=to("Patient/p2")),
]
COMPARTMENT = ["p1", "p1-condition", "p1-encounter", "p1-coverage", "p1-documentreference", "p1-obs"]


@pytest.fixture
def full(api: Api) -> Api:
    """The record was there before its patient: the patient comes first all the same."""
    api.have(*OTHERS, *record())
    linked = {"other": to("Patient/p2"), "type": "seealso"}
    api.have(patient("p1", link=[linked], generalPractitioner=[to("Practitioner/dr")]))
    return api


def entries(answer: Any, mode: str = "match") -> list[str]:
    assert answer.status_code == 200, answer.text
    return [e["resource"].get("id", "") for e in answer.json.get("entry", []) if e["search"]["mode"] == mode]


def test_it_gives_the_record_patient_first_and_what_it_refers_to(full: Api) -> None:
    answer = full.get("/Patient/p1/$everything")
    assert entries(answer) == COMPARTMENT
    assert sorted(entries(answer, "include")) == ["dr", "org", "scan"]
    bundle = answer.json
    assert (bundle["type"], bundle["total"]) == ("searchset", 6)
    assert bundle["link"] == [{"relation": "self", "url": f"{BASE}/Patient/p1/$everything"}]
    assert bundle["entry"][0]["fullUrl"] == f"{BASE}/Patient/p1"
    assert bundle["entry"][0]["resource"] == full.get("/Patient/p1").json


def test_a_post_with_parameters_asks_the_same(full: Api) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueCode": "Encounter,Observation"}]}
    posted = full.post("/Patient/p1/$everything", body)
    assert posted.json == full.get("/Patient/p1/$everything?_type=Encounter,Observation").json
    assert entries(posted) == ["p1-encounter", "p1-obs"]
    assert entries(full.post("/Patient/p1/$everything")) == COMPARTMENT


NARROWED = {
    "_type=Observation": (["p1-obs"], []),
    "_type=Observation&_type=Patient": (["p1", "p1-obs"], []),
    "_type=Practitioner": ([], ["dr"]),
    "start=2022-01-01": (["p1", "p1-coverage", "p1-obs"], ["dr", "org"]),
    "end=2019-12-31": (["p1", "p1-condition", "p1-coverage"], ["dr", "org"]),
    "start=2020-01-15&end=2020-01-16": (["p1", "p1-condition", "p1-encounter", "p1-coverage"], ["dr", "org"]),
    "start=2021-06-01&end=2021-06-01": (["p1", "p1-coverage", "p1-documentreference"], ["dr", "org", "scan"]),
    "_since=2000-01-01T00:00:00Z": (COMPARTMENT, ["dr", "org", "scan"]),
    "_since=2999-01-01T00:00:00Z": ([], []),
}


@pytest.mark.parametrize("query", NARROWED)
def test_parameters_narrow_it(full: Api, query: str) -> None:
    answer = full.get(f"/Patient/p1/$everything?{query}")
    matches, includes = NARROWED[query]
    assert (entries(answer), sorted(entries(answer, "include"))) == (matches, includes)


def test_since_brings_what_changed_and_what_that_refers_to(full: Api) -> None:
    encounter = full.get("/Encounter/p1-encounter").json
    full.have({**encounter, "length": {"value": 10}})
    since = full.get("/Encounter/p1-encounter").json["meta"]["lastUpdated"]
    answer = full.get(f"/Patient/p1/$everything?_since={since}")
    assert entries(answer) == ["p1-encounter"]
    assert sorted(entries(answer, "include")) == ["dr", "org"]
    full.have({"resourceType": "Binary", "id": "scan", "contentType": "text/plain", "data": "b3RoZXI="})
    assert "scan" in entries(full.get(f"/Patient/p1/$everything?_since={since}"), "include")


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_pages_have_everything_once_while_others_write(full: Api, count: int) -> None:
    path, found = f"/Patient/p1/$everything?_count={count}", []
    written = False
    while path:
        answer = full.get(path)
        assert len(entries(answer)) <= count
        found += entries(answer)
        links = {link["relation"]: link["url"] for link in answer.json["link"]}
        path = links.get("next", "").removeprefix(BASE)
        assert ("first" in links) == (len(found) > count)
        if not written:
            full.have(
                observation("fresh", subject=to("Patient/p1")), observation("foreign", subject=to("Patient/p2"))
            )
            full.delete("/Observation/p1-obs") if count < 6 else None
            written = True
    rest = ["fresh"] if count < 6 else []
    assert found == [each for each in COMPARTMENT if each != "p1-obs" or count == 6] + rest


def test_a_page_link_belongs_to_its_client_and_its_query(full: Api) -> None:
    links = full.get("/Patient/p1/$everything?_count=2").json["link"]
    link = next(each["url"] for each in links if each["relation"] == "next").removeprefix(BASE)
    refused(full.as_("other").get(link), 404, "not-found")
    refused(full.get(link.replace("/p1/", "/p2/")), 404, "not-found")
    refused(full.get(f"{link}&_type=Observation"), 404, "not-found")
    refused(full.get(f"{link[:-2]}{'AA' if link[-2:] != 'AA' else 'BB'}"), 400, "invalid")


def test_large_resources_end_a_page_early(full: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everything, "MOST_BYTES", 10)
    assert entries(full.get("/Patient/p1/$everything")) == ["p1"]
    monkeypatch.undo()
    monkeypatch.setattr(everything, "MOST_SEEN", 3)
    assert entries(full.get("/Patient/p1/$everything")) == COMPARTMENT[:3]


def test_another_patients_record_is_no_part_of_it(full: Api) -> None:
    full.have(observation("born", subject=to("Patient/p1"), derivedFrom=[to("Observation/of-p2")]))
    answer = full.get("/Patient/p1/$everything")
    assert {"p2", "of-p2"}.isdisjoint([*entries(answer), *entries(answer, "include")])


def test_types_that_may_not_be_read_are_not_there(full: Api) -> None:
    answer = full.as_("patients").get("/Patient/p1/$everything")
    assert (entries(answer), entries(answer, "include")) == (["p1"], [])
    assert answer.json["total"] == 1


def test_who_may_not_search_a_type_is_not_given_a_list_of_it(full: Api) -> None:
    """A compartment's members are found by a search; what these refer to is read."""
    answer = full.as_("chart").get("/Patient/p1/$everything")
    assert entries(answer) == ["p1", "p1-obs"]
    assert entries(answer, "include") == ["dr"]
    assert entries(full.as_("reader").get("/Patient/p1/$everything")) == ["p1"]
    assert entries(full.as_("reader").get("/Patient/p1/$everything"), "include") == ["dr"]


REFUSED = {
    "no Patient scope": ("creator", "/Patient/p1/$everything", 403, "forbidden"),
    "a type that may be read and not searched": (
        "chart",
        "/Patient/p1/$everything?_type=Condition",
        403,
        "forbidden",
    ),
    "a type without scope": ("patients", "/Patient/p1/$everything?_type=Observation", 403, "forbidden"),
    "no such patient": ("all", "/Patient/none/$everything", 404, "not-found"),
    "a deleted patient": ("all", "/Patient/gone/$everything", 410, "deleted"),
    "no id": ("all", "/Patient/a_b/$everything", 400, "value"),
    "all patients": ("all", "/Patient/$everything", 400, "not-supported"),
    "another type": ("all", "/Encounter/p1-encounter/$everything", 400, "not-supported"),
    "unknown parameter": ("all", "/Patient/p1/$everything?foo=1", 400, "not-supported"),
    "unknown type": ("all", "/Patient/p1/$everything?_type=Foo", 400, "value"),
    "bad date": ("all", "/Patient/p1/$everything?start=2020-02-30", 400, "value"),
    "bad since": ("all", "/Patient/p1/$everything?_since=yesterday", 400, "value"),
    "twice": ("all", "/Patient/p1/$everything?start=2020&start=2021", 400, "duplicate"),
    "end before start": ("all", "/Patient/p1/$everything?start=2021&end=2020", 400, "value"),
    "count 0": ("all", "/Patient/p1/$everything?_count=0", 400, "value"),
    "count -1": ("all", "/Patient/p1/$everything?_count=-1", 400, "value"),
    "count abc": ("all", "/Patient/p1/$everything?_count=abc", 400, "value"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_refused(full: Api, case: str) -> None:
    full.have(patient("gone"))
    full.delete("/Patient/gone")
    who, path, status, code = REFUSED[case]
    refused(full.as_(who).get(path), status, code)


def test_lenient_handling_names_what_it_left_out(full: Api) -> None:
    answer = full.get("/Patient/p1/$everything?foo=1&_type=Patient", Prefer="handling=lenient")
    assert entries(answer) == ["p1"]
    (left,) = [e["resource"] for e in answer.json["entry"] if e["search"]["mode"] == "outcome"]
    assert "foo" in left["issue"][0]["diagnostics"]
    assert "foo" in answer.headers["Warning"]
    assert "foo" not in answer.json["link"][0]["url"]


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_it_works_inside_a_bundle(full: Api, kind: str) -> None:
    answer = full.bundle(
        kind, entry("GET", "Patient/p1/$everything?_type=Patient,Coverage"), entry("GET", "Patient/p1")
    )
    assert answer.status_code == 200, answer.text
    inner = answer.json["entry"][0]["resource"]
    assert [e["resource"]["id"] for e in inner["entry"] if e["search"]["mode"] == "match"] == ["p1", "p1-coverage"]


def test_a_reference_inside_a_text_is_none() -> None:
    found = everything._references(BASE).findall
    text = rb'{"display":"\"reference\":\"Patient/9\"","reference":"Group/1","url":"Patient/2"}'
    assert found(text) == [(b"Group", b"1")]
    assert found(b'{"reference":"https://other/fhir/Group/1"}') == []
    assert found(f'{{"url":"{BASE}/Binary/1/_history/3"}}'.encode()) == [(b"Binary", b"1")]


def test_care_dates_name_search_parameters() -> None:
    for kind, codes in CARE_DATES.items():
        for code in (*codes, *filter(None, [UNTIL.get(kind)])):
            assert parameters_of(kind)[code].type == "date", (kind, code)
