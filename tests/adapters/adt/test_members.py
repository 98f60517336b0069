"""Hospital messages and who is who: one member; merges of record numbers; what waits for a person."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import select

from adapters.adt.members import Members
from adapters.adt.merges import NUMBER, Merges
from adapters.adt.process import SOURCE
from hub import outbox
from hub.access import Access
from hub.identity import assembly, events, persons
from hub.identity.desk import Registry
from hub.inbox import waits, work
from hub.inbox.arrivals import accept
from hub.inbox.messages import Arrival
from hub.rights.facts import is_review
from hub.store.engine import Database
from hub.store.tables import resource
from hub.transactions import single
from tests.adapters.adt.test_process import NO_VISIT
from tests.adapters.adt.ward import BASE, Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, ROWS

MRN = "https://smc.example/id/mrn"


def ward_of(database: Database, *rows: dict[str, str]) -> Ward:
    """A ward whose processor asks who is who."""
    ward = Ward(database, [ROWS[0], *rows])
    ward.transactions._effects = assembly.effects
    registry = Registry(database, ward.transactions, BASE, ward._now)
    mine = ward.processor
    merges = Merges(registry, mine.tables, CIN_SYSTEM)
    ward.processor = replace(mine, merge=merges, members=Members(database, CIN_SYSTEM, ward._now))
    return ward


@pytest.fixture
def ward(database: Database) -> Ward:
    return ward_of(database)


def admitted(control_id: str, mrn: str, visit: str, **fields: str) -> bytes:
    values = {name.replace("_", "-"): value for name, value in fields.items()}
    return adt("A01", control_id, mrn=mrn, visit=visit, cin=None, fields={"IN1": None} | values)


def merges(control_id: str, kept: str, gone: str, at: str = "20261122120000") -> bytes:
    return adt("A40", control_id, mrn=kept, cin=None, at=at, fields=NO_VISIT | {"MRG-1": f"{gone}^^^SMC^MR"})


ELSE = {"PID_5": "Otherperson^Kim^^^^^L", "PID_7": "19520101", "PID_11": "9 Far St^^Fresno^CA^93701", "PID_13": ""}


def subjects(ward: Ward) -> set[str]:
    return {each["subject"]["reference"] for each in ward.all("Encounter")}


def active(ward: Ward) -> list[str]:
    return [each["id"] for each in ward.all("Patient") if each.get("active", True)]


def test_what_a_message_brings_remembers_its_source_person(ward: Ward) -> None:
    ward.sends(adt("A01", "1"))
    assert ward.states() == [("processed", "", "")]
    with ward.database.read() as connection:
        known = persons.find(connection, MRN, "SMC0012345")
        assert known is not None
        assert known.patient == ward.one("Patient")["id"]
        rows = connection.execute(select(resource.c.person).where(resource.c.type == "Encounter")).scalars().all()
    assert list(rows) == [known.person]


def test_a_second_visit_is_of_the_same_member_and_a_second_person_is_another(ward: Ward) -> None:
    ward.sends(admitted("1", "M1", "V1"), admitted("2", "M1", "V2"), admitted("3", "M3", "V3", **ELSE))
    assert [state for state, _, _ in ward.states()] == ["processed"] * 3
    assert len(active(ward)) == 2
    assert len(subjects(ward)) == 2


def test_a_merge_of_two_numbers_makes_one_member_and_a_later_update_of_the_old_number_finds_it(ward: Ward) -> None:
    ward.sends(admitted("1", "M1", "V1"), admitted("3", "M3", "V3", **ELSE), merges("4", "M1", "M3"))
    assert [state for state, _, _ in ward.states()] == ["processed"] * 3
    (member,) = active(ward)
    assert subjects(ward) == {f"Patient/{member}"}
    ward.sends(adt("A08", "5", mrn="M3", visit="V3", cin=None, at="20261122130000", fields={"IN1": None}))
    assert ward.states()[-1][0] == "processed", ward.states()
    assert subjects(ward) == {f"Patient/{member}"}
    assert active(ward) == [member]


def test_a_merge_sent_again_changes_nothing_and_the_other_way_round_it_is_refused(ward: Ward) -> None:
    ward.sends(admitted("1", "M1", "V1"), admitted("3", "M3", "V3", **ELSE), merges("4", "M1", "M3"))
    before = ward.versions()
    ward.sends(merges("5", "M1", "M3"), merges("6", "M3", "M1"))
    assert [state for state, _, _ in ward.states()][-2:] == ["processed", "refused"]
    assert "207" in ward.states()[-1][2]
    assert ward.versions() == before


def test_a_merge_of_a_number_that_nobody_brought_waits_and_a_person_is_asked(ward: Ward) -> None:
    """bad-input.md V21."""
    ward.sends(admitted("1", "M1", "V1"), merges("2", "M1", "M9"))
    assert ward.states()[-1][:2] == ("waiting", "MRG-1")
    (member,) = active(ward)
    task = ward.one("Task")
    assert is_review(task)
    assert (task["status"], task["focus"]) == ("requested", {"reference": f"Patient/{member}"})
    assert "M9" not in str(task)


def test_the_merge_that_waits_is_done_and_its_task_ends_when_the_number_comes(ward: Ward) -> None:
    ward.sends(admitted("1", "M1", "V1"), merges("2", "M1", "M9"))
    go_on(ward)
    assert ward.states()[-1][0] == "waiting"
    ward.sends(admitted("3", "M9", "V9", **ELSE))
    go_on(ward)
    assert [state for state, _, _ in ward.states()] == ["processed"] * 3
    assert ward.one("Task")["status"] == "completed"
    (member,) = active(ward)
    assert subjects(ward) == {f"Patient/{member}"}


def test_a_merge_of_two_numbers_that_nobody_brought_names_nobody_and_asks_once(ward: Ward) -> None:
    ward.sends(merges("2", "M8", "M9"))
    ward.again()
    assert ward.states() == [("waiting", "MRG-1", "204: nobody has brought the number that is merged")]
    assert "focus" not in ward.one("Task")
    assert ward.one("Task")["meta"]["versionId"] == "1"


def test_a_task_that_a_person_ended_is_not_opened_again(ward: Ward) -> None:
    ward.sends(merges("2", "M8", "M9"))
    task = ward.one("Task") | {"status": "cancelled"}
    ward.transactions.commit([single("PUT", "Task", id=task["id"], resource=task)], Access.system("test"))
    ward.again()
    ward.sends(admitted("3", "M9", "V9"))
    go_on(ward)
    assert ward.one("Task")["status"] == "cancelled"
    assert [state for state, _, _ in ward.states()] == ["processed"] * 2


def test_a_circle_asks_a_person_and_what_that_one_says_is_done(ward: Ward) -> None:
    """bad-input.md V22, SEC-47: A into B, then B into A."""
    ward.sends(admitted("1", "M1", "V1"), admitted("3", "M3", "V3", **ELSE), merges("4", "M1", "M3"))
    ward.sends(merges("6", "M3", "M1"))
    decided(ward)
    task = ward.one("Task")
    assert is_review(task)
    answered = task | {"status": "completed", "output": [{"type": {"text": "answer"}, "valueCode": "distinct"}]}
    ward.transactions.commit([single("PUT", "Task", id=task["id"], resource=answered)], Access.system("a person"))
    decided(ward)
    assert len(active(ward)) == 2
    assert len(subjects(ward)) == 2


def go_on(ward: Ward) -> None:
    """A look round of the inbox: who waits for a number goes on if it is there."""
    merging = ward.processor.merge
    assert isinstance(merging, Merges)
    waits.go_on(ward.database, {NUMBER: merging.is_there})
    ward.works()


def decided(ward: Ward) -> None:
    """The worker asks people, and does what they said."""
    handlers = assembly.work(ward.transactions, BASE)
    while claimed := ward.database.writing(lambda c: outbox.claim(c, list(handlers), ward.micros(), 60, 10)):
        for one in claimed:
            settled = handlers[one.kind](one)
            ward.database.writing(lambda c, one=one, settled=settled: outbox.settle(c, one, settled))


def test_numbers_that_were_stored_before_anybody_asked_are_merged_too(database: Database) -> None:
    before = Ward(database, ROWS[:1])
    before.sends(admitted("1", "M1", "V1"), admitted("3", "M3", "V3", **ELSE))
    ward = ward_of(database)
    ward.seconds = before.seconds
    ward.sends(merges("4", "M1", "M3"))
    assert ward.states()[-1] == ("processed", "", "")
    assert len(active(ward)) == 1


def test_a_number_of_another_member_waits_for_a_person(ward: Ward) -> None:
    ward.sends(adt("A01", "1", mrn="M1", visit="V1"), adt("A01", "2", mrn="M2", visit="V2", fields=_else()))
    assert ward.states()[-1][0] == "unmatched"
    with ward.database.read() as connection:
        assert [event.kind for event in events.newest(connection, None, 5)] == [events.REVIEW]


def _else() -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in ELSE.items()}


CASES = 10


def test_two_hospitals_that_bring_one_person_at_the_same_moment_bring_one_member(database: Database) -> None:
    """known-failures.md SEC-49: whoever comes second finds who came first."""
    ward = ward_of(database, ROWS[1])
    raws = [_newcomer(number, code) for number in range(CASES) for code in ("SMC", "NVH")]
    for place, raw in enumerate(raws):
        arrival = Arrival(SOURCE, "EPICADT|SMC", f"c{place}", raw, ward.micros())
        database.writing(lambda connection, one=arrival: accept(connection, [one]))
    messages = database.writing(lambda connection: work.claim(connection, ward.micros(), 600, 100))
    assert len(messages) == len(raws)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ward.processor, messages))
    found = [one for one in ward.all("Patient") if one.get("active", True)]
    assert len(found) == CASES
    assert sorted(len(one["identifier"]) for one in found) == [3] * CASES


def _newcomer(number: int, code: str) -> bytes:
    fields = {"PID-5": f"{_word(number)}^Robin^^^^^L", "PID-7": f"19{50 + number}0{1 + number % 9}15"}
    mrn, visit = f"{code}{number}", f"{code}V{number}"
    return adt(
        "A01", f"c{number}{code}", mrn=mrn, cin=f"9{1000000 + number}A", visit=visit, facility=code, fields=fields
    )


def _word(number: int) -> str:
    """A family name of letters."""
    return "Testfamily" + "abcdefghij"[number]
