"""The terminology operations over HTTP: of the hub's own content, of a body, and of what clients stored."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.hub.asking import Api, refused

THING = "urn:example:thing"
SYSTEM = {
    "resourceType": "CodeSystem",
    "id": "things",
    "url": THING,
    "status": "active",
    "content": "complete",
    "hierarchyMeaning": "is-a",
    "concept": [{"code": "animal", "display": "Animal", "concept": [{"code": "dog", "display": "Dog"}]}],
}
SET = {
    "resourceType": "ValueSet",
    "id": "set",
    "url": "urn:example:set",
    "status": "active",
    "compose": {"include": [{"system": THING}]},
}
MAP = {
    "resourceType": "ConceptMap",
    "id": "map",
    "url": "urn:example:map",
    "status": "active",
    "group": [
        {
            "source": THING,
            "target": "urn:example:other",
            "element": [{"code": "dog", "target": [{"code": "chien", "equivalence": "equivalent"}]}],
        }
    ],
}
GENDER = "http://hl7.org/fhir/administrative-gender"


def value(answer: Any, name: str) -> Any:
    assert answer.status_code == 200, answer.text
    node = next(p for p in answer.json["parameter"] if p["name"] == name)
    return next(v for k, v in node.items() if k.startswith("value"))


def codes(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [node["code"] for node in answer.json["expansion"]["contains"]]


@pytest.fixture
def stored(api: Api) -> Api:
    api.have(SYSTEM, SET, MAP)
    return api


def test_what_r4_defines_is_known(api: Api) -> None:
    url = quote("http://hl7.org/fhir/ValueSet/administrative-gender")
    assert codes(api.get(f"/ValueSet/$expand?url={url}")) == ["male", "female", "other", "unknown"]
    assert value(api.get(f"/CodeSystem/$lookup?system={GENDER}&code=male"), "display") == "Male"
    assert value(api.get(f"/ValueSet/$validate-code?url={url}&system={GENDER}&code=M"), "result") is False


def test_what_clients_stored_is_known(stored: Api) -> None:
    assert codes(stored.get("/ValueSet/set/$expand")) == ["animal", "dog"]
    assert codes(stored.get("/ValueSet/$expand?url=urn:example:set&filter=dog")) == ["dog"]
    assert value(stored.get("/CodeSystem/things/$validate-code?code=dog"), "result") is True
    assert value(stored.get(f"/CodeSystem/$lookup?system={THING}&code=dog"), "display") == "Dog"
    assert (
        value(stored.get(f"/CodeSystem/$subsumes?system={THING}&codeA=animal&codeB=dog"), "outcome") == "subsumes"
    )
    assert value(stored.get(f"/ConceptMap/map/$translate?system={THING}&code=dog"), "result") is True


def test_a_change_of_what_is_stored_is_seen_at_once(stored: Api) -> None:
    asked = "/ValueSet/$expand?url=urn:example:set"
    assert codes(stored.get(asked)) == ["animal", "dog"]
    stored.have({**SYSTEM, "concept": [{"code": "stone", "display": "Stone"}]})
    assert codes(stored.get(asked)) == ["stone"]


def test_a_bare_value_set_may_be_posted(stored: Api) -> None:
    assert codes(stored.post("/ValueSet/$expand?filter=dog", {**SET, "url": "urn:example:mine"})) == ["dog"]
    body = {"resourceType": "Parameters", "parameter": [{"name": "url", "valueUri": "urn:example:set"}]}
    assert codes(stored.post("/ValueSet/$expand", body)) == ["animal", "dog"]


REFUSED = {
    "an unknown value set": ("all", "/ValueSet/$expand?url=urn:example:none", None, 404, "not-found"),
    "an unknown parameter": ("all", "/ValueSet/set/$expand?foo=1", None, 400, "not-supported"),
    "another resource": ("all", "/ValueSet/$expand", SYSTEM, 400, "invalid"),
    "given twice": (
        "all",
        "/ValueSet/$expand?url=urn:example:set",
        {"resourceType": "Parameters", "parameter": [{"name": "url", "valueUri": "urn:example:set"}]},
        400,
        "duplicate",
    ),
    "no such resource": ("all", "/ValueSet/none/$expand", None, 404, "not-found"),
    "no scope": ("patients", "/ValueSet/set/$expand", None, 403, "forbidden"),
    "no scope for the type": ("patients", "/CodeSystem/$lookup?system=x&code=y", None, 403, "forbidden"),
    "the other type": ("all", "/CodeSystem/$expand", None, 400, "not-supported"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_refused(stored: Api, case: str) -> None:
    who, path, body, status, code = REFUSED[case]
    refused(stored.as_(who).ask("POST" if body else "GET", path, body), status, code)
