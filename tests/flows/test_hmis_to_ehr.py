"""An HMIS puts its export on its SFTP server; the hub's worker fetches it. What it says of a member leaves to whom
a release of information names, and to nobody else; changes of housing go back to that server; when the release is
revoked, all of it stops."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from adapters.hmis.housing_changes import read_changes
from fhir_mappings.hmis.housing_changes import Change
from hub.fhir.systems import CIN_SYSTEM
from tests.adapters.files import conftest
from tests.adapters.files.conftest import SftpServer
from tests.adapters.hmis.exports import CLIENT, ENROLLMENT, USUAL, texts, zipped
from tests.flows.county_partners import eventually, organization, panel, partner, put, session
from tests.flows.hub_process import HubProcess
from tests.flows.partners import register
from tests.flows.senders import Sender, text

sftp_server = conftest.sftp_server  # the fixture
OF_HMIS = 'system = "https://hmis.example/coc"'
AGENCIES = 'agencies = { "Harbor Clinic" = "Organization/harbor" }'
HEAD = "roi_id,personal_id,start,end,agencies,form,revoked"
ROI = "r-1,c-1,2026-01-01,2027-12-31,Harbor Clinic,written,"
MEMBER = {
    "resourceType": "Patient",
    "id": "robin",
    "identifier": [
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "987654321"},
        {"system": CIN_SYSTEM, "value": "91234567A"},
    ],
    "name": [{"family": "Testperson-Alder", "given": ["Robin"]}],
    "gender": "female",
    "birthDate": "1980-02-15",
}
SITUATION = {"CurrentLivingSituation": "116", "InformationDate": "2026-02-20"}
KNOWN = {**CLIENT, "SSN": "987654321", "SSNDataQuality": "1", "Sex": "0"}
BORN_NEVER = {**CLIENT, "PersonalID": "c-2", "LastName": "Canary", "DOB": "1980-02-30"}
STREET = {**USUAL, "Client": [KNOWN, BORN_NEVER], "Enrollment": [ENROLLMENT],
          "CurrentLivingSituation": [SITUATION]}  # fmt: skip


@pytest.fixture
def hmis(sftp_server: SftpServer) -> Sender:
    return Sender(sftp_server)


@pytest.fixture
def hub(database_url: str, tmp_path: Path, hmis: Sender) -> Iterator[HubProcess]:
    feeds = hmis.feed("hmis", "hmis", OF_HMIS, 'implementation = "EXAMPLE-COC"', 'sends_to = ["harbor"]')
    (tmp_path / "feeds.toml").write_text(feeds + hmis.feed("roi", "hmis-roi", OF_HMIS, AGENCIES))
    found = HubProcess(tmp_path, database_url, HUB_FILES_EVERY_SECONDS="1")
    found.command("migrate")
    found.start()
    try:
        yield found
    finally:
        found.stop()


def verdicts(api: requests.Session, hub: HubProcess) -> list[str]:
    asked = {"patient": "robin", "code": "homelessness"}
    answer = api.get(f"{hub.fhir}/Observation", params=asked, timeout=20)
    assert answer.status_code == 200, answer.text
    found = [entry["resource"] for entry in answer.json().get("entry", ()) if entry["search"]["mode"] == "match"]
    return [one["valueCodeableConcept"]["coding"][0]["code"] for one in found]


def sent_back(hub: HubProcess, hmis: Sender, name: str) -> list[Change]:
    """The housing changes that the hub puts on the server for this provider."""
    words = ("--client", "harbor", "--since", "2025-01-01", "--name", name)
    assert f"Sent as {name}." in hub.command("send", "housing", "hmis", *words)
    content = hmis.finds("hmis", "out", name)
    return [one for one in read_changes(io.BytesIO(content)) if isinstance(one, Change)]


def test_what_hmis_says_leaves_while_there_is_a_release(hub: HubProcess, hmis: Sender) -> None:
    custodian = session(hub, register(hub, "custodian"))
    put(
        custodian,
        hub,
        organization("harbor"),
        organization("other"),
        MEMBER,
        panel("harbor", "robin"),
        panel("other", "robin"),
    )
    hub.command("identity", "index")  # the worker does it, too, some time
    harbor, other = (session(hub, partner(hub, name, "ecm-provider")) for name in ("harbor", "other"))

    export = zipped(hub.folder / "export.zip", texts(STREET)).read_bytes()
    hmis.sends("hmis", "export-2026-04.zip", export)
    report = hmis.finds("hmis", "reports", "export-2026-04.zip.report.csv").decode()
    assert "Client.csv,3,DOB,error,DATE" in report
    assert "Canary" not in report
    assert [verdicts(each, hub) for each in (harbor, other, custodian)] == [[], [], []]  # nobody released it
    assert sent_back(hub, hmis, "housing-0.csv") == []

    hmis.puts("roi", "roi-1.csv", text(HEAD, ROI))
    eventually(lambda: verdicts(harbor, hub) == ["homeless"], "the release opens it")
    found = harbor.get(f"{hub.fhir}/EpisodeOfCare", params={"patient": "robin"}, timeout=20).json()
    assert [entry["resource"]["status"] for entry in found["entry"]] == ["active"]
    assert [verdicts(each, hub) for each in (other, custodian)] == [[], []]  # it was not released to them
    patient = harbor.get(f"{hub.fhir}/Patient/robin", timeout=20).json()
    assert "hmis.example" not in json.dumps(patient)  # the number of HMIS stays in HMIS

    went = sent_back(hub, hmis, "housing-1.csv")
    assert [(one.member, one.event, one.status) for one in went][:1] == [("91234567A", "enrolled", "")]
    assert ("situation", "homeless") in {(one.event, one.status) for one in went}

    hmis.puts("roi", "roi-2.csv", text(HEAD, ROI + "2026-03-01"))
    eventually(lambda: verdicts(harbor, hub) == [], "the revocation closes it")
    assert sent_back(hub, hmis, "housing-2.csv") == []
    again = ("--client", "harbor", "--since", "2025-01-01", "--name", "housing-1.csv")
    told = hub.command("send", "housing", "hmis", *again, check=False)
    assert "there is another file of this name" in told  # what was sent stays as it was sent
