"""Content that a deployment may have refused: references that lead nowhere, and claimed profiles that do not hold.

The settings: HUB_REFERENTIAL_INTEGRITY, HUB_PROFILE_POLICY.
"""

from pathlib import Path
from typing import Any

import pytest

from conformance.packages.catalog import Catalog
from conformance.profiles.policy import Policy
from conformance.profiles.terms import LibraryCodes
from conformance.profiles.validate import Validator
from conformance.terminology.load import library
from hub.problems import Issue
from tests.conformance.profiles.packs import BASE as COUNTY
from tests.conformance.profiles.packs import element, profile, write
from tests.hub.asking import Api, app_of, entry, observation, patient, refused, validator

OF_NOBODY = observation(subject={"reference": "Patient/nobody"})
CLAIM = f"{COUNTY}/StructureDefinition/named"


def test_a_reference_to_nothing_is_refused_where_integrity_is_asked_for(api: Api) -> None:
    """J23"""
    strict = Api(app_of(api.database, integrity=True), api.database)
    refused(strict.post("/Observation", OF_NOBODY), 422, "not-found")
    refused(strict.put("/Observation/1", OF_NOBODY | {"id": "1"}), 422, "not-found")
    issue = refused(
        strict.bundle("transaction", entry("POST", "Patient", patient()), entry("POST", "Observation", OF_NOBODY)),
        422,
        "not-found",
    )
    assert issue["expression"][0].startswith("Bundle.entry[1]")
    assert set(api.counts().values()) == {0}
    strict.have(patient("nobody"))
    assert strict.post("/Observation", OF_NOBODY).status_code == 201
    strict.delete("/Patient/nobody")
    refused(strict.post("/Observation", OF_NOBODY), 422, "not-found")


def test_a_reference_to_nothing_is_kept_by_default(api: Api) -> None:
    """J23: hospitals tell of what others have."""
    assert api.post("/Observation", OF_NOBODY).status_code == 201


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Validator:
    """A package with one profile: a Patient has a name and a gender."""
    folder: Path = tmp_path_factory.mktemp("packages")
    rules = [element("Patient.name", min=1), element("Patient.gender", min=1, max="1")]
    write(folder, "county.example", "1.0.0", profile("named", "Patient", *rules))
    return Validator(Catalog.of_folder(folder), LibraryCodes(library()))


POLICIES = {
    "refused": ((True, frozenset()), 422),
    "warned of": ((False, frozenset()), 201),
    "warned of, for this client": ((True, frozenset({"all"})), 201),
    "refused, for this client": ((True, frozenset({"other"})), 422),
}


@pytest.mark.parametrize(("policy", "status"), POLICIES.values(), ids=POLICIES)
def test_a_claimed_profile_that_does_not_hold_is_refused_or_warned_of(
    api: Api, county: Validator, policy: tuple[bool, frozenset[str]], status: int
) -> None:
    """J22"""
    decided = Policy(lambda: county, *policy)

    def both(resource: dict[str, Any], expected: str, conditional: bool, who: str) -> list[Issue]:
        return validator(resource, expected, conditional) or decided.issues(resource, who)

    asked = Api(app_of(api.database, validate=both), api.database)
    claiming = patient(meta={"profile": [CLAIM]}, gender="other")
    answer = asked.post("/Patient", claiming)
    assert answer.status_code == status
    if status == 422:
        assert answer.json["issue"][0]["code"] in ("invariant", "required", "structure")
        assert set(api.counts().values()) == {0}
    assert asked.post("/Patient", claiming | {"name": [{"text": "Invented"}]}).status_code == 201
    assert asked.post("/Patient", patient(gender="other")).status_code == 201, "it claims nothing"
