"""The front door: a broken package keeps the hub from starting, a broken profile keeps a resource out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wsgi
from hub.problems import KINDS, Problem, outcome
from hub.settings import read_settings
from tests.conformance.profiles.packs import BASE, element, profile, write

PERSON = f"{BASE}/StructureDefinition/person"
RESOURCE: dict[str, Any] = {"resourceType": "Patient", "meta": {"profile": [PERSON]}, "active": True}


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    write(tmp_path, "county", "1.0.0", profile("person", "Patient", element("Patient.name", min=1)))
    monkeypatch.setattr(wsgi, "settings", lambda: read_settings({"HUB_FHIR_PACKAGES": str(tmp_path)}))
    _forget()
    yield tmp_path
    _forget()


def _forget() -> None:
    for made in (wsgi.packages, wsgi.validator, wsgi.profile_policy):
        made.cache_clear()


def test_a_resource_that_breaks_its_claim_is_refused_as_422(packages: Path) -> None:
    issues = wsgi._for_clients(RESOURCE, "Patient", False)
    assert [(KINDS[i.kind].status, i.where) for i in issues] == [(422, "Patient")]
    assert outcome(Problem.of(issues).issues)["issue"][0]["code"] == "required"
    assert wsgi._for_clients({**RESOURCE, "name": [{"text": "x"}]}, "Patient", False) == []


def test_the_hub_itself_is_not_held_to_claims(packages: Path) -> None:
    assert wsgi._for_the_hub(RESOURCE, "Patient", False) == []


@pytest.mark.parametrize(
    "more", [{"HUB_PROFILE_POLICY": "warn"}, {"HUB_PROFILE_WARN_CLIENTS": "clinic, plan"}], ids=["all", "one"]
)
def test_a_policy_of_warning_lets_it_pass(
    packages: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, str]
) -> None:
    monkeypatch.setattr(wsgi, "settings", lambda: read_settings({"HUB_FHIR_PACKAGES": str(packages), **more}))
    monkeypatch.setattr(wsgi, "_asking", _Asking("plan"))
    assert wsgi._for_clients(RESOURCE, "Patient", False) == []


class _Asking:
    def __init__(self, who: str):
        self.who = who

    def get(self) -> str:
        return self.who


def test_without_packages_a_claim_is_only_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "settings", lambda: read_settings({}))
    _forget()
    assert wsgi._for_clients(RESOURCE, "Patient", False) == []
    _forget()


def test_a_broken_package_keeps_the_hub_from_starting(packages: Path) -> None:
    (packages / "broken.tgz").write_bytes(b"x")
    with pytest.raises(wsgi.CannotStart, match=r"HUB_FHIR_PACKAGES: broken\.tgz"):
        wsgi._check_packages()


def test_the_guard_notes_who_asks() -> None:
    access = _Asking("clinic")
    assert wsgi._known(lambda environ: access)({}) is access
    assert wsgi._asking.get() == "clinic"
    wsgi._asking.set("")
