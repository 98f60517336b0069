"""R05: the power fails under load, again and again: what was not synced is gone, what was acknowledged is not, and
the database opens without a person. With SQLite: PostgreSQL's own files are its own matter, and R04 shows that it
syncs before the hub answers."""

import random
import shutil
import time
from pathlib import Path

import pytest

from auth.development_token import new_key
from hub.store.engine import Database
from tests.faults.failing import missing
from tests.faults.here import TOKEN, let_in
from tests.faults.invariants import broken
from tests.faults.power import Power
from tests.flows import stories
from tests.flows.hub_process import HubProcess
from tests.flows.test_kill_nine import (
    SYSTEM,
    Load,
    Told,
    _check_messages,
    _check_pairs,
    _check_versions,
    _drain,
)


@pytest.mark.long
@pytest.mark.parametrize("cycles", [20])
def test_what_was_acknowledged_is_there_when_the_power_comes_back(
    tmp_path: Path, migrated_sqlite: Path, cycles: int
) -> None:
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "facilities.csv").write_text(stories.FACILITIES)
    url = f"sqlite:///{shutil.copy(migrated_sqlite, folder / 'hub.db')}"
    database = Database(url)
    let_in(database, new_key("ES384"))
    database.close()
    power, told = Power(folder, tmp_path), Told()
    hub = HubProcess(folder, url, HUB_SECRET_KEY="s" * 40, **power.settings)
    hub.start()
    load = Load(hub, TOKEN, told)
    load.start()
    try:
        for _ in range(cycles):
            time.sleep(random.uniform(0.3, 2))
            hub.kill()
            power.fails()
            hub.start()
    finally:
        load.stop()
    database = Database(url)
    _drain(Database(url))
    hub.stop()
    counts = len(told.messages), len(told.created), len(told.versions)
    print("{} losses of power; acknowledged: {} messages, {} Bundles, {} updates".format(cycles, *counts))
    assert min(counts) > cycles
    _check_messages(database, told)
    _check_pairs(database, told)
    _check_versions(database, told)
    assert broken(database, hub.fhir, journals=folder / "audit", bundles={SYSTEM: 2}) == []
    database.close()
