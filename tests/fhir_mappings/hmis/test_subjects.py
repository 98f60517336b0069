"""A client's rows as FHIR: valid, labelled, the same in any order; what was taken back says so."""

from collections import Counter
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from conformance.validation import structure
from fhir_mappings.hmis import subjects
from fhir_mappings.hmis.code_lists import LISTS
from fhir_mappings.hmis.labels import SENSITIVE
from hub.feeds.records import Kept, Subject, Unmapped, Waiting
from tests.fhir_mappings.hmis.clients import FEED, enrolled, kept, of, resources, security, subject

EXIT = kept("Exit", {"Destination": "410", "ExitDate": "2026-02-20"})
SITUATION = kept("CurrentLivingSituation", {"CurrentLivingSituation": "116", "InformationDate": "2026-02-05"})
DISABILITY = kept(
    "Disabilities", {"DisabilityType": "10", "DisabilityResponse": "3", "InformationDate": "2026-02-01"}
)
VIOLENCE = kept("HealthAndDV", {"DomesticViolenceSurvivor": "1", "WhenOccurred": "2", "CurrentlyFleeing": "1",
                                "InformationDate": "2026-02-01"})  # fmt: skip
INCOME = kept("IncomeBenefits", {"Medicaid": "1", "InformationDate": "2026-02-01"})
ASSESSMENT = kept("Assessment", {"AssessmentType": "3", "AssessmentLevel": "2", "PrioritizationStatus": "1",
                                 "AssessmentDate": "2026-02-03"})  # fmt: skip
RESULT = kept("AssessmentResults", {"AssessmentID": "assessment-1", "AssessmentResultType": "Score",
                                    "AssessmentResult": "7"})  # fmt: skip
EVENT = kept("Event", {"Event": "14", "EventDate": "2026-02-10", "ReferralResult": "3", "ResultDate": "2026-02-12"})
ALL = [*enrolled(LivingSituation="101"), EXIT, SITUATION, DISABILITY, VIOLENCE, INCOME, ASSESSMENT, RESULT, EVENT]


def coded(made: dict[str, Any]) -> str:
    return str(made["valueCodeableConcept"]["coding"][0]["code"])


def test_all_that_is_made_is_valid_and_has_a_number_of_its_own() -> None:
    made = resources(subject(*ALL))
    for each in made:
        assert list(structure.validate({**each, "id": "x"}, conditional_references=True)) == [], each[
            "resourceType"
        ]
    numbers = Counter((one["resourceType"], *one["identifier"][0].values()) for one in made)
    assert set(numbers.values()) == {1}
    assert {one["resourceType"] for one in made} == {"EpisodeOfCare", "Observation", "ServiceRequest", "Task"}


def test_all_that_is_said_of_a_person_has_the_label_of_hmis() -> None:
    assert all("HMIS" in security(one) for one in resources(subject(*ALL)))


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [EXIT, SITUATION, *enrolled()]
    made = [resources(Subject(FEED, "client|c-1", [kept("Client", {}), *some])) for some in permutations(rows)]
    assert all(sorted(map(str, each)) == sorted(map(str, made[0])) for each in made)


def test_an_enrolment_is_an_episode_from_entry_to_exit() -> None:
    (open_,) = of(subject(*enrolled()), "enrollment")
    assert (open_["status"], open_["period"]) == ("active", {"start": "2026-02-01"})
    assert open_["type"][0]["coding"][0]["display"] == "Emergency Shelter - Entry Exit"
    assert open_["managingOrganization"]["reference"].endswith("/organization|org-1")
    (ended,) = of(subject(*enrolled(), EXIT), "enrollment")
    period = {"start": "2026-02-01", "end": "2026-02-20"}
    assert (ended["status"], ended["period"]) == ("finished", period)
    assert ended["statusHistory"] == [{"status": "active", "period": period}]


def test_an_exit_that_lay_ahead_when_it_was_written_is_a_plan() -> None:
    planned = kept("Exit", {"Destination": "410", "ExitDate": "2026-03-20"})
    (made,) = of(subject(*enrolled(), planned), "enrollment")
    assert (made["status"], made["period"]["end"]) == ("active", "2026-03-20")


def test_an_exit_before_its_entry_makes_no_period_that_ends_before_it_begins() -> None:
    before = kept("Exit", {"Destination": "410", "ExitDate": "2026-01-01"})
    (made,) = of(subject(*enrolled(), before), "enrollment")
    assert made["period"] == {"start": "2026-02-01", "end": "2026-02-01"}


def test_an_exit_that_was_taken_back_opens_the_episode_again() -> None:
    gone = kept("Exit", {"Destination": "410", "ExitDate": "2026-02-20", "DateDeleted": "2026-03-01T10:00:00"})
    one = subject(*enrolled(), gone)
    assert of(one, "enrollment")[0]["status"] == "active"
    assert of(one, "exit-destination")[0]["status"] == "entered-in-error"


def test_an_enrolment_without_its_project_waits() -> None:
    one = subject(*enrolled())
    with pytest.raises(Waiting):
        resources(replace(one, rows=[row for row in one.rows if row.kind != "EnrollmentProject"]))


def test_with_an_enrolment_all_that_belongs_to_it_is_taken_back() -> None:
    gone = kept("Enrollment", {"EntryDate": "2026-02-01", "ProjectID": "p-1", "DateDeleted": "2026-03-01T10:00:00"})
    made = resources(subject(gone, EXIT, SITUATION, DISABILITY, VIOLENCE, INCOME, ASSESSMENT, EVENT))
    statuses = {one["identifier"][0]["system"].rpartition("/")[2]: one["status"] for one in made}
    assert {noun for noun, status in statuses.items() if status != "entered-in-error"} == {
        "veteran-status", "homelessness",
    }  # fmt: skip


def test_with_a_client_everything_is_taken_back() -> None:
    gone = kept("Client", {"DateDeleted": "2026-03-01T10:00:00"})
    made = resources(subject(gone, *ALL))
    assert {one["status"] for one in made if "homelessness" not in str(one["identifier"])} == {"entered-in-error"}


def gone_from_export(*rows: Kept) -> list[Kept]:
    return [replace(row, deleted=True) for row in rows]


def test_an_enrolment_that_ended_and_left_the_period_of_the_export_stays_as_it_was() -> None:
    one = subject(*gone_from_export(*enrolled(), EXIT, SITUATION))
    assert of(one, "enrollment")[0]["status"] == "finished"
    assert of(one, "exit-destination")[0]["status"] == "final"
    assert of(one, "current-living-situation")[0]["status"] == "final"


def test_an_enrolment_that_is_open_and_gone_was_deleted() -> None:
    one = subject(*gone_from_export(*enrolled(), SITUATION))
    assert of(one, "enrollment")[0]["status"] == "entered-in-error"
    assert of(one, "current-living-situation")[0]["status"] == "entered-in-error"


def test_a_row_that_is_gone_while_its_enrolment_is_there_was_deleted() -> None:
    one = subject(*enrolled(), EXIT, *gone_from_export(SITUATION))
    assert of(one, "current-living-situation")[0]["status"] == "entered-in-error"


SITUATIONS = [
    ("116", "", "116"),
    ("8", "asked-unknown", ""),
    ("9", "asked-declined", ""),
    ("99", "unknown", ""),
    ("", "unknown", ""),
]


@pytest.mark.parametrize(("code", "reason", "value"), SITUATIONS)
def test_where_somebody_lived_has_a_value_or_a_reason(code: str, reason: str, value: str) -> None:
    (made,) = of(subject(*enrolled(**({"LivingSituation": code} if code else {}))), "prior-living-situation")
    absent = made.get("dataAbsentReason", {"coding": [{"code": ""}]})
    assert absent["coding"][0]["code"] == reason
    assert (coded(made) if value else "") == value
    assert [one["code"] for one in made["code"]["coding"]] == ["prior-living-situation", "71802-3"]
    assert made["effectiveDateTime"] == "2026-02-01"


def test_a_code_that_no_list_has_waits() -> None:
    with pytest.raises(Unmapped) as gap:
        resources(subject(*enrolled(LivingSituation="999")))
    assert (gap.value.code, gap.value.where) == ("999", "LivingSituation")


def test_of_each_disability_the_latest_word_counts_and_is_unconfirmed() -> None:
    told = [("1", "2026-01-01"), ("0", "2026-02-01"), ("1", "2026-01-20")]
    rows = [
        kept("Disabilities", {"DisabilityType": "5", "DisabilityResponse": said, "InformationDate": on}, number)
        for number, (said, on) in enumerate(told)
    ]
    (made,) = of(subject(*enrolled(), *rows), "disability")
    assert (coded(made), made["effectiveDateTime"], made["status"]) == ("0", "2026-02-01", "preliminary")
    assert made["identifier"][0]["value"] == "c-1-5"
    assert made["performer"] == [{"reference": "Patient/p1"}]


@pytest.mark.parametrize(
    ("kind", "answer", "words", "label"),
    [
        ("8", "1", "Yes", ["HMIS", "HIV"]),
        ("9", "1", "Yes", ["HMIS", "PSY"]),
        ("10", "3", "Both alcohol and drug use disorders", ["HMIS", "SUD"]),
        ("5", "1", "Yes", ["HMIS"]),
    ],
)
def test_disabilities_have_their_label_and_their_own_answers(
    kind: str, answer: str, words: str, label: list[str]
) -> None:
    row = kept(
        "Disabilities", {"DisabilityType": kind, "DisabilityResponse": answer, "InformationDate": "2026-02-01"}
    )
    (made,) = of(subject(*enrolled(), row), "disability")
    assert made["valueCodeableConcept"]["text"] == words
    assert security(made) == label


def test_a_program_under_part_2_is_one_by_configuration_only() -> None:
    feed = replace(FEED, options={"part2_projects": ["p-1"]})
    plain, program = (resources(subject(*ALL, feed=each)) for each in (FEED, feed))
    assert not any("42CFRPart2" in security(one) for one in plain)
    of_project = [one for one in program if one["identifier"][0]["system"].rpartition("/")[2] == "disability"]
    assert security(of_project[0]) == ["HMIS", "42CFRPart2", "SUD"]
    assert "42CFRPart2" in security(next(one for one in program if one["resourceType"] == "EpisodeOfCare"))


def test_violence_is_always_labelled() -> None:
    (made,) = of(subject(*enrolled(), VIOLENCE), "domestic-violence")
    assert security(made) == ["HMIS", "SDV"]
    assert [part["valueCodeableConcept"]["text"] for part in made["component"]] == [
        "Three to six months ago (excluding six months exactly)", "Yes",
    ]  # fmt: skip


@pytest.mark.parametrize("facts", [{"VictimServiceProvider": "1"}, {"TargetPopulation": "1"}])
def test_whatever_a_project_for_survivors_writes_is_labelled(facts: dict[str, str]) -> None:
    one = subject(*enrolled(project=facts, LivingSituation="101"), EXIT, SITUATION, INCOME, ASSESSMENT, EVENT)
    told = [made for made in resources(one) if made["identifier"][0]["value"] not in ("c-1",)]
    assert all("SDV" in security(made) for made in told)
    assert len(told) >= 7


@pytest.mark.parametrize(("place", "label"), sorted(SENSITIVE.items()))
def test_a_sensitive_code_is_one_of_its_list(place: tuple[str, str], label: str) -> None:
    assert place[1] in LISTS[place[0]]
    assert label in ("HIV", "PSY", "SUD", "SDV")


def test_where_somebody_went_may_tell_what_they_have() -> None:
    hopwa = kept("Exit", {"Destination": "426", "ExitDate": "2026-02-20"})
    (made,) = of(subject(*enrolled(), hopwa), "exit-destination")
    assert security(made) == ["HMIS", "HIV"]


def test_an_assessment_has_level_type_and_results() -> None:
    (made,) = of(subject(*enrolled(), ASSESSMENT, RESULT), "assessment")
    assert coded(made) == "1"
    assert [part.get("valueString") or part["valueCodeableConcept"]["text"] for part in made["component"]] == [
        "In Person", "Housing Needs Assessment", "7",
    ]  # fmt: skip


RESULTS = [("", "active", "requested"), ("1", "completed", "completed"), ("2", "revoked", "cancelled"),
           ("3", "revoked", "rejected")]  # fmt: skip


@pytest.mark.parametrize(("result", "request_", "task"), RESULTS)
def test_an_event_is_a_referral_and_what_became_of_it(result: str, request_: str, task: str) -> None:
    more = {"ReferralResult": result} if result else {}
    made = resources(subject(*enrolled(), kept("Event", {"Event": "14", "EventDate": "2026-02-10", **more})))
    found = {one["resourceType"]: one for one in made}
    assert (found["ServiceRequest"]["status"], found["Task"]["status"]) == (request_, task)
    assert found["Task"]["focus"]["reference"].endswith("/event|event-1")
    assert ("statusReason" in found["Task"]) == (result in ("2", "3"))


def test_a_referral_of_hmis_opens_no_record_to_anybody() -> None:
    made = resources(subject(*enrolled(), EVENT))
    assert all(
        "owner" not in one and "performer" not in one for one in made if one["resourceType"] != "Observation"
    )


def test_problem_solving_is_a_service_and_no_referral() -> None:
    made = resources(subject(*enrolled(), kept("Event", {"Event": "2", "EventDate": "2026-02-10"})))
    assert [one["status"] for one in made if one["resourceType"] == "ServiceRequest"] == ["completed"]
    assert not any(one["resourceType"] == "Task" for one in made)


def test_medicaid_and_service_in_the_forces_are_what_the_client_said() -> None:
    one = subject(*enrolled(), INCOME, kept("Client", {"VeteranStatus": "1"}))
    assert [coded(*of(one, noun)) for noun in ("medicaid-reported", "veteran-status")] == ["1", "1"]
    assert {of(one, noun)[0]["status"] for noun in ("medicaid-reported", "veteran-status")} == {"preliminary"}


def entry(kind: str, **values: str) -> Kept:
    base = {"ProjectID": "p-1", "OrganizationID": "org-1", "ProjectName": "Example Shelter", "ProjectType": "0",
            "DateUpdated": "2026-03-01T09:00:00", "VictimServiceProvider": "0", **values}  # fmt: skip
    key = {"Project": "p-1", "ProjectCoC": "coc-1"}[kind]
    return Kept(kind, key, base, "export.zip", 2)


ADDRESS = entry("ProjectCoC", Address1="1 Sample Street", City="Exampleton", State="CA", Zip="90000")


def location(**project: str) -> dict[str, Any]:
    one = Subject(FEED, "project|p-1", [entry("Project", **project), ADDRESS])
    assert subjects.said(one) is None
    (made,) = subjects.resources(one, "")
    assert list(structure.validate({**made, "id": "x"}, conditional_references=True)) == []
    return made


def test_a_project_is_a_place_with_an_address() -> None:
    made = location()
    assert made["address"] == {"use": "work", "line": ["1 Sample Street"], "city": "Exampleton", "state": "CA",
                               "postalCode": "90000"}  # fmt: skip
    assert (made["status"], made["type"][0]["text"]) == ("active", "Emergency Shelter - Entry Exit")


@pytest.mark.parametrize(
    "facts", [{"VictimServiceProvider": "1"}, {"TargetPopulation": "1"}, {"VictimServiceProvider": ""}]
)
def test_the_address_of_a_place_for_survivors_goes_nowhere(facts: dict[str, str]) -> None:
    made = location(**facts)
    assert "address" not in made
    assert "Sample" not in str(made)


def test_a_project_that_ended_is_inactive() -> None:
    assert location(OperatingEndDate="2026-02-01")["status"] == "inactive"
    assert location(OperatingEndDate="2026-12-01")["status"] == "active"


def test_an_organization_is_one_and_stays_when_it_is_gone() -> None:
    row = Kept("Organization", "org-1", {"OrganizationName": "Example Organization"}, "export.zip", 2, deleted=True)
    (made,) = subjects.resources(Subject(FEED, "organization|org-1", [row]), "")
    assert (made["name"], made["active"]) == ("Example Organization", False)
