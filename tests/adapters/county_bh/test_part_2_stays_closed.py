"""A county's feed through the real machinery: who reads what of it, before, with and after a consent."""

from pathlib import Path
from typing import Any

import pytest

from hub.feeds.files import DONE
from hub.fhir.systems import ACT_CODE
from hub.store.engine import Database
from tests.adapters.county_bh.world import NPI, World, table, world

STATUS = (
    "cin,county_client_number,last,first,dob,system,status,open_date,close_date,level_of_care,"
    "provider_org_npi,part2_program,consent_ref,as_of,diagnosis"
)
WHO = "91234567A,1001,Testperson-Alder,Robin,1980-02-15"
SMHS = f"{WHO},SMHS,open,2026-03-02,,2,{NPI['detox']},N,,2026-04-01,F33.1"
DETOX = f"{WHO},DMC-ODS,open,2026-03-09,,3.7,{NPI['detox']},Y,C-1,2026-04-01,"
UNSAID = f"{WHO},DMC,open,2026-03-10,,1,{NPI['detox']},,,2026-04-01,"
CONSENT = (
    "consent_id,county_client_number,form,discloser,information,recipient_npi,purpose,expires_on,signer,signed_on,"
    "revoked_on"
)
GRANTED = f"C-1,1001,part2-named-recipient,general,42CFRPart2,{NPI['ecm']},TREAT,2030-01-01,patient,2026-03-01,"
REVOKED = GRANTED + "2026-05-02"
CALOMS = "record_type,record_date,county_client_number,provider_org_npi,admission_date,living_arrangement"
ADMITTED = f"1,2026-03-09,1001,{NPI['detox']},2026-03-09,1"
TYPES = ("EpisodeOfCare", "CareTeam", "ServiceRequest", "Observation", "Condition")


@pytest.fixture
def hub(database: Database, tmp_path: Path) -> World:
    """The client is known to the hub as a member already, as the plan brings members."""
    made = world(database, tmp_path)
    cin = {"system": "https://calaim-hub.example/fhir/sid/medi-cal-cin", "value": "91234567A"}
    who = {"name": [{"family": "Testperson-Alder", "given": ["Robin"]}], "birthDate": "1980-02-15"}
    made.member({"resourceType": "Patient", "id": "alder", "identifier": [cin], **who})
    made.assign("alder")
    made.assign("alder", to="other")
    return made


def brought(hub: World, *rows: str) -> None:
    file = hub.load("county", table(STATUS, *rows), f"status-{len(rows)}.csv")
    assert (file.state, file.counts["waiting"], file.counts["rejected"]) == (DONE, 0, 0)


def consented(hub: World, row: str, name: str = "consent.csv") -> None:
    file = hub.load("county-consent", table(CONSENT, row), name)
    assert (file.state, file.counts["waiting"], file.counts["rejected"]) == (DONE, 0, 0)


def seen(hub: World, who: str) -> list[dict[str, Any]]:
    """What of the feed this client finds."""
    found: list[dict[str, Any]] = []
    for kind in TYPES:
        answer = hub.as_(who).get(f"/{kind}?patient=Patient/alder")
        assert answer.status_code == 200, answer.text
        entries = [entry for entry in answer.json.get("entry", ()) if entry["search"]["mode"] == "match"]
        found += [entry["resource"] for entry in entries]
    return found


def is_part2(resource: dict[str, Any]) -> bool:
    return any(one.get("code") == "42CFRPart2" for one in resource["meta"].get("security", ()))


def systems(resources: list[dict[str, Any]]) -> set[str]:
    return {one["type"][0]["coding"][0]["code"] for one in resources if one["resourceType"] == "EpisodeOfCare"}


def test_without_a_consent_an_ecm_provider_reads_no_part_2_record(hub: World) -> None:
    brought(hub, SMHS, DETOX, UNSAID)
    found = seen(hub, "ecm")
    assert systems(found) == {"SMHS"}
    assert not any(map(is_part2, found))


def test_by_id_it_is_as_if_it_had_never_been_there(hub: World) -> None:
    brought(hub, DETOX)
    hidden = seen(hub, "county")
    assert hidden
    for one in hidden:
        path = f"/{one['resourceType']}/{one['id']}"
        assert [hub.as_("ecm").get(each).status_code for each in (path, f"{path}/_history")] == [404, 404]


def test_with_a_consent_that_names_it_the_provider_reads_and_is_told_the_rules(hub: World) -> None:
    brought(hub, SMHS, DETOX, UNSAID)
    consented(hub, GRANTED)
    found = seen(hub, "ecm")
    assert systems(found) == {"SMHS", "DMC-ODS", "DMC"}
    notices = {one["code"] for each in found if is_part2(each) for one in each["meta"]["security"]}
    assert "NORDSCLCD" in notices


def test_another_provider_of_the_member_still_reads_none(hub: World) -> None:
    brought(hub, SMHS, DETOX)
    consented(hub, GRANTED)
    assert systems(seen(hub, "other")) == {"SMHS"}


def test_it_closes_again_when_the_consent_is_revoked(hub: World) -> None:
    brought(hub, SMHS, DETOX)
    consented(hub, GRANTED)
    assert systems(seen(hub, "ecm")) == {"SMHS", "DMC-ODS"}
    consented(hub, REVOKED, "revoked.csv")
    assert systems(seen(hub, "ecm")) == {"SMHS"}


def test_a_revocation_form_closes_it(hub: World) -> None:
    brought(hub, SMHS, DETOX)
    consented(hub, GRANTED)
    consented(hub, "C-2,1001,ascmi-revocation,general,,,,,patient,2026-05-02,", "form.csv")
    assert systems(seen(hub, "ecm")) == {"SMHS"}


@pytest.mark.parametrize(
    "lacking",
    [
        GRANTED.replace("TREAT", ""),
        GRANTED.replace("2030-01-01", ""),
        GRANTED.replace("general", "Harbor Invented Detox"),
        GRANTED.replace("2026-03-01,", "2026-03-01,").replace("patient", "representative"),
    ],
)
def test_a_consent_that_lacks_an_element_opens_nothing(hub: World, lacking: str) -> None:
    brought(hub, SMHS, DETOX)
    file = hub.load("county-consent", table(CONSENT, lacking), "lacking.csv")
    assert file.counts["warned"] == 1
    assert systems(seen(hub, "ecm")) == {"SMHS"}


def test_the_county_reads_what_it_brought(hub: World) -> None:
    brought(hub, SMHS, DETOX, UNSAID)
    assert systems(seen(hub, "county")) == {"SMHS", "DMC-ODS", "DMC"}


@pytest.mark.parametrize("who", ["supports", "plan"])
def test_neither_the_plan_nor_community_supports_reads_a_program_record(hub: World, who: str) -> None:
    brought(hub, SMHS, DETOX)
    for kind in ("EpisodeOfCare", "ServiceRequest"):
        answer = hub.as_(who).get(f"/{kind}?patient=Patient/alder")
        assert "DMC" not in answer.text


def test_all_of_a_caloms_style_file_is_closed_without_consent(hub: World) -> None:
    brought(hub, SMHS)
    file = hub.load("county-caloms", table(CALOMS, ADMITTED), "caloms.csv")
    assert (file.state, file.counts["waiting"]) == (DONE, 0)
    assert len([one for one in seen(hub, "county") if is_part2(one)]) == 3
    assert not any(map(is_part2, seen(hub, "ecm")))
    consented(hub, GRANTED)
    assert len([one for one in seen(hub, "ecm") if is_part2(one)]) == 3


def test_a_feed_that_is_a_program_closes_what_its_rows_call_open(database: Database, tmp_path: Path) -> None:
    label = {"system": ACT_CODE, "code": "42CFRPart2"}
    hub = world(database, tmp_path, county={"security": (label,)})
    brought(hub, SMHS)
    (episode,) = hub.as_("county").get("/EpisodeOfCare").json["entry"][:1]
    patient = episode["resource"]["patient"]["reference"].partition("/")[2]
    hub.assign(patient)
    assert hub.as_("ecm").get("/EpisodeOfCare").json.get("total", 0) == 0
    assert hub.as_("ecm").get(f"/Patient/{patient}").status_code == 404


def test_the_client_number_of_a_program_stands_on_no_patient_that_others_see(hub: World) -> None:
    brought(hub, DETOX)
    assert "1001" not in hub.as_("ecm").get("/Patient/alder").text


def test_the_client_number_of_mental_health_services_does(hub: World) -> None:
    brought(hub, SMHS)
    values = [one["value"] for one in hub.as_("ecm").get("/Patient/alder").json["identifier"]]
    assert sorted(values) == ["1001", "91234567A"]


def test_a_provenance_of_a_program_file_is_closed_too(hub: World) -> None:
    brought(hub, DETOX)
    (episode,) = [one for one in seen(hub, "county") if one["resourceType"] == "EpisodeOfCare"]
    for query in (f"target=EpisodeOfCare/{episode['id']}", "target=Patient/alder"):
        assert "status-1.csv" not in hub.as_("ecm").get(f"/Provenance?{query}").text


def test_the_same_files_again_change_nothing(hub: World) -> None:
    brought(hub, SMHS, DETOX)
    consented(hub, GRANTED)
    before = [(one["id"], one["meta"]["versionId"]) for one in seen(hub, "county")]
    again = hub.load("county", table(STATUS, SMHS, DETOX), "again.csv")
    assert (again.counts["unchanged"], again.counts["resources"]) == (2, 0)
    assert [(one["id"], one["meta"]["versionId"]) for one in seen(hub, "county")] == before


def test_a_consent_of_somebody_nobody_brought_waits(hub: World) -> None:
    file = hub.load("county-consent", table(CONSENT, GRANTED), "early.csv")
    assert file.counts["waiting"] == 1


def test_a_reference_to_a_consent_that_leads_nowhere_is_named_and_opens_nothing(hub: World) -> None:
    file = hub.load("county", table(STATUS, SMHS, DETOX), "status.csv")
    assert [(one.code, one.line, one.column) for one in hub.report(file)] == [("REFERENCE", 3, "consent_ref")]
    assert file.counts["warned"] == 1
    assert systems(seen(hub, "ecm")) == {"SMHS"}


def test_a_reference_to_a_consent_that_is_there_is_not_named(hub: World) -> None:
    brought(hub, SMHS)
    consented(hub, GRANTED)
    assert hub.report(hub.load("county", table(STATUS, DETOX), "status.csv")) == []


def test_a_provider_whom_no_directory_has_keeps_the_client_waiting_with_a_name(hub: World) -> None:
    file = hub.load("county", table(STATUS, SMHS.replace(NPI["detox"], "1841293990")), "status.csv")
    assert (file.counts["waiting"], file.counts["rejected"]) == (1, 0)
    assert seen(hub, "county") == []
