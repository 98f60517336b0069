"""What providers send back: return files, outreach trackers, Community Supports' files; and authorizations."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.plan.workbook_terms import ENGAGEMENT_EXTENSION, POPULATION, REFERRAL_STATUS, REPORTED
from hub.feeds.records import Resource, Unmapped, Waiting
from hub.fhir.systems import COMMUNITY_SUPPORT, LEAD_CARE_MANAGER
from tests.adapters.plan.workbooks import MIF, PROVIDER, book, feed, given, mapped, one, table

KP = {
    "Member Client Index Number (CIN)": "91234567A",
    "Medical Record Number (MRN)": "MRN-0001",
    "Status of Member Engagement": 3,
    "ECM Benefit Start Date": "01/01/2026",
    "ECM Lead Care Manager Name": "Navigo Testerton",
    "ECM Lead Care Manager Phone Number": "555-0111",
    "Individuals with Serious Mental Health or Substance Use Disorder Needs": 1,
    "Individuals Experiencing Homelessness": 0,
    "Date of Outreach Attempt": "10/05/2026",
    "Outreach Attempt Method": 2,
    "Provider Type": 2,
    "Has Member Been Housed": 1,
    "Date Housed": "10/20/2026",
    "Member Information RTF Reporting Period": "10/01/2026.10/31/2026",
    "ECM Provider National Provider Identifier (NPI)": PROVIDER,
}
ELDERMARK = {
    "Member Client Index Number (CIN)": "91234567A",
    "Member Last Name": "Samplewood",
    "Member First Name": "Inventia",
    "Member POF": "a population in words",
    "ECM Enrollment Start Date": "01/01/2026",
    "Date of Latest Care Plan Revision": "10/02/2026",
    "Date Assessment Started": "09/01/2026",
    "Date of Most Recent Completed Assessment": "09/15/2026",
    "Date of Most Recent Encounter with Member": "10/30/2026",
    "ECM Lead Care Manager Name": "Navigo Testerton",
    "In Person": 2,
    "Telephonic/Video": 5,
    "Member Information File Reporting Period": "10/01/2026.10/31/2026",
}
OTF = {
    "ECM Provider Name": "Sample Care Partners",
    "ECM Provider National Provider Identifier (NPI)": PROVIDER,
    "Client Name": "Inventia Samplewood",
    "Member Client Index Number": "91234567A",
    "Provider Type": "1",
    "Date of Outreach Attempt": "10/05/2026",
    "Outreach Attempt Method": "2",
    "Outreach Attempt Successful": "0",
    "Time Spent Performing Outreach": "1 h 15 mins",
}
CS = {
    "Medical Record Number (MRN)": "MRN-0001",
    "Member Client Index Number (CIN)": "91234567A",
    "Authorization Number": "AUTH-1",
    "Status of Member Engagement": "4",
    "Has Member Been Housed": "1",
    "Community Supports Provider RTF Reporting Period": "10/01/2026.10/31/2026",
}


def became(folder: Path, kind: str, sheet: str, *rows: Mapping[str, Any], **options: Any) -> list[Resource]:
    of = feed(kind, **{"organization": "Organization/ecm", **options})
    found, rejects, _ = given(book(folder / "a.xlsx", {sheet: table(*rows)}), of)
    assert [r for r in rejects if r.severity == "error"] == []
    return mapped(found, of)[1]


def test_a_return_file_says_where_the_member_stands(tmp_path: Path) -> None:
    resources = became(tmp_path, "rtf", "RTF", KP)
    episode = one(resources, "EpisodeOfCare")
    assert episode["status"] == "active"
    assert episode["extension"][0]["url"] == ENGAGEMENT_EXTENSION
    assert episode["extension"][0]["valueCoding"]["code"] == "delivering"
    assert episode["period"] == {"start": "2026-01-01"}
    practitioner = one(resources, "Practitioner")
    key = practitioner["identifier"][0]
    known = f"Practitioner?identifier={key['system']}|{key['value']}"
    assert episode["careManager"]["reference"] == known
    lead = one(resources, "CareTeam")["participant"][0]
    assert lead["role"][0]["coding"][0]["code"] == LEAD_CARE_MANAGER[1]
    assert lead["member"]["reference"] == known


@pytest.mark.parametrize(("code", "status"), [(1, "planned"), (2, "planned"), (3, "active"), (4, "finished")])
def test_the_four_codes_of_engagement(tmp_path: Path, code: int, status: str) -> None:
    made = became(tmp_path, "rtf", "RTF", {**KP, "Status of Member Engagement": code})
    assert one(made, "EpisodeOfCare")["status"] == status


def test_the_newest_month_says_the_state_in_whatever_order_the_rows_came(tmp_path: Path) -> None:
    later = {
        **KP,
        "Status of Member Engagement": 4,
        "Member Information RTF Reporting Period": "11/01/2026.11/30/2026",
    }
    for rows in ((KP, later), (later, KP)):
        assert one(became(tmp_path, "rtf", "RTF", *rows), "EpisodeOfCare")["status"] == "finished"


def test_a_population_that_tells_of_behavioral_health_has_its_labels(tmp_path: Path) -> None:
    found = {
        one["code"]["coding"][0]["code"]: one
        for one in became(tmp_path, "rtf", "RTF", KP)
        if one["resourceType"] == "Observation" and one["code"]["coding"][0]["system"] == POPULATION
    }
    assert found["behavioral-health"]["valueBoolean"] is True
    assert [c["code"] for c in found["behavioral-health"]["meta"]["security"]] == ["PSY", "SUD"]
    assert found["homeless"]["valueBoolean"] is False
    assert "meta" not in found["homeless"]


def test_a_population_in_words_that_no_table_has_is_guarded_as_if_it_told_the_most(tmp_path: Path) -> None:
    (found,) = [
        one
        for one in became(tmp_path, "rtf", "RTF", ELDERMARK)
        if one["resourceType"] == "Observation" and "valueCodeableConcept" in one
    ]
    assert found["valueCodeableConcept"] == {"text": "a population in words"}
    assert [c["code"] for c in found["meta"]["security"]] == ["PSY", "SUD"]


def test_work_and_counts_of_a_month(tmp_path: Path) -> None:
    resources = became(tmp_path, "rtf", "RTF", ELDERMARK)
    procedures = {p["code"]["coding"][0]["code"]: p for p in resources if p["resourceType"] == "Procedure"}
    assert procedures["care-plan-revision"]["performedDateTime"] == "2026-10-02"
    assert procedures["comprehensive-assessment"]["performedPeriod"] == {"start": "2026-09-01", "end": "2026-09-15"}
    assert one(resources, "Encounter")["period"]["start"] == "2026-10-30"
    counts = {o["code"]["coding"][0]["code"]: o for o in resources if "valueInteger" in o}
    assert counts["in-person-encounters"]["valueInteger"] == 2
    assert counts["telephonic-encounters"]["effectivePeriod"] == {"start": "2026-10-01", "end": "2026-10-31"}


def test_an_assessment_that_began_after_the_last_one_ended_is_another_one(tmp_path: Path) -> None:
    row = {**ELDERMARK, "Date Assessment Started": "10/20/2026"}
    found = [
        (p["status"], p.get("performedDateTime"), p.get("performedPeriod", {}).get("start"))
        for p in became(tmp_path, "rtf", "RTF", row)
        if p["resourceType"] == "Procedure" and p["code"]["coding"][0]["code"] == "comprehensive-assessment"
    ]
    assert found == [("completed", "2026-09-15", None), ("in-progress", None, "2026-10-20")]


def test_housed_is_an_observation_since_the_day(tmp_path: Path) -> None:
    (found,) = [
        o
        for o in became(tmp_path, "rtf", "RTF", KP)
        if o["resourceType"] == "Observation" and o["code"]["coding"][0]["code"] == "member-housed"
    ]
    assert (found["valueBoolean"], found["effectiveDateTime"]) == (True, "2026-10-20")


def test_a_discontinuation_number_waits_until_the_deployment_says_what_it_means(tmp_path: Path) -> None:
    row = {**KP, "Status of Member Engagement": 4, "Discontinuation Reason Code": 8}
    with pytest.raises(Unmapped) as caught:
        became(tmp_path, "rtf", "RTF", row)
    assert (caught.value.table, caught.value.code) == ("rtf-kp/discontinuation", "8")
    local = tmp_path / "layouts"
    local.mkdir()
    (local / "rtf-kp.toml").write_text('extends = "rtf-kp"\n[codes.discontinuation]\n8 = "lost-membership"\n')
    (episode,) = [
        r for r in became(tmp_path, "rtf", "RTF", row, layouts=str(local)) if r["resourceType"] == "EpisodeOfCare"
    ]
    assert episode["extension"][1]["valueCodeableConcept"]["coding"][0]["code"] == "lost-membership"


@pytest.mark.parametrize(
    ("cells", "kind", "status"),
    [
        ({}, "Communication", "not-done"),
        ({"Outreach Attempt Successful": "1"}, "Encounter", "finished"),
        ({"Outreach Attempt Successful": None}, "Communication", "unknown"),
    ],
)
def test_an_attempt_is_an_encounter_only_where_there_was_contact(
    tmp_path: Path, cells: dict[str, Any], kind: str, status: str
) -> None:
    (found,) = became(tmp_path, "otf", "OTF", {**OTF, **cells})
    assert (found["resourceType"], found["status"]) == (kind, status)


def test_two_attempts_on_one_day_are_two(tmp_path: Path) -> None:
    assert len(became(tmp_path, "otf", "OTF", OTF, OTF)) == 2


def test_the_time_of_an_attempt_is_read_with_its_unit_only(tmp_path: Path) -> None:
    (found,) = became(tmp_path, "otf", "OTF", OTF)
    assert found["extension"][1]["valueDuration"]["value"] == 75
    path = book(tmp_path / "b.xlsx", {"OTF": table({**OTF, "Time Spent Performing Outreach": "20"})})
    (reject,) = given(path, feed("otf"))[1]
    assert (reject.code, reject.column) == ("TYPE", "Time Spent Performing Outreach")


def test_a_community_supports_file_says_where_each_authorization_stands(tmp_path: Path) -> None:
    second = {**CS, "Authorization Number": "AUTH-2", "Status of Member Engagement": "2"}
    resources = became(tmp_path, "cs-rtf", "RTF CS", CS, second, community_support="housing-deposits")
    found = {e["identifier"][1]["value"]: e for e in resources if e["resourceType"] == "EpisodeOfCare"}
    assert {number: e["status"] for number, e in found.items()} == {"AUTH-1": "finished", "AUTH-2": "planned"}
    assert found["AUTH-1"]["type"][0]["coding"][0] == {"system": COMMUNITY_SUPPORT, "code": "housing-deposits"}


@pytest.mark.parametrize(
    ("status", "reason", "task"),
    [
        ("Declined", None, "rejected"),
        ("Closed here", "Services Received", "completed"),
        ("Closed here", "Moved", "cancelled"),
    ],
)
def test_the_closed_loop_is_a_task(tmp_path: Path, status: str, reason: str | None, task: str) -> None:
    resources = became(tmp_path, "cs-rtf", "RTF CS", loop(status, reason), layouts=local(tmp_path))
    found = one(resources, "Task")
    assert found["status"] == task
    assert found["lastModified"] == "2026-10-31"
    assert found["businessStatus"]["coding"][0]["system"] == REFERRAL_STATUS


def test_a_loop_that_is_closed_without_a_reason_waits(tmp_path: Path) -> None:
    with pytest.raises(Waiting):
        became(tmp_path, "cs-rtf", "RTF CS", loop("Closed here", None), layouts=local(tmp_path))


def test_a_referral_status_that_nobody_published_waits_for_the_deployment(tmp_path: Path) -> None:
    with pytest.raises(Unmapped) as caught:
        became(tmp_path, "cs-rtf", "RTF CS", loop("Closed here", None))
    assert caught.value.table == "rtf-cs-ils/referral_status"


def loop(status: str, reason: str | None) -> dict[str, Any]:
    return {
        **CS,
        "Referral Status": status,
        "Date of Referral Status Update": "10/31/2026",
        "Reason for Referral Loop Closure": reason,
    }


def local(folder: Path) -> str:
    """A deployment's own words."""
    (folder / "layouts").mkdir()
    (folder / "layouts" / "rtf-cs-ils.toml").write_text(
        'extends = "rtf-cs-ils"\n[codes.referral_status]\n"Closed here" = "closed"\n'
        '[codes.loop_closure_reason]\nMoved = "moved"\n'
    )
    return str(folder / "layouts")


def test_an_authorization_is_a_request_for_the_support_and_a_task_for_its_provider(tmp_path: Path) -> None:
    row = {
        **MIF,
        "Referring Organization": "Nowhere Street Shelter",
        "Date Received Request for Authorization": "12/01/2025",
        "Date of Referral Authorization Decision": "12/05/2025",
    }
    resources = became(
        tmp_path, "asf", "ASF", row, provider=PROVIDER, community_support="housing-transition-navigation"
    )
    request, task = one(resources, "ServiceRequest"), one(resources, "Task")
    assert request["code"]["coding"][0]["code"] == "housing-transition-navigation"
    assert request["identifier"][1]["value"] == "AUTH-1"
    assert request["occurrencePeriod"] == {"start": "2026-01-01", "end": "2026-06-30"}
    assert request["authoredOn"] == "2025-12-01"
    assert request["extension"][0]["valueDate"] == "2025-12-05"
    assert request["requester"] == {"display": "Nowhere Street Shelter"}
    assert request["performer"][0]["reference"].endswith(PROVIDER)
    assert (task["status"], task["restriction"]["period"]["end"]) == ("requested", "2026-06-30")
    assert task["focus"]["reference"].endswith(request["identifier"][0]["value"])


def test_an_authorization_whose_support_nobody_names_says_so(tmp_path: Path) -> None:
    request = one(became(tmp_path, "asf", "ASF", MIF), "ServiceRequest")
    assert "coding" not in request["code"]
    with pytest.raises(Unmapped):
        became(tmp_path, "asf", "ASF", MIF, community_support="no-such-support")


def test_what_a_return_file_reports_is_told_from_what_others_say(tmp_path: Path) -> None:
    systems = {
        p["code"]["coding"][0]["system"]
        for p in became(tmp_path, "rtf", "RTF", ELDERMARK)
        if "performedDateTime" in p
    }
    assert systems == {REPORTED}
