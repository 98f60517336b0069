"""A county's first day, over real sockets: a member and a care plan come in, the member is admitted and discharged,
the lead care manager is told, and a Task says who follows up. Clients that nobody here wrote do the talking."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fhirclient.models.careplan as careplan_model
import fhirclient.models.careteam as careteam_model
import pytest
import requests
from fhirclient.client import FHIRClient
from fhirpy import SyncFHIRClient
from hl7.client import MLLPClient

from auth.development_token import assertion
from tests.flows import stories
from tests.flows.hub_process import HubProcess, running
from tests.flows.partners import Partner, Receiver, receiving, register


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hub(database_url: str, tmp_path: Path, receiver: Receiver) -> Iterator[HubProcess]:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    with running(tmp_path, database_url, HUB_WEBHOOK_HOSTS=receiver.host) as found:
        yield found


def test_an_admission_reaches_the_lead_care_manager_and_a_discharge_opens_a_task(
    hub: HubProcess, receiver: Receiver
) -> None:
    partner = register(hub, "sunrise-cms")
    api = _session(hub, partner)

    # a member and a care plan come in by transaction
    answer = api.post(hub.fhir, json=stories.member_and_care_plan())
    assert answer.status_code == 200, answer.text
    patient = answer.json()["entry"][1]["response"]["location"].split("/Patient/")[1].split("/")[0]

    _fhirclient_reads_the_care_plan(hub, partner, patient)

    # the care management system subscribes to its panel's admissions
    asked = api.post(f"{hub.fhir}/Subscription", json=stories.subscription(stories.ADMISSION, receiver.url))
    assert asked.status_code == 201, asked.text
    _wait_for(lambda: api.get(f"{hub.fhir}/Subscription/{asked.json()['id']}").json()["status"] == "active")

    # the hospital admits the member
    assert _send(hub, stories.adt("A01", "C1")) == ("AA", "C1")
    (notice,) = receiver.events()
    secret = hub.command("clients", "webhook-secret", partner.id).strip()
    assert receiver.verify(secret) == 2  # the handshake and the notice
    (encounter,) = _found(api, hub, "Encounter", patient=patient, status="in-progress")
    told = next(e["resource"] for e in notice["entry"] if e.get("resource", {}).get("resourceType") == "Encounter")
    assert told["id"] == encounter["id"]
    assert encounter["class"]["code"] == "IMP"
    assert encounter["subject"]["reference"] == f"Patient/{patient}"
    assert _found(api, hub, "Coverage", patient=patient)[0]["subscriberId"] == stories.CIN
    assert _found(api, hub, "RelatedPerson", patient=patient)[0]["name"][0]["family"] == "Testperson-Birch"
    (provenance,) = _found(api, hub, "Provenance", target=f"Encounter/{encounter['id']}")
    assert provenance["entity"][0]["what"]["identifier"]["value"] == "C1"

    # the discharge finishes the Encounter and opens the Task
    assert _send(hub, stories.adt("A03", "C2", at="20261104100000")) == ("AA", "C2")
    _wait_for(lambda: _found(api, hub, "Task", patient=patient))
    (task,) = _found(api, hub, "Task", patient=patient)
    assert task["owner"]["reference"] == "Practitioner/lead-1"
    assert task["encounter"]["reference"] == f"Encounter/{encounter['id']}"
    assert task["restriction"]["period"]["end"].startswith("2026-11-11T10:00:00")
    (finished,) = _found(api, hub, "Encounter", patient=patient, status="finished")
    assert finished["id"] == encounter["id"]

    # the same admission again changes nothing
    before = _versions(api, hub, patient)
    assert _send(hub, stories.adt("A01", "C1")) == ("AA", "C1")
    time.sleep(1)
    assert _versions(api, hub, patient) == before
    assert len(receiver.events()) == 1


def test_fhirpy_gets_a_token_by_hand_and_finds_the_care_team(hub: HubProcess) -> None:
    partner = register(hub, "harbor-ehr")
    client = SyncFHIRClient(hub.fhir, authorization=f"Bearer {partner.token(hub)}")
    client.execute("", method="POST", data=stories.member_and_care_plan())
    member = client.resources("Patient").search(identifier=f"{stories.CIN_SYSTEM}|{stories.CIN}").get()
    team = client.resources("CareTeam").search(patient=member.id, status="active").get()
    plans = client.resources("CarePlan").search(patient=member.id, category="assess-plan").fetch_all()
    assert team.participant[0]["member"]["reference"] == "Practitioner/lead-1"
    assert [plan.careTeam[0]["reference"] for plan in plans] == ["CareTeam/team-1"]


def test_an_unmapped_code_waits_and_goes_through_after_its_row_was_added(hub: HubProcess) -> None:
    api = _session(hub, register(hub, "harbor-ehr"))
    strange = stories.adt("A01", "S1", visit="V9").replace("|SIB|", "|XSIB|")
    assert _send(hub, strange) == ("AA", "S1")
    _wait_for(lambda: "unmapped" in hub.command("inbox", "list"))
    listed = hub.command("inbox", "list", "--state", "unmapped")
    assert "NK1-3" in listed
    assert "XSIB" in listed
    assert _found(api, hub, "Encounter") == []
    tables = hub.folder / "code_tables"
    tables.mkdir()
    (tables / "0063.csv").write_text(
        "code,system,target,display,source\n"
        "XSIB,http://terminology.hl7.org/CodeSystem/v3-RoleCode,SIB,sibling,local\n"
    )
    _wait_for(lambda: _found(api, hub, "Encounter"))  # by itself: nobody replays
    assert "processed" in hub.command("inbox", "list")


def test_a_message_of_an_unknown_hospital_is_safe_and_waits(hub: HubProcess) -> None:
    assert _send(hub, stories.adt("A01", "U1").replace("NOWHERE", "ELSEWHERE")) == ("AA", "U1")
    _wait_for(lambda: "MSH-4" in hub.command("inbox", "list", "--state", "unmapped"))
    more = "ELSEWHERE,Elsewhere,https://else.example/mrn,https://else.example/visit,America/Los_Angeles,\n"
    (hub.folder / "facilities.csv").write_text(stories.FACILITIES + more)
    _wait_for(lambda: "processed" in hub.command("inbox", "list"))


def test_a_member_whom_nobody_knows_becomes_a_patient_of_the_hospital(hub: HubProcess) -> None:
    api = _session(hub, register(hub, "harbor-ehr"))
    _send(hub, stories.adt("A04", "N1", cin="95555555C"))
    _wait_for(lambda: _found(api, hub, "Patient", identifier="https://nowhere.example/mrn|M95555555C"))
    (patient,) = _found(api, hub, "Patient", identifier="https://nowhere.example/mrn|M95555555C")
    assert patient["meta"]["source"] == "urn:calaim-hub:adt:NOWHERE"


def test_a_known_number_with_another_name_and_birth_date_is_nobody_until_a_person_decides(hub: HubProcess) -> None:
    api = _session(hub, register(hub, "harbor-ehr"))
    api.post(hub.fhir, json=stories.member_and_care_plan())
    other = stories.adt("A01", "O1").replace("Testperson-Alder", "Otherperson-Elm").replace("19800203", "20010101")
    _send(hub, other)
    _wait_for(lambda: "unmatched" in hub.command("inbox", "list"))
    assert _found(api, hub, "Encounter") == []


def test_ctrl_c_stops_the_hub_within_ten_seconds_and_it_started_within_three(
    database_url: str, tmp_path: Path
) -> None:
    hub = HubProcess(tmp_path, database_url)
    hub.command("migrate")
    assert hub.start() < 30  # the figure itself is measured by make bench
    assert hub.stop() < 10


def _session(hub: HubProcess, partner: Partner) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {partner.token(hub)}"
    session.headers["Content-Type"] = "application/fhir+json"
    return session


def _found(api: requests.Session, hub: HubProcess, kind: str, **parameters: str) -> list[dict[str, Any]]:
    answer = api.get(f"{hub.fhir}/{kind}", params=parameters)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", [])]


def _versions(api: requests.Session, hub: HubProcess, patient: str) -> dict[str, str]:
    kinds = ("Encounter", "Task", "Coverage", "RelatedPerson", "Provenance")
    found = [r for kind in kinds for r in _found(api, hub, kind, patient=patient)]
    return {f"{r['resourceType']}/{r['id']}": r["meta"]["versionId"] for r in found}


def _send(hub: HubProcess, message: str) -> tuple[str, str]:
    """(MSA-1, MSA-2) by the client of the PyPI package hl7."""
    with MLLPClient("127.0.0.1", hub.mllp_port) as client:
        answer = client.send_message(message).decode()
    msa = next(segment for segment in answer.split("\r") if "MSA|" in segment).split("|")
    return msa[1], msa[2]


def _wait_for(condition: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def _fhirclient_reads_the_care_plan(hub: HubProcess, partner: Partner, patient: str) -> None:
    """The PyPI package fhirclient finds the token endpoint, gets its token and reads."""
    import json

    signed = assertion(f"{hub.base}/auth/token", partner.id, json.loads(partner.key.read_text()))
    client = FHIRClient(
        settings={
            "app_id": partner.id,
            "api_base": hub.fhir,
            "jwt_token": signed,
            "scope": "system/*.rs",
        }
    )
    client.wants_patient = False  # a backend service has no launch/patient
    client.prepare()
    client.authorize()
    plans = careplan_model.CarePlan.where({"patient": patient, "status": "active"}).perform_resources(client.server)
    teams = careteam_model.CareTeam.where({"patient": patient}).perform_resources(client.server)
    assert [plan.careTeam[0].reference for plan in plans] == ["CareTeam/team-1"]
    assert teams[0].participant[0].member.reference == "Practitioner/lead-1"
