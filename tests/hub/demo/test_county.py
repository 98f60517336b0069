"""The demo county is whole, is the same every time, and could not be taken for real."""

import ast
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from hub.demo.chance import Chance
from hub.demo.county import bundles
from hub.demo.organizations import CARE_MANAGERS
from hub.fhir import json
from hub.fhir.systems import LEAD_CARE_MANAGER

ROOT = Path(__file__).resolve().parents[3]
COUNTY = list(bundles())
RESOURCES = [entry["resource"] for bundle in COUNTY for entry in bundle["entry"]]
MANDATORY = {
    "Patient": ("identifier", "name", "gender", "birthDate", "address", "communication"),
    "RelatedPerson": ("active", "patient", "relationship", "name"),
    "Coverage": ("status", "subscriberId", "beneficiary", "relationship", "period", "payor"),
    "CareTeam": ("status", "subject", "participant"),
    "CarePlan": ("text", "status", "intent", "category", "subject", "careTeam", "goal", "addresses"),
    "Condition": ("clinicalStatus", "verificationStatus", "category", "code", "subject"),
    "Goal": ("lifecycleStatus", "description", "subject", "target"),
    "Encounter": ("status", "class", "type", "subject", "period"),
    "ServiceRequest": ("status", "intent", "category", "code", "subject", "performer", "requester"),
    "Task": ("status", "intent", "code", "focus", "for", "authoredOn", "owner", "requester"),
    "Organization": ("active", "name", "telecom", "address"),
    "Practitioner": ("identifier", "name", "telecom"),
    "PractitionerRole": ("practitioner", "organization", "telecom"),
    "Group": ("type", "actual", "member"),
}  # fmt: skip


def of_type(kind: str) -> list[json.Resource]:
    return [found for found in RESOURCES if found["resourceType"] == kind]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def key(found: json.Resource) -> str:
    return f"{found['resourceType']}/{found['id']}"


def coded(concepts: list[Any]) -> set[tuple[str, str]]:
    return {(coding["system"], coding["code"]) for concept in concepts for coding in concept.get("coding", [])}


def digest(county: list[json.Resource]) -> str:
    return hashlib.sha256(b"\n".join(map(json.write, county))).hexdigest()


def test_the_same_arguments_yield_the_same_bytes() -> None:
    assert digest(list(bundles())) == digest(COUNTY)
    assert digest(list(bundles(seed=2))) != digest(COUNTY)


def test_another_process_with_another_hash_seed_yields_the_same_bytes() -> None:
    script = (
        "import hashlib; from hub.demo.county import bundles; from hub.fhir.json import write;"
        "print(hashlib.sha256(b'\\n'.join(map(write, bundles(20)))).hexdigest())"
    )
    env = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, check=True)
    assert found.stdout.decode().strip() == digest(list(bundles(20)))


def test_the_die_falls_as_it_fell_when_this_was_written() -> None:
    chance = Chance(1, "reproducible")
    assert [chance.below(1000) for _ in range(5)] == [841, 601, 974, 621, 634]


def test_a_member_is_the_same_in_a_smaller_county() -> None:
    assert [json.write(b) for b in list(bundles(10))[:-1]] == [json.write(b) for b in COUNTY[:11]]


def test_the_county_has_200_members_of_about_a_dozen_resources_each() -> None:
    sizes = [len(bundle["entry"]) for bundle in COUNTY[1:-1]]
    assert len(sizes) == len(of_type("Patient")) == 200
    assert 12 <= sum(sizes) / 200 <= 15
    assert max(sizes) <= 18


def test_about_half_the_members_are_referred_and_every_stage_of_the_loop_is_seen() -> None:
    referred = {task["for"]["reference"] for task in of_type("Task")}
    assert 80 <= len(referred) <= 120
    assert {t["status"] for t in of_type("Task")} == {"requested", "accepted", "in-progress", "completed"}
    focuses = [task["focus"]["reference"] for task in of_type("Task")]
    assert sorted(focuses) == sorted(map(key, of_type("ServiceRequest")))


def test_a_referral_is_completed_exactly_when_its_task_is() -> None:
    requests = {key(request): request["status"] for request in of_type("ServiceRequest")}
    for task in of_type("Task"):
        expected = "completed" if task["status"] == "completed" else "active"
        assert requests[task["focus"]["reference"]] == expected


def test_every_entry_puts_a_resource_under_its_own_fixed_id() -> None:
    for bundle in COUNTY:
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
        for entry in bundle["entry"]:
            assert entry["request"] == {"method": "PUT", "url": key(entry["resource"])}
            assert entry["resource"]["meta"]["source"] == "urn:calaim-hub:demo"
            assert re.fullmatch(r"demo-[a-z0-9-]{1,59}", entry["resource"]["id"])


def test_ids_are_unique() -> None:
    assert [found for found, count in Counter(map(key, RESOURCES)).items() if count > 1] == []


@pytest.mark.parametrize("kind", sorted(MANDATORY))
def test_every_resource_is_valid_and_has_what_us_core_asks(kind: str) -> None:
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    found = of_type(kind)
    assert found
    for resource in found:
        assert model.model_validate(resource)
        assert [name for name in MANDATORY[kind] if not resource.get(name)] == []


def test_no_type_is_left_unchecked() -> None:
    assert {found["resourceType"] for found in RESOURCES} == set(MANDATORY)


def test_every_reference_leads_to_its_own_bundle_or_an_earlier_one() -> None:
    known: set[str] = set()
    for bundle in COUNTY:
        known |= {key(entry["resource"]) for entry in bundle["entry"]}
        assert set(references(bundle)) <= known


def empties(node: Any) -> int:
    """How many elements below this one FHIR's JSON forbids: null, empty strings, arrays and objects."""
    children = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    return (node in (None, "", [], {})) + sum(map(empties, children))


def test_no_element_is_empty() -> None:
    assert empties({"a": [{}], "b": "", "c": {"d": None}, "e": []}) == 4
    assert empties(RESOURCES) == 0


def test_each_member_s_active_care_team_has_exactly_one_lead_care_manager() -> None:
    leads = {f"Practitioner/{manager.id}" for manager in CARE_MANAGERS}
    teams = [team for team in of_type("CareTeam") if team["status"] == "active"]
    assert len({team["subject"]["reference"] for team in teams}) == len(teams) == 200
    for team in teams:
        marked = [
            participant["member"]["reference"]
            for participant in team["participant"]
            if LEAD_CARE_MANAGER in coded(participant["role"])
        ]
        assert len(marked) == 1
        assert marked[0] in leads


def test_each_member_is_on_the_one_panel_of_their_care_team_s_provider() -> None:
    panel = {m["entity"]["reference"]: g["managingEntity"] for g in of_type("Group") for m in g["member"]}
    assert sum(group["quantity"] for group in of_type("Group")) == len(panel) == 200
    for team in of_type("CareTeam"):
        assert team["managingOrganization"] == [panel[team["subject"]["reference"]]]


def test_nothing_that_has_happened_lies_after_the_anchor() -> None:
    names = (
        "birthDate",
        "onsetDateTime",
        "recordedDate",
        "authoredOn",
        "lastModified",
        "startDate",
        "created",
    )
    for anchor in (date(2026, 11, 1), date(2027, 2, 28)):
        for bundle in bundles(40, anchor=anchor):
            for entry in bundle["entry"]:
                found = entry["resource"]
                dates = [found[name] for name in names if name in found]
                dates += [found["period"]["start"]] if "period" in found else []
                assert all(day <= anchor.isoformat() for day in dates), found["id"]


def test_a_task_is_never_changed_before_it_was_authored() -> None:
    assert all(task["authoredOn"] <= task["lastModified"] for task in of_type("Task"))


def test_nothing_befalls_a_member_before_birth() -> None:
    born = {key(patient): patient["birthDate"] for patient in of_type("Patient")}
    assert all(c["onsetDateTime"] >= born[c["subject"]["reference"]] for c in of_type("Condition"))


@pytest.mark.parametrize("members", [-1, 10_000_000])
def test_a_number_of_members_that_cins_cannot_count_is_refused_before_the_first_bundle(members: int) -> None:
    with pytest.raises(ValueError, match="0 to 9999999 members"):
        bundles(members)


def test_a_hospital_without_a_record_number_system_is_refused_before_the_first_bundle() -> None:
    with pytest.raises(ValueError, match="lacks EXMER"):
        bundles(mrn_systems={"EXGEN": "urn:test:exgen"})


def test_a_county_without_members_still_has_its_organisations_and_valid_panels() -> None:
    first, last = bundles(0)
    assert len(first["entry"]) == 30
    assert all("member" not in entry["resource"] for entry in last["entry"])


LOADING = (
    "commands.py",
    "load.py",
    "progress.py",
)  # the rest only makes it


def test_the_county_is_made_of_nothing_but_fhir_and_the_standard_library() -> None:
    allowed = sys.stdlib_module_names | {"hub.demo", "hub.fhir"}
    for file in (ROOT / "hub" / "demo").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())) if file.name not in LOADING else ():
            assert not isinstance(node, ast.Import), file.name
            if isinstance(node, ast.ImportFrom):
                first, *rest = str(node.module).split(".")
                assert (".".join([first, *rest[:1]]) if first == "hub" else first) in allowed, file.name
