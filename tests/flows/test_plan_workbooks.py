"""A plan uploads its member list over HTTP; the EHR of the ECM provider reads panel, care team, episode, coverage.
What the care manager changes over FHIR comes back in the plan's own workbook, on its SFTP server: one sheet is
filled in, every other part stays byte for byte (docs/plan-workbooks.md)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest
import requests

from fhir_mappings.plan.workbook_terms import METHOD, METHOD_EXTENSION, OUTREACH, REPORTED
from hub.feeds.records import Feed
from hub.fhir.systems import ACT_CODE, LEAD_CARE_MANAGER
from tests.adapters.files import conftest
from tests.adapters.files.conftest import SftpServer
from tests.adapters.plan.test_workbook_returns import KP, OTF
from tests.adapters.plan.workbooks import MIF, PROVIDER, book, given, table
from tests.flows.county_partners import eventually, organization, partner, post, put, session
from tests.flows.hub_process import HubProcess
from tests.flows.partners import register
from tests.flows.senders import Sender

sftp_server = conftest.sftp_server  # the fixture
LIST = f"""
[feeds.list]
kind = "mif"
system = "https://plan.example/lists"
organization = "Organization/plan"
provider = "{PROVIDER}"
mrn_system = "https://plan.example/mrn"
clients = ["plan"]

"""
RETURNS = (
    'system = "https://ecm.example/returns"',
    'sends_to = ["plan"]',
    'mrn_system = "https://plan.example/mrn"',
)
HERE = {**MIF, "Authorizatin End Date": "12/31/2027"}
NOBODY = {**HERE, "MCP_CIN": "not a CIN", "Medical Record Number (MRN)": "", "Member Last Name": "Canary"}
FORM = [*KP, "Note of the plan"]
NOTED = ["91234567A", "MRN-0001", *[None] * (len(FORM) - 3), "keep me"]
PERIOD = ("--start", "2026-10-01", "--end", "2026-10-31")


@pytest.fixture
def plan(sftp_server: SftpServer) -> Sender:
    return Sender(sftp_server)


@pytest.fixture
def hub(database_url: str, tmp_path: Path, plan: Sender) -> Iterator[HubProcess]:
    returns = plan.feed("returns", "rtf", *RETURNS, 'layout = "rtf-kp"')
    (tmp_path / "feeds.toml").write_text(LIST + returns + plan.feed("tracker", "otf", *RETURNS))
    found = HubProcess(tmp_path, database_url)
    found.command("migrate")
    found.start()
    try:
        yield found
    finally:
        found.stop()


def found(api: requests.Session, hub: HubProcess, kind: str) -> list[dict[str, Any]]:
    answer = api.get(f"{hub.fhir}/{kind}", timeout=20)
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", ())
    return [entry["resource"] for entry in entries if entry["search"]["mode"] == "match"]


def uploaded(api: requests.Session, hub: HubProcess, path: Path) -> dict[str, Any]:
    """The report on it, when the hub is done."""
    said = {
        "Content-Disposition": f'attachment; filename="{path.name}"',
        "Content-Type": "application/octet-stream",
    }
    answer = api.post(f"{hub.base}/files/list", path.read_bytes(), headers=said, timeout=20)
    assert answer.status_code in (200, 202), answer.text
    where = answer.headers["Location"]
    eventually(lambda: api.get(where, timeout=20).status_code == 200, "the hub has read the list")
    report: dict[str, Any] = api.get(where, timeout=20).json()
    return report


def called(member: str) -> dict[str, Any]:
    """A telephone call of the care manager that reached the member."""
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": ACT_CODE, "code": "VR"},
        "extension": [{"url": METHOD_EXTENSION, "valueCoding": {"system": METHOD, "code": "telephonic"}}],
        "type": [{"coding": [{"system": REPORTED, "code": OUTREACH[0]}]}],
        "subject": {"reference": f"Patient/{member}"},
        "period": {"start": "2026-10-05", "end": "2026-10-05"},
        "serviceProvider": {"reference": "Organization/ecm"},
    }


def test_a_list_becomes_a_panel_and_goes_back_as_a_return_file(
    hub: HubProcess, plan: Sender, tmp_path: Path
) -> None:
    registry = session(hub, register(hub, "registry"))
    put(registry, hub, organization("plan"), organization("ecm", PROVIDER), organization("other"))
    of_plan, ehr, other = (
        session(hub, partner(hub, *each)) for each in (("plan", "plan"), ("ecm", "ehr"), ("other", "ehr"))
    )

    sheets = {"MIF": table(HERE, NOBODY), "RTF": [FORM, NOTED]}
    sent = book(tmp_path / "MIF-2026-10.xlsx", sheets)
    report = uploaded(of_plan, hub, sent)
    assert {issue["details"]["text"] for issue in report["issue"]} >= {"IDENTIFIER"}
    assert "Canary" not in str(report)
    assert (
        of_plan.get(f"{hub.fhir}/Binary", timeout=20).status_code == 403
    )  # it brings files, and reads no document

    (member,) = found(ehr, hub, "Patient")
    (panel,) = found(ehr, hub, "Group")
    assert [one["entity"]["reference"] for one in panel["member"]] == [f"Patient/{member['id']}"]
    (episode,) = found(ehr, hub, "EpisodeOfCare")
    assert (episode["status"], episode["period"]["start"]) == ("planned", "2026-01-01")
    (coverage,) = found(ehr, hub, "Coverage")
    assert coverage["payor"] == [{"reference": "Organization/plan"}]
    (team,) = found(ehr, hub, "CareTeam")
    nothing = [found(other, hub, kind) for kind in ("Patient", "Group", "EpisodeOfCare", "Coverage", "CareTeam")]
    assert nothing == [[], [], [], [], []]

    lead = {"role": [{"coding": [dict(zip(("system", "code"), LEAD_CARE_MANAGER, strict=True))]}]}
    team["participant"].append({**lead, "member": {"display": "Coordina Samplewood"}})
    put(ehr, hub, team)
    post(ehr, hub, called(member["id"]))

    words = (f"Group/{panel['id']}", *PERIOD, "--client", "plan")
    hub.command("send", "return", "returns", *words, "--into", str(sent), "--name", "RTF-2026-10.xlsx")
    filled = tmp_path / "filled.xlsx"
    filled.write_bytes(plan.finds("returns", "out", "RTF-2026-10.xlsx"))
    before, after = parts(sent), parts(filled)
    assert [name for name in before if before[name] != after[name]] == ["xl/worksheets/sheet2.xml"]
    (row,) = (one.values for one in given(filled, Feed("r", "rtf", "urn:x", "rtf-kp"))[0] if one.kind == "rtf")
    said = {name: row[name] for name in ("cin", "lead_name", "status", "outreach_method", "start", "outreach_date")}
    assert said == {
        "cin": "91234567A",
        "lead_name": "Coordina Samplewood",
        "status": "2",
        "outreach_method": "2",
        "start": "2026-01-01",
        "outreach_date": "2026-10-05",
    }
    assert openpyxl.load_workbook(filled)["RTF"].cell(2, len(FORM)).value == "keep me"

    hub.command("send", "return", "tracker", *words, "--name", "OTF-2026-10.xlsx")
    (tmp_path / "otf.xlsx").write_bytes(plan.finds("tracker", "out", "OTF-2026-10.xlsx"))
    (attempt,) = (one.values for one in given(tmp_path / "otf.xlsx", Feed("o", "otf", "urn:x"))[0])
    assert (attempt["outreach_date"], attempt["outreach_successful"]) == ("2026-10-05", True)
    assert OTF["Member Client Index Number"] == attempt["cin"]


def parts(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}
