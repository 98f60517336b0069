"""The front door: a broken package keeps the hub from starting, a broken profile keeps a resource out."""

from pathlib import Path
from typing import Any

import pytest

from conformance.knowledge import Knowledge
from hub.front import starting
from hub.problems import KINDS, CannotStart, Problem, outcome
from hub.settings import read_settings
from tests.conformance.profiles.packs import BASE, element, profile, write

PERSON = f"{BASE}/StructureDefinition/person"
RESOURCE: dict[str, Any] = {"resourceType": "Patient", "meta": {"profile": [PERSON]}, "active": True}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    write(tmp_path, "county", "1.0.0", profile("person", "Patient", element("Patient.name", min=1)))
    return tmp_path


def knowledge(**settings: str) -> Knowledge:
    return Knowledge(read_settings(settings), lambda kind, url: None)


def test_a_resource_that_breaks_its_claim_is_refused_as_422(packages: Path) -> None:
    known = knowledge(HUB_FHIR_PACKAGES=str(packages))
    issues = known.of_clients(RESOURCE, "Patient", False, "clinic")
    assert [(KINDS[i.kind].status, i.where) for i in issues] == [(422, "Patient")]
    assert outcome(Problem.of(issues).issues)["issue"][0]["code"] == "required"
    assert known.of_clients({**RESOURCE, "name": [{"text": "x"}]}, "Patient", False, "clinic") == []


def test_the_hub_itself_is_not_held_to_claims(packages: Path) -> None:
    known = knowledge(HUB_FHIR_PACKAGES=str(packages))
    assert known.of_the_hub(RESOURCE, "Patient", False, "hub") == []


@pytest.mark.parametrize(
    ("more", "who", "refusals"),
    [
        ({"HUB_PROFILE_POLICY": "warn"}, "anyone", 0),
        ({"HUB_PROFILE_WARN_CLIENTS": "clinic, plan"}, "plan", 0),
        ({"HUB_PROFILE_WARN_CLIENTS": "clinic, plan"}, "anyone", 1),
    ],
    ids=["all", "one of those", "another"],
)
def test_a_policy_of_warning_lets_it_pass(packages: Path, more: dict[str, str], who: str, refusals: int) -> None:
    known = knowledge(HUB_FHIR_PACKAGES=str(packages), **more)
    assert len(known.of_clients(RESOURCE, "Patient", False, who)) == refusals


def test_without_packages_a_claim_is_only_a_claim() -> None:
    assert knowledge().of_clients(RESOURCE, "Patient", False, "clinic") == []


def test_a_broken_package_keeps_the_hub_from_starting(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (packages / "broken.tgz").write_bytes(b"x")
    monkeypatch.setattr(starting, "knowledge", lambda: knowledge(HUB_FHIR_PACKAGES=str(packages)))
    with pytest.raises(CannotStart, match=r"HUB_FHIR_PACKAGES: broken\.tgz"):
        starting.check_packages()
