"""A hospital's feed and a network that relays it: what happened is noticed once (issue 5, point 5)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from adapters.adt.members import Members
from hub.notifications import counters
from hub.notifications.events import EVENT, NOTICE, Event, effects
from hub.notifications.fan_out import FanOut
from hub.notifications.round import resource_at
from hub.notifications.topics import ADMISSION, CANCEL, DISCHARGE, TRANSFER
from hub.sight import ALL
from hub.store.engine import Database
from hub.store.tables import outbox
from hub.transactions import Transactions, single
from hub.worker import Worker
from tests.adapters.adt.ward import BASE, Ward, _validate
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, ROWS
from tests.hub.notifications.conftest import CLIENT, wanted

NETWORK = ROWS[1]  # its own number system, and the NPI of the hospital for which it speaks


class Told(Ward):
    """A ward with a subscriber of every topic, and the worker's lane for events."""

    def listen(self) -> None:
        self.transactions = Transactions(self.database, _validate, effects, BASE, self._now)
        asks = Members(self.database, CIN_SYSTEM, self._now)
        self.processor = replace(self.processor, transactions=self.transactions, members=asks)
        fan_out = FanOut(self.database, self._look, BASE, self._now)
        self.worker = Worker(self.database, {}, {EVENT: fan_out}, {}, now=self._now)
        for url in (ADMISSION, DISCHARGE, TRANSFER, CANCEL):
            name = url.rpartition("-")[2]
            resource = wanted("https://plan.invalid/hook", name, topic=url, status="active")
            self.transactions.commit([single("PUT", "Subscription", id=name, resource=resource)], CLIENT)
            self.database.writing(lambda connection, name=name: counters.own(connection, name, "client-lantern"))

    def _look(self, _owner: str, event: Event) -> dict[str, Any] | None:
        with self.database.read() as connection:
            return resource_at(connection, event, BASE)

    def told(self, *raws: bytes) -> list[str]:
        """All notices there are, after these messages."""
        self.sends(*raws)
        while self.worker._work_lane():
            pass
        with self.database.read() as connection:
            found = connection.execute(select(outbox.c.key).where(outbox.c.kind == NOTICE).order_by(outbox.c.seq))
            return list(found.scalars())


@pytest.fixture
def ward(database: Database) -> Iterator[Told]:
    assert CLIENT.sight == ALL
    made = Told(database, [ROWS[0], NETWORK])
    made.listen()
    return made


def relayed(event: str, control_id: str, **changes: str) -> bytes:
    """As the network has it: its own header, control ids, record and visit numbers."""
    fields = {"MSH-3": "RELAY", "PV1-3": "4W^412^B^NVH"}
    return adt(event, control_id, facility="NVH", mrn="NET-9", visit="NET-V-9", fields=fields, **changes)


def test_a_stay_that_a_network_relays_is_noticed_once_event_by_event(ward: Told) -> None:
    assert ward.told(adt("A01", "1"), relayed("A01", "R1")) == ["admission|1"]
    left = {"at": "20261123100000", "discharged": "20261123095500"}
    assert ward.told(relayed("A03", "R2", **left), adt("A03", "2", **left)) == ["admission|1", "discharge|1"]
    back = {"at": "20261123110000"}
    assert ward.told(adt("A13", "3", **back), relayed("A13", "R3", **back))[2:] == ["cancel|1"]
    assert {state for state, *_ in ward.states()} == {"processed"}
    assert len(ward.all("Encounter")) == 2
    assert len({each["subject"]["reference"] for each in ward.all("Encounter")}) == 1


def test_the_networks_message_may_come_first(ward: Told) -> None:
    assert ward.told(relayed("A01", "R1"), adt("A01", "1")) == ["admission|1"]


def test_one_message_in_two_ways_and_under_another_application_and_control_id_is_noticed_once(ward: Told) -> None:
    """MLLP and HTTP store into one inbox; another MSH-3 of the hospital tells of the same visit number."""
    same = adt("A01", "1")
    assert ward.told(same, same, adt("A01", "1b", fields={"MSH-3": "OTHERAPP"})) == ["admission|1"]


def test_another_stay_of_the_same_person_has_its_own_notice(ward: Told) -> None:
    ward.told(adt("A01", "1"), relayed("A01", "R1"))
    later = {"at": "20261201081530", "admitted": "20261201081500"}
    assert ward.told(adt("A01", "5", visit="V2", **later)) == ["admission|1", "admission|2"]
