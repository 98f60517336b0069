"""A county puts its files on its SFTP server; an ECM provider reads mental health, substance use by consent only,
and no more once that is revoked; what changed in the care of its clients goes back to that server. Another county
reads nothing, and with a client of its own still no program's record (42 CFR Part 2)."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hub.fhir.systems import CIN_SYSTEM
from tests.adapters.files import conftest
from tests.adapters.files.conftest import SftpServer
from tests.flows.county_partners import (
    ECM_NPI,
    PROGRAM_NPI,
    SYSTEM,
    eventually,
    organization,
    panel,
    partner,
    post,
    put,
    session,
)
from tests.flows.hub_process import HubProcess
from tests.flows.partners import register
from tests.flows.senders import Sender, text

sftp_server = conftest.sftp_server  # the fixture
COUNTY = "county-behavioral-health"
OF_COUNTY = (f'system = "{SYSTEM}"', 'organization = "Organization/county"')
OF_ANOTHER = ('system = "https://another.example/bh"', 'organization = "Organization/another"')
STATUS = (
    "cin,county_client_number,last,first,dob,system,status,open_date,close_date,level_of_care,provider_org_npi,"
    "part2_program,consent_ref,as_of"
)
WHO = "91234567A,1001,Testperson-Alder,Robin,1980-02-15"
SMHS = f"{WHO},SMHS,open,2026-03-02,,,{PROGRAM_NPI},N,,2026-04-01"
DETOX = f"{WHO},DMC-ODS,open,2026-03-09,,3.7,{PROGRAM_NPI},Y,C-1,2026-04-01"
CONSENT = (
    "consent_id,county_client_number,form,discloser,information,recipient_npi,purpose,expires_on,signer,signed_on,"
    "revoked_on"
)
GRANTED = f"C-1,1001,part2-named-recipient,general,42CFRPart2,{ECM_NPI},TREAT,2030-01-01,patient,2026-03-01,"
MEMBER = {
    "resourceType": "Patient",
    "id": "robin",
    "identifier": [{"system": CIN_SYSTEM, "value": "91234567A"}],
    "name": [{"family": "Testperson-Alder", "given": ["Robin"]}],
    "birthDate": "1980-02-15",
}
CARE_PLAN = {
    "resourceType": "CarePlan",
    "status": "active",
    "intent": "plan",
    "title": "Invented plan",
    "subject": {"reference": "Patient/robin"},
}


@pytest.fixture
def sender(sftp_server: SftpServer) -> Sender:
    return Sender(sftp_server)


@pytest.fixture
def hub(database_url: str, tmp_path: Path, sender: Sender) -> Iterator[HubProcess]:
    feeds = sender.feed("county", "county", *OF_COUNTY) + sender.feed("consents", "county-consent", *OF_COUNTY)
    (tmp_path / "feeds.toml").write_text(feeds + sender.feed("another", "county", *OF_ANOTHER))
    found = HubProcess(tmp_path, database_url, HUB_FILES_EVERY_SECONDS="1")
    found.command("migrate")
    found.start()
    try:
        yield found
    finally:
        found.stop()


def systems(api: requests.Session, hub: HubProcess) -> set[str]:
    """Which county systems this client finds the member in."""
    answer = api.get(f"{hub.fhir}/EpisodeOfCare", params={"patient": "robin"}, timeout=20)
    assert answer.status_code == 200, answer.text
    found = [entry["resource"] for entry in answer.json().get("entry", ()) if entry["search"]["mode"] == "match"]
    return {one["type"][0]["coding"][0]["code"] for one in found}


def sent_back(hub: HubProcess, sender: Sender, county: str, name: str) -> dict[str, dict[str, str]]:
    """What the hub puts on this county's server, by id."""
    words = ("--client", county, "--since", "2026-01-01", "--csv", "--name", name)
    assert f"Sent as {name}." in hub.command("send", "county", county, *words)
    rows = csv.DictReader(io.StringIO(sender.finds(county, "out", name).decode(), newline=""))
    return {row["id"]: row for row in rows}


def test_a_county_sends_its_files_and_consent_decides_who_reads_them(hub: HubProcess, sender: Sender) -> None:
    registry = session(hub, register(hub, "registry"))
    put(registry, hub, organization("county"), organization("another"), organization("ecm", ECM_NPI))
    put(registry, hub, organization("program", PROGRAM_NPI), MEMBER, panel("ecm", "robin"))
    ecm, county, another = (
        session(hub, partner(hub, *each))
        for each in (("ecm", "ecm-provider"), ("county", COUNTY), ("another", COUNTY))
    )

    sender.puts("county", "status-2026-04.csv", text(STATUS, SMHS, DETOX))
    eventually(lambda: systems(county, hub) == {"SMHS", "DMC-ODS"}, "the county reads what it sent")
    assert systems(ecm, hub) == {"SMHS"}
    assert systems(another, hub) == set()
    report = sender.finds("county", "reports", "status-2026-04.csv.report.csv").decode()
    codes = [row["code"] for row in csv.DictReader(io.StringIO(report, newline=""))]
    assert codes == ["REFERENCE"]  # the consent has not come yet

    sender.puts("consents", "consent-1.csv", text(CONSENT, GRANTED))
    eventually(lambda: systems(ecm, hub) == {"SMHS", "DMC-ODS"}, "the consent opens it")
    assert systems(another, hub) == set()  # it names the ECM provider, nobody else

    plan = post(ecm, hub, CARE_PLAN)
    sent = sent_back(hub, sender, "county", "care-1.csv")
    assert (sent[plan]["cin"], sent[plan]["title"]) == ("91234567A", "Invented plan")
    assert any("42CFRPart2" in row["labels"] for row in sent.values())  # the program's care team: its own
    assert sent_back(hub, sender, "another", "care-1.csv") == {}

    put(registry, hub, panel("another", "robin"))  # the member moves, and is a client there, too
    assert systems(another, hub) == {"SMHS"}  # no consent names this county
    others = sent_back(hub, sender, "another", "care-2.csv")
    assert plan in others
    assert not any("42CFRPart2" in row["labels"] for row in others.values())

    sender.puts("consents", "consent-2.csv", text(CONSENT, GRANTED + "2026-05-02"))
    eventually(lambda: systems(ecm, hub) == {"SMHS"}, "the revocation closes it")
