"""R08: the primary dies under load and its standby takes its place. With synchronous replication nothing that was
acknowledged is lost; the hub finds the new primary by itself, among the addresses of its URL."""

import time
from collections import Counter
from pathlib import Path

import pytest

from hub.inbox import listing
from hub.store.engine import Database
from hub.store.migrate import migrate
from tests.conftest import TEMPLATE
from tests.faults.invariants import broken
from tests.faults.servers import Standby
from tests.flows import stories
from tests.flows.hospital_load import Hospital
from tests.flows.hub_process import HubProcess
from tests.flows.kill_campaign import _told, _visits, message
from tests.postgresql import SUPERUSER, Cluster, available

pytestmark = [pytest.mark.long, pytest.mark.postgresql]
CONNECTIONS, MESSAGES = 4, 100
PAUSED = 30.0  # seconds without an acknowledgment


def url_of(primary: Cluster, standby: Cluster) -> str:
    """Whichever takes writes. https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS"""
    hosts = "&".join(f"host=127.0.0.1:{each.port}" for each in (primary, standby))
    return f"postgresql+psycopg://{SUPERUSER}@/{TEMPLATE}?{hosts}&target_session_attrs=read-write"


def acknowledged(hospitals: list[Hospital]) -> int:
    return sum(len(each.sent.acknowledged) for each in hospitals)


def until(seconds: float, hospitals: list[Hospital], count: int) -> None:
    deadline = time.monotonic() + seconds
    while acknowledged(hospitals) < count:
        assert time.monotonic() < deadline, acknowledged(hospitals)
        time.sleep(0.02)


def test_a_standby_that_is_promoted_under_load_has_all_that_was_acknowledged(tmp_path: Path) -> None:
    if reason := available():
        pytest.skip(reason)
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    with Cluster() as primary:
        database = Database(primary.create_database(TEMPLATE))
        migrate(database)
        database.close()
        with Standby(primary) as standby:
            hub = HubProcess(tmp_path, url_of(primary, standby))
            hub.start()
            try:
                hospitals = _fails_over(hub, primary, standby)
            finally:
                hub.stop()
            _all_is_there(standby, hospitals, hub)


def _fails_over(hub: HubProcess, primary: Cluster, standby: Standby) -> list[Hospital]:
    hospitals = [Hospital(n, MESSAGES, message, hub.mllp_port, lambda: True) for n in range(CONNECTIONS)]
    for hospital in hospitals:
        hospital.start()
    until(60, hospitals, CONNECTIONS * MESSAGES // 4)
    primary.stop(immediately=True)
    died, before = time.monotonic(), acknowledged(hospitals)
    standby.promote()
    until(PAUSED, hospitals, before + 1)
    print(f"no acknowledgment for {time.monotonic() - died:.1f} s")
    until(120, hospitals, CONNECTIONS * MESSAGES)
    _drained(standby)
    return hospitals


def _drained(standby: Cluster) -> None:
    database, deadline = Database(standby.url(TEMPLATE)), time.monotonic() + 150
    while True:
        with database.read() as connection:
            if not listing.counts(connection).get("received", 0):
                break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    database.close()


def _all_is_there(standby: Cluster, hospitals: list[Hospital], hub: HubProcess) -> None:
    names = {name for hospital in hospitals for name in hospital.sent.acknowledged}
    database = Database(standby.url(TEMPLATE))
    with database.read() as connection:
        assert Counter(_told(connection)) == Counter(names)
        assert set(Counter(_visits(connection)).values()) == {1}
    assert broken(database, hub.fhir, journals=hub.folder / "audit") == []
    database.close()
