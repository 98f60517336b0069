"""R03: kill -9 of PostgreSQL: what asks meanwhile is told so, and the hub is back by
itself within seconds of the database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auth.development_token import new_key
from hub.store.engine import Database
from hub.store.migrate import migrate
from tests.faults.here import let_in
from tests.faults.invariants import broken
from tests.faults.servers import kill
from tests.faults.test_partition import created, says
from tests.flows import stories
from tests.flows.hub_process import HubProcess
from tests.postgresql import Cluster, available
from tests.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.postgresql]
BACK = 10.0  # 5 are wished, on a machine that is not busy


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Its own: the others' must not go down."""
    if reason := available():
        pytest.skip(reason)
    with Cluster() as made:
        yield made


def starts(cluster: Cluster) -> bool:
    """What the killed server left must be gone first."""
    try:
        cluster.start()
    except RuntimeError:
        return False
    return True


def test_a_killed_server_costs_nothing_and_the_hub_is_back_soon_after_it(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    database = Database(cluster.create_database("down"))
    migrate(database)
    let_in(database, new_key("ES384"))
    hub = HubProcess(tmp_path, cluster.url("down"))
    hub.start()
    try:
        took = []
        for number in range(5):
            assert (created(hub), says(hub, f"BEFORE{number}")) == (201, True)
            kill(cluster)
            assert created(hub) == 503
            assert not says(hub, f"DOWN{number}")
            until(lambda: starts(cluster), 30)
            took.append(until(lambda n=number: created(hub) == 201 and says(hub, f"AFTER{n}"), BACK))  # type: ignore[misc]
        print(f"back {max(took):.1f} s after the database at most")
        listed = hub.command("inbox", "list", "--limit", "100")
    finally:
        hub.stop()
    assert all(f"{when}{number}" in listed for when in ("BEFORE", "AFTER") for number in range(5))
    assert broken(database, hub.fhir, journals=tmp_path / "audit") == []
    database.close()
