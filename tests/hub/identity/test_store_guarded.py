"""Whom a Part 2 program or a homeless system brought is merged without a word to those who may not know it."""

from typing import Any

import pytest

from hub.identity.desk import Registry
from hub.problems import Problem
from hub.store.engine import Database
from tests.hub.asking import Api, mrn, patient
from tests.hub.identity_world import contents, county, merged, registry_of, unmerged
from tests.hub.sighted import labelled, to


@pytest.fixture
def api(swept: Database) -> Api:
    """Ann is open; the county's Patient of the same person is guarded."""
    api = county(swept)
    api.have(patient("guarded", identifier=mrn("guarded-1"), active=True, meta=labelled("HIV")))
    return api


@pytest.fixture
def registry(api: Api) -> Registry:
    return registry_of(api.database)


def links(api: Api, who: str) -> Any:
    return api.get(f"/Patient/{who}").json.get("link")


def test_the_open_patient_is_the_same_version_before_and_after(api: Api, registry: Registry) -> None:
    before = api.get("/Patient/ann").json
    merged(registry, "ann", "guarded")
    assert api.get("/Patient/ann").json == before
    assert links(api, "guarded") == [{"other": to("Patient", "ann"), "type": "replaced-by"}]
    unmerged(registry, "guarded")
    assert api.get("/Patient/ann").json == before
    assert links(api, "guarded") is None


def test_an_open_merge_beside_it_names_the_open_one_only(api: Api, registry: Registry) -> None:
    merged(registry, "ann", "guarded")
    merged(registry, "ann", "anna")
    assert links(api, "ann") == [{"other": to("Patient", "anna"), "type": "replaces"}]
    unmerged(registry, "anna")
    assert links(api, "ann") is None


def test_an_open_patient_is_not_merged_into_a_guarded_one(api: Api, registry: Registry) -> None:
    """Its Observations would name a Patient whom their readers may not know."""
    before = contents(api.database)
    with pytest.raises(Problem, match="more sensitive") as refused:
        merged(registry, "guarded", "ann")
    assert refused.value.kind == "conflict"
    assert contents(api.database) == before


def test_two_guarded_patients_of_one_kind_say_all_of_each_other(api: Api, registry: Registry) -> None:
    api.have(patient("second", active=True, meta=labelled("HIV")))
    merged(registry, "guarded", "second")
    assert links(api, "guarded") == [{"other": to("Patient", "second"), "type": "replaces"}]
