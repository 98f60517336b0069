"""A hospital and a care team that speak Da Vinci Alerts, over real sockets: a notification in, messages out, and
the digest in the partner's folder."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from fhir_mappings.alerts.message import notification
from hub.fhir.systems import CIN_SYSTEM
from tests.fhir_mappings.alerts.factory import alert
from tests.flows import stories
from tests.flows.hub_process import HubProcess, running
from tests.flows.partners import Partner, Receiver, receiving, register

CLIENTS = "client,facility\nengine,NOWHERE\n"
FEEDS = """
[feeds.lantern]
kind = "plan-834"
clients = ["lantern"]
folder = { path = "PLACE", match = "*.none" }
"""
MRN, VISIT = "https://nowhere.example/mrn", "https://nowhere.example/visit"
NUMBERS = [{"system": MRN, "value": f"M{stories.CIN}"}, {"system": CIN_SYSTEM, "value": stories.CIN}]
PERSON = {
    "identifier": NUMBERS,
    "name": [{"family": "Testperson-Alder", "given": ["Fixture"]}],
    "birthDate": "1980-02-03",
}
STAY = {"identifier": [{"system": VISIT, "value": "V1"}], "period": {"start": "2026-11-01T08:30:00-07:00"}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hub(database_url: str, tmp_path: Path, receiver: Receiver) -> Iterator[HubProcess]:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    (tmp_path / "clients.csv").write_text(CLIENTS)
    (tmp_path / "feeds.toml").write_text(FEEDS.replace("PLACE", str(tmp_path / "lantern")))
    settings = {"HUB_HL7V2_CLIENTS": str(tmp_path / "clients.csv"), "HUB_FEEDS_FILE": str(tmp_path / "feeds.toml")}
    with running(tmp_path, database_url, HUB_WEBHOOK_HOSTS=receiver.host, **settings) as found:
        yield found


def asked(topic: str, endpoint: str) -> dict[str, Any]:
    found = stories.subscription(topic, endpoint)
    return found | {"channel": found["channel"] | {"type": "message"}}


def eventually(found: Any) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def session(hub: HubProcess, partner: Partner, scope: str = "system/*.cruds") -> requests.Session:
    found = requests.Session()
    found.headers["Authorization"] = f"Bearer {partner.token(hub, scope)}"
    return found


def test_a_notification_comes_in_and_goes_out_as_messages_and_a_digest(hub: HubProcess, receiver: Receiver) -> None:
    lantern, engine = register(hub, "lantern"), register(hub, "engine", "hospital-feeder", "system/Encounter.c")
    care, hospital = session(hub, lantern), session(hub, engine, "system/Encounter.c")
    assert care.post(hub.fhir, json=stories.member_and_care_plan(), timeout=20).status_code == 200
    topics = [stories.ADMISSION, stories.DISCHARGE]
    for topic in topics:
        made = care.post(f"{hub.fhir}/Subscription", json=asked(topic, receiver.url), timeout=20)
        assert made.status_code == 201, made.text
        where = f"{hub.fhir}/Subscription/{made.json()['id']}"
        eventually(lambda where=where: care.get(where, timeout=20).json()["status"] == "active")
    words = ("send", "digest", "lantern", "Group/panel-1", "--client", "lantern", "--topic", "encounter-discharge")
    assert "0 rows" in hub.command(*words)

    # the hospital admits the member by FHIR
    admission = alert(visit=STAY, person=PERSON)
    answer = hospital.post(f"{hub.fhir}/$process-message", json=admission, timeout=20)
    assert answer.status_code in (200, 202), answer.text
    (first,) = receiver.wait_for(1)
    assert first["entry"][0]["resource"]["eventCoding"]["code"] == "notification-admit"
    told = notification(first)  # another hub could read it
    assert (told.event, told.encounter["identifier"][0]["value"]) == ("A01", "V1")
    assert told.patient["name"][0]["family"] == "Testperson-Alder"

    # the same again is the same, and who was told is not told again
    again = hospital.post(f"{hub.fhir}/$process-message", json=admission, timeout=20)
    assert (again.status_code, again.json()["entry"][0]["resource"]["response"]["code"]) == (200, "ok")

    # the discharge comes by HL7 v2: it is the same visit
    sent = {"Content-Type": "application/hl7-v2; charset=utf-8"}
    message = stories.adt("A03", "C2", at="20261104100000").encode()
    assert hospital.post(f"{hub.base}/hl7v2", data=message, headers=sent, timeout=20).status_code == 200
    bodies = receiver.wait_for(2)
    codes = [body["entry"][0]["resource"]["eventCoding"]["code"] for body in bodies]
    assert codes == ["notification-admit", "notification-discharge"]
    assert len({notification(body).encounter["id"] for body in bodies}) == 1
    found = care.get(f"{hub.fhir}/Encounter", timeout=20).json()
    assert [entry["resource"]["status"] for entry in found["entry"]] == ["finished"]
    assert receiver.verify(hub.command("clients", "webhook-secret", "lantern").strip()) == 2

    # the digest has the discharge, once
    assert "1 rows" in hub.command(*words)
    assert "0 rows" in hub.command(*words)
    files = sorted((hub.folder / "lantern" / "out").iterdir())
    assert [path.name for path in files] == [f"digest-lantern-panel-1-{number:06}.csv" for number in (1, 2, 3)]
    (row,) = csv.DictReader(files[1].read_text(encoding="utf-8").splitlines())
    assert (row["topic"], row["cin"], row["status"]) == ("encounter-discharge", stories.CIN, "finished")

    # who may not send is told so
    assert care.post(f"{hub.fhir}/$process-message", json=admission, timeout=20).status_code == 403
