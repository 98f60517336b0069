"""R06, a full disk: a clear answer, nothing half done, and work goes on by itself when there is room again; the
same where there is room and no file can be made any more."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from tests.flows import stories
from tests.flows.hub_process import HubProcess, running
from tests.flows.partners import register

SIZE = 24 * 1024 * 1024
FILES = 300
BACK_SECONDS = 30


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB and 300 files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = f"size={SIZE},nr_inodes={FILES}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (needs root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_costs_nothing(small_disk: Path) -> None:
    (small_disk / "facilities.csv").write_text(stories.FACILITIES)
    with running(small_disk) as hub:
        partner = register(hub, "sunrise-cms")
        headers = {
            "Authorization": f"Bearer {partner.token(hub)}",
            "Content-Type": "application/fhir+json",
        }
        assert _create(hub, headers, "before").status_code == 201
        filler = small_disk / "filler"
        _fill(filler)

        answers = [_create(hub, headers, f"full-{number}") for number in range(3)]
        assert {answer.status_code for answer in answers} == {507}
        assert answers[0].json()["issue"][0]["code"] == "no-store"
        with pytest.raises(NoAcknowledgment):
            send("127.0.0.1", hub.mllp_port, stories.adt("A01", "FULL").encode(), timeout=10)
        assert _read(hub, headers, "before") == 1

        filler.unlink()
        assert _create(hub, headers, "after").status_code == 201
        assert acknowledged(send("127.0.0.1", hub.mllp_port, stories.adt("A01", "ROOM").encode()))[0] == "AA"
        assert [_read(hub, headers, f"full-{number}") for number in range(3)] == [0, 0, 0]
        listed = hub.command("inbox", "list")
        assert "ROOM" in listed
        assert "FULL" not in listed


@pytest.mark.long
def test_a_disk_that_takes_no_more_files_is_told_and_costs_nothing(small_disk: Path) -> None:
    """What has its file goes on. A web process that starts then can begin no journal: what it cannot record it does
    not answer."""
    with running(small_disk) as hub:
        headers = {
            "Authorization": f"Bearer {register(hub, 'sunrise-cms').token(hub)}",
            "Content-Type": "application/fhir+json",
        }
        assert _create(hub, headers, "before").status_code == 201
        fillers = list(_files(small_disk))
        assert _create(hub, headers, "full").status_code == 201
        assert acknowledged(send("127.0.0.1", hub.mllp_port, stories.adt("A01", "FULL").encode()))[0] == "AA"
        for pid in hub.pids()[1:]:
            os.kill(pid, signal.SIGKILL)
        answers = {_answered(hub, headers) for _ in range(3)}
        assert answers == {507}
        for filler in fillers:
            filler.unlink()
        began = time.monotonic()
        while _answered(hub, headers) != 200:
            assert time.monotonic() - began < BACK_SECONDS
            time.sleep(0.1)
        assert [_read(hub, headers, name) for name in ("before", "full")] == [1, 1]
        assert "FULL" in hub.command("inbox", "list")


def _files(folder: Path) -> Iterator[Path]:
    """As many empty files as there may be."""
    for number in range(FILES):
        path = folder / f"filler-{number}"
        try:
            path.touch()
        except OSError:
            return
        yield path


def _answered(hub: HubProcess, headers: dict[str, str]) -> int:
    """The status of a read, when somebody answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return requests.get(f"{hub.fhir}/Patient?_count=1", headers=headers, timeout=20).status_code
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _fill(path: Path) -> None:
    """Write until there is no room, then to the last byte."""
    for block in (1 << 20, 4096, 1):
        with path.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * block)
            except OSError:
                continue


def _create(hub: HubProcess, headers: dict[str, str], name: str) -> requests.Response:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "https://nowhere.example/disk", "value": name}],
        "name": [{"text": "x" * 20000}],
    }
    return requests.post(f"{hub.fhir}/Patient", json=patient, headers=headers, timeout=20)


def _read(hub: HubProcess, headers: dict[str, str], name: str) -> int:
    query = {"identifier": f"https://nowhere.example/disk|{name}", "_summary": "count"}
    answer = requests.get(f"{hub.fhir}/Patient", params=query, headers=headers, timeout=20)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["total"])
