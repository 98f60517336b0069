"""A discharge opens a Task, once; several discharges share a commit. The Task is as guarded as the stay."""

from typing import Any

import pytest
from sqlalchemy import update

from hub import outbox
from hub.access import Access
from hub.fhir import json
from hub.fhir.systems import LEAD_CARE_MANAGER, TRANSITIONAL_CARE
from hub.problems import Problem
from hub.rights.labels import BITS
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database
from hub.store.read import Stored
from hub.store.tables import resource
from hub.transactions import Transactions, single
from hub.transitional_care import KIND, FollowUp, effects, rules
from hub.worker import Worker
from tests.hub.asking import patient
from tests.hub.sighted import caller, labelled, panel, to

ACCESS = Access.system("a test")
BASE = "https://hub.example/fhir"


@pytest.fixture
def transactions(database: Database) -> Transactions:
    return Transactions(database, lambda *_: [], effects, BASE, rules=rules())


def stay(identity: str, status: str = "finished", **parts: Any) -> dict[str, Any]:
    return parts | {
        "resourceType": "Encounter",
        "id": identity,
        "status": status,
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/pat-1"},
    }


def put(transactions: Transactions, *stays: dict[str, Any]) -> None:
    for one in stays:
        transactions.commit([single("PUT", one["resourceType"], id=one["id"], resource=one)], ACCESS)


def worker(transactions: Transactions) -> Worker:
    handler = FollowUp(transactions.database, transactions, 7)
    return Worker(transactions.database, {}, {KIND: handler}, {})


def tasks(transactions: Transactions) -> list[str]:
    """The Encounters that Tasks are about."""
    return sorted(json.stored(row.body)["focus"]["reference"] for row in found(transactions, ACCESS) if row.body)


def found(transactions: Transactions, access: Access, kind: str = "Task") -> list[Stored]:
    with transactions.database.read() as connection:
        return read.page(connection, access, parse(kind, [], Limits()), (), 100)


def followed_up(transactions: Transactions, *stays: dict[str, Any]) -> Stored:
    """The one Task that there is once these are worked."""
    put(transactions, *stays)
    while worker(transactions)._work_lane():
        pass
    [task] = found(transactions, ACCESS)
    return task


def team(**parts: Any) -> dict[str, Any]:
    system, code = LEAD_CARE_MANAGER
    role = {"coding": [{"system": system, "code": code}]}
    participants = [{"role": [role], "member": to("Practitioner", "lead")}]
    made = {"resourceType": "CareTeam", "id": "team", "status": "active", "subject": to("Patient", "pat-1")}
    return made | {"participant": participants} | parts


def test_discharges_that_wait_together_each_open_a_task(transactions: Transactions) -> None:
    names = [f"enc-{number}" for number in range(3)]
    put(transactions, *(stay(name, "in-progress") for name in names), *map(stay, names))
    assert worker(transactions)._work_lane()
    assert tasks(transactions) == [f"Encounter/{name}" for name in names]
    assert not worker(transactions)._work_lane()


def test_one_that_was_taken_back_meanwhile_opens_none(transactions: Transactions) -> None:
    put(transactions, stay("enc-1", "in-progress"), stay("enc-2", "in-progress"), stay("enc-1"), stay("enc-2"))
    put(transactions, stay("enc-1", "in-progress"))
    assert worker(transactions)._work_lane()
    assert tasks(transactions) == ["Encounter/enc-2"]


def test_one_encounter_opens_one_task_however_often_it_is_asked_for(transactions: Transactions) -> None:
    put(transactions, stay("enc-1", "in-progress"), stay("enc-1"))
    handler = FollowUp(transactions.database, transactions, 7)
    work = outbox.Work(1, KIND, "Encounter/enc-1", {"encounter": "enc-1"}, 1, 0)
    assert handler(work) == outbox.Done()
    assert handler(work) == outbox.Done()
    assert tasks(transactions) == ["Encounter/enc-1"]


def test_a_discharge_that_was_taken_back_and_told_again_opens_one(transactions: Transactions) -> None:
    put(transactions, stay("enc-1", "in-progress"), stay("enc-1"), stay("enc-1", "in-progress"))
    assert worker(transactions)._work_lane()
    assert tasks(transactions) == []
    assert json.stored(followed_up(transactions, stay("enc-1")).body or b"{}")["focus"] == to("Encounter", "enc-1")


def test_nobody_is_told_by_a_task_of_a_stay_that_is_hidden_from_it(transactions: Transactions) -> None:
    """Harbor has a relation to the member, and no consent for HIV."""
    put(transactions, patient("pat-1"), panel("pat-1"))
    followed_up(transactions, stay("enc-1", meta=labelled("HIV")))
    assert found(transactions, caller(), "Encounter") == []
    assert found(transactions, caller()) == []
    assert len(found(transactions, caller(guarded=0))) == 1


@pytest.mark.parametrize("status", ["finished", "in-progress"])
def test_labels_that_a_stay_gets_later_its_task_gets_too(transactions: Transactions, status: str) -> None:
    """Also where the stay goes on again: the Task stands."""
    assert followed_up(transactions, stay("enc-1")).labels == 0
    task = followed_up(transactions, stay("enc-1", status, meta=labelled("HIV")))
    assert task.labels == BITS["HIV"]
    assert json.stored(task.body or b"{}")["meta"]["security"]
    assert followed_up(transactions, stay("enc-1", status, meta=labelled("HIV", "SDV"))).version == 3


def test_what_was_written_on_a_task_stays_when_its_labels_rise(transactions: Transactions) -> None:
    before = json.stored(followed_up(transactions, stay("enc-1")).body or b"{}")
    done = before | {"status": "completed"}
    transactions.commit([single("PUT", "Task", id=before["id"], resource=done)], ACCESS)
    now = json.stored(followed_up(transactions, stay("enc-1", meta=labelled("HIV"))).body or b"{}")
    assert {name: value for name, value in now.items() if name != "meta"} == {
        name: value for name, value in done.items() if name != "meta"
    }


def test_labels_alone_open_no_task(transactions: Transactions) -> None:
    """Somebody deleted it."""
    task = followed_up(transactions, stay("enc-1"))
    transactions.commit([single("DELETE", "Task", id=task.id)], ACCESS)
    put(transactions, stay("enc-1", meta=labelled("HIV")))
    assert worker(transactions)._work_lane()
    assert tasks(transactions) == []


def test_an_owner_of_whom_a_guarded_care_team_tells_is_guarded(transactions: Transactions) -> None:
    put(transactions, team(meta=labelled("HIV")))
    task = followed_up(transactions, stay("enc-1"))
    assert json.stored(task.body or b"{}")["owner"] == to("Practitioner", "lead")
    assert task.labels == BITS["HIV"]


@pytest.mark.parametrize("unknown", ["Encounter", "CareTeam"])
def test_a_stay_of_which_nobody_said_how_sensitive_it_is_waits(transactions: Transactions, unknown: str) -> None:
    """Stored before anybody asked that (hub.reindex)."""
    put(transactions, team(), stay("enc-1"))
    with transactions.database.write() as connection:
        connection.execute(update(resource).where(resource.c.type == unknown).values(labels=-1))
    handler = FollowUp(transactions.database, transactions, 7)
    work = outbox.Work(1, KIND, "Encounter/enc-1", {"encounter": "enc-1"}, 1, 0)
    assert isinstance(handler(work), outbox.Later)
    assert tasks(transactions) == []
    with transactions.database.write() as connection:
        connection.execute(update(resource).values(labels=0))
    assert handler(work) == outbox.Done()
    assert tasks(transactions) == ["Encounter/enc-1"]


def test_a_follow_up_is_the_hubs_own(transactions: Transactions) -> None:
    """By its labels a client would learn of the stay's; by its identifier it would keep the hub's away."""
    put(transactions, patient("pat-1"), panel("pat-1"))
    task = json.stored(followed_up(transactions, stay("enc-1")).body or b"{}")
    [entry] = task["identifier"]
    written = {
        "a new one": single("POST", "Task", resource={**task, "identifier": [{**entry, "value": "enc-2"}]}),
        "of another stay": single(
            "PUT", "Task", id=task["id"], resource={**task, "identifier": [{**entry, "value": "x"}]}
        ),
        "of none": single("PUT", "Task", id=task["id"], resource={**task, "identifier": []}),
    }
    for one in written.values():
        with pytest.raises(Problem, match="the hub's own"):
            transactions.commit([one], caller())
    assert entry["system"] == TRANSITIONAL_CARE
    transactions.commit([single("PUT", "Task", id=task["id"], resource=task | {"status": "completed"})], caller())
    transactions.commit([single("DELETE", "Task", id=task["id"])], caller())
