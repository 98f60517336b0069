"""A plan's list assigns a member to an ECM provider, whose system does the rest over FHIR: it tries to reach the
member, enrols, plans the care, ends it with a reason. The plan's tracker, return file and counts say so
(docs/ecm.md).
"""

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
import requests

from hub.ecm.terms import (
    DISCONTINUATION,
    DISCONTINUATION_EXTENSION,
    LEVEL_EXTENSION,
    METHOD,
    METHOD_EXTENSION,
    OUTREACH,
    STAFF,
    STAFF_EXTENSION,
    TIME_EXTENSION,
    UCUM,
)
from hub.feeds.records import Feed
from hub.fhir.systems import (
    ACT_CODE,
    ASSESSMENT,
    CAREPLAN_CATEGORY,
    CLOCK_STATE,
    LEAD_CARE_MANAGER,
    REFERRAL_CLOCK,
    REPORTED,
)
from tests.adapters.plan.workbooks import MIF, PROVIDER, book, given, table
from tests.flows.county_partners import eventually, organization, partner, post, put, session
from tests.flows.hub_process import HubProcess
from tests.flows.partners import register
from tests.flows.test_plan_workbooks import found, uploaded

FEEDS = f"""
[feeds.list]
kind = "mif"
system = "https://plan.example/lists"
organization = "Organization/plan"
provider = "{PROVIDER}"
clients = ["plan"]

[feeds.tracker]
kind = "otf"
system = "https://ecm.example/returns"
sends_to = ["plan"]

[feeds.returns]
kind = "rtf"
layout = "rtf-kp"
system = "https://ecm.example/returns"
sends_to = ["plan"]

[feeds.activity]
kind = "activity"
layout = "our-activity"
system = "https://ecm.example/activity"
sends_to = ["plan"]
"""
# the weekly activity log is a layout of the deployment: none is public
ACTIVITY = """
kinds = ["activity"]
sheets = ["Activity"]
key = ["cin"]

[[column]]
fact = "cin"
header = "CIN"
type = "cin"
required = true

[[column]]
fact = "status"
header = "Engagement"
type = "code"
codes = "status"

[[column]]
fact = "discontinuation_code"
header = "Why"
type = "code"
codes = "discontinuation"

[codes.status]
"done" = "discontinued"

[codes.discontinuation]
"2" = "lower-level"
"""
CODES = """
extends = "rtf-kp"

[codes.discontinuation]
"2" = "lower-level"
"""
HERE = {**MIF, "Authorizatin End Date": "12/31/2099"}
TODAY = datetime.now(ZoneInfo("America/Los_Angeles")).date()  # where the hub is
Resource = dict[str, Any]


@pytest.fixture
def hub(database_url: str, tmp_path: Path) -> Iterator[HubProcess]:
    (tmp_path / "feeds.toml").write_text(FEEDS)
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "our-activity.toml").write_text(ACTIVITY)
    (tmp_path / "layouts" / "rtf-kp.toml").write_text(CODES)
    hub = HubProcess(tmp_path, database_url, HUB_LAYOUTS=str(tmp_path / "layouts"))
    hub.command("migrate")
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


def said(url: str, system: str, code: str) -> Resource:
    return {"url": url, "valueCoding": {"system": system, "code": code}}


def text_message(member: str, day: str) -> Resource:
    """It was sent, and nobody answered."""
    time = {"value": 15, "unit": "min", "system": UCUM, "code": "min"}
    return {
        "resourceType": "Communication",
        "status": "completed",
        "category": [{"coding": [{"system": REPORTED, "code": OUTREACH[0]}]}],
        "subject": {"reference": f"Patient/{member}"},
        "sent": day,
        "sender": {"reference": "Organization/ecm"},
        "extension": [
            said(METHOD_EXTENSION, METHOD, "electronic"),
            said(STAFF_EXTENSION, STAFF, "non-clinical"),
            {"url": TIME_EXTENSION, "valueDuration": time},
        ],
    }


def visit(member: str, day: str) -> Resource:
    """In the street: they met."""
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": ACT_CODE, "code": "FLD"},
        "type": [{"coding": [{"system": REPORTED, "code": OUTREACH[0]}]}],
        "subject": {"reference": f"Patient/{member}"},
        "period": {"start": day, "end": day},
        "length": {"value": 1.5, "unit": "h", "system": UCUM, "code": "h"},
        "serviceProvider": {"reference": "Organization/ecm"},
    }


def care_plan(member: str, goal: str, day: str) -> Resource:
    detail = {
        "code": {"coding": [{"system": REPORTED, "code": ASSESSMENT}]},
        "status": "scheduled",
        "scheduledPeriod": {"end": day},
    }
    return {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "category": [{"coding": [{"system": CAREPLAN_CATEGORY, "code": "assess-plan"}]}],
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Find a home</div>'},
        "subject": {"reference": f"Patient/{member}"},
        "goal": [{"reference": f"Goal/{goal}"}],
        "activity": [{"detail": detail}],
    }


def a_goal(member: str) -> Resource:
    return {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": "A home of one's own"},
        "subject": {"reference": f"Patient/{member}"},
    }


def moved(api: requests.Session, hub: HubProcess, **elements: Any) -> requests.Response:
    """The enrolment, written on."""
    (episode,) = found(api, hub, "EpisodeOfCare")
    return api.put(f"{hub.fhir}/EpisodeOfCare/{episode['id']}", json={**episode, **elements}, timeout=20)


def sent(hub: HubProcess, feed: str, folder: Path, layout: str = "") -> list[dict[str, Any]]:
    """The rows of a file to the plan."""
    panel, path = "Organization/ecm", folder / f"{feed}.xlsx"
    first, kind = TODAY - timedelta(days=30), {"tracker": "otf", "returns": "rtf", "activity": "activity"}[feed]
    words = ("--start", first.isoformat(), "--end", TODAY.isoformat(), "--client", "plan", "--out", str(path))
    hub.command("send", "return", feed, panel, *words)
    if kind == "activity":
        header, *rows = openpyxl.load_workbook(path)["Activity"].iter_rows(values_only=True)
        return [dict(zip(header, row, strict=True)) for row in rows]
    return [dict(one.values) for one in given(path, Feed("f", kind, "urn:x", layout))[0] if one.kind == kind]


def counts(hub: HubProcess, *words: str) -> dict[tuple[str, str], str]:
    quarter = f"{TODAY.year}Q{(TODAY.month + 2) // 3}"
    printed = hub.command("ecm", "counts", "--quarter", quarter, *words)
    return {(row["measure"], row["by"]): row["count"] for row in csv.DictReader(io.StringIO(printed))}


def clock(api: requests.Session, hub: HubProcess, state: str) -> list[Resource]:
    asked = {"code": f"{REFERRAL_CLOCK}|ecm-reassessment", "_tag": f"{CLOCK_STATE}|{state}"}
    answer = api.get(f"{hub.fhir}/Task", params=asked, timeout=20)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


def test_from_the_assignment_to_a_lower_level_of_care(hub: HubProcess, tmp_path: Path) -> None:
    registry = session(hub, register(hub, "registry"))
    put(registry, hub, organization("plan"), organization("ecm", PROVIDER), organization("other"))
    put(registry, hub, {"resourceType": "Practitioner", "id": "lead", "name": [{"text": "Coordina Samplewood"}]})
    of_plan, ecm = session(hub, partner(hub, "plan", "plan")), session(hub, partner(hub, "ecm", "ecm-provider"))

    uploaded(of_plan, hub, book(tmp_path / "MIF.xlsx", {"MIF": table(HERE)}))
    (member,) = (one["id"] for one in found(ecm, hub, "Patient"))
    (episode,) = found(ecm, hub, "EpisodeOfCare")
    assert (episode["status"], [one["status"] for one in episode["statusHistory"]]) == ("planned", ["planned"])
    assert sent(hub, "returns", tmp_path, "rtf-kp")[0]["status"] == "1"

    # outreach
    today = TODAY.isoformat()
    nobody_says_how = {name: value for name, value in text_message(member, today).items() if name != "extension"}
    refused = ecm.post(f"{hub.fhir}/Communication", json=nobody_says_how, timeout=20)
    assert refused.status_code == 422
    assert "method" in refused.text
    post(ecm, hub, text_message(member, today))
    post(ecm, hub, visit(member, today))
    first, second = sent(hub, "tracker", tmp_path)
    assert {name: first.get(name) for name in ("outreach_method", "outreach_successful", "outreach_minutes")} == {
        "outreach_method": "1",
        "outreach_successful": True,
        "outreach_minutes": 90,
    }
    told = ("outreach_method", "outreach_successful", "outreach_minutes", "provider_type")
    assert [second[name] for name in told] == ["3", False, 15, "2"]

    # the member wants ECM
    lead = {"careManager": {"reference": "Practitioner/lead"}}
    assert "careManager" in moved(ecm, hub, status="active").text
    assert moved(ecm, hub, status="active", **lead).status_code == 200
    (team,) = found(ecm, hub, "CareTeam")
    role = {"coding": [dict(zip(("system", "code"), LEAD_CARE_MANAGER, strict=True))]}
    team["participant"].append({"role": [role], "member": lead["careManager"]})
    put(ecm, hub, team)
    due = TODAY + timedelta(days=60)
    post(ecm, hub, care_plan(member, post(ecm, hub, a_goal(member)), due.isoformat()))
    eventually(lambda: _is_due(clock(ecm, hub, "running"), due), "the clock says the day of the care plan")
    (task,) = clock(ecm, hub, "running")
    told_why = ecm.get(f"{hub.fhir}/Task/{task['id']}/$explain-clock", timeout=20)
    assert "The care plan of the member says the day" in told_why.text
    (row, *_) = sent(hub, "returns", tmp_path, "rtf-kp")
    assert (row["status"], row["lead_name"]) == ("3", "Coordina Samplewood")

    # it ends; what the plan's list says again undoes nothing
    assert "discontinuation-reason" in moved(ecm, hub, status="finished").text
    reason = {
        "url": DISCONTINUATION_EXTENSION,
        "valueCodeableConcept": {"coding": [{"system": DISCONTINUATION, "code": "lower-level"}]},
    }
    assert "lower-level-of-care-management" in moved(ecm, hub, status="finished", extension=[reason]).text
    level = {"url": LEVEL_EXTENSION, "valueCodeableConcept": {"text": "Case management of the clinic"}}
    ended = moved(ecm, hub, status="finished", extension=[reason, level])
    assert ended.status_code == 200, ended.text
    illegal = moved(ecm, hub, status="active")
    assert (illegal.status_code, "Legal for provider: entered-in-error" in illegal.text) == (422, True)
    again = {**HERE, "Primary Phone Number": "555-0101", "Authorization Number": "AUTH-2"}
    uploaded(of_plan, hub, book(tmp_path / "MIF-2.xlsx", {"MIF": table(again)}))
    (episode,) = found(ecm, hub, "EpisodeOfCare")
    past = [one["status"] for one in episode["statusHistory"]]
    assert (episode["status"], past) == ("finished", ["planned", "active", "finished"])
    eventually(lambda: bool(clock(ecm, hub, "met")), "the clock stops")

    (row, *_) = sent(hub, "returns", tmp_path, "rtf-kp")
    assert (row["status"], row["discontinuation_code"]) == ("4", "2")
    (row, *_) = sent(hub, "activity", tmp_path)
    assert (row["Engagement"], str(row["Why"])) == ("done", "2")
    for words in (("--organization", "Organization/ecm"), ("--client", "plan")):
        assert counts(hub, *words) == COUNTED, words
    of_another = counts(hub, "--organization", "Organization/other")
    assert set(of_another.values()) == {"0", "0.00"}


def _is_due(tasks: list[Resource], day: date) -> bool:
    ends = [task["restriction"]["period"]["end"][:10] for task in tasks]
    return ends == [(day + timedelta(days=1)).isoformat()]


COUNTED = {
    ("individuals targeted for ECM", ""): "1",
    ("individuals with at least one outreach attempt", ""): "1",
    ("outreach attempts", ""): "2",
    ("outreach attempts", "in-person"): "1",
    ("outreach attempts", "telephonic"): "0",
    ("outreach attempts", "electronic"): "1",
    ("successful outreach attempts", ""): "1",
    ("hours of outreach", ""): "1.75",
    ("members enrolled in ECM", ""): "1",
    ("members discontinued from ECM", ""): "1",
    ("members discontinued from ECM", "lower-level"): "1",
}
