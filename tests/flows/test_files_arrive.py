"""A county sends its file over HTTP, by hand and again; what became of it is told, and an EHR reads it."""

import time
from pathlib import Path
from typing import Any

import requests

from tests.flows.hub_process import HubProcess, running
from tests.flows.partners import register

HEADER = "cin,county_client_number,last,first,dob,system,status,open_date,close_date,level_of_care,provider_org_npi"
HEADER += ",part2_program,consent_ref,as_of"
ROWS = (
    "91234567A,006132463,Testperson-Alder,Robin,1980-02-15,SMHS,open,2026-03-02,,,1234567893,N,,2026-04-01",
    "93456789D,006132466,Testperson-Dogwood,Lee,1968-01-20,SMHS,closed,2025-09-01,2026-01-31,,1234567893,N,,2026-04-01",
)
BAD = "9345,006132467,Testperson-Elm,Pat,1968-02-30,SMHS,open,2025-09-01,,,1234567893,N,,2026-04-01"
FEEDS = '[feeds.example-county]\nkind = "county"\nclients = ["county"]\n'
NPI = {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}
PROGRAM = {"resourceType": "Organization", "identifier": [NPI], "active": True, "name": "Example Program"}
SCOPE = "system/Binary.cr"


def content(*rows: str) -> bytes:
    return "\r\n".join((HEADER, *rows, "")).encode()


def test_a_file_over_http_becomes_fhir_and_its_sender_learns_what_was_rejected(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "feeds.toml").write_text(FEEDS)
    with running(tmp_path, database_url, HUB_FEEDS_FILE=str(tmp_path / "feeds.toml")) as hub:
        county = register(hub, "county", "county-behavioral-health", SCOPE)
        stranger = register(hub, "stranger", "county-behavioral-health", SCOPE)
        sent = {"Authorization": f"Bearer {county.token(hub, SCOPE)}", "Content-Type": "text/csv"}
        others = sent | {"Authorization": f"Bearer {stranger.token(hub, SCOPE)}"}

        def post(body: bytes, name: str, headers: dict[str, str]) -> requests.Response:
            more = {"Content-Disposition": f'attachment; filename="{name}"'}
            return requests.post(f"{hub.base}/files/example-county", body, headers=headers | more, timeout=20)

        reader = {"Authorization": f"Bearer {register(hub, 'custodian').token(hub)}"}
        requests.post(f"{hub.fhir}/Organization", json=PROGRAM, headers=reader, timeout=20).raise_for_status()
        first = post(content(*ROWS, BAD), "status-2026-04.csv", sent)
        assert first.status_code == 202
        answers = [
            post(content(*ROWS, BAD), "status-2026-04.csv", sent).status_code,
            post(content(*ROWS), "status-2026-04.csv", sent).status_code,
            post(content(*ROWS), "../status.csv", sent).status_code,
            post(content(*ROWS), "status.csv", others).status_code,
        ]
        assert answers == [200, 409, 422, 404]
        told = _report(first.headers["Location"], sent)
        assert {issue["details"]["text"] for issue in told["issue"]} >= {"IDENTIFIER"}
        assert "Testperson" not in str(told)
        csv = requests.get(first.headers["Location"], headers=sent | {"Accept": "text/csv"}, timeout=20)
        assert csv.text.splitlines()[0] == "file,part,line,column,severity,code,what"
        assert requests.get(first.headers["Location"], headers=others, timeout=20).status_code == 404
        found = requests.get(f"{hub.fhir}/EpisodeOfCare", headers=reader, timeout=20).json()["entry"]
        assert sorted(entry["resource"]["status"] for entry in found) == ["active", "finished"]


def _report(location: str, headers: dict[str, str]) -> Any:
    deadline = time.monotonic() + 30
    while (answer := requests.get(location, headers=headers, timeout=20)).status_code == 202:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.status_code == 200
    return answer.json()


def test_a_file_is_loaded_by_hand_and_again_changes_nothing(database_url: str, tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, database_url)
    hub.command("migrate")
    (tmp_path / "status.csv").write_bytes(content(*ROWS))
    first = hub.command("load", "county", str(tmp_path / "status.csv"))
    again = hub.command("load", "county", str(tmp_path / "status.csv"))
    assert "done; 2 read, 2 new, 2 waiting" in first
    assert "2 unchanged" in again
    assert "new" not in again.partition("done;")[2]
    (tmp_path / "status.csv").write_bytes(content(*ROWS, BAD))
    assert "NAME_REUSED" in hub.command("load", "county", str(tmp_path / "status.csv"), check=False)
    told = hub.command("load", "county", str(tmp_path / "status.csv"), "--name", "other.csv", check=False)
    number = told.rpartition(" ")[2].strip()
    assert "IDENTIFIER" in hub.command("files", "report", number)
    assert "done" in hub.command("files", "list")
