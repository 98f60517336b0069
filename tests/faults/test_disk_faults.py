"""R07: the disk answers EIO. Nobody is told that something is stored, and a sync that failed is not tried again:
the process writes no more until it is started again, and what was acknowledged is there then. R33: what cannot be
recorded is not answered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from auth.development_token import new_key
from hub.store.engine import Database
from tests.faults.failing import SYNC, WRITE, Disk, missing
from tests.faults.here import TOKEN, let_in
from tests.faults.invariants import broken
from tests.faults.marks import SQLITE, SQLITE_FIRST
from tests.flows import stories
from tests.flows.hub_process import HubProcess


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    if reason := missing():
        pytest.skip(reason)
    return Disk(tmp_path)


@pytest.fixture
def hub(database_url: str, tmp_path: Path, disk: Disk) -> Iterator[HubProcess]:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    database = Database(database_url)
    let_in(database, new_key("ES384"))
    database.close()
    made = HubProcess(tmp_path, database_url, **disk.settings)
    made.start()
    yield made
    made.stop()


def asked(hub: HubProcess, method: str, path: str, **parts: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/fhir+json"}
    return requests.request(method, f"{hub.fhir}/{path}", headers=headers, timeout=30, **parts)


def created(hub: HubProcess, name: str) -> int:
    patient = {"resourceType": "Patient", "id": name, "active": True}
    return asked(hub, "PUT", f"Patient/{name}", json=patient).status_code


def there(hub: HubProcess, name: str) -> bool:
    return asked(hub, "GET", f"Patient/{name}").status_code == 200


def says(hub: HubProcess, name: str) -> bool:
    try:
        return (
            acknowledged(send("127.0.0.1", hub.mllp_port, stories.adt("A01", name).encode(), timeout=20))[0] == "AA"
        )
    except NoAcknowledgment:
        return False


@SQLITE
@pytest.mark.parametrize("calls", [SYNC, pytest.param(WRITE, marks=pytest.mark.long)])
def test_a_disk_that_failed_is_not_trusted_again(
    hub: HubProcess, disk: Disk, calls: str, database_url: str
) -> None:
    assert (created(hub, "before"), says(hub, "BEFORE")) == (201, True)
    disk.fails(calls, "hub.db")  # and the spool beside it
    assert (created(hub, "first"), says(hub, "FIRST")) == (503, False)
    disk.mended()
    assert (created(hub, "later"), says(hub, "LATER")) == (503, False)
    assert there(hub, "before"), "reads go on"
    assert requests.get(f"{hub.base}/readyz", timeout=20).status_code == 503
    hub.stop()
    hub.start()
    assert requests.get(f"{hub.base}/readyz", timeout=20).status_code == 200
    assert (created(hub, "after"), says(hub, "FIRST"), says(hub, "AFTER")) == (201, True, True)
    assert there(hub, "before")
    assert not there(hub, "later")
    listed = hub.command("inbox", "list")
    assert [name for name in ("BEFORE", "FIRST", "LATER", "AFTER") if name in listed] == [
        "BEFORE",
        "FIRST",
        "AFTER",
    ]
    database = Database(database_url)
    assert broken(database, hub.fhir, journals=hub.folder / "audit") == []
    database.close()


@SQLITE_FIRST
def test_what_cannot_be_recorded_is_not_answered(hub: HubProcess, disk: Disk, database_url: str) -> None:
    """R33. A write has its record in its own commit, a read in the journal."""
    assert created(hub, "one") == 201
    assert there(hub, "one")
    disk.fails(WRITE, "/audit/")
    answers = [asked(hub, "GET", "Patient/one") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert [answer.json()["resourceType"] for answer in answers] == ["OperationOutcome"] * 3
    assert asked(hub, "GET", "Patient?_id=one").status_code == 503
    disk.mended()
    assert [there(hub, "one") for _ in range(2)] == [True, True], "a new file is begun"
    hub.stop()
    database = Database(database_url)
    assert broken(database, hub.fhir, journals=hub.folder / "audit") == []
    with database.read() as connection:
        statement = "SELECT status FROM audit WHERE interaction = 'read' ORDER BY seq"
        told = connection.exec_driver_sql(statement).scalars().all()
    database.close()
    assert told == [200] * 3, "each read that was answered, once"
