"""`_summary` and `_elements`: a part of each resource that says it is one, and is still valid."""

from decimal import Decimal
from typing import Any

import pytest

from hub.fhir import json
from hub.fhir.summary import SUBSETTED, shape
from tests.hub.asking import Api, observation, patient

HARD: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o",
    "meta": {"tag": [{"system": "https://t.invalid", "code": "demo"}], "versionId": "1"},
    "implicitRules": "https://rules.invalid/r",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'},
    "contained": [{"resourceType": "Patient", "id": "in"}],
    "extension": [{"url": "https://e.invalid", "valueString": "x"}],
    "modifierExtension": [{"url": "https://m.invalid", "valueString": "x"}],
    "status": "final",
    "_status": {"extension": [{"url": "https://e.invalid", "valueString": "x"}]},
    "code": {"coding": [{"code": "c", "display": "d"}], "text": "t"},
    "subject": {"reference": "#in"},
    "valueQuantity": {"value": Decimal("72.50"), "unit": "u"},
    "note": [{"text": "n"}],
    "component": [{"code": {"text": "p"}, "interpretation": [{"text": "i"}], "valueString": "v"}],
    "method": {"text": "m"},
}
KEPT = {"_status", "code", "id", "implicitRules", "meta", "modifierExtension", "resourceType", "status"}

# what is asked -> what stays besides KEPT
ROWS: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "true": ("true", (), {"component", "subject", "valueQuantity"}),
    "text": ("text", (), {"text"}),
    "data": ("data", (), set(HARD) - {"text"}),
    "elements": ("false", ("subject", "note"), {"note", "subject"}),
    "a choice by its name": ("false", ("value",), {"valueQuantity"}),
    "a choice by its type": ("false", ("valueQuantity",), {"valueQuantity"}),
    "another type of it": ("false", ("valueString",), set()),
    "what is kept anyway": ("false", ("id", "status", "meta"), set()),
}


@pytest.mark.parametrize(("summary", "elements", "stays"), ROWS.values(), ids=ROWS)
def test_what_is_asked_for_stays_with_what_is_mandatory(
    summary: str, elements: tuple[str, ...], stays: set[str]
) -> None:
    before = json.write(HARD)
    found = shape(HARD, summary, elements)
    assert set(found) == KEPT | stays
    assert found["meta"]["tag"] == [*HARD["meta"]["tag"], SUBSETTED]
    assert found["meta"]["versionId"] == "1"
    assert json.write(HARD) == before, "the resource itself is not touched"


def test_nothing_asked_is_the_resource_itself() -> None:
    assert shape(HARD, "false", ()) is HARD


def test_a_summary_reaches_inside() -> None:
    found = shape(HARD, "true", ())
    assert found["component"] == [{"code": {"text": "p"}, "valueString": "v"}]
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain", "data": "QQ==", "url": "https://d.invalid"}}],
    }
    (content,) = shape(document, "true", ())["content"]
    assert content == {"attachment": {"contentType": "text/plain", "url": "https://d.invalid"}}


def test_a_summary_empties_nothing() -> None:
    absent = [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    whole = {"resourceType": "Patient", "name": [{"extension": absent}], "_birthDate": {"extension": absent}}
    found = shape(whole, "true", ())
    assert (found["name"], found["_birthDate"]) == ([{"extension": absent}], {"extension": absent})


def test_a_resource_without_meta_and_id_is_tagged_too() -> None:
    assert shape({"resourceType": "Patient"}, "true", ()) == {
        "resourceType": "Patient",
        "meta": {"tag": [SUBSETTED]},
    }


def test_a_tag_that_is_there_is_not_repeated() -> None:
    tagged = {"resourceType": "Patient", "meta": {"tag": [SUBSETTED]}}
    assert shape(tagged, "data", ()) == tagged


def resources(api: Api, path: str) -> list[dict[str, Any]]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json["entry"]]


def test_a_search_gives_the_elements_of_matches_and_the_whole_of_what_they_include(api: Api) -> None:
    api.have(
        patient("ann", name=[{"family": "Invented"}], birthDate="1980-01-01"),
        observation("o", subject={"reference": "Patient/ann"}, note=[{"text": "n"}]),
    )
    match, include = resources(api, "/Observation?_include=Observation:subject&_elements=subject")
    assert sorted(match) == ["code", "id", "meta", "resourceType", "status", "subject"]
    assert SUBSETTED in match["meta"]["tag"]
    assert include == api.get("/Patient/ann").json
    (match,) = resources(api, "/Patient?_elements=name&_elements=birthDate")
    assert sorted(match) == ["birthDate", "id", "meta", "name", "resourceType"]


def test_a_search_gives_summaries_of_matches_and_of_what_they_include(api: Api) -> None:
    api.have(
        patient("ann", name=[{"family": "Invented"}], maritalStatus={"text": "m"}),
        observation("o", subject={"reference": "Patient/ann"}, note=[{"text": "n"}]),
    )
    match, include = resources(api, "/Observation?_include=Observation:subject&_summary=true")
    assert ("note" in match, "subject" in match) == (False, True)
    assert ("maritalStatus" in include, "name" in include) == (False, True)
    assert SUBSETTED in match["meta"]["tag"]
    assert SUBSETTED in include["meta"]["tag"]
    assert "tag" not in api.get("/Patient/ann").json["meta"]


def test_decimals_stay_as_they_are_written(api: Api) -> None:
    body = json.write(observation("o", valueQuantity={"value": Decimal("72.50")}))
    assert api.put("/Observation/o", body).status_code == 201
    for asked in ("_summary=true", "_summary=data", "_elements=value", "_summary=false"):
        assert '"value":72.50' in api.get(f"/Observation?{asked}").text, asked


def test_pages_stay_shaped(api: Api) -> None:
    api.have(*(patient(f"p{number}", birthDate="1980") for number in range(3)))
    links = {link["relation"]: link["url"] for link in api.get("/Patient?_count=1&_elements=active").json["link"]}
    body = api.get(links["next"].removeprefix("https://hub.example/fhir")).json
    assert "birthDate" not in body["entry"][0]["resource"]
    assert {link["relation"] for link in body["link"]} == {"self", "first", "next"}
    again = {link["relation"]: link["url"] for link in body["link"]}
    assert (again["first"], again["self"]) == (links["self"], links["next"])
