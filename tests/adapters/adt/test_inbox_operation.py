"""The inbox in operation, with hospital messages: what waits goes on by itself, a replay changes nothing, what
comes too late waits for a person. Each test runs on SQLite and on PostgreSQL."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from adapters.adt.awaited import look_ups
from adapters.adt.finished import Finished
from adapters.adt.local_tables import local_tables
from adapters.adt.members import Members
from adapters.adt.merges import Merges
from adapters.adt.process import SOURCE
from hub import outbox
from hub.access import Access
from hub.identity import assembly as identity
from hub.identity.desk import Registry
from hub.inbox import waits
from hub.inbox.choosing import Which
from hub.inbox.replaying import replay
from hub.inbox.retention import DAY, Retention
from hub.notifications import events
from hub.store.engine import Database
from hub.store.tables import history, resource
from hub.store.tables import outbox as outbox_table
from hub.transactions import single
from tests.adapters.adt.ward import BASE, Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, ROWS

HEADER = "code,system,target,display,source\n"
RACE = "urn:oid:2.16.840.1.113883.6.238"
ELSE = {"PID-5": "Otherperson^Kim^^^^^L", "PID-7": "19520101"}


class Hospital(Ward):
    """A ward with local tables in files, and people who decide who is who."""

    folder: Path

    def opened(self, folder: Path) -> "Hospital":
        self.folder = folder
        (folder / "codes").mkdir()
        self.facilities(*self.rows)
        tables = local_tables(folder / "facilities.csv", folder / "codes")
        self.transactions._effects = lambda changes: [*identity.effects(changes), *events.effects(changes)]
        merges = Merges(Registry(self.database, self.transactions, BASE, self._now), tables, CIN_SYSTEM)
        members = Members(self.database, CIN_SYSTEM, self._now)
        self.processor = replace(self.processor, tables=tables, merge=merges, members=members)
        self.look_ups = look_ups(tables, merges)
        return self

    def facilities(self, *rows: dict[str, str]) -> None:
        with (self.folder / "facilities.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def code(self, table: str, row: str) -> None:
        (self.folder / "codes" / f"{table}.csv").write_text(HEADER + row)

    def goes_on(self) -> int:
        number = waits.go_on(self.database, self.look_ups)
        for _ in range(3):  # of one member one at a time
            self.works()
        return number

    def decided(self, answer: str) -> None:
        """The worker asks, a person answers all that is asked, the worker does it."""
        self._outbox()
        for task in self.all("Task"):
            if task["status"] == "requested":
                output = [{"type": {"text": "answer"}, "valueCode": answer}]
                done = task | {"status": "completed", "output": output}
                entry = single("PUT", "Task", id=task["id"], resource=done)
                self.transactions.commit([entry], Access.system("a person"))
        self._outbox()

    def _outbox(self) -> None:
        handlers = identity.work(self.transactions, BASE)
        while claimed := self.database.writing(lambda c: outbox.claim(c, list(handlers), self.micros(), 60, 10)):
            for one in claimed:
                settled = handlers[one.kind](one)
                self.database.writing(lambda c, one=one, settled=settled: outbox.settle(c, one, settled))


@pytest.fixture
def hospital(database: Database, tmp_path: Path) -> Hospital:
    return Hospital(database, ROWS[:1]).opened(tmp_path)


def told(hospital: Hospital) -> list[str]:
    return [state for state, _, _ in hospital.states()]


def test_a_message_goes_on_when_the_code_table_has_its_row_and_others_stay(hospital: Hospital) -> None:
    other = adt("A01", "2", visit="V2", mrn="M2", cin=None, fields=ELSE | {"PID-10": "QQ"})
    hospital.sends(adt("A01", "1", fields={"PID-10": "W"}), other)
    assert hospital.states()[0] == ("unmapped", "PID-10", "The code has no row in table 0005: W")
    assert hospital.goes_on() == 0
    hospital.code("0005", f"W,{RACE},2106-3,White,local\n")
    assert hospital.goes_on() == 1
    assert told(hospital) == ["processed", "unmapped"]
    assert len(hospital.all("Encounter")) == 1


def test_a_code_that_looks_like_words_is_kept_as_a_hash_and_found_all_the_same(hospital: Hospital) -> None:
    hospital.sends(adt("A01", "1", fields={"PID-10": "Canary words"}))
    with hospital.database.read() as connection:
        (thing,) = waits.awaited(connection)
    assert "Canary" not in str(thing) + str(hospital.states())
    hospital.code("0005", f"Canary words,{RACE},2106-3,White,local\n")
    assert hospital.goes_on() == 1
    assert told(hospital) == ["processed"]


def test_messages_of_an_unknown_hospital_go_on_in_their_order_when_it_is_configured(hospital: Hospital) -> None:
    stay = [
        adt("A01", "1", facility="NVH"),
        adt("A02", "2", facility="NVH", at="20261122100000", fields={"PV1-3": "ICU^2^A^NVH"}),
    ]
    hospital.sends(*stay)
    assert told(hospital) == ["unmapped", "unmapped"]
    hospital.facilities(*ROWS[:2])
    assert hospital.goes_on() == 2
    assert told(hospital) == ["processed", "processed"]
    assert len(hospital.one("Encounter")["location"]) == 2


def test_a_table_with_a_fault_lets_nothing_go_on_and_nothing_fail(hospital: Hospital) -> None:
    hospital.sends(adt("A01", "1", fields={"PID-10": "W"}))
    (hospital.folder / "codes" / "0005.csv").write_text("a,b\nW,\n")
    assert hospital.goes_on() == 0
    assert told(hospital) == ["unmapped"]


@pytest.mark.parametrize(("answer", "state"), [("link", "processed"), ("distinct", "unmatched")])
def test_what_waits_for_a_review_goes_on_when_the_person_has_answered(
    hospital: Hospital, answer: str, state: str
) -> None:
    hospital.sends(adt("A01", "1", mrn="M1", visit="V1"), adt("A01", "2", mrn="M2", visit="V2", fields=ELSE))
    assert told(hospital) == ["processed", "unmatched"]
    assert hospital.goes_on() == 0
    hospital.decided(answer)
    assert hospital.goes_on() == 1
    if state == "unmatched":  # the number is still another member's: nobody asks again, nobody waits for an answer
        assert hospital.goes_on() == 0
    assert told(hospital)[1] == state


STAY = [
    adt("A01", "1", at="20261122080000"),
    adt("A02", "2", at="20261122100000", fields={"PV1-3": "ICU^2^A^SMC"}),
    adt("A08", "3", at="20261122110000", fields={"PID-11": "2 New St^^Fresno^CA^93701"}),
    adt("A03", "4", at="20261122150000", discharged="20261122150000", fields={"PV1-36": "01"}),
]


def numbers(hospital: Hospital) -> dict[str, int]:
    with hospital.database.read() as connection:
        rows = {
            "versions": select(func.count()).select_from(history),
            "resources": select(func.count()).select_from(resource),
            "work": select(func.count()).select_from(outbox_table),
        }
        return {name: connection.execute(asked).scalar_one() for name, asked in rows.items()}


def test_a_replayed_range_leaves_resources_versions_and_notices_as_they_were(hospital: Hospital) -> None:
    hospital.sends(*STAY)
    before, counted = (hospital.versions(), hospital.state()), numbers(hospital)
    assert counted["work"] > 0
    assert replay(hospital.database, Which(ranges=((1, 4),)), processed=True).number == 4
    for _ in STAY:
        hospital.works()
    assert told(hospital) == ["processed"] * 4
    assert (hospital.versions(), hospital.state()) == before
    assert numbers(hospital) == counted


# retention


def retention(hospital: Hospital) -> Retention:
    return Retention(hospital.database, 30, 0, {SOURCE: Finished(hospital.processor.tables)})


def turned(hospital: Hospital, days: int = 40) -> int:
    return retention(hospital).turn(hospital.micros() + days * DAY)


def test_a_finished_visit_is_emptied_when_it_is_old_and_an_open_one_never(hospital: Hospital) -> None:
    hospital.sends(*STAY, adt("A01", "5", visit="OPEN", at="20261122160000"))
    assert turned(hospital, days=20) == 0
    assert turned(hospital) == 4
    assert turned(hospital, days=4000) == 0


def test_what_is_said_of_the_person_alone_is_never_emptied(hospital: Hospital) -> None:
    hospital.sends(adt("A31", "1", fields={"PV1": None, "PV2": None, "NK1": None, "IN1": None}))
    assert told(hospital) == ["processed"]
    assert turned(hospital, days=4000) == 0


def test_what_comes_after_its_visit_was_emptied_waits_for_a_person_and_changes_nothing(hospital: Hospital) -> None:
    hospital.sends(*STAY)
    turned(hospital)
    before = hospital.versions(), hospital.state()
    hospital.sends(adt("A08", "9", at="20261122160000", fields={"PID-8": "U"}))
    assert hospital.states()[-1][:2] == ("late", "PV1-19")
    assert (hospital.versions(), hospital.state()) == before


def test_a_new_visit_of_a_member_whose_old_one_was_emptied_is_processed(hospital: Hospital) -> None:
    hospital.sends(*STAY)
    turned(hospital)
    hospital.sends(adt("A01", "9", visit="V2", at="20261201080000"))
    assert told(hospital)[-1] == "processed"
