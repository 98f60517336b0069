"""Row V25: a cancel of a visit that nobody told of makes no visit, and counts with its first message."""

import shutil
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import update

from adapters.adt.known import VISIT, is_visit_known
from hub.inbox import held, waits, work
from hub.inbox.arrivals import accept
from hub.inbox.messages import Arrival
from hub.inbox.work import Lost
from hub.store.engine import Database
from hub.store.tables import inbox
from tests.adapters.adt.test_told_once import Told
from tests.adapters.adt.ward import DIRECTORY, KINDS, Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import ROWS

WAITS = ("waiting", "PV1-19", "204: no message of this visit has come yet")
DONE = ("processed", "", "")
ADMIT = adt("A01", "1")
LEFT = adt("A03", "2", at="20261122150000", discharged="20261122150000", fields={"PV1-36": "01"})
BACK = adt("A13", "3", at="20261122153000")
MOVED = adt("A02", "4", at="20261122160000", fields={"PV1-3": "ICU^1^A^SMC"})
UNMOVED = adt("A12", "5", at="20261122170000")
NOT_ADMITTED = adt("A11", "6", at="20261122180000", fields={"PID-11": "9 Elm St^^Fresno^CA^93701"})
SIX = [ADMIT, LEFT, BACK, MOVED, UNMOVED, NOT_ADMITTED]


@pytest.fixture
def ward(database: Database) -> Ward:
    return Ward(database, ROWS)


@pytest.mark.parametrize("cancel", [NOT_ADMITTED, UNMOVED, BACK])
def test_v25_a_cancel_of_an_unknown_visit_waits_and_makes_nothing(ward: Ward, cancel: bytes) -> None:
    ward.sends(cancel)
    assert ward.states() == [WAITS]
    assert [kind for kind in (*KINDS, *DIRECTORY, "Provenance") if ward.all(kind)] == []


def test_it_counts_in_the_transaction_of_the_first_message_of_its_visit(ward: Ward) -> None:
    ward.sends(BACK, NOT_ADMITTED, adt("A11", "9", visit="V-OTHER"), ADMIT)
    assert ward.states() == [DONE, DONE, WAITS, DONE]
    encounter = ward.one("Encounter")
    assert (encounter["status"], encounter["meta"]["versionId"]) == ("cancelled", "1")
    assert sorted(each["activity"]["coding"][0]["code"] for each in ward.all("Provenance")) == ["A01", "A11", "A13"]


def test_what_a_waiting_cancel_says_of_the_person_is_known_to_be_newer(ward: Ward) -> None:
    """Its own Provenance says when: a message between the two is late, and its older word takes no place."""
    ward.sends(NOT_ADMITTED, ADMIT, adt("A31", "7", at="20261122170500", fields={"PV1": None, "PV2": None}))
    assert ward.one("Patient")["address"][0]["line"] == ["9 Elm St"]


def test_a_waiting_cancel_older_than_another_visit_brings_no_old_word_back(ward: Ward) -> None:
    old = adt("A11", "1", at="20261120080000", fields={"PID-11": "1 Old St^^Fresno^CA^93701"})
    ward.sends(
        old,
        adt("A01", "2", at="20261121080000", visit="V2", fields={"PID-11": "2 New St^^Fresno^CA^93701"}),
        adt("A01", "3", fields={"PID-11": ""}),
    )
    assert ward.states() == [DONE, DONE, DONE]
    assert ward.one("Patient")["address"][0]["line"] == ["2 New St"]


def orders(number: int) -> list[tuple[bytes, ...]]:
    cancels = (UNMOVED, BACK, NOT_ADMITTED)
    first = [(*first, *rest) for first in permutations(cancels) for rest in [(ADMIT, LEFT, MOVED)]]
    return [*first, *Random(7).sample(list(permutations(SIX)), number)]


def same_end(all_orders: list[tuple[bytes, ...]], tmp_path: Path, migrated: Path) -> None:
    states = []
    for number, order in enumerate([tuple(SIX), *all_orders]):
        database = Database(f"sqlite:///{shutil.copy(migrated, tmp_path / f'{number}.db')}")
        ward = Ward(database, ROWS)
        ward.sends(*order)
        assert {state for state, _, _ in ward.states()} == {"processed"}
        # a place that was named before its transfer was taken back stays in the directory
        states.append([one for one in ward.state() if '"resourceType": "Location"' not in one])
        database.close()
    for state in states[1:]:
        assert state == states[0]


def test_cancels_first_or_anywhere_end_in_the_same_store(tmp_path: Path, migrated_sqlite: Path) -> None:
    same_end(orders(10), tmp_path, migrated_sqlite)


@pytest.mark.long
def test_all_720_orders_end_in_the_same_store(tmp_path: Path, migrated_sqlite: Path) -> None:
    same_end(list(permutations(SIX)), tmp_path, migrated_sqlite)


def test_one_that_was_missed_goes_on_when_its_visit_is_known(ward: Ward) -> None:
    """Two workers did not see each other: the cancel was parked after the admission had looked."""
    ward.sends(ADMIT)
    arrival = Arrival("adt", "EPICADT|SMC", "6", NOT_ADMITTED, ward.micros())
    with ward.database.write() as connection:
        accept(connection, [arrival])
        (message,) = work.claim(connection, ward.micros(), 60, 10)
        state, where, reason = WAITS
        work.parked(connection, message, state, reason, where, 1, held.thing(VISIT, "SMC|V1000123"))
    assert waits.go_on(ward.database, {VISIT: is_visit_known}) == 1
    ward.works()
    assert ward.one("Encounter")["status"] == "cancelled"


def test_who_was_replayed_meanwhile_is_not_ended_twice(ward: Ward) -> None:
    ward.sends(NOT_ADMITTED)
    about = "SMC|V1000123"
    with ward.database.write() as connection:
        (one,) = held.waiting(connection, VISIT, about)
        held.processed(connection, [one.seq], VISIT, about, 1)
        with pytest.raises(Lost):
            held.processed(connection, [one.seq], VISIT, about, 2)


def test_nobody_is_told_of_a_cancel_of_nothing_nor_of_what_it_takes_back(database: Database) -> None:
    ward = Told(database, ROWS)
    ward.listen()
    assert ward.told(NOT_ADMITTED) == []
    assert ward.told(ADMIT) == []
    assert ward.states() == [DONE, DONE]
    assert len(ward.told(adt("A01", "10", visit="V-OTHER"))) == 1


def test_a_cancel_that_was_emptied_while_it_waited_holds_up_nobody(ward: Ward) -> None:
    ward.sends(NOT_ADMITTED)
    with ward.database.write() as connection:
        connection.execute(update(inbox).values(raw=b""))
    ward.sends(ADMIT)
    assert ward.states() == [WAITS, DONE]
    assert ward.one("Encounter")["status"] == "in-progress"
