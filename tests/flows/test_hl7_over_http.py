"""A hospital without MLLP, against a running hub: a token, a message over HTTP, and the visit that it makes."""

import time
from pathlib import Path
from typing import Any

import requests

from adapters.adt.mllp_client import acknowledged
from tests.flows import stories
from tests.flows.hub_process import HubProcess, running
from tests.flows.partners import register

ER7 = "application/hl7-v2; charset=utf-8"
CLIENTS = "client,facility\nengine,NOWHERE\n"


def test_a_message_over_http_becomes_a_visit(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    (tmp_path / "clients.csv").write_text(CLIENTS)
    with running(tmp_path, database_url, HUB_HL7V2_CLIENTS=str(tmp_path / "clients.csv")) as hub:
        engine = register(hub, "engine", "hospital-feeder", "system/Encounter.c")
        reader = register(hub, "custodian")
        sent = {"Authorization": f"Bearer {engine.token(hub, 'system/Encounter.c')}", "Content-Type": ER7}

        def post(message: str) -> requests.Response:
            return requests.post(f"{hub.base}/hl7v2", data=message.encode(), headers=sent, timeout=20)

        answers = [post(stories.adt("A01", "C1")), post(stories.adt("A01", "C1")), post("nothing")]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert [acknowledged(answer.content)[0] for answer in answers] == ["AA", "AA", "AR"]
        bearer = {"Authorization": f"Bearer {reader.token(hub)}"}
        deadline = time.monotonic() + 20
        found: list[dict[str, Any]] = []
        while not found and time.monotonic() < deadline:
            found = requests.get(f"{hub.fhir}/Encounter", headers=bearer, timeout=20).json().get("entry", [])
            time.sleep(0.05)
        assert [entry["resource"]["status"] for entry in found] == ["in-progress"]
        assert requests.get(f"{hub.fhir}/Encounter", headers=sent, timeout=20).status_code == 403


def test_a_hub_whose_table_of_senders_cannot_be_used_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "clients.csv").write_text("who,what\n")
    hub = HubProcess(tmp_path, "", HUB_HL7V2_CLIENTS=str(tmp_path / "clients.csv"))
    hub.command("migrate")
    assert "HUB_HL7V2_CLIENTS" in hub.command("serve", check=False)
