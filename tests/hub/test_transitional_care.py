"""A discharge opens a Task, once; several discharges share a commit."""

from typing import Any

import pytest

from hub import outbox
from hub.access import Access
from hub.fhir import json
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database
from hub.transactions import Transactions, single
from hub.transitional_care import KIND, FollowUp, effects
from hub.worker import Worker

ACCESS = Access.system("a test")
BASE = "https://hub.example/fhir"


@pytest.fixture
def transactions(database: Database) -> Transactions:
    return Transactions(database, lambda *_: [], effects, BASE)


def stay(identity: str, status: str = "finished") -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": identity,
        "status": status,
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/pat-1"},
    }


def put(transactions: Transactions, *stays: dict[str, Any]) -> None:
    for one in stays:
        transactions.commit([single("PUT", "Encounter", id=one["id"], resource=one)], ACCESS)


def worker(transactions: Transactions) -> Worker:
    handler = FollowUp(transactions.database, transactions, 7)
    return Worker(transactions.database, {}, {KIND: handler}, {})


def tasks(transactions: Transactions) -> list[str]:
    """The Encounters that Tasks are about."""
    query = parse("Task", [("status", "requested")], Limits())
    with transactions.database.read() as connection:
        rows = read.page(connection, ACCESS, query, (), 100)
    return sorted(json.stored(row.body)["focus"]["reference"] for row in rows if row.body)


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
