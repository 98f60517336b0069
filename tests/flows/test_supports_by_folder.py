"""A plan drops its authorizations into a folder; the Community Supports provider reads what it was asked to do, and
says how far it is; that comes back in the plan's own workbook, in the folder from which the plan takes it
(docs/plan-workbooks.md)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import requests

from hub.feeds.records import Feed
from tests.adapters.plan.test_workbook_returns import CS
from tests.adapters.plan.workbooks import MIF, PROVIDER, book, given, table
from tests.flows.county_partners import eventually, organization, partner, put, session
from tests.flows.hub_process import HubProcess
from tests.flows.partners import register

SUPPORT = "housing-transition-navigation"
FEEDS = """
[feeds.authorizations]
kind = "asf"
system = "https://plan.example/lists"
organization = "Organization/plan"
provider = "{npi}"
community_support = "{support}"
authorization_system = "https://plan.example/authorization"
folder = {{ path = "{folder}/authorizations", match = "*.xlsx", quiet_seconds = 0 }}

[feeds.supports]
kind = "cs-rtf"
system = "https://cs.example/returns"
sends_to = ["plan"]
authorization_system = "https://plan.example/authorization"
folder = {{ path = "{folder}/supports", match = "*.xlsx", quiet_seconds = 0 }}
"""
AUTHORIZED = {**MIF, "Authorizatin End Date": "12/31/2027"}
PERIOD = ("--start", "2026-10-01", "--end", "2026-10-31")


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[HubProcess]:
    for name in ("authorizations", "supports"):
        (tmp_path / name / "in").mkdir(parents=True)
    (tmp_path / "feeds.toml").write_text(FEEDS.format(npi=PROVIDER, support=SUPPORT, folder=tmp_path))
    found = HubProcess(tmp_path, database_url, HUB_FILES_EVERY_SECONDS="1")
    found.command("migrate")
    found.start()
    try:
        yield found
    finally:
        found.stop()


def tasks(api: requests.Session, hub: HubProcess) -> list[dict[str, Any]]:
    answer = api.get(f"{hub.fhir}/Task", timeout=20)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


def test_an_authorized_support_is_delivered_and_told_of(hub: HubProcess, tmp_path: Path) -> None:
    registry = session(hub, register(hub, "registry"))
    put(registry, hub, organization("plan"), organization("cs", PROVIDER), organization("other"))
    partner(hub, "plan", "plan")
    cs, other = (session(hub, partner(hub, name, "ilos-provider")) for name in ("cs", "other"))

    form = {
        "RTF CS": [[*CS, "Note of the plan"], ["MRN-0001", "91234567A", "AUTH-1", *[None] * (len(CS) - 3), "keep"]]
    }
    sent = book(tmp_path / "ASF-2026-10.xlsx", {"ASF": table(AUTHORIZED), **form})
    dropped = tmp_path / "authorizations" / "in" / "ASF-2026-10.xlsx.part"
    dropped.write_bytes(sent.read_bytes())
    dropped.rename(dropped.with_suffix(""))
    eventually(lambda: len(tasks(cs, hub)) == 1, "the provider is asked")
    assert tasks(other, hub) == []
    archived = tmp_path / "authorizations" / "archive" / "ASF-2026-10.xlsx"
    eventually(archived.exists, "the file lies in the archive")

    (task,) = tasks(cs, hub)
    request = cs.get(f"{hub.fhir}/{task['focus']['reference']}", timeout=20).json()
    assert request["code"]["coding"][0]["code"] == SUPPORT
    assert request["occurrencePeriod"] == {"start": "2026-01-01", "end": "2027-12-31"}
    for status in ("accepted", "in-progress"):
        step = [{"op": "replace", "path": "/status", "value": status}]
        kind = {"Content-Type": "application/json-patch+json"}
        answer = cs.patch(f"{hub.fhir}/Task/{task['id']}", json=step, headers=kind, timeout=20)
        assert answer.status_code == 200, answer.text

    words = ("Organization/cs", *PERIOD, "--client", "plan", "--into", str(sent), "--name", "RTF-2026-10.xlsx")
    hub.command("send", "return", "supports", *words)
    filled = tmp_path / "supports" / "out" / "RTF-2026-10.xlsx"
    before, after = parts(sent), parts(filled)
    assert [name for name in before if before[name] != after[name]] == ["xl/worksheets/sheet2.xml"]
    (row,) = (one.values for one in given(filled, Feed("r", "cs-rtf", "urn:x"))[0])
    assert (row["cin"], row["authorization_number"], row["status"]) == ("91234567A", "AUTH-1", "3")


def parts(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}
