"""R09: a node that is cut off from its database says so: 503 and no acknowledgment, soon; and goes on by itself.
What it held passes to the others, and is done once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy.engine import make_url

from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from auth.development_token import new_key
from hub.inbox import listing
from hub.store.engine import Database
from tests.faults.here import TOKEN, let_in
from tests.faults.invariants import broken
from tests.faults.marks import POSTGRESQL
from tests.faults.nets import PORT, Cable, cable, missing
from tests.flows import stories
from tests.flows.hospital_load import Hospital
from tests.flows.hub_process import HubProcess
from tests.flows.kill_campaign import _told, _visits, message
from tests.postgresql import Cluster
from tests.waiting import until

pytestmark = [pytest.mark.long, POSTGRESQL]
TOLD = 15.0  # seconds until a node knows that it is cut off
BACK = 30.0
MESSAGES = 30  # of each hospital


@pytest.fixture
def way(postgresql: Cluster, database_url: str) -> Iterator[Cable]:
    """To the database of this test."""
    if reason := missing():
        pytest.skip(reason)
    database = Database(database_url)
    let_in(database, new_key("ES384"))
    database.close()
    with cable(postgresql.folder / f".s.PGSQL.{postgresql.port}") as made:
        yield made


@contextmanager
def node(folder: Path, url: str) -> Iterator[HubProcess]:
    folder.mkdir()
    (folder / "facilities.csv").write_text(stories.FACILITIES)
    hub = HubProcess(folder, url, HUB_SECRET_KEY="s" * 40)
    hub.start()
    try:
        yield hub
    finally:
        if hub.is_running():
            hub.kill()


@pytest.fixture
def cut(tmp_path: Path, database_url: str, way: Cable) -> Iterator[HubProcess]:
    """A node whose way to the database is the cable."""
    url = make_url(database_url).set(host=way.far, port=PORT).render_as_string(hide_password=False)
    with node(tmp_path / "cut", url) as hub:
        yield hub


def created(hub: HubProcess) -> int:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/fhir+json"}
    patient = {"resourceType": "Patient", "active": True}
    return requests.post(f"{hub.fhir}/Patient", json=patient, headers=headers, timeout=60).status_code


def says(hub: HubProcess, name: str) -> bool:
    try:
        answer = send("127.0.0.1", hub.mllp_port, stories.adt("A01", name, visit=f"V{name}").encode(), timeout=60)
        return acknowledged(answer)[0] == "AA"
    except NoAcknowledgment:
        return False


def within(seconds: float, work: Callable[[], object]) -> object:
    began = time.monotonic()
    found = work()
    took = time.monotonic() - began
    assert took < seconds, took
    return found


@pytest.mark.parametrize("one_way", [False, True])
def test_a_node_without_its_database_says_so_and_goes_on_by_itself(
    cut: HubProcess, way: Cable, one_way: bool
) -> None:
    assert (created(cut), says(cut, "BEFORE")) == (201, True)
    (way.cut_one_way if one_way else way.cut)()
    assert within(TOLD, lambda: created(cut)) == 503
    assert within(TOLD, lambda: says(cut, "CUT")) is False
    assert within(TOLD, lambda: requests.get(f"{cut.base}/readyz", timeout=60).status_code) == 503
    assert within(TOLD, lambda: requests.get(f"{cut.base}/livez", timeout=60).status_code) == 200
    (way.join_one_way if one_way else way.join)()
    took = until(lambda: created(cut) == 201, BACK)
    assert says(cut, "AFTER")
    print(f"back {took:.1f} s after the cable")


def loaded(hub: HubProcess, first: int, count: int = 3) -> list[Hospital]:
    made = [Hospital(first + n, MESSAGES, message, hub.mllp_port, lambda: True) for n in range(count)]
    for hospital in made:
        hospital.start()
    return made


def all_is_done_once(url: str, base: str, hospitals: list[Hospital]) -> None:
    for hospital in hospitals:
        hospital.join(120)
        assert not hospital.is_alive()
    names = {name for hospital in hospitals for name in hospital.sent.acknowledged}
    database = Database(url)

    def left() -> int:
        with database.read() as connection:
            return listing.counts(connection).get("received", 0)

    until(lambda: not left(), 150)  # the leases of who was cut off
    with database.read() as connection:
        assert Counter(_told(connection)) == Counter(names)
        assert set(Counter(_visits(connection)).values()) == {1}
    assert broken(database, base) == []
    database.close()


def test_a_cable_that_comes_and_goes_loses_and_doubles_nothing(
    cut: HubProcess, way: Cable, database_url: str
) -> None:
    hospitals = loaded(cut, 0)
    for _ in range(4):
        for change in (way.cut, way.join):
            time.sleep(2)
            change()
    all_is_done_once(database_url, cut.fhir, hospitals)


def test_what_a_node_held_that_was_cut_off_is_done_once_by_the_other(
    cut: HubProcess, way: Cable, database_url: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(node(tmp_path / "other", database_url))
        hospitals = [*loaded(cut, 0), *loaded(other, 10)]
        until(lambda: all(hospital.sent.acknowledged for hospital in hospitals), 60)
        way.cut()
        more = loaded(other, 20)
        time.sleep(12)
        assert (created(other), created(cut)) == (201, 503)
        way.join()
        all_is_done_once(database_url, other.fhir, [*hospitals, *more])
