"""A bulk client that nobody here wrote (PyPI smart-fetch) exports a county over real sockets, by SMART Backend
Services.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html,
https://hl7.org/fhir/smart-app-launch/backend-services.html. The client signs its own assertion, asks for its token,
kicks off, waits as it is told, fetches the files and deletes the job.
"""

import gzip
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.flows.hub_process import HubProcess, running
from tests.flows.partners import Partner, register
from tests.flows.stories import member_and_care_plan

MANY = 40  # members


def has_client() -> bool:
    try:
        return bool(importlib.metadata.version("smart-fetch"))
    except importlib.metadata.PackageNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not has_client(), reason="PyPI's smart-fetch is not installed")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with running(tmp_path_factory.mktemp("bulk")) as started:
        loader = register(started, "loader")
        load(started, loader)
        yield started


def load(hub: HubProcess, loader: Partner) -> None:
    headers = {"Authorization": f"Bearer {loader.token(hub)}", "Content-Type": "application/fhir+json"}
    more = [
        {
            "resource": {"resourceType": "Patient", "id": f"p{n}", "name": [{"family": f"Testperson-{n}"}]},
            "request": {"method": "PUT", "url": f"Patient/p{n}"},
        }
        for n in range(MANY)
    ]
    more += [
        {
            "resource": {
                "resourceType": "Observation",
                "id": f"o{n}",
                "status": "final",
                "category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}],
                "code": {"text": "invented"},
                "subject": {"reference": f"Patient/p{n}"},
                "valueQuantity": {"value": "WEIGHT"},
            },
            "request": {"method": "PUT", "url": f"Observation/o{n}"},
        }
        for n in range(MANY)
    ]
    for entries in (member_and_care_plan()["entry"], more):
        body = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        answer = requests.post(hub.fhir, body.replace('"WEIGHT"', "72.50"), headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text


CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def signing_keys(partner: Partner) -> Path:
    """The client's keys as smart-fetch wants them: a JWKS whose key says what it is for."""
    key = json.loads(partner.key.read_text())
    path = partner.key.with_suffix(".jwks")
    path.write_text(json.dumps({"keys": [{**key, "key_ops": ["sign"], "alg": "ES384"}]}))
    return path


def fetched(hub: HubProcess, partner: Partner, folder: Path, *words: str) -> dict[str, list[dict[str, Any]]]:
    """Run the client; by type what it fetched."""
    command = [str(Path(sys.executable).parent / "smart-fetch"), "bulk", str(folder)]
    command += ["--fhir-url", hub.fhir, "--smart-client-id", partner.id]
    command += ["--smart-key", str(signing_keys(partner)), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.ndjson.gz")):
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        found.setdefault(path.name.partition(".")[0], []).extend(json.loads(line) for line in lines)
    return found


def test_a_stranger_exports_the_system(hub: HubProcess, tmp_path: Path) -> None:
    partner = register(hub, "warehouse", scope="system/*.rs")
    found = fetched(hub, partner, tmp_path, "--type", "Patient,Observation")
    assert len(found["Patient"]) == MANY + 1
    assert {each["id"] for each in found["Observation"]} == {f"o{n}" for n in range(MANY)}
    assert b"72.50" in b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.glob("Observation*"))


def test_whose_data_left_is_in_the_audit(hub: HubProcess, tmp_path: Path) -> None:
    """By patient, for each file that was fetched."""
    partner = register(hub, "lakehouse", scope="system/*.rs")
    fetched(hub, partner, tmp_path, "--type", "Patient")
    auditor = register(hub, "auditor", role="auditor", scope="system/AuditEvent.rs")
    token = auditor.token(hub, "system/AuditEvent.rs")
    asked = f"{hub.fhir}/AuditEvent?subtype=110106&patient=Patient/p7&_count=50"
    answer = requests.get(asked, headers={"Authorization": f"Bearer {token}"}, timeout=20)
    assert answer.status_code == 200, answer.text
    events = [entry["resource"] for entry in answer.json()["entry"] if "lakehouse" in json.dumps(entry)]
    assert len(events) == 1


def test_a_stranger_exports_a_group(hub: HubProcess, tmp_path: Path) -> None:
    partner = register(hub, "grouped", scope="system/*.rs")
    found = fetched(hub, partner, tmp_path, "--group", "panel-1", "--type", "Patient,Observation")
    assert len(found["Patient"]) == 1
    assert "Observation" not in found
