"""DELETE with a condition: one by default, all that match where the deployment has it so, never too many."""

from typing import Any

import pytest

from conformance.capability_statement import capability_statement
from tests.hub.asking import BASE, Api, app_of, entry, mrn, patient, refused

BY_A = "identifier=https://hospital.invalid/mrn|a"


@pytest.fixture
def several(api: Api) -> Api:
    """The hub of a deployment where one conditional delete may delete three."""
    return Api(app_of(api.database, deletes=3), api.database)


def test_many_matches_are_refused_by_default(api: Api) -> None:
    """B13"""
    api.have(patient("1", identifier=mrn("a")), patient("2", identifier=mrn("a")))
    refused(api.delete(f"/Patient?{BY_A}"), 412, "multiple-matches")
    assert api.found("/Patient?_sort=_lastUpdated") == ["1", "2"]


def test_all_matches_are_deleted_where_the_deployment_has_it_so(several: Api) -> None:
    several.have(*(patient(str(n), identifier=mrn("a")) for n in range(3)), patient("kept", identifier=mrn("b")))
    answer = several.delete(f"/Patient?{BY_A}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert several.found("/Patient") == ["kept"]
    refused(several.get("/Patient/0"), 410, "deleted")
    assert several.delete(f"/Patient?{BY_A}").status_code == 204
    one = several.delete("/Patient?identifier=b")
    assert (one.status_code, one.headers["ETag"]) == (204, 'W/"2"')


def test_more_than_the_most_are_refused_and_all_stay(several: Api) -> None:
    several.have(*(patient(str(n), identifier=mrn("a")) for n in range(4)))
    refused(several.delete(f"/Patient?{BY_A}"), 412, "multiple-matches")
    assert len(several.found("/Patient")) == 4


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_bundle_deletes_all_matches(several: Api, kind: str) -> None:
    several.have(*(patient(str(n), identifier=mrn("a")) for n in range(3)))
    answer = several.bundle(kind, entry("DELETE", f"Patient?{BY_A}"), entry("POST", "Patient", patient()))
    assert [e["response"]["status"][:3] for e in answer.json["entry"]] == ["204", "201"]
    assert not set(several.found("/Patient")) & {"0", "1", "2"}


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (entry("DELETE", "Patient/1"), "duplicate"),
        (entry("DELETE", "Patient?_id=1"), "duplicate"),
        (entry("PUT", "Patient/1", patient("1")), "conflict"),
    ],
)
def test_what_one_entry_deletes_no_other_touches(several: Api, other: dict[str, Any], code: str) -> None:
    """B04, B17"""
    several.have(*(patient(str(n), identifier=mrn("a")) for n in range(3)))
    refused(several.bundle("transaction", entry("DELETE", f"Patient?{BY_A}"), other), 400, code)
    assert len(several.found("/Patient")) == 3


def test_a_stale_version_of_one_keeps_all(several: Api) -> None:
    several.have(
        *(patient(str(n), identifier=mrn("a")) for n in range(2)), patient("1", identifier=mrn("a"), active=True)
    )
    refused(several.delete(f"/Patient?{BY_A}", If_Match='W/"1"'), 412, "conflict")
    assert len(several.found("/Patient")) == 2


def test_the_capability_statement_says_which() -> None:
    for choice in ("single", "multiple"):
        told = capability_statement(BASE, "", "0", "2026-01-01T00:00:00Z", choice)["rest"][0]["resource"]
        assert {resource["conditionalDelete"] for resource in told if resource["type"] != "AuditEvent"} == {choice}
