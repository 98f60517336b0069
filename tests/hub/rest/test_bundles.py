"""Batch and transaction: what their entries may do to each other, and what they may not."""

from itertools import permutations
from typing import Any

import pytest

from hub.problems import Issue
from tests.hub.asking import Api, app_of, entry, mrn, observation, patient, refused, validator

BY_A = "identifier=https://hospital.invalid/mrn|a"
NEW = entry("POST", "Patient", patient())
BAD = entry("POST", "Patient", patient(gender="M"))
IDENTIFIED = patient(identifier=mrn("a"))


def statuses(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [e["response"]["status"][:3] for e in answer.json["entry"]]


def test_identities_found_by_different_conditions_may_not_be_one(api: Api) -> None:
    """B04"""
    api.have(patient("1", identifier=mrn("a"), active=True))
    before = api.counts()
    for other in ("Patient/1", "Patient?active=true"):
        changed = patient("1", identifier=mrn("a"), gender="other")
        answer = api.bundle("transaction", entry("PUT", f"Patient?{BY_A}", changed), entry("PUT", other, changed))
        refused(answer, 400, "duplicate")
    assert api.counts() == before


def test_several_matches_are_refused(api: Api) -> None:
    """B05, B13"""
    api.have(patient("1", identifier=mrn("a")), patient("2", identifier=mrn("a")))
    before = api.counts()
    referring = observation(subject={"reference": f"Patient?{BY_A}"})
    for bad in (
        entry("POST", "Observation", referring),
        entry("POST", "Patient", IDENTIFIED, ifNoneExist=BY_A),
        entry("PUT", f"Patient?{BY_A}", IDENTIFIED),
        entry("DELETE", f"Patient?{BY_A}"),
    ):
        issue = refused(api.bundle("transaction", NEW, bad), 412, "multiple-matches")
        assert issue["expression"] == ["Bundle.entry[1]"]
    refused(api.post("/Patient", IDENTIFIED, If_None_Exist=BY_A), 412, "multiple-matches")
    refused(api.put(f"/Patient?{BY_A}", IDENTIFIED), 412, "multiple-matches")
    refused(api.delete(f"/Patient?{BY_A}"), 412, "multiple-matches")
    assert api.counts() == before


def test_circular_references_are_resolved(api: Api) -> None:
    """B07"""
    first = {"resourceType": "Organization", "name": "Invented", "partOf": {"reference": "urn:uuid:b"}}
    second = {"resourceType": "Organization", "name": "Invented", "partOf": {"reference": "urn:uuid:a"}}
    answer = api.bundle(
        "transaction",
        entry("POST", "Organization", first, full_url="urn:uuid:a"),
        entry("POST", "Organization", second, full_url="urn:uuid:b"),
    )
    assert statuses(answer) == ["201", "201"]
    one, two = (e["resource"] for e in answer.json["entry"])
    assert one["partOf"]["reference"] == f"Organization/{two['id']}"
    assert two["partOf"]["reference"] == f"Organization/{one['id']}"


def test_a_batch_answers_each_entry_for_itself(api: Api) -> None:
    """B09, B11, B12 and others, side by side"""
    api.have(patient("1"))
    answer = api.as_("patients").bundle(
        "batch",
        entry("POST", "Patient", patient()),
        entry("POST", "Observation", observation()),
        entry("PUT", "Patient/1", patient("1", active=True), ifMatch='W/"9"'),
        entry("POST", "Bundle", {"resourceType": "Bundle", "type": "batch"}),
        entry("GET", "Patient/none"),
        entry("GET", "Observation/none"),
        entry("GET", "Patient?shoesize=1"),
        BAD,
        entry("HEAD", "Patient/1"),
        entry("PUT", "Patient/1", patient("1", active=False), ifMatch='W/"1"'),
    )
    assert statuses(answer) == ["201", "403", "412", "400", "404", "403", "400", "422", "400", "200"]
    outcomes = [e["response"]["outcome"]["issue"][0]["code"] for e in answer.json["entry"][1:9]]
    assert outcomes == [
        "forbidden",
        "conflict",
        "not-supported",
        "not-found",
        "forbidden",
        "not-supported",
        "code-invalid",
        "not-supported",
    ]
    assert api.counts()["resource"] == 2


def test_an_entry_that_is_not_granted_fails_the_whole_transaction(api: Api) -> None:
    """B16, and writes alike"""
    api.have(observation("o"))
    before = api.counts()
    for bad in (
        entry("GET", "Observation/o"),
        entry("GET", "Observation?status=final"),
        entry("POST", "Observation", observation()),
        entry("PUT", "Observation/o", observation("o", status="amended")),
        entry("DELETE", "Observation/o"),
        entry("POST", "Patient", patient(generalPractitioner=[{"reference": "Practitioner?active=true"}])),
    ):
        answer = api.as_("patients").bundle("transaction", NEW, bad)
        assert refused(answer, 403, "forbidden")["expression"] == ["Bundle.entry[1]"]
        assert "insufficient_scope" in answer.headers["WWW-Authenticate"]
    assert api.counts() == before


SHUFFLED = (
    entry("DELETE", "Patient/old"),
    entry("PUT", "Patient/kept", patient("kept", managingOrganization={"reference": "urn:uuid:o"})),
    entry("POST", "Organization", {"resourceType": "Organization", "name": "Invented"}, full_url="urn:uuid:o"),
    entry("GET", "Patient?_count=0"),
)


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_the_order_of_entries_changes_nothing(api: Api, order: tuple[int, ...]) -> None:
    """B15"""
    api.have(patient("old"))
    answer = api.bundle("transaction", *(SHUFFLED[place] for place in order))
    by_place = dict(zip(order, answer.json["entry"], strict=True))
    assert [by_place[place]["response"]["status"][:3] for place in range(4)] == ["204", "201", "201", "200"]
    assert by_place[3]["resource"]["total"] == 1
    organization = by_place[2]["resource"]["id"]
    assert api.get("/Patient/kept").json["managingOrganization"]["reference"] == f"Organization/{organization}"
    assert api.get("/Patient/old").status_code == 410


def test_an_empty_bundle_is_answered_with_an_empty_bundle(api: Api) -> None:
    for kind in ("batch", "transaction"):
        answer = api.post("", {"resourceType": "Bundle", "type": kind})
        assert answer.json == {"resourceType": "Bundle", "type": f"{kind}-response"}


def test_an_unforeseen_fault_in_a_batch_is_the_answer_of_its_entry_only(api: Api) -> None:
    """The fault: a validator that fails for one type."""

    def failing(resource: dict[str, Any], expected: str, conditional: bool, who: str) -> list[Issue]:
        if expected == "Observation":
            raise ValueError("Zanzibarovich")
        return validator(resource, expected, conditional)

    faulty = Api(app_of(api.database, validate=failing), api.database)
    answer = faulty.bundle("batch", NEW, entry("POST", "Observation", observation()), NEW)
    assert statuses(answer) == ["201", "500", "201"]
    assert "Zanzibarovich" not in answer.text
    refused(faulty.bundle("transaction", NEW, entry("POST", "Observation", observation())), 500, "exception")
    assert api.counts()["resource"] == 2


def test_a_stored_bundle_keeps_the_references_between_its_own_entries(api: Api) -> None:
    names = [f"urn:uuid:c757873d-ec9a-4326-a141-55{place:010}" for place in range(2)]
    sent = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": names[0], "resource": patient("a")},
            {"fullUrl": names[1], "resource": observation("b", subject={"reference": names[0]})},
        ],
    }
    answer = api.post("/Bundle", sent)
    assert answer.status_code == 201, answer.text
    assert api.get(f"/Bundle/{answer.json['id']}").json["entry"] == sent["entry"]


def test_narratives_and_uris_of_a_transaction_are_made_literal_and_canonicals_are_not(api: Api) -> None:
    name = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"

    def plan(link: str) -> dict[str, Any]:
        div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{link}">{name}</a></div>'
        return {
            "resourceType": "CarePlan",
            "text": {"status": "additional", "div": div},
            "status": "active",
            "intent": "plan",
            "subject": {"reference": link},
            "instantiatesUri": [link],
            "instantiatesCanonical": [name],
        }

    answer = api.bundle(
        "transaction", entry("POST", "CarePlan", plan(name)), entry("POST", "Patient", patient(), full_url=name)
    )
    assert statuses(answer) == ["201", "201"]
    made, new = (e["resource"] for e in answer.json["entry"])
    wanted = plan(f"Patient/{new['id']}")
    assert {element: made[element] for element in wanted} == wanted
