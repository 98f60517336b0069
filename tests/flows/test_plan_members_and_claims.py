"""A plan's 834 and 837 files come from its SFTP server and become what an EHR reads: members, coverages, visits,
services; the answers go back there (docs/plan-834.md, docs/plan-837.md)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.adapters.files import conftest
from tests.adapters.files.conftest import SftpServer
from tests.adapters.plan.made_834 import body, cin, coverage, member
from tests.adapters.plan.made_837 import body as claims
from tests.adapters.plan.made_837 import claim, institutional, professional, revenue
from tests.adapters.x12.made import V837I, file_834, file_837, text, written
from tests.flows.county_partners import eventually, organization, partner, put, session
from tests.flows.hub_process import HubProcess
from tests.flows.partners import register
from tests.flows.senders import Sender

sftp_server = conftest.sftp_server  # the fixture
CIN_SYSTEM = "https://calaim-hub.example/fhir/sid/medi-cal-cin"


@pytest.fixture
def plan(sftp_server: SftpServer) -> Sender:
    return Sender(sftp_server)


@pytest.fixture
def hub(database_url: str, tmp_path: Path, plan: Sender) -> Iterator[HubProcess]:
    (tmp_path / "tables").mkdir()
    members = plan.feed("members", "plan-834", f'tables = "{tmp_path / "tables"}"', 'full_names = ["DHCS834-MO"]')
    (tmp_path / "feeds.toml").write_text(members + plan.feed("claims", "plan-837", 'counts = "warn"'))
    found = HubProcess(tmp_path, database_url, HUB_FILES_EVERY_SECONDS="1")
    found.command("migrate")
    found.start()
    try:
        yield found
    finally:
        found.stop()


def panel(*members: str) -> dict[str, Any]:
    return {
        "resourceType": "Group",
        "id": "panel",
        "type": "person",
        "actual": True,
        "managingEntity": {"reference": "Organization/clinic"},
        "member": [{"entity": {"reference": f"Patient/{one}"}} for one in members],
    }


def found(api: requests.Session, hub: HubProcess, kind: str, query: str = "") -> list[Any]:
    answer = api.get(f"{hub.fhir}/{kind}?_count=50{query}", timeout=20)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ()) if entry["search"]["mode"] == "match"]


def known(api: requests.Session, hub: HubProcess, number: int) -> list[Any]:
    return found(api, hub, "Patient", f"&identifier={CIN_SYSTEM}|{cin(number)}")


def sent(number: int, segments: list[str]) -> bytes:
    """The file with a control number of its own (ISA13), made on that day of November."""
    each = (
        one.replace("000000001", f"{number:09}").replace("261101*1930", f"2611{number:02}*1930") for one in segments
    )
    return text(each)


def test_members_and_claims_of_a_plan_are_read_by_an_ehr(hub: HubProcess, plan: Sender) -> None:
    registry = session(hub, register(hub, "registry"))
    put(registry, hub, organization("clinic"))
    ehr = session(hub, partner(hub, "clinic", "ehr"))

    # claims come before anybody knows their member: they wait for the membership file
    visit = claim(lines=[professional("H2016:GQ:U6")])
    stay = institutional("11:A:1", lines=[revenue("0120"), revenue("0450", "99284")])
    plan.sends("claims", "p.837", sent(1, file_837(claims(visit))))
    miscounted = ["SE*9*0001" if one.startswith("SE*") else one for one in file_837(claims(stay), version=V837I)]
    plan.sends("claims", "i.837", sent(2, miscounted))
    assert b"IK5*A~" in plan.finds("claims", "out", "p.837.999")
    assert b"IK5*E*4~" in plan.finds("claims", "out", "i.837.999")  # taken, with errors
    assert b"COUNT" in plan.finds("claims", "reports", "i.837.report.csv")
    assert found(registry, hub, "Encounter") == []

    people = [
        member(1, coverages=[coverage(), coverage("957;01", end="", share="120")]),
        member(2, coverages=[coverage("010;P4")]),
        member(3, maintenance="024"),
    ]
    plan.sends("members", "a.834", sent(3, file_834(body(people))))
    assert b"AK9*A*1*1*1~" in plan.finds("members", "out", "a.834.999")
    (robin,) = known(registry, hub, 1)
    assert robin["name"][0]["family"] == "INVENTED1"
    assert known(ehr, hub, 1) == []
    put(registry, hub, panel(robin["id"]))
    covered = found(ehr, hub, "Coverage", f"&patient={robin['id']}")
    assert sorted(one["status"] for one in covered) == ["active", "active"]
    payors = {one["payor"][0]["reference"] for one in covered}
    assert [ehr.get(f"{hub.fhir}/{one}", timeout=20).json()["name"] for one in payors] == ["Invented Plan Inc."]

    visits = f"&patient={robin['id']}"
    eventually(lambda: len(found(ehr, hub, "Encounter", visits)) == 2, "the claims woke up", 120)
    assert {one["class"]["code"] for one in found(ehr, hub, "Encounter", visits)} == {"AMB", "IMP"}
    codes = [{one["code"] for one in each["code"]["coding"]} for each in found(ehr, hub, "Procedure", visits)]
    assert {"H2016", "housing-transition-navigation"} in codes

    # a status that nobody explained keeps its member waiting, until somebody does
    assert known(registry, hub, 2) == []
    rows = "status,from,to,coverage,source\nP4,,,cancelled,invented for this test\n"
    (hub.folder / "tables" / "x12_hcp_status.csv").write_text(rows)
    eventually(lambda: len(found(registry, hub, "Coverage", "&status=cancelled")) == 1, "it goes on by itself", 120)

    # a full file without the first member ends what is open of theirs; the person stays
    full = body([member(2, coverages=[coverage("010;P4")])], name="DHCS834-MO-20261101-Invented Plan")
    plan.sends("members", "b.834", sent(4, file_834(full)))
    ended = ["active", "cancelled"]

    def statuses() -> list[str]:
        return sorted(one["status"] for one in found(ehr, hub, "Coverage", f"&patient={robin['id']}"))

    eventually(lambda: statuses() == ended, "what is open ends")
    assert len(known(ehr, hub, 1)) == 1


def test_the_report_of_a_file_names_segments_and_no_values(database_url: str, tmp_path: Path) -> None:
    hub = HubProcess(tmp_path, database_url)
    hub.command("migrate")
    bad = member(7, last="CANARY", DMG="DMG*D8*19800230*F")
    told = _load(hub, "plan-834", tmp_path, "bad.834", file_834(body([member(1), bad])))
    number = told.rpartition(" ")[2].strip()
    report = hub.command("files", "report", number)
    assert "X12_SEGMENT" in report
    assert "DMG02" in report
    assert "CANARY" not in report


def _load(hub: HubProcess, kind: str, folder: Path, name: str, segments: list[str]) -> str:
    path = written(folder / name, segments)
    return hub.command("load", kind, str(path), check=False)
