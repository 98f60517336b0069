"""What the CapabilityStatement says of AuditEvent is what is served."""

from typing import Any

import pytest

from hub.rest.routes import VIRTUAL
from tests.hub.audit.conftest import Audited

VALUES = {"date": "ge2020-01-31", "reference": "Patient/1", "token": "x", "string": "x"}


@pytest.fixture
def claimed(audited: Audited) -> dict[str, Any]:
    every = audited.get("/metadata").json["rest"][0]["resource"]
    (found,) = (one for one in every if one["type"] == "AuditEvent")
    return found


def test_its_interactions_are_served_and_no_others(claimed: dict[str, Any]) -> None:
    assert [row["code"] for row in claimed["interaction"]] == list(VIRTUAL["AuditEvent"]) == ["read", "search-type"]
    assert claimed["versioning"] == "no-version"
    assert not {"conditionalCreate", "conditionalUpdate", "updateCreate", "searchInclude"} & set(claimed)


def test_its_search_parameters_are_served(audited: Audited, claimed: dict[str, Any]) -> None:
    for parameter in claimed["searchParam"]:
        answer = audited.as_("auditor").get(f"/AuditEvent?{parameter['name']}={VALUES[parameter['type']]}")
        assert answer.status_code == 200, answer.text


def test_its_operations_need_no_stored_one(claimed: dict[str, Any]) -> None:
    assert [row["name"] for row in claimed["operation"]] == ["validate"]
