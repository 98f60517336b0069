"""AuditEvents are what IHE BALP 1.1.4 and R4 want: by our own validator, with BALP's package where there is one."""

from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conformance.packages.catalog import Catalog
from conformance.profiles.terms import LibraryCodes
from conformance.profiles.validate import Validator
from conformance.terminology.load import library
from conformance.validation import structure
from hub.audit.balp import Place, Teller
from hub.audit.interactions import DICOM, DISCLOSURE, INTERACTION, KINDS, PROFILES, TOKEN_GIVEN
from hub.audit.record import Release
from hub.fhir.systems import AUDIT_EVENT
from hub.rights.labels import PART2, codings_of
from hub.search.edges import address
from tests.hub.audit.records import record

BASE = "https://hub.example/fhir"
PACKAGE = Path("/work/shared/packages/BUILT-ihe.iti.balp-1.1.4.tgz")
ANN, BOB = address("Patient", "ann"), address("Patient", "bob")
TELLER = Teller(BASE, {ANN: "ann", BOB: "bob"})
Event = dict[str, Any]


def told(**parts: Any) -> list[Event]:
    return [event for _, event in TELLER.events(7, record(1, **parts))]


# every shape: with and without a patient, a person, labels; refused and failed
SHAPES: dict[str, dict[str, Any]] = {
    "a patient": {"releases": (Release(ANN),)},
    "a person": {"releases": (Release(ANN),), "user": "dr-doe", "purposes": ("TREAT",), "role": "ecm"},
    "no patient": {"releases": (), "type": "Organization", "id": "north"},
    "two patients": {"releases": (Release(ANN), Release(BOB))},
    "a patient that was never stored": {"releases": (Release(12345),)},
    "labels": {"releases": (Release(ANN, 2),)},
    "a disclosure under Part 2": {"releases": (Release(ANN, PART2, ("c1", "c2")),), "purposes": ("HOPERAT",)},
    "no id": {"releases": (), "id": "", "type": ""},
    "an id that is none": {"releases": (), "id": "not an id", "status": 400},
    "refused": {"releases": (), "status": 403},
    "failed": {"releases": (), "status": 503},
    "nobody known": {"releases": (), "status": 401, "client": "", "network": "", "request": ""},
    "a reason": {"releases": (Release(ANN),), "reason": "broken glass: emergency"},
}


# every interaction, of a patient and refused; every shape, read and searched, and written where it may differ
TOLD = sorted(
    {(interaction, shape) for interaction in KINDS for shape in ("a person", "refused")}
    | {(interaction, shape) for interaction in ("read", "search-type", "token") for shape in SHAPES}
    | {(interaction, "no patient") for interaction in ("create", "update", "delete", "operation")}
)


@pytest.mark.parametrize(("interaction", "shape"), TOLD)
def test_every_interaction_and_shape_holds_r4(interaction: str, shape: str) -> None:
    for event in told(interaction=interaction, **SHAPES[shape]):
        assert structure.validate(event, "AuditEvent") == []


@cache
def balp() -> Validator:
    catalog = Catalog.of_files([PACKAGE])
    return Validator(catalog, LibraryCodes(library(catalog)))


@pytest.mark.skipif(not PACKAGE.exists(), reason="BALP's package is not at hand: only R4 was validated")
@pytest.mark.parametrize(("interaction", "shape"), TOLD)
def test_every_interaction_and_shape_holds_the_profile_that_it_claims(interaction: str, shape: str) -> None:
    for event in told(interaction=interaction, **SHAPES[shape]):
        issues = balp().validate(event)
        assert [issue for issue in issues if issue.severity == "error"] == [], issues
        assert not any("No loaded package has the profile" in issue.message for issue in issues)


@pytest.mark.parametrize(
    "interaction", [name for name, kind in KINDS.items() if kind.profile and not kind.is_security]
)
def test_what_succeeded_claims_balps_profile_and_what_was_refused_none(interaction: str) -> None:
    (of_patient,) = told(interaction=interaction, releases=(Release(ANN),))
    (of_nobody,) = told(interaction=interaction, releases=(), type="Organization")
    (refused,) = told(interaction=interaction, releases=(), status=403)
    name = KINDS[interaction].profile
    assert of_patient["meta"]["profile"] == [f"{PROFILES}.Patient{name}"]
    assert of_nobody["meta"]["profile"] == [f"{PROFILES}.{name}"]
    assert "profile" not in refused["meta"]


def test_a_token_that_was_given_is_told_as_ihe_wants_it_and_a_refused_one_claims_nothing() -> None:
    (given,) = told(interaction="token", method="POST", query="/auth/token", releases=(), type="", id="")
    (refused,) = told(interaction="token", releases=(), type="", id="", status=401, client="")
    assert given["meta"]["profile"] == [TOKEN_GIVEN]
    assert given["type"]["code"] == refused["type"]["code"] == "110114"
    assert given["subtype"] == [{"system": "urn:ihe:event-type-code", "code": "ITI-71"}]
    assert [agent["type"]["coding"][0]["code"] for agent in given["agent"]] == ["110150", "AuthzOauthService"]
    assert [b64decode(entity["query"]) for entity in given["entity"]] == [b"POST /auth/token"]
    assert "profile" not in refused["meta"]


# interaction -> its type and the systems of its subtypes
SECURITY = {
    "sign-in": ("110114", {DICOM}),
    "sign-out": ("110114", {DICOM}),
    "introspection": ("110114", {AUDIT_EVENT}),
    "revocation": ("110114", {AUDIT_EVENT}),
    "authorization": ("110114", {AUDIT_EVENT}),
    "launch": ("110114", {AUDIT_EVENT}),
    "registration": ("110113", {DICOM, AUDIT_EVENT}),
    "client-change": ("110113", {DICOM, AUDIT_EVENT}),
    "key-change": ("110113", {DICOM, AUDIT_EVENT}),
    "user-change": ("110113", {DICOM}),
    "node-authentication": ("110113", {DICOM}),
    "unsafe-file": ("110113", {AUDIT_EVENT}),
    "break-glass-start": ("110113", {DICOM}),
    "break-glass-end": ("110113", {DICOM}),
    "notice": ("rest", {INTERACTION, AUDIT_EVENT}),
    "message": ("rest", {INTERACTION, AUDIT_EVENT}),
    "patient-picker": ("rest", {INTERACTION, AUDIT_EVENT}),
}


@pytest.mark.parametrize("interaction", SECURITY)
def test_what_is_no_fhir_interaction_has_published_codes_or_the_hubs_own(interaction: str) -> None:
    kind, systems = SECURITY[interaction]
    for event in told(interaction=interaction):
        assert event["type"]["code"] == kind
        assert {each["system"] for each in event["subtype"]} == systems


@pytest.mark.parametrize("interaction", [name for name, kind in KINDS.items() if kind.is_security])
def test_security_events_are_no_disclosures(interaction: str) -> None:
    assert [event["id"] for event in told(interaction=interaction, releases=(Release(ANN, PART2),))] == ["7-1"]


def test_there_is_one_for_each_patient() -> None:
    events = told(releases=(Release(ANN), Release(BOB)))
    assert [event["id"] for event in events] == ["7-1", "7-2"]
    assert [patients(event) for event in events] == [["Patient/ann"], ["Patient/bob"]]


def patients(event: Event) -> list[str]:
    return [e["what"]["reference"] for e in event["entity"] if e["type"].get("code") == "1"]


def test_it_says_who_asked_what_for_which_purpose_and_from_where() -> None:
    (event,) = told(user="dr-doe", purposes=("TREAT",), role="ecm", releases=(Release(ANN),))
    client, server, user = event["agent"]
    assert client["who"] == {"identifier": {"value": "ehr"}}
    assert (client["network"], client["requestor"]) == ({"address": "192.0.2.7", "type": "2"}, False)
    assert client["role"] == [{"text": "ecm"}]
    assert server["network"] == {"address": BASE, "type": "5"}
    assert (user["who"], user["requestor"]) == ({"identifier": {"value": "dr-doe"}}, True)
    reason = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}
    assert event["purposeOfEvent"] == user["purposeOfUse"] == [{"coding": [reason]}]
    assert event["entity"][0]["what"] == {"reference": "Patient/1/_history/1"}
    assert event["entity"][-1]["what"] == {"identifier": {"value": "request-1"}}
    assert event["recorded"] == event["meta"]["lastUpdated"]


def test_a_query_is_told_as_it_was_asked() -> None:
    (event,) = told(interaction="search-type", method="GET", query="/Patient?name=a%20b&_count=3")
    (query,) = [e["query"] for e in event["entity"] if "query" in e]
    assert b64decode(query) == b"GET /Patient?name=a%20b&_count=3"


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "0"), (204, "0"), (304, "0"), (401, "4"), (404, "4"), (500, "8"), (503, "8")]
)
def test_the_outcome_follows_the_status(status: int, outcome: str) -> None:
    (event,) = told(status=status, releases=())
    assert event["outcome"] == outcome
    assert event.get("outcomeDesc") == (None if outcome == "0" else f"HTTP {status}")


def test_a_part_2_release_is_told_as_a_disclosure_too_with_its_consents() -> None:
    access, disclosure = told(releases=(Release(ANN, PART2, ("c1",)),))
    assert (access["id"], disclosure["id"]) == ("7-1", "7-1-d")
    assert disclosure["meta"]["profile"] == [DISCLOSURE]
    assert disclosure["type"]["code"] == "110106"
    assert "Consent/c1" in [entity["what"].get("reference") for entity in disclosure["entity"]]
    assert access["entity"][0]["securityLabel"] == codings_of(PART2)
    assert "42CFRPart2" in [label["code"] for label in codings_of(PART2)]


@pytest.mark.parametrize(
    "parts",
    [
        {"releases": (Release(ANN),)},
        {"releases": (Release(ANN, 2),)},
        {"releases": (Release(ANN, PART2),), "interaction": "update"},
        {"releases": (Release(ANN, PART2),), "status": 304},
        {"releases": (Release(ANN, PART2),), "interaction": "delete"},
    ],
)
def test_what_discloses_no_part_2_data_is_told_once(parts: dict[str, Any]) -> None:
    assert [event["id"] for event in told(**parts)] == ["7-1"]


@pytest.mark.parametrize("identity", ["7-1", "12-0", "3-22-d"])
def test_an_id_leads_back_to_its_place(identity: str) -> None:
    assert str(Place.of(identity)) == identity


@pytest.mark.parametrize(
    "identity", ["7", "7-", "-1", "a-1", "7-1-x", "07-1", "7-1-d-d", "٣-1", "9" * 40 + "-1", ""]
)
def test_what_is_no_such_id_leads_nowhere(identity: str) -> None:
    assert Place.of(identity) is None
