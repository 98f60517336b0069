"""A webhook is told of: each send and each retry is recorded before it leaves, and counts as a disclosure."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.audit import find, store
from hub.audit.journal import Journal
from hub.audit.record import Record, decoded
from hub.audit.recorder import Recorder
from hub.notifications.told import NoticesTold
from hub.problems import Problem
from hub.search.edges import address
from hub.store.tables_audit import audit
from tests.hub.notifications.conftest import CLIENT, SmallHub, receiver, wanted

__all__ = ["receiver"]  # a fixture
PATIENT = address("Patient", "pat-1")
Told = Callable[[], list[Record]]


@pytest.fixture
def hub(database: Any, receiver: Any, tmp_path: Path) -> SmallHub:
    made = SmallHub(database, receiver)
    told = NoticesTold(Recorder(database, Journal(tmp_path / "audit")), lambda _: CLIENT)
    made.deliveries = replace(made.deliveries, tell=told)
    made.handlers |= made.deliveries.handlers()
    return made


@pytest.fixture
def told(hub: SmallHub, tmp_path: Path) -> Told:
    def found() -> list[Record]:
        store.move_all(hub.database, tmp_path / "audit")
        with hub.database.read() as connection:
            rows = connection.execute(audit.select().where(audit.c.interaction == "notice").order_by(audit.c.seq))
            return [decoded(row.record) for row in rows]

    return found


def disclosed(hub: SmallHub) -> int:
    with hub.database.read() as connection:
        return len(list(find.disclosures(connection, "https://hub.example/fhir", PATIENT, (0, 2**62))))


def test_each_send_is_recorded_for_its_patient_also_one_that_failed(hub: SmallHub, told: Told) -> None:
    hub.subscribe()
    (handshake,) = told()
    assert (handshake.type, handshake.id, handshake.releases) == ("Subscription", "sub-1", ())
    assert disclosed(hub) == 0
    hub.receiver.answers = [500]
    hub.admit()
    hub.drive()
    hub.wait(seconds=60)
    hub.drive()
    assert len(hub.receiver.received) == 3
    tries = told()[1:]
    assert len(tries) == 2
    for one in tries:
        assert (one.type, one.id, one.version, one.client) == ("Encounter", "enc-1", 1, "client-lantern")
        assert [release.patient for release in one.releases] == [PATIENT]
        assert (one.network, one.query) == ("127.0.0.1", "/Subscription/sub-1/$notice")
    assert disclosed(hub) == 2


def test_what_tells_of_nobody_names_nobody(hub: SmallHub, told: Told) -> None:
    hub.put(wanted(hub.receiver.url, content="empty"))
    hub.drive()
    hub.admit()
    hub.drive()
    assert [(one.type, one.releases) for one in told()] == [("Subscription", ())] * 2
    assert disclosed(hub) == 0


def test_what_cannot_be_recorded_does_not_leave(hub: SmallHub) -> None:
    def refuse(*_: Any) -> None:
        raise Problem("no-space", "The hub's disk is full")

    hub.subscribe()
    hub.admit()
    sent = len(hub.receiver.received)
    hub.deliveries = replace(hub.deliveries, tell=refuse)
    hub.handlers |= hub.deliveries.handlers()
    with pytest.raises(Problem):
        hub.drive()
    assert len(hub.receiver.received) == sent
