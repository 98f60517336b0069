"""R13 with small numbers; the large ones: python -m tests.faults.storm"""

from pathlib import Path

import pytest

from tests.faults import storm
from tests.flows.hub_process import HubProcess


@pytest.mark.long
def test_a_storm_of_half_frames_slows_no_hospital_and_leaves_nothing_open(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    hub.command("migrate")
    hub.start("--mllp")
    try:
        found = storm.run(hub, rate=200, seconds=3)
    finally:
        hub.stop()
    assert found.connections > 100
    assert found.files_most < 2000, "512 connections, and what is accepted and closed at once"
    assert found.files_after <= found.files_before + storm.MOST_FILES
    assert found.storm_p95 < 5000, "500 ms on a machine that does nothing else"
