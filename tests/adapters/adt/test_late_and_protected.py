"""In the store, on both databases: protected visits, and late messages of members with many visits."""

import pytest

from adapters.adt import known
from hub.fhir.systems import CONFIDENTIALITY
from hub.store.engine import Database
from tests.adapters.adt.ward import Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import ROWS

PSYCHIATRY = {**ROWS[1], "facility": "CLINIC", "part2": "yes", "npi": "1999999984"}
STREET = {"PID-11": "1 Old St^^Fresno^CA^93701"}


@pytest.fixture
def ward(database: Database) -> Ward:
    return Ward(database, ROWS)


def confidentiality(ward: Ward, kind: str) -> set[str]:
    codings = [c for one in ward.all(kind) for c in one["meta"].get("security", ())]
    return {c["code"] for c in codings if c["system"] == CONFIDENTIALITY}


def test_a_protected_visit_is_guarded_and_a_second_delivery_changes_nothing(ward: Ward) -> None:
    full = {"PV2-22": "Y", "PD1-12": "Y", "DG1-3": "R079^Chest pain^I10"}
    ward.sends(adt("A01", "1", fields=full))
    assert all(confidentiality(ward, kind) == {"V"} for kind in ("Patient", "Encounter", "Condition", "Coverage"))
    before = ward.versions()
    ward.sends(adt("A01", "2", fields=full))
    assert ward.states() == [("processed", "", ""), ("processed", "", "")]
    assert ward.versions() == before


def test_the_word_on_a_person_is_found_in_any_of_many_visits(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address stands in the first of several visits; a late message that has none takes nothing away."""
    monkeypatch.setattr(known, "VISITS", 2)
    later = [
        adt("A01", str(n), at=f"2026112208{n:02}00", visit=f"V{n}", fields={"PID-11": ""}) for n in range(2, 8)
    ]
    ward.sends(adt("A01", "1", at="20261122080100", visit="V1", fields=STREET), *later)
    ward.sends(adt("A08", "9", at="20261122080030", visit="V9", fields={"PID-11": "9 Late St^^Fresno^CA^93701"}))
    assert ward.one("Patient")["address"][0]["line"] == ["1 Old St"]


@pytest.mark.parametrize("fields", [{"EVN-7": "CLINIC"}, {"EVN-7": "^1999999984^NPI"}, {"PV1-3": "4W^1^A^CLINIC"}])
def test_what_begins_at_a_program_is_its_record_whoever_sends_it(
    database: Database, fields: dict[str, str | None]
) -> None:
    """facts.md 5.2: the facility is what tells, without any diagnosis."""
    ward = Ward(database, [ROWS[0], PSYCHIATRY])
    ward.sends(adt("A04", "1", fields=fields))
    codes = {label["code"] for label in ward.one("Encounter")["meta"]["security"]}
    assert {"42CFRPart2", "R"} <= codes
    ward.sends(adt("A04", "2", visit="V2"))
    others = [one for one in ward.all("Encounter") if one["identifier"][0]["value"] == "V2"]
    assert "security" not in others[0]["meta"]


def test_a_psychiatric_hospitals_stay_is_as_sensitive_as_a_diagnosis(database: Database) -> None:
    rows = [ROWS[0], {**ROWS[1], "labels": "PSY", "npi": "1999999984"}]
    ward = Ward(database, rows)
    ward.sends(adt("A01", "1"), adt("A02", "2", at="20261122100000", fields={"PV1-3": "U1^^^NVH"}))
    ward.sends(adt("A01", "3", facility="NVH", mrn="NVH7", visit="V9"))
    for encounter in ward.all("Encounter"):
        assert "PSY" in {label["code"] for label in encounter["meta"]["security"]}
    patient = ward.one("Patient")  # it is the first hospital's: the other one leaves no trace in it
    assert "security" not in patient["meta"]
    assert "NVH7" not in str(patient["identifier"])
    assert all(place["name"] != "U1" for place in ward.all("Location"))
