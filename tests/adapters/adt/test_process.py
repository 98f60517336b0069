"""Hospital messages through the inbox into the store, on both databases."""

import shutil
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fhir_mappings.adt.member_keys import MergeKeys
from fhir_mappings.adt.records import AdtMessage
from hub.inbox import work
from hub.inbox.messages import Message
from hub.store.engine import Database
from tests.adapters.adt.ward import DIRECTORY, KINDS, Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import ROWS

NPI = "http://hl7.org/fhir/sid/us-npi"
NO_VISIT: dict[str, str | None] = {"PV1": None, "PV2": None, "NK1": None, "IN1": None}
DETOX = {**ROWS[1], "facility": "DETOX", "part2": "yes", "npi": "1999999984"}


@pytest.fixture
def ward(database: Database) -> Ward:
    return Ward(database, ROWS)


def person_event(event: str, control_id: str, hour: str, **fields: str | None) -> bytes:
    values = NO_VISIT | {name.replace("_", "-"): value for name, value in fields.items()}
    return adt(event, control_id, at=f"20261122{hour}", fields=values)


def test_a_stay_with_all_it_names_is_written_and_a_second_delivery_changes_nothing(ward: Ward) -> None:
    full = {"DG1-3": "R079^Chest pain^I10", "AL1-3": "^Invented pollen", "PD1-4": "9^Testdoctor-Ash^Mo"}
    admit = adt("A01", "1", fields=full)
    transfer = adt("A02", "2", at="20261122100000", fields=full | {"PV1-3": "ICU^2^A^SMC"})
    ward.sends(admit, transfer)
    assert [state for state, _, _ in ward.states()] == ["processed", "processed"]
    assert {kind: len(ward.all(kind)) for kind in (*KINDS, *DIRECTORY)} == {
        **dict.fromkeys(KINDS, 1),
        "Practitioner": 2,
        "PractitionerRole": 0,
        "Organization": 1,
        "Location": 6,
    }
    before = ward.versions()
    ward.sends(adt("A02", "3", at="20261122100000", fields=full | {"PV1-3": "ICU^2^A^SMC"}))
    assert ward.versions() == before
    encounter = ward.one("Encounter")
    assert encounter["location"][1]["location"]["reference"].startswith("Location/")
    assert encounter["diagnosis"][0]["condition"]["reference"] == f"Condition/{ward.one('Condition')['id']}"
    assert encounter["serviceProvider"]["reference"] == f"Organization/{ward.one('Organization')['id']}"


def test_a_provenance_does_not_name_the_directory(ward: Ward) -> None:
    ward.sends(adt("A01", "1"))
    kinds = {target["reference"].partition("/")[0] for target in ward.one("Provenance")["target"]}
    assert kinds == {"Patient", "Encounter", "Coverage", "RelatedPerson"}


@pytest.mark.parametrize("event", ["A28", "A31"])
def test_an_event_about_the_person_makes_no_visit(ward: Ward, event: str) -> None:
    ward.sends(person_event(event, "1", "0800"))
    assert ward.states() == [("processed", "", "")]
    assert (len(ward.all("Patient")), ward.all("Encounter")) == (1, [])


def test_an_allergy_event_adds_and_ends_one_allergy(ward: Ward) -> None:
    nuts = {"IAM-3": "^Invented nuts", "IAM-7": "A-1", "IAM-6": "A"}
    ward.sends(
        adt("A60", "1", at="20261122080000", fields=NO_VISIT | nuts),
        adt("A60", "2", at="20261122090000", fields=NO_VISIT | {"IAM-3": "^Pollen", "IAM-7": "A-2", "IAM-6": "A"}),
        adt("A60", "3", at="20261122100000", fields=NO_VISIT | nuts | {"IAM-6": "D"}),
    )
    assert {
        a["code"]["text"]: a["clinicalStatus"]["coding"][0]["code"] for a in ward.all("AllergyIntolerance")
    } == {
        "Invented nuts": "inactive",
        "Pollen": "active",
    }


# what several visits and none say of one person

TOLD = [
    adt("A01", "1", at="20261122080000", visit="V1", fields={"PID-11": "1 Old St^^Fresno^CA^93701"}),
    person_event("A31", "2", "090000", PID_11="2 New St^^Fresno^CA^93701", PID_16="M"),
    adt("A08", "3", at="20261122100000", visit="V1", fields={"PID-11": "", "PID-16": "", "AL1-3": "^Pollen"}),
    adt("A04", "4", at="20261122110000", visit="V2", fields={"PID-11": "", "PID-8": "U", "IN1-36": "TM-2"}),
    adt(
        "A03", "5", at="20261122120000", visit="V1", discharged="20261122120000", fields={"PID-11": "", "NK1": None}
    ),
]


def test_an_older_address_does_not_come_back_with_a_newer_message_that_has_none(ward: Ward) -> None:
    """bad-input.md V24."""
    ward.sends(*TOLD)
    patient = ward.one("Patient")
    assert patient["address"][0]["line"] == ["2 New St"]
    assert {e["status"] for e in ward.all("Encounter")} == {"finished", "in-progress"}


def test_a_feed_whose_events_have_days_only_has_an_order_too(ward: Ward) -> None:
    newer = adt("A31", "2", at="20261124", fields=NO_VISIT | {"PID-16": "M"})
    older = adt("A31", "1", at="20261123", fields=NO_VISIT | {"PID-16": "S"})
    ward.sends(newer, older)
    assert ward.one("Patient")["maritalStatus"]["coding"][0]["code"] == "M"


LISTED = [
    adt("A31", "1", at="20261122080000", fields=NO_VISIT | {"PID-16": "M", "AL1-3": "^Pollen", "AL1#2-3": "^Nuts"}),
    adt(
        "A31", "2", at="20261122090000", fields=NO_VISIT | {"PID-16": "", "AL1-3": "^Pollen", "PID-11": "9 Elm St"}
    ),
    adt("A31", "3", at="20261122100000", fields=NO_VISIT | {"PID-16": "", "PID-11": ""}),
]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_order_of_events_about_the_person_ends_in_the_same_facts(
    order: tuple[int, ...], tmp_path: Path, migrated_sqlite: Path
) -> None:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}")
    ward = Ward(database, ROWS)
    ward.sends(*(LISTED[place] for place in order))
    patient = ward.one("Patient")
    assert (patient["maritalStatus"]["coding"][0]["code"], patient["address"][0]["line"]) == ("M", ["9 Elm St"])
    states = {a["code"]["text"]: a["clinicalStatus"]["coding"][0]["code"] for a in ward.all("AllergyIntolerance")}
    assert states == {"Pollen": "active", "Nuts": "inactive"}
    database.close()


def test_any_order_of_arrival_over_visits_and_none_ends_in_the_same_store(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    states = []
    for number, order in enumerate([TOLD, *Random(5).sample(list(permutations(TOLD)), 12)]):
        database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / f'{number}.db')}")
        ward = Ward(database, ROWS)
        ward.sends(*order)
        assert {state for state, _, _ in ward.states()} == {"processed"}
        states.append(ward.state())
        database.close()
    for state in states[1:]:
        assert state == states[0]


def test_a_cancel_that_comes_before_what_it_cancels_ends_in_the_same_state(ward: Ward) -> None:
    left = adt("A03", "2", at="20261122150000", discharged="20261122150000", fields={"PV1-36": "01"})
    ward.sends(adt("A13", "3", at="20261122153000"), adt("A01", "1"))  # V25: it waits for the admission
    assert ward.one("Encounter")["status"] == "in-progress"
    ward.sends(left)
    found = ward.one("Encounter")
    assert (found["status"], found["period"]) == ("in-progress", {"start": "2026-11-22T08:15:00-08:00"})


def test_two_practitioners_with_one_number_keep_no_message_waiting(ward: Ward) -> None:
    """Somebody loaded the same person twice: the feed refers to the first and makes no third."""
    ward.writes("Practitioner", "Practitioner", identifier=[{"system": NPI, "value": "1234567893"}])
    ward.sends(adt("A01", "1"))
    assert ward.states() == [("processed", "", "")]
    assert len(ward.all("Practitioner")) == 2
    assert ward.one("Encounter")["participant"][0]["individual"]["reference"].startswith("Practitioner/")


# merges


@pytest.mark.parametrize("event", ["A34", "A40"])
def test_a_merge_waits_and_does_nothing_while_nobody_can_merge(ward: Ward, event: str) -> None:
    ward.sends(adt("A01", "1"))
    before = ward.state()
    ward.sends(adt(event, "2", at="20261122090000", fields=NO_VISIT | {"MRG-1": "OLD77^^^SMC^MR", "PID-8": "M"}))
    state, where, reason = ward.states()[-1]
    assert (state, where) == ("unmatched", "MRG-1")
    assert reason == "A merge of two persons waits for the identity store"
    assert ward.state() == before


def test_a_merge_goes_whole_to_who_can_merge(database: Database) -> None:
    asked: list[Any] = []

    def merge(groups: Sequence[MergeKeys], record: AdtMessage, message: Message) -> None:
        asked.append((groups, record.event, message.control_id))
        database.writing(lambda connection: work.processed(connection, message, 1))

    ward = Ward(database, ROWS, merge)
    ward.sends(adt("A40", "M1", fields=NO_VISIT | {"MRG-1": "OLD77^^^SMC^MR"}))
    ((groups, event, control_id),) = asked
    assert (event, control_id, groups[0].absorbed) == ("A40", "M1", (("https://smc.example/id/mrn", "OLD77"),))
    assert ward.states() == [("processed", "", "")]


@pytest.mark.parametrize(
    ("fields", "state", "where"),
    [
        ({}, "unreadable", "MRG"),
        ({"MRG-1": "SMC0012345^^^SMC^MR"}, "unreadable", "MRG-1"),
        ({"MRG-1": "OLD77"}, "unmatched", "MRG-1"),
    ],
)
def test_a_merge_that_cannot_be_understood_waits_with_its_place(
    ward: Ward, fields: dict[str, str | None], state: str, where: str
) -> None:
    ward.sends(adt("A40", "1", fields=NO_VISIT | fields))
    assert ward.states()[0][:2] == (state, where)


# who must not know


def test_a_stay_in_a_program_inside_a_hospital_is_the_programs_record(database: Database) -> None:
    ward = Ward(database, [ROWS[0], DETOX])
    ward.sends(adt("A01", "1"), adt("A02", "2", at="20261122100000", fields={"PV1-3": "U1^^^DETOX"}))
    encounter = ward.one("Encounter")
    assert "42CFRPart2" in {label["code"] for label in encounter["meta"]["security"]}
    assert "reference" not in encounter["location"][1]["location"]
    assert "security" not in ward.one("Patient")["meta"]  # others see the member as before
    assert all(place["name"] != "U1" for place in ward.all("Location"))


def test_a_diagnosis_of_substance_use_is_labelled_and_its_words_are_nowhere_else(ward: Ward) -> None:
    ward.sends(adt("A01", "1", fields={"DG1-3": "F1020^Invented words of dependence^I10"}))
    assert "SUD" in {label["code"] for label in ward.one("Condition")["meta"]["security"]}
    assert "dependence" not in str(ward.one("Encounter"))


def test_a_code_without_a_row_parks_the_message_at_its_field(ward: Ward) -> None:
    """bad-input.md V17: no code is guessed."""
    ward.sends(adt("A01", "1", fields={"PID-10": "W"}))
    assert ward.states() == [("unmapped", "PID-10", "The code has no row in table 0005: W")]
    assert ward.all("Patient") == []
