"""Several hospital messages in one transaction: what each becomes is what it becomes alone, whatever the others do.
Each test runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection, select, update

from adapters.adt.planning import Planner
from adapters.adt.process import SOURCE, Processor
from hub.fhir import json
from hub.inbox import work
from hub.inbox.arrivals import accept
from hub.inbox.messages import Arrival, Message
from hub.store.engine import Database
from hub.store.tables import history, inbox, resource
from hub.store.tables_audit import audit_pending
from hub.store.tables_identity import identity_event
from hub.worker import Park, Worker
from tests.adapters.adt.test_members import ELSE, admitted, merges, ward_of
from tests.adapters.adt.ward import Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import ROWS

NAMES = ("Testperson-Ash", "Otherperson-Birch", "Someperson-Cedar", "Thatperson-Dogwood", "Thisperson-Elm")
GIVEN = ("Robin", "Kim", "Lee", "Sam", "Alex")


@pytest.fixture
def ward(database: Database) -> Ward:
    return ward_of(database, ROWS[1])


@pytest.fixture
def wards(database: Database, database_url: str) -> Iterator[list[Ward]]:
    """Two worker processes of one hub, as far as the database can tell."""
    other = Database(database_url)
    yield [ward_of(each, ROWS[1]) for each in (database, other)]
    other.close()


def newcomer(number: int, event: str = "A01", control_id: str = "", **fields: str) -> bytes:
    """Nobody resembles anybody else."""
    own = {
        "PID-5": f"{NAMES[number % 5]}{'abcdefghij'[number // 5 % 10]}^{GIVEN[number % 5]}",
        "PID-7": f"{1931 + number}{1 + number % 12:02d}{1 + number % 28:02d}",
        "PID-11": f"{number} Sample St^^Fresno^CA^93701",
        "PID-13": "",
    }
    given = own | {name.replace("_", "-"): value for name, value in fields.items()}
    which = {"mrn": f"M{number}", "visit": f"V{number}", "cin": f"9{1000000 + number}A"}
    return adt(event, control_id or f"c{number}{event}", fields=given, **which)


def arrive(ward: Ward, *raws: bytes) -> list[Message]:
    """All are claimed at once, whomever they are about."""
    arrivals = [Arrival(SOURCE, "EPICADT|SMC", raw.split(b"|")[9].decode(), raw, ward.micros()) for raw in raws]
    ward.database.writing(lambda connection: accept(connection, arrivals))
    return ward.database.writing(lambda c: work.claim(c, ward.micros(), 60, 100))


def ended(ward: Ward, processor: Processor | None = None, *, messages: Sequence[Message]) -> list[Exception | None]:
    return list((processor or ward.processor).together(messages))


def moments(ward: Ward) -> list[int | None]:
    """When each message was processed: those of one transaction at one moment."""
    with ward.database.read() as connection:
        return list(connection.execute(select(inbox.c.processed).order_by(inbox.c.seq)).scalars())


def failing(on: str, error: BaseException) -> Callable[[Connection, Message], None]:
    """What raises in the middle of the transaction that holds this message."""

    def acknowledge(_: Connection, message: Message) -> None:
        if message.control_id == on:
            raise error

    return acknowledge


def test_messages_about_different_people_are_processed_in_one_transaction(ward: Ward) -> None:
    assert ended(ward, messages=arrive(ward, *map(newcomer, range(4)))) == [None] * 4
    assert len(set(moments(ward))) == 1
    assert len(ward.all("Patient")) == len(ward.all("Encounter")) == 4
    assert {each["subject"]["reference"] for each in ward.all("Encounter")} == {
        f"Patient/{each['id']}" for each in ward.all("Patient")
    }


def test_what_is_created_remembers_the_source_person_of_its_own_message(ward: Ward) -> None:
    ended(ward, messages=arrive(ward, *map(newcomer, range(3))))
    with ward.database.read() as connection:
        rows = connection.execute(
            select(resource.c.person, resource.c.patient).where(resource.c.type == "Encounter")
        )
        found = [tuple(row) for row in rows]
    assert len({person for person, _ in found}) == len({patient for _, patient in found}) == 3


def test_a_message_that_cannot_be_mapped_costs_the_others_nothing(ward: Ward) -> None:
    messages = arrive(ward, newcomer(0), newcomer(1, PV1_36="99"), newcomer(2))
    before, unmapped, after = ended(ward, messages=messages)
    assert (before, after) == (None, None)
    assert isinstance(unmapped, Park)
    assert unmapped.state == "unmapped"
    first, _, last = moments(ward)
    assert first == last is not None


@pytest.mark.parametrize("raw", [b"MSH|^~\\&|X", newcomer(1).replace(b"\rPID", b"\rZZZ")])
def test_a_message_that_cannot_be_read_costs_the_others_nothing(ward: Ward, raw: bytes) -> None:
    good = arrive(ward, newcomer(0), newcomer(2))
    bad = replace(good[0], seq=99, raw=raw)
    first, unreadable, last = ended(ward, messages=[good[0], bad, good[1]])
    assert (first, last) == (None, None)
    assert isinstance(unreadable, Park)
    assert unreadable.state == "unreadable"


def test_where_the_transaction_fails_each_message_has_its_own(ward: Ward) -> None:
    poisoned = replace(ward.processor, acknowledge=failing("c1A01", ZeroDivisionError()))
    messages = arrive(ward, *map(newcomer, range(3)))
    first, fault, last = ended(ward, poisoned, messages=messages)
    assert (first, last) == (None, None)
    assert isinstance(fault, ZeroDivisionError)
    assert len(ward.all("Patient")) == 2
    assert [state for state, _, _ in ward.states()] == ["processed", "received", "processed"]


def test_a_worker_that_dies_in_the_middle_leaves_nothing_and_all_is_done_again_once(ward: Ward) -> None:
    dying = replace(ward.processor, acknowledge=failing("c2A01", KeyboardInterrupt()))
    messages = arrive(ward, *map(newcomer, range(3)))
    with pytest.raises(KeyboardInterrupt):
        ended(ward, dying, messages=messages)
    assert ward.all("Patient") == []
    assert {state for state, _, _ in ward.states()} == {"received"}
    assert ended(ward, messages=messages) == [None] * 3
    assert len(ward.all("Patient")) == len(ward.all("Provenance")) == 3


def test_a_message_that_another_worker_has_is_lost_and_the_others_are_processed(ward: Ward) -> None:
    messages = arrive(ward, *map(newcomer, range(3)))
    with ward.database.write() as connection:  # its lease ended, and somebody claimed it
        connection.execute(update(inbox).where(inbox.c.seq == messages[1].seq).values(fence=inbox.c.fence + 1))
    first, lost, last = ended(ward, messages=messages)
    assert (first, last) == (None, None)
    assert isinstance(lost, work.Lost)
    assert len(ward.all("Patient")) == 2


def test_messages_about_one_person_follow_each_other(ward: Ward) -> None:
    raws = [
        newcomer(0),
        newcomer(1),
        newcomer(0, "A08", PID_11="7 New St^^Fresno^CA^93701"),
        newcomer(0, "A03", PV1_36="01"),
    ]
    assert ended(ward, messages=arrive(ward, *raws)) == [None] * 4
    first, other, second, third = moments(ward)
    assert first == other
    assert None not in (first, second, third)
    assert first < second < third  # type: ignore[operator]
    moved = [each for each in ward.all("Patient") if each["address"][0]["line"] == ["7 New St"]]
    assert len(moved) == 1
    assert sorted(each["status"] for each in ward.all("Encounter")) == ["finished", "in-progress"]


def test_a_merge_stands_between_what_was_said_before_and_after_it(ward: Ward) -> None:
    raws = [admitted("1", "M1", "V1"), admitted("3", "M3", "V3", **ELSE), merges("4", "M1", "M3"), newcomer(2)]
    assert ended(ward, messages=arrive(ward, *raws)) == [None] * 4
    active = [each["id"] for each in ward.all("Patient") if each.get("active", True)]
    assert len(active) == 2
    assert len({each["subject"]["reference"] for each in ward.all("Encounter")}) == 2


def twins() -> tuple[bytes, bytes]:
    """One person, as two hospitals register them: nothing but the name, the birth date and the address agree."""
    same = {"PID_5": "Testperson-Ash^Robin", "PID_7": "19400302", "PID_11": "5 Same St^^Fresno^CA^93701"}
    one, other = (newcomer(number, control_id=f"t{number}", **same) for number in (0, 1))
    return one, other.replace(b"91000001A", b"")


def test_newcomers_who_resemble_each_other_are_compared_as_if_they_had_come_one_after_the_other(
    ward: Ward,
) -> None:
    one, other = twins()
    assert ended(ward, messages=arrive(ward, one, newcomer(2), other)) == [None] * 3
    first, beside, second = moments(ward)
    assert first == beside != second
    with ward.database.read() as connection:
        kinds = list(connection.execute(select(identity_event.c.kind)).scalars())
    assert len(kinds) == 1, "somebody was asked, or they were linked"


def test_only_newcomers_who_may_be_one_person_wait_for_each_other(ward: Ward) -> None:
    planner = Planner(ward.processor.tables, ward.processor.cin_system, ward.processor.members)
    drafts = [ward.processor._draft(one) for one in arrive(ward, *twins(), newcomer(7))]
    with ward.database.read() as connection:
        plans = planner.plans(connection, drafts)  # type: ignore[arg-type]
        assert [type(plan).__name__ for plan in plans] == ["Plan", "Later", "Plan"]


def test_what_two_messages_name_is_created_once(ward: Ward) -> None:
    doctor = {"PD1_4": "9^Testdoctor-Ash^Mo"}
    assert ended(ward, messages=arrive(ward, newcomer(0, **doctor), newcomer(1, **doctor))) == [None] * 2
    assert len(set(moments(ward))) == 1
    names = [each["identifier"][0]["value"] for kind in ("Practitioner", "Location") for each in ward.all(kind)]
    assert len(names) == len(set(names))
    references = json.write(ward.all("Patient") + ward.all("Encounter"))
    assert b"urn:uuid" not in references


def test_each_entry_is_in_the_audit_by_its_own_message(ward: Ward) -> None:
    told: list[tuple[str, int]] = []

    def audit(entries: Sequence[object], access: object) -> Callable[..., list[tuple[int, bytes]]]:
        def rows(_: Connection, results: Sequence[object], __: object) -> list[tuple[int, bytes]]:
            told.append((access.reason, len(results)))  # type: ignore[attr-defined]
            return [(work.MICROS * 9 + len(told), b"{}")]

        return rows

    ward.transactions._audit = audit  # type: ignore[assignment]
    assert ended(ward, messages=arrive(ward, newcomer(0), newcomer(1))) == [None] * 2
    assert [reason for reason, _ in told] == ["adt EPICADT|SMC c0A01", "adt EPICADT|SMC c1A01"]
    assert all(count > 2 for _, count in told)
    with ward.database.read() as connection:
        assert len(connection.execute(select(audit_pending.c.id)).all()) == 2


HOURS = {"A01": "09", "A02": "10", "A08": "11", "A03": "12"}


def mixed(random: Random) -> list[bytes]:
    """Stays of nine people; the messages come in any order."""
    raws = [
        adt(
            event,
            f"c{number}{event}",
            mrn=f"M{number}",
            visit=f"V{number}",
            cin=None,
            at=f"20261122{hour}0000",
            fields={
                "PID-5": f"{NAMES[number % 5]}{'abc'[number // 5]}^Robin",
                "PID-7": f"{1931 + number}0102",
                "PID-11": f"{number} Sample St^^Fresno^CA^93701",
                "PID-13": "",
                "IN1": None,
            },
        )
        for number in range(9)
        for event, hour in HOURS.items()
    ]
    random.shuffle(raws)
    return raws


@pytest.fixture
def elsewhere(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Ward]:
    """Another hub, which gets its messages one by one."""
    opened = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'elsewhere.db')}")
    yield ward_of(opened, ROWS[1])
    opened.close()


@pytest.mark.parametrize("seed", range(3))
def test_together_ends_in_the_same_state_as_one_by_one(ward: Ward, elsewhere: Ward, seed: int) -> None:
    raws = mixed(Random(seed))
    elsewhere.sends(*raws)
    assert ended(ward, messages=arrive(ward, *raws)) == [None] * len(raws)
    assert ward.state() == elsewhere.state()


def _line(raw: bytes) -> int:
    return int(raw.split(b"|M")[1].split(b"^")[0])


def test_two_workers_process_all_messages_once(wards: list[Ward]) -> None:
    raws = mixed(Random(7))
    arrivals = [Arrival(SOURCE, "EPICADT|SMC", f"c{at}", raw, 1, member=_line(raw)) for at, raw in enumerate(raws)]
    wards[0].database.writing(lambda connection: accept(connection, arrivals))
    workers = [Worker(each.database, {SOURCE: each.processor}, {}, {}, now=each._now) for each in wards]

    def work_off(made: Worker) -> None:
        while "received" in {state for state, _, _ in wards[0].states()}:
            made._messages_lane()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work_off, workers))
    assert {state for state, _, _ in wards[0].states()} == {"processed"}
    assert len(wards[0].all("Encounter")) == 9
    assert {each["status"] for each in wards[0].all("Encounter")} == {"finished"}
    with wards[0].database.read() as connection:
        versions = connection.execute(select(resource.c.rid, resource.c.version)).all()
        earlier = connection.execute(select(history.c.rid)).scalars().all()
    assert len(earlier) == sum(version - 1 for _, version in versions)
