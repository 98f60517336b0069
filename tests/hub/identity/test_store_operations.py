"""$merge, $unmerge, $match and $member-match over the door."""

from dataclasses import replace
from typing import Any

import pytest

from hub import clock
from hub.access import Access
from hub.identity import events, persons
from hub.identity.blocking import keys
from hub.identity.candidates import recorded
from hub.identity.patient import person_of
from hub.identity.strong import Systems
from hub.rights.facts import client_number
from hub.rights.provisions import recipient_class
from hub.sight import PURPOSES, Sight
from hub.store.engine import Database
from tests.hub.asking import Api, patient, refused
from tests.hub.identity_world import callers, contents, county
from tests.hub.sighted import caller, labelled, to
from tests.hub.smallest import smallest

GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
CIN = "https://calaim-hub.example/fhir/sid/medi-cal-cin"


def operator() -> Access:
    holders = (client_number("ops"), recipient_class("operator"))
    grants = frozenset((("Patient", "r"), ("Patient", "s"), ("Task", "r"), ("Task", "u"), ("Task", "s")))
    return Access(
        "ops", grants, "operator", sight=Sight(holders=holders, purposes=PURPOSES["HOPERAT"]), source="ops"
    )


@pytest.fixture
def api(swept: Database) -> Api:
    sees = callers() | {
        "ops": operator(),
        "custodian": Access(
            "custodian", caller().grants, "custodian", sight=replace(caller().sight, all_patients=True)
        ),
        "plan": replace(caller("plan"), role="plan"),
    }
    return county(swept, sees)


def parameters(**given: Any) -> dict[str, Any]:
    """References by `source_patient`; booleans; resources; lists of identifiers."""
    parts: list[dict[str, Any]] = []
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            part: dict[str, Any] = {"name": name.replace("_", "-")}
            if isinstance(each, bool):
                part["valueBoolean"] = each
            elif isinstance(each, str):
                part["valueReference"] = to("Patient", each)
            elif "resourceType" in each:
                part["resource"] = each
            else:
                part["valueIdentifier"] = each
            parts.append(part)
    return {"resourceType": "Parameters", "parameter": parts}


def merged(api: Api, source: str, target: str, **given: Any) -> Any:
    return api.post("/Patient/$merge", parameters(source_patient=source, target_patient=target, **given))


@pytest.mark.parametrize("who", ["harbor", "plan", "pier"])
def test_only_who_decides_merges(api: Api, who: str) -> None:
    before = contents(api.database)
    refused(merged(api.as_(who), "anna", "ann"), 403, "forbidden")
    refused(api.as_(who).post("/Patient/$unmerge", parameters(source_patient="anna")), 403, "forbidden")
    assert contents(api.database) == before


def test_an_operator_merges_and_unmerges_and_sees_no_patient(api: Api) -> None:
    before = contents(api.database)
    answer = merged(api.as_("ops"), "anna", "ann")
    assert answer.status_code == 200, answer.text
    assert [part["name"] for part in answer.json["parameter"]] == ["input", "outcome"]
    assert "Invented" not in answer.text
    assert api.found("/Patient?active=true") == ["ann", "bob"]
    answer = api.as_("ops").post("/Patient/$unmerge", parameters(source_patient="anna"))
    assert answer.status_code == 200, answer.text
    assert contents(api.database) == before


def test_the_custodian_is_shown_the_result(api: Api) -> None:
    answer = merged(api.as_("custodian"), "anna", "ann")
    assert answer.json["parameter"][-1]["resource"]["id"] == "ann"


def test_a_preview_changes_nothing(api: Api) -> None:
    before = contents(api.database)
    answer = merged(api.as_("ops"), "anna", "ann", preview=True)
    assert "would be" in answer.text
    assert contents(api.database) == before
    assert api.found("/Observation?subject=Patient/anna") == ["o-anna"]


def test_patients_are_named_by_their_identifiers(api: Api) -> None:
    given = {"source_patient_identifier": [{"value": "anna-1"}], "target_patient_identifier": [{"value": "ann-1"}]}
    assert api.as_("ops").post("/Patient/$merge", parameters(**given)).status_code == 200
    assert api.get("/Patient/anna").json["active"] is False
    given = {"source_patient": "bob", "target_patient_identifier": [{"value": "nobody"}]}
    refused(api.as_("ops").post("/Patient/$merge", parameters(**given)), 422, "processing")


def test_the_result_is_how_the_operator_wants_it_and_stays_linked(api: Api) -> None:
    wanted = patient("ann", gender="female", name=[{"family": "Wanted"}])
    assert merged(api.as_("ops"), "anna", "ann", result_patient=wanted).status_code == 200
    ann = api.get("/Patient/ann").json
    assert ann["name"] == [{"family": "Wanted"}]
    assert ann["link"] == [{"other": to("Patient", "anna"), "type": "replaces"}]
    refused(merged(api.as_("ops"), "bob", "ann", result_patient=patient("bob")), 400, "invalid")


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"source_patient": "ann", "target_patient": "ann"}, 400, "invalid"),
        ({"source_patient": "nobody", "target_patient": "ann"}, 404, "not-found"),
        ({"target_patient": "ann"}, 400, "required"),
        ({"source_patient": {"value": "1"}, "target_patient": "ann"}, 400, "value"),
    ],
)
def test_a_merge_that_cannot_be_is_an_outcome(api: Api, given: dict[str, Any], status: int, code: str) -> None:
    refused(api.as_("ops").post("/Patient/$merge", parameters(**given)), status, code)


def test_a_repeated_request_with_its_key_merges_once(api: Api) -> None:
    body = parameters(source_patient="anna", target_patient="ann")
    answers = [api.as_("ops").post("/Patient/$merge", body, Idempotency_Key="once") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    with api.database.read() as connection:
        assert len(events.newest(connection, events.MERGE, 5)) == 1


def known(api: Api, *resources: dict[str, Any]) -> None:
    """These Patients, as source persons by whom they are found."""
    api.have(*resources)
    for number, each in enumerate(resources, 1):
        said_besides(api, each, number)


def said_besides(api: Api, said: dict[str, Any], number: int = 50) -> None:
    """What a source said of the Patient of this id. Where the source is guarded, nothing of it stands in that."""
    found = person_of(said, "test", Systems())
    with api.database.write() as connection:
        row = number, "test", f"{said['id']}-{number}", said["id"], recorded(found, said)
        persons.put(connection, *row, clock.micros(clock.now()))
        persons.keep_keys(connection, number, keys(found))


def quilla(identity: str, **parts: Any) -> dict[str, Any]:
    made = patient(
        identity,
        name=[{"family": "Quillamore", "given": ["Zephyrine"]}],
        birthDate="1981-03-14",
        gender="female",
        telecom=[{"system": "phone", "value": "555-010-4477"}],
        address=[{"line": ["12 Invented Way"], "city": "Nowhere", "postalCode": "99999"}],
        identifier=[{"system": CIN, "value": "91234567A"}],
    )
    return {name: value for name, value in (made | parts).items() if value != []}


def asked(**parts: Any) -> dict[str, Any]:
    return {name: value for name, value in quilla("x", **parts).items() if name != "id"}


def test_a_member_is_matched_with_a_grade_and_a_score(api: Api) -> None:
    known(api, quilla("ann"), patient("bob", name=[{"family": "Else", "given": ["Bob"]}], birthDate="1950-01-02"))
    answer = api.as_("harbor").post("/Patient/$match", asked())
    assert answer.status_code == 200, answer.text
    (entry,) = answer.json["entry"]
    assert entry["resource"]["id"] == "ann"
    assert entry["search"]["extension"] == [{"url": GRADE, "valueCode": "certain"}]
    assert entry["search"]["score"] >= 0.99


def test_who_is_hidden_is_not_matched(api: Api) -> None:
    known(api, quilla("anna"))
    assert api.as_("harbor").post("/Patient/$match", asked()).json.get("entry", []) == []
    assert len(api.as_("pier").post("/Patient/$match", asked()).json["entry"]) == 1


def test_who_is_doubtful_is_no_certain_match(api: Api) -> None:
    known(api, quilla("ann"))
    doubtful = asked(birthDate="1981-04-13", identifier=[], telecom=[], address=[])
    body = parameters(resource=doubtful, onlyCertainMatches=True)
    assert api.as_("harbor").post("/Patient/$match", body).json.get("entry", []) == []


GUARDED = {"system": CIN, "value": "97654321B"}


def test_a_number_that_a_guarded_source_alone_says_finds_nobody(api: Api) -> None:
    known(api, quilla("ann", identifier=[]))
    said_besides(api, quilla("ann", identifier=[GUARDED]))
    body = {"resourceType": "Patient", "identifier": [GUARDED]}
    answer = api.as_("harbor").post("/Patient/$match", body)
    assert (answer.json["total"], answer.json.get("entry", [])) == (0, [])


def test_what_a_guarded_source_alone_says_changes_no_grade_and_no_score(api: Api) -> None:
    """The address of a shelter, and its phone."""
    known(api, quilla("ann", identifier=[], telecom=[], address=[]))
    shelter = {
        "address": [{"line": ["7 Shelter Street"], "city": "Elsewhere", "postalCode": "99998"}],
        "telecom": [{"system": "phone", "value": "555-010-9911"}],
    }
    body = asked(identifier=[]) | shelter
    before = api.as_("harbor").post("/Patient/$match", body).json["entry"]
    said_besides(api, quilla("ann", identifier=[GUARDED], **shelter))
    assert [entry["search"] for entry in before] == [
        entry["search"] for entry in api.as_("harbor").post("/Patient/$match", body).json["entry"]
    ]


def test_nor_does_it_find_who_would_not_be_found_without_it(api: Api) -> None:
    """All that is said here is a slip away from what the Patient says: no key is the same."""
    ssn = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "123-45-6781"}
    known(api, quilla("ann", identifier=[ssn]))
    said_besides(api, quilla("ann", identifier=[GUARDED]))
    slips: dict[str, Any] = {
        "name": [{"family": "Cuillamore", "given": ["Sephyrine"]}],
        "birthDate": "1982-03-14",
        "telecom": [],
        "address": [{"line": ["12 Invented Wey"], "city": "Nowhere", "postalCode": "99999"}],
    }
    for identifiers in ([ssn], [ssn, GUARDED]):
        body = asked(identifier=identifiers, **slips)
        assert api.as_("harbor").post("/Patient/$match", body).json["total"] == 0


def test_who_is_hidden_makes_no_match_uncertain(api: Api) -> None:
    known(api, quilla("ann"), quilla("anna"))
    body = parameters(resource=asked(), onlyCertainMatches=True)
    (entry,) = api.as_("harbor").post("/Patient/$match", body).json["entry"]
    assert entry["resource"]["id"] == "ann"


def test_a_merged_member_is_matched_once(api: Api) -> None:
    known(api, quilla("ann"), quilla("anna"))
    merged(api.as_("ops"), "anna", "ann")
    found = [each["resource"]["id"] for each in api.as_("harbor").post("/Patient/$match", asked()).json["entry"]]
    assert found == ["ann"]


def test_only_a_patient_is_matched(api: Api) -> None:
    refused(api.as_("harbor").post("/Patient/$match", {"resourceType": "Observation"}), 400, "invalid")


def card(number: str = "91234567A", **parts: Any) -> dict[str, Any]:
    coverage = {"resourceType": "Coverage", "status": "active", "subscriberId": number}
    return parameters(MemberPatient=asked(**parts), CoverageToMatch=coverage)


def test_the_one_member_of_a_card_is_told_to_who_does_not_see_her_yet(api: Api) -> None:
    api.have(quilla("anna"))
    answer = api.as_("plan").post("/Patient/$member-match", card())
    assert answer.status_code == 200, answer.text
    told = {part["name"]: part for part in answer.json["parameter"]}
    assert told["MemberId"]["valueReference"] == to("Patient", "anna")
    assert told["MemberIdentifier"]["valueIdentifier"]["value"] == "91234567A"
    assert told["MemberIdentifier"]["valueIdentifier"]["type"]["coding"][0]["code"] == "UMB"
    assert api.as_("plan").get("/Patient/anna").status_code == 404


@pytest.mark.parametrize(("labels", "status"), [((), 200), (("HIV",), 422), (("PSYTHPN",), 422)])
def test_the_number_of_a_coverage_counts_unless_it_is_guarded(
    api: Api, labels: tuple[str, ...], status: int
) -> None:
    """The plan has no consent for HIV, and none would do: nobody is known yet."""
    coverage = smallest("Coverage", "cover") | {"beneficiary": to("Patient", "anna"), "identifier": [GUARDED]}
    api.have(quilla("anna", identifier=[]), coverage | ({"meta": labelled(*labels)} if labels else {}))
    assert api.as_("plan").post("/Patient/$member-match", card(GUARDED["value"])).status_code == status


def test_a_guarded_patient_is_not_matched(api: Api) -> None:
    api.have(quilla("anna", meta=labelled("HIV")))
    refused(api.as_("plan").post("/Patient/$member-match", card()), 422, "processing")


@pytest.mark.parametrize(
    "parts",
    [
        {"number": "91234567B"},
        {"birthDate": "1955-12-01"},
        {"name": [{"family": "Other", "given": ["Somebody"]}]},
        {"birthDate": ""},
    ],
)
def test_nobody_is_told_where_the_card_or_the_person_is_another(api: Api, parts: dict[str, Any]) -> None:
    api.have(quilla("anna"))
    told = refused(api.as_("plan").post("/Patient/$member-match", card(**parts)), 422, "processing")
    api.have(quilla("ann"))
    assert told == refused(api.as_("plan").post("/Patient/$member-match", card()), 422, "processing")


def test_who_tries_numbers_is_stopped(api: Api) -> None:
    answers = [api.as_("plan").post("/Patient/$member-match", card(f"9000{n:04}A")) for n in range(61)]
    assert {answer.status_code for answer in answers} == {422, 429}
    assert int(answers[-1].headers["Retry-After"]) > 0
    refused(api.as_("plan").post("/Patient/$member-match", card(), Idempotency_Key="again"), 400, "not-supported")


def test_other_roles_match_no_members(api: Api) -> None:
    refused(api.as_("ops").post("/Patient/$member-match", card()), 403, "forbidden")


def test_a_consent_that_is_not_in_force_is_not_honored(api: Api) -> None:
    api.have(quilla("anna"))
    policy = [{"uri": "http://hl7.org/fhir/us/davinci-hrex/StructureDefinition-hrex-consent.html#regular"}]
    period = {"start": "2020-01-01", "end": "2099-12-31"}
    held = {"resourceType": "Consent", "status": "active", "policy": policy, "provision": {"period": period}}
    for consent, status in ((held, 200), (held | {"status": "inactive"}, 422), (held | {"policy": []}, 422)):
        body = card()
        body["parameter"].append({"name": "Consent", "resource": consent})
        assert api.as_("plan").post("/Patient/$member-match", body).status_code == status
