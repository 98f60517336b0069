"""R04: what is acknowledged was on the disk before: for each answer, strace shows a sync that began after the last
of the request was read, and returned before the answer was written.

By MLLP, by HTTP, and for a file in a folder, whose answer is that it lies in the archive. With PostgreSQL its
server is traced, too: it is what syncs.
"""

import json
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.adt.mllp_client import acknowledged, send
from auth.development_token import new_key
from hub.store.engine import Database
from tests.faults.here import FEED, FEEDS, TOKEN, let_in
from tests.faults.marks import SQLITE_FIRST
from tests.faults.servers import processes
from tests.faults.tracing import Call, calls_of, missing, traced
from tests.flows import stories
from tests.flows.hub_process import HubProcess, running
from tests.flows.test_files_arrive import content

IN, OUT = ("read", "recvfrom", "recvmsg", "readv"), ("write", "sendto", "sendmsg", "writev")
SYNCS = ("fsync", "fdatasync")
AT_ONCE = 500  # syncs that may overlap
# what stands before the name of a message or a request, and before it in the answer
MLLP = (r"\|(T\d+E)\|P\|", r"\|AA\|(T\d+E)")
HTTP = (r"basic-(T\d+E)", r"x-request-id: basic-(T\d+E)")
ROW = "9{0:07d}A,{0:09d},Testperson-Alder,Robin,1980-02-15,SMHS,open,2026-03-02,,,,N,,2026-04-01"


@dataclass
class Traced:
    """A hub with its folder, whose calls are written down. `log` names the file that must be on the disk."""

    hub: HubProcess
    out: Path
    pids: list[int]
    log: str

    def calls(self, work: Callable[[], Any]) -> list[Call]:
        with traced(self.pids, self.out):
            work()
        return calls_of(self.out)


@pytest.fixture
def hub(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Traced]:
    if reason := missing():
        pytest.skip(reason)
    with _running(database_url, tmp_path) as found:
        database = Database(database_url)
        let_in(database, new_key("ES384"))
        database.close()
        pids, log = found.pids(), r"hub\.db(\.arrivals)?-wal>"
        if not database_url.startswith("sqlite"):
            pids += processes(request.getfixturevalue("postgresql"))
            log = r"pg_wal/[0-9A-F]{24}>"
        yield Traced(found, tmp_path / "trace", pids, log)


@contextmanager
def _running(url: str, folder: Path) -> Iterator[HubProcess]:
    (folder / "drop" / "in").mkdir(parents=True)
    (folder / "facilities.csv").write_text(stories.FACILITIES)
    (folder / "feeds.toml").write_text(FEEDS.format(name=FEED, path=folder / "drop"))
    more = {"HUB_FEEDS_FILE": str(folder / "feeds.toml"), "HUB_FILES_EVERY_SECONDS": "1"}
    with running(folder, url, **more) as hub:
        yield hub


def syncs_of(calls: Sequence[Call], log: str) -> list[Call]:
    """Syncs of a file that went well, in the order of their ends."""
    place = re.compile(log)
    return [call for call in calls if call.name in SYNCS and call.result == 0 and place.search(call.what)]


def synced_between(syncs: Sequence[Call], began: float, ended: float) -> bool:
    """Whether one began and returned in this time."""
    last = bisect_right(syncs, ended, key=lambda call: call.ended)
    return any(call.began >= began for call in reversed(syncs[max(0, last - AT_ONCE) : last]))


def named(calls: Sequence[Call], kinds: tuple[str, ...], mark: str) -> dict[str, list[Call]]:
    """The calls in which a name stands behind a mark, by the name."""
    found: dict[str, list[Call]] = {}
    for call in calls:
        if call.name in kinds:
            for name in set(re.findall(mark, call.what, re.IGNORECASE)):
                found.setdefault(name, []).append(call)
    return found


def unsynced(calls: Sequence[Call], syncs: Sequence[Call], asked: str, answered: str) -> dict[str, str]:
    """By name, what is wrong with the answer to a request; the marks stand before the names. The last who read the
    request before the answer counts: with PostgreSQL that is its server."""
    came, left = named(calls, IN, asked), named(calls, OUT, answered)
    wrong = {}
    for name, answers in left.items():
        before = [call.ended for call in came.get(name, ()) if call.ended < answers[0].began]
        if len(answers) != 1 or not before:
            wrong[name] = f"{len(before)} requests and {len(answers)} answers are seen"
        elif not synced_between(syncs, max(before), answers[0].began):
            wrong[name] = "answered without a sync"
    return wrong


@pytest.mark.parametrize(("left", "wrong"), [(1.4, {"T1E": "answered without a sync"}), (1.6, {})])
def test_an_answer_before_its_sync_is_seen(left: float, wrong: dict[str, str]) -> None:
    came = Call("recvfrom", 'socket, "MSH|^~|T1E|P|"', 9, 1.0, 1.1)
    synced = Call("fdatasync", "7</hub.db-wal>", 0, 1.2, 1.5)
    calls = [came, synced, Call("sendto", 'socket, "MSA|AA|T1E"', 9, left, left + 0.1)]
    assert unsynced(calls, syncs_of(calls, "hub.db-wal>"), *MLLP) == wrong
    assert unsynced(calls, syncs_of(calls, "other"), *MLLP) == {"T1E": "answered without a sync"}


@SQLITE_FIRST
@pytest.mark.parametrize("count", [20, pytest.param(1000, marks=pytest.mark.long)])
def test_what_is_answered_is_on_the_disk_before(hub: Traced, count: int) -> None:
    names = [f"T{number:05d}E" for number in range(count)]

    def work() -> None:
        _sends_a_file(hub.hub.folder / "drop")
        with requests.Session() as session:
            for name in [*names, "last"]:  # of the last one the tracer may not see the end
                said = send("127.0.0.1", hub.hub.mllp_port, stories.adt("A01", name, visit=f"V{name}").encode())
                assert acknowledged(said) == ("AA", name)
                assert _created(session, hub, name) == 201

    calls = hub.calls(work)
    syncs = syncs_of(calls, hub.log)
    for asked, answered in (MLLP, HTTP):
        assert set(names) <= named(calls, OUT, answered).keys()
        wrong = unsynced(calls, syncs, asked, answered)
        assert {name: why for name, why in wrong.items() if name in names} == {}
    _file_is_on_the_disk(hub, calls)
    print(f"{2 * count} answers and a file, each after a sync")


def _created(session: requests.Session, hub: Traced, name: str) -> int:
    """The request's id is in both the request and the answer."""
    return session.post(
        f"{hub.hub.fhir}/Basic",
        data=json.dumps({"resourceType": "Basic", "code": {"text": "invented"}}),
        headers={
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/fhir+json",
            "X-Request-Id": f"basic-{name}",
        },
        timeout=60,
    ).status_code


def _sends_a_file(drop: Path) -> None:
    draft = drop / "draft.csv"
    draft.write_bytes(content(*(ROW.format(number) for number in range(5))))
    draft.rename(drop / "in" / "status.csv")
    deadline = time.monotonic() + 60
    while not (drop / "archive" / "status.csv").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _file_is_on_the_disk(hub: Traced, calls: Sequence[Call]) -> None:
    """Its bytes are synced before the vault knows them, its rows before it lies in the archive."""
    moves = [call for call in calls if call.name.startswith("rename") and call.result == 0]
    taken = next(call.began for call in moves if "processing/status.csv" in call.what)
    kept = next(call.began for call in moves if "/files/" in call.what and "drop" not in call.what)
    archived = next(call.began for call in moves if "archive/status.csv" in call.what)
    assert synced_between(syncs_of(calls, "/files/"), taken, kept)
    assert synced_between(syncs_of(calls, hub.log), kept, archived)
