"""The canonical status record: episodes, referrals, levels of care, diagnoses, and whose they are."""

from dataclasses import replace
from itertools import permutations

import pytest

from fhir_mappings.county_bh.status_person import status_person
from fhir_mappings.county_bh.status_resources import status_resources
from hub.feeds.records import Kept, Resource, Said
from tests.fhir_mappings.county_bh.rows import (
    FEED,
    NPI,
    PART2_FEED,
    PATIENT,
    SYSTEM,
    labels,
    of,
    status,
    subject,
    valid,
)

PROGRAM = {"42CFRPart2", "ETH"}


def made(*rows: Kept, feed: object = FEED) -> list[Resource]:
    return valid(status_resources(subject(*rows, feed=feed), PATIENT))  # type: ignore[arg-type]


def episode(*rows: Kept) -> Resource:
    (found,) = of(made(*rows), "EpisodeOfCare")
    return found


def referral(*rows: Kept) -> Resource:
    (found,) = of(made(*rows), "ServiceRequest")
    return found


def person(*rows: Kept) -> Said:
    found = status_person(subject(*rows))
    assert found
    return found


def test_an_open_record_is_an_active_episode_of_its_provider() -> None:
    found = episode(status())
    assert found["status"] == "active"
    assert found["period"] == {"start": "2026-03-02"}
    assert found["patient"] == {"reference": PATIENT}
    assert found["type"][0]["coding"][0]["code"] == "SMHS"
    assert found["managingOrganization"]["reference"].endswith(f"|{NPI}")


def test_a_closed_record_finishes_the_episode_that_was_open() -> None:
    found = episode(status(), status(3, status="closed", close_date="2026-06-30", as_of="2026-07-01"))
    assert (found["status"], found["period"]["end"]) == ("finished", "2026-06-30")


def test_the_newest_statement_counts_in_whatever_order_the_rows_are() -> None:
    rows = (
        status(2),
        status(3, status="closed", close_date="2026-06-30", as_of="2026-07-01"),
        status(4, status="screened", open_date="", as_of="2026-01-05"),
        status(5, system="DMC", part2_program="Y", level_of_care="3.5", diagnosis=["F11.20"]),
    )
    results = [sorted(map(repr, made(*order))) for order in permutations(rows)]
    assert all(result == results[0] for result in results)


def test_a_record_that_the_county_takes_back_is_entered_in_error() -> None:
    rows = (status(level_of_care="1", diagnosis=["F33.1"]), status(3, deleted=True, as_of="2026-04-02"))
    found = made(*rows)
    assert episode(*rows)["status"] == "entered-in-error"
    assert [one["status"] for one in of(found, "Observation")] == ["entered-in-error"]
    assert of(found, "Condition")[0]["verificationStatus"]["coding"][0]["code"] == "entered-in-error"


def test_a_referral_is_no_episode() -> None:
    found = made(status(status="referred", open_date=""))
    assert [one["resourceType"] for one in found] == ["ServiceRequest"]
    assert (found[0]["status"], found[0]["intent"], found[0]["authoredOn"]) == ("active", "order", "2026-04-01")


def test_a_screening_asks_nobody_yet() -> None:
    found = referral(status(status="screened", open_date=""))
    assert (found["status"], found["intent"]) == ("draft", "proposal")


@pytest.mark.parametrize(
    ("asked", "begun", "becomes"),
    [
        ({}, {}, "completed"),
        ({"provider_org_npi": ""}, {}, "completed"),
        ({}, {"provider_org_npi": "1234567901"}, "active"),
        ({}, {"system": "DMC"}, "active"),
        ({"as_of": "2026-05-01"}, {}, "active"),  # referred again, after that episode
    ],
)
def test_a_referral_is_completed_by_an_episode_that_it_asked_for(
    asked: dict[str, str], begun: dict[str, str], becomes: str
) -> None:
    rows = (status(status="referred", open_date="", **({"as_of": "2026-02-01"} | asked)), status(3, **begun))
    assert referral(*rows)["status"] == becomes


def test_an_episode_with_a_number_refers_to_its_referral() -> None:
    rows = (status(status="referred", open_date="", as_of="2026-02-01", episode_id="7"), status(3, episode_id="7"))
    asked = referral(*rows)["identifier"][0]
    assert episode(*rows)["referralRequest"] == [
        {"reference": f"ServiceRequest?identifier={asked['system']}|{asked['value']}"}
    ]


def test_two_clients_with_an_episode_of_one_number_have_two_episodes() -> None:
    one = status(episode_id="1")
    other = status(episode_id="1", county_client_number="006132464")
    assert episode(one)["identifier"] != episode(other)["identifier"]


def test_a_level_of_care_is_written_as_the_county_writes_it() -> None:
    found = of(made(status(level_of_care="2.1"), status(3, level_of_care="3.1", as_of="2026-05-01")), "Observation")
    assert [(one["valueCodeableConcept"], one["effectiveDateTime"]) for one in found] == [
        ({"text": "2.1"}, "2026-04-01"),
        ({"text": "3.1"}, "2026-05-01"),
    ]


def test_only_what_the_county_calls_a_diagnosis_is_a_condition() -> None:
    assert of(made(status()), "Condition") == []
    (found,) = of(made(status(diagnosis=["F33.1"])), "Condition")
    assert found["clinicalStatus"]["coding"][0]["code"] == "active"


def test_of_a_closed_episode_nobody_knows_whether_the_diagnosis_still_holds() -> None:
    (found,) = of(made(status(diagnosis=["F33.1"], status="closed", close_date="2026-06-30")), "Condition")
    assert "clinicalStatus" not in found


def test_a_diagnosis_that_newer_records_leave_out_is_inactive() -> None:
    rows = (status(diagnosis=["F33.1", "F41.1"]), status(3, diagnosis=["F33.1"], as_of="2026-05-01"))
    found = {one["code"]["coding"][0]["code"]: one for one in of(made(*rows), "Condition")}
    assert found["F41.1"]["clinicalStatus"]["coding"][0]["code"] == "inactive"
    assert found["F33.1"]["clinicalStatus"]["coding"][0]["code"] == "active"


@pytest.mark.parametrize(
    ("system", "program", "expected"),
    [
        ("SMHS", "N", {"PSY"}),
        ("SMHS", "Y", {"PSY", *PROGRAM}),
        ("SMHS", "", {"PSY", *PROGRAM}),  # not said: treated as Part 2
        ("DMC", "N", {"ETH"}),
        ("DMC", "Y", PROGRAM),
        ("DMC-ODS", "", PROGRAM),
    ],
)
def test_labels_follow_the_system_and_the_program(system: str, program: str, expected: set[str]) -> None:
    rows = status(system=system, part2_program=program, level_of_care="1", diagnosis=["F10.20"], episode_id="9")
    before = status(3, system=system, part2_program=program, status="referred", as_of="2026-01-01", episode_id="9")
    found = made(rows, before)
    assert len(found) == 5
    assert all(labels(one) == expected for one in found)


def test_a_feed_of_a_program_is_part_2_whatever_its_rows_say() -> None:
    assert [labels(one) for one in made(status(system="DMC", part2_program="N"), feed=PART2_FEED)] == [PROGRAM] * 2


def test_a_label_stays_when_a_newer_row_does_not_say_it() -> None:
    found = episode(
        status(part2_program="Y", system="DMC"), status(3, part2_program="N", system="DMC", as_of="2026-05-01")
    )
    assert labels(found) == PROGRAM


def test_the_county_number_and_the_cin_say_who_it_is() -> None:
    found = person(status())
    assert found.key == "006132463"
    assert found.strong == {SYSTEM: "county", "https://calaim-hub.example/fhir/sid/medi-cal-cin": "cin"}
    assert [one["value"] for one in found.patient["identifier"]] == ["006132463", "91234567A"]
    assert found.patient["name"] == [{"family": "Testperson-Alder", "given": ["Robin"]}]
    assert found.shared


def test_a_client_without_a_cin_has_a_county_number_alone() -> None:
    assert person(status(cin="")).strong == {SYSTEM: "county"}


def test_names_are_of_the_newest_row_that_has_one() -> None:
    rows = (
        status(),
        status(3, last="Testperson-Birch", as_of="2026-05-01"),
        status(4, last="", first="", as_of="2026-06-01"),
    )
    assert person(*rows).patient["name"] == [{"family": "Testperson-Birch", "given": ["Robin"]}]


@pytest.mark.parametrize("program", ["Y", ""])
def test_who_is_a_client_of_a_program_is_told_to_nobody_by_a_number(program: str) -> None:
    found = person(status(), status(3, system="DMC", part2_program=program))
    assert not found.shared
    assert labels(found.patient) == PROGRAM


def test_the_program_and_the_county_are_on_the_team_while_the_episode_is_open() -> None:
    feed = replace(FEED, organization="Organization/county")
    (team,) = of(made(status(), feed=feed), "CareTeam")
    members = [one["member"]["reference"] for one in team["participant"]]
    assert (team["status"], members[1], team["managingOrganization"]) == (
        "active",
        "Organization/county",
        [{"reference": "Organization/county"}],
    )
    assert members[0].endswith(f"|{NPI}")
    closed = status(3, status="closed", close_date="2026-06-30", as_of="2026-07-01")
    (team,) = of(made(status(), closed, feed=feed), "CareTeam")
    assert (team["status"], team["period"]["end"]) == ("inactive", "2026-06-30")


def test_nobody_is_a_team_of_nobody() -> None:
    assert of(made(status(provider_org_npi="")), "CareTeam") == []


def test_a_referral_is_for_the_program_and_the_county() -> None:
    (found,) = made(status(status="referred", open_date=""), feed=replace(FEED, organization="Organization/county"))
    assert [one["reference"].rpartition("|")[2] for one in found["performer"]] == [NPI, "Organization/county"]
