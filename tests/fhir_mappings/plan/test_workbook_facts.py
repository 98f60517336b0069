"""What is stored of a member -> facts of the plan's files: each rule by itself."""

from typing import Any

import pytest

from fhir_mappings.plan.workbook_chart import Chart, Report
from fhir_mappings.plan.workbook_facts import member_facts
from fhir_mappings.plan.workbook_loop_facts import ecm_loop, loop
from fhir_mappings.plan.workbook_services_facts import authorized_facts, outreach_facts, support_facts
from fhir_mappings.plan.workbook_terms import (
    CLOSURE_REASON,
    COUNTS,
    DISCONTINUATION,
    DISCONTINUATION_EXTENSION,
    ECM,
    ENGAGEMENT_EXTENSION,
    OUTREACH,
    REFERRAL_STATUS,
    REPORTED,
)
from hub.fhir.systems import ACT_CODE, CIN_SYSTEM, LEAD_CARE_MANAGER

Resource = dict[str, Any]
AUTHORIZATION = "https://plan.example/auth"
OURS = {"reference": "Organization/ecm"}
REPORT = Report(
    {"resourceType": "Organization", "id": "ecm", "name": "Sample Care Partners"},
    {"resourceType": "Organization", "id": "plan", "name": "Example Health Plan"},
    "2026-10-01",
    "2026-10-31",
    "2026-11-02",
    authorization_system=AUTHORIZATION,
)
PATIENT = {"resourceType": "Patient", "id": "one", "identifier": [{"system": CIN_SYSTEM, "value": "91234567A"}]}


def chart(*resources: Resource, **others: Resource) -> Chart:
    return Chart(PATIENT, resources, {name.replace("_", "/"): one for name, one in others.items()})


def facts(*resources: Resource) -> dict[str, Any]:
    return member_facts(chart(*resources), REPORT)


def episode(status: str = "active", **more: Any) -> Resource:
    of = {"resourceType": "EpisodeOfCare", "status": status, "type": [ECM], "managingOrganization": OURS}
    return {**of, "period": {"start": "2026-01-01"}, **more}


def encounter(code: str, day: str, provider: Resource | None = OURS, status: str = "finished") -> Resource:
    return {
        "resourceType": "Encounter",
        "status": status,
        "class": {"system": ACT_CODE, "code": code},
        "period": {"start": day, "end": day},
        "serviceProvider": provider or {},
    }


def coded(kind: str, element: str, code: str, **more: Any) -> Resource:
    concept: Any = {"coding": [{"system": REPORTED, "code": code}]}
    return {"resourceType": kind, element: [concept] if element in ("type", "category") else concept, **more}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("planned", "pending-outreach"),
        ("active", "delivering"),
        ("finished", "discontinued"),
        ("onhold", "delivering"),
    ],
)
def test_the_state_is_that_of_the_episode(status: str, word: str) -> None:
    assert facts(episode(status))["status"] == word


def test_an_extension_says_it_more_exactly_and_an_attempt_makes_pending_outreach_begun() -> None:
    told = {"url": ENGAGEMENT_EXTENSION, "valueCoding": {"code": "in-outreach"}}
    assert facts(episode("planned", extension=[told]))["status"] == "in-outreach"
    attempt = coded("Communication", "category", OUTREACH[0], status="not-done", sent="2026-10-05")
    assert facts(episode("planned"), attempt)["status"] == "in-outreach"


def test_a_word_that_a_file_said_counts_as_long_as_the_status_is_what_it_was_said_of() -> None:
    told = {"url": ENGAGEMENT_EXTENSION, "valueCoding": {"code": "in-outreach"}}
    assert facts(episode("active", extension=[told]))["status"] == "delivering"
    assert facts(episode("finished", extension=[told]))["status"] == "discontinued"


def test_of_several_episodes_the_newest_that_says_more_than_an_assignment_counts() -> None:
    moved = {"statusHistory": [{"status": "planned"}, {"status": "active"}]}
    first, later = ({"meta": {"lastUpdated": f"2026-10-0{day}T10:00:00Z"}} for day in (1, 2))
    of_the_list = episode("planned", **later)
    assert facts(of_the_list, episode("active", **first, **moved))["status"] == "delivering"
    by_a_file = episode("finished", **first, extension=[{"url": ENGAGEMENT_EXTENSION, "valueCoding": {}}])
    assert facts(of_the_list, by_a_file)["status"] == "discontinued"
    assert facts(by_a_file, episode("active", **later, **moved))["status"] == "delivering"


def test_the_lead_care_manager_is_the_episodes() -> None:
    role = {"coding": [dict(zip(("system", "code"), LEAD_CARE_MANAGER, strict=True))]}
    member = {"role": [role], "member": {"display": "Former Manager"}}
    team = {"resourceType": "CareTeam", "status": "active", "participant": [member]}
    manager = {"resourceType": "Practitioner", "name": [{"text": "Coordina Samplewood"}]}
    of_theirs = episode(careManager={"reference": "Practitioner/lead"})
    made = chart(of_theirs, team, Practitioner_lead=manager)
    assert member_facts(made, REPORT)["lead_name"] == "Coordina Samplewood"
    assert member_facts(chart(episode(), team), REPORT)["lead_name"] == "Former Manager"


def test_a_tracker_has_the_attempts_of_its_provider() -> None:
    def tried(day: str, **by: Any) -> Resource:
        return coded("Communication", "category", OUTREACH[0], status="not-done", sent=day, **by)

    theirs = tried("2026-10-06", sender={"reference": "Organization/other"})
    found = chart(tried("2026-10-05", sender=OURS), theirs, tried("2026-10-07"), tried("2026-11-01", sender=OURS))
    assert [row["outreach_date"] for row in outreach_facts(found, REPORT)] == ["2026-10-05", "2026-10-07"]


def test_another_providers_episode_is_not_ours() -> None:
    assert "status" not in facts(episode(managingOrganization={"reference": "Organization/other"}))


def test_a_discontinuation_is_said_only_when_it_is_over() -> None:
    reason = {"coding": [{"system": DISCONTINUATION, "code": "goals-met"}], "text": "Met all goals"}
    told = [{"url": DISCONTINUATION_EXTENSION, "valueCodeableConcept": reason}]
    period = {"start": "2026-01-01", "end": "2026-10-15"}
    over = facts(episode("finished", extension=told, period=period))
    assert (over["discontinued"], over["discontinuation_code"]) == ("2026-10-15", "goals-met")
    assert over["discontinuation_reason"] == "Met all goals"
    assert "discontinued" not in facts(episode(extension=told, period=period))


def test_encounters_of_the_provider_count_by_class_and_those_of_a_hospital_do_not() -> None:
    found = facts(
        encounter("AMB", "2026-10-02"),
        encounter("HH", "2026-10-09"),
        encounter("VR", "2026-10-10"),
        encounter("AMB", "2026-09-30"),
        encounter("AMB", "2026-11-01"),
        encounter("AMB", "2026-10-20", status="cancelled"),
        encounter("IMP", "2026-10-25", provider={"reference": "Organization/hospital"}),
    )
    assert (found["in_person"], found["telephonic"], found["last_encounter"]) == (2, 1, "2026-10-10")


def test_without_encounters_the_reported_count_of_the_same_period_stands() -> None:
    period = {"start": "2026-10-01", "end": "2026-10-31"}
    count = coded("Observation", "code", COUNTS["in_person"][0], valueInteger=4, effectivePeriod=period)
    other = coded("Observation", "code", COUNTS["telephonic"][0], valueInteger=9, effectivePeriod={})
    found = facts(count, other)
    assert found["in_person"] == 4
    assert "telephonic" not in found


def test_a_care_plan_was_revised_when_it_was_last_changed() -> None:
    plan = {"resourceType": "CarePlan", "status": "active", "meta": {"lastUpdated": "2026-10-07T10:00:00Z"}}
    reported = coded("Procedure", "code", "care-plan-revision", status="completed", performedDateTime="2026-10-03")
    assert facts(reported)["care_plan_revised"] == "2026-10-03"
    assert facts(reported, plan)["care_plan_revised"] == "2026-10-07"
    assert facts(reported, {**plan, "status": "revoked"})["care_plan_revised"] == "2026-10-03"


def test_what_is_entered_in_error_is_not_said() -> None:
    wrong = coded("Procedure", "code", "care-conference", status="entered-in-error", performedDateTime="2026-10-03")
    assert "care_conference" not in facts(wrong)


def test_the_lead_care_manager_is_the_one_whose_time_has_not_ended() -> None:
    role = [{"coding": [{"system": LEAD_CARE_MANAGER[0], "code": LEAD_CARE_MANAGER[1]}]}]
    former = {"role": role, "member": {"reference": "Practitioner/a"}, "period": {"end": "2026-05-01"}}
    now = {"role": role, "member": {"reference": "Practitioner/b"}}
    team = {"resourceType": "CareTeam", "status": "active", "participant": [former, now]}
    person = {
        "name": [{"family": "Testerton", "given": ["Navigo"]}],
        "telecom": [{"system": "email", "value": "n@x"}],
    }
    found = member_facts(chart(team, Practitioner_b=person), REPORT)
    assert (found["lead_name"], found["lead_email"]) == ("Navigo Testerton", "n@x")


@pytest.mark.parametrize(
    ("task", "word", "reason"),
    [
        ({"status": "requested"}, "pending", ""),
        ({"status": "accepted"}, "accepted", ""),
        ({"status": "rejected"}, "declined", ""),
        ({"status": "in-progress"}, "", ""),
        ({"status": "completed"}, "closed", "services-received"),
        ({"status": "failed"}, "closed", ""),
        (
            {
                "status": "cancelled",
                "statusReason": {"coding": [{"system": CLOSURE_REASON, "code": "moved"}]},
            },
            "closed",
            "moved",
        ),
        (
            {
                "status": "in-progress",
                "businessStatus": {"coding": [{"system": REFERRAL_STATUS, "code": "outreach-initiated"}]},
            },
            "outreach-initiated",
            "",
        ),
    ],
)
def test_the_three_elements_of_the_closed_loop(task: Resource, word: str, reason: str) -> None:
    told = loop({"resourceType": "Task", "lastModified": "2026-10-09T12:00:00Z", **task})
    assert told == {
        "referral_status": word,
        "referral_status_date": "2026-10-09",
        "loop_closure_reason": reason,
    }


def test_the_ecm_loop_is_that_of_a_referral_to_ecm() -> None:
    request = {"resourceType": "ServiceRequest", "id": "r", "code": ECM}
    task = {"resourceType": "Task", "status": "accepted", "owner": OURS, "focus": {"reference": "ServiceRequest/r"}}
    other = {**task, "status": "rejected", "focus": {"reference": "ServiceRequest/x"}}
    assert ecm_loop(chart(request, task, other), REPORT)["referral_status"] == "accepted"
    assert ecm_loop(chart(request, other), REPORT) == {}


def test_attempts_outside_of_the_period_are_in_another_file() -> None:
    inside = coded("Communication", "category", OUTREACH[0], status="not-done", sent="2026-10-05T09:00:00-07:00")
    outside = coded("Communication", "category", OUTREACH[0], status="not-done", sent="2026-11-01")
    (row,) = outreach_facts(chart(inside, outside), REPORT)
    assert (row["outreach_date"], row["outreach_successful"]) == ("2026-10-05", False)


def test_a_support_is_found_by_the_authorization_number_of_its_request() -> None:
    number = [{"system": AUTHORIZATION, "value": "AUTH-1"}]
    request = {
        "resourceType": "ServiceRequest",
        "id": "r",
        "identifier": number,
        "status": "active",
        "performer": [OURS],
    }
    task = {"resourceType": "Task", "status": "accepted", "owner": OURS, "focus": {"reference": "ServiceRequest/r"}}
    (row,) = support_facts(chart(request, task), REPORT)
    assert (row["authorization_number"], row["status"], row["referral_status"]) == (
        "AUTH-1",
        "pending-outreach",
        "accepted",
    )
    (authorized,) = authorized_facts(chart(request), REPORT)
    assert authorized["authorization_number"] == "AUTH-1"
    assert authorized_facts(chart({**request, "status": "revoked"}), REPORT) == []
