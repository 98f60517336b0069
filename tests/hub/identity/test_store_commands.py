"""`hub identity` over a real database: what it does, what it refuses, what it prints."""

import pytest
from typer.testing import CliRunner

from hub import clock
from hub.identity import persons
from hub.identity.commands import identity_commands
from hub.identity.indexing import Comparing, effects
from hub.outbox import Work
from hub.store.engine import Database
from hub.versions import Change
from tests.hub.asking import Api
from tests.hub.identity.test_store_operations import quilla
from tests.hub.identity_world import county, registry_of


@pytest.fixture
def api(swept: Database) -> Api:
    return county(swept)


def ran(api: Api, *words: str, code: int = 0) -> str:
    made = CliRunner().invoke(identity_commands(lambda: registry_of(api.database)), list(words))
    assert made.exit_code == code, made.output
    return made.output


def test_it_merges_shows_and_unmerges(api: Api) -> None:
    assert "Patient/anna is Patient/ann now" in ran(api, "merge", "ann", "anna")
    assert "it is Patient/ann now" in ran(api, "show", "anna")
    assert "merge" in ran(api, "list", "--kind", "merge")
    assert "itself again" in ran(api, "unmerge", "anna")
    assert "unmerge" in ran(api, "list")
    assert "is merged into nobody" in ran(api, "unmerge", "anna", code=1)


def test_it_makes_patients_known_splits_them_and_holds_them_apart(api: Api) -> None:
    assert "3 Patients" in ran(api, "index")
    assert "3 Patients" in ran(api, "index", "--batch", "1")
    ran(api, "merge", "ann", "anna")
    with api.database.read() as connection:
        ann, anna = (persons.find(connection, "patients", each) for each in ("ann", "anna"))
    assert ann
    assert anna
    assert (ann.patient, anna.patient) == ("ann", "ann")
    assert "Patient/anna now" in ran(api, "split", str(anna.person))
    assert "held apart" in ran(api, "distinct", str(ann.person), str(anna.person))
    assert "no such source person" in ran(api, "split", "1", code=1)
    ran(api, "list", "--kind", "nothing", code=2)


def test_a_patient_that_a_client_writes_is_compared_and_asked_for_never_merged(api: Api) -> None:
    comparing = Comparing(registry_of(api.database))
    for who in ("ann", "anna"):
        api.have(quilla(who))
        change = Change("Patient", who, 2, None, quilla(who), clock.micros(clock.now()), "all")
        (row,) = effects([change])
        comparing(Work(1, row["kind"], row["key"], {"patient": who}, 1, 1))
    assert len(api.found("/Patient?active:not=false")) == 3
    assert "review" in ran(api, "list")
