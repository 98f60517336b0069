"""A file that is fetched holds up nobody: it comes piece by piece, in a thread of its own, within a time."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.bulk import arriving, jobs
from hub.bulk.fetching import PIECE, CannotFetch, Fetching
from hub.bulk.lines import LONGEST
from hub.store.engine import Database
from hub.store.tables_bulk import bulk_job, bulk_part
from tests.hub.asking import BASE, patient
from tests.hub.bulk.bulk_world import Bulk, bulk_hub, ndjson
from tests.hub.sighted import caller
from tests.waiting import until

PATIENCE_SECONDS = 60
ASYNC = {"Prefer": "respond-async"}


class Host:
    """A file server that sends what `sends` yields, and a length where it has one."""

    def __init__(self) -> None:
        self.sends: Callable[[str], Iterator[bytes]] = lambda path: iter(())
        self.length = 0
        mine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                if mine.length:
                    self.send_header("Content-Length", str(mine.length))
                self.end_headers()
                try:
                    for piece in mine.sends(self.path):
                        self.wfile.write(piece)
                        self.wfile.flush()
                except OSError:
                    mine.left.set()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.left = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.name = f"127.0.0.1:{self.server.server_address[1]}"

    def url(self, path: str = "file") -> str:
        return f"http://{self.name}/{path}"


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.server.shutdown()


def drops(_: str) -> Iterator[bytes]:
    while True:
        yield b"\n"
        time.sleep(0.05)


def test_a_host_that_sends_drop_by_drop_is_given_up(host: Host) -> None:
    host.sends = drops
    with pytest.raises(CannotFetch, match="too slow"):
        list(Fetching((host.name,), 1 << 20, idle=1)(host.url()))


def test_a_host_that_sends_nothing_is_given_up(host: Host) -> None:
    held = threading.Event()
    host.sends = lambda _: iter([b"{}\n"] if held.wait(PATIENCE_SECONDS) else [])
    with pytest.raises(CannotFetch, match=r"broke off|does not answer"):
        list(Fetching((host.name,), 1 << 20, idle=0.5)(host.url()))
    held.set()


def test_a_file_has_a_time_for_all_of_it(host: Host) -> None:
    host.sends = drops
    with pytest.raises(CannotFetch, match="broke off"):
        list(Fetching((host.name,), 1 << 20, seconds=1, pace=0)(host.url()))


def test_a_large_file_is_never_whole_in_memory(host: Host) -> None:
    line = b"x" * 1000 + b"\n"
    host.sends = lambda _: iter([line * 1000] * 20)
    sizes = [len(piece) for piece in Fetching((host.name,), 1 << 30)(host.url())]
    assert sum(sizes) == len(line) * 20_000
    assert max(sizes) < 2 * PIECE


def test_a_line_that_does_not_end_is_not_kept(host: Host) -> None:
    host.sends = lambda _: iter([b"x" * PIECE] * ((LONGEST // PIECE) + 20))
    with pytest.raises(CannotFetch, match="a line of more than"):
        list(Fetching((host.name,), 1 << 30)(host.url()))


def began(bulk: Bulk, url: str, who: str = "all") -> str:
    given = [{"name": "input", "part": [{"name": "url", "valueUrl": url}]}]
    answer = bulk.as_(who).post("/$import", {"resourceType": "Parameters", "parameter": given}, **ASYNC)
    assert answer.status_code == 202, answer.text
    return answer.headers["Content-Location"].removeprefix(BASE)


def apart(database: Database, host: Host, **parts: Any) -> Bulk:
    """Fetches run in threads, as they do in a hub."""
    return bulk_hub(
        database,
        {"harbor": caller(), "other": caller("other")},
        hosts=(host.name,),
        fetch=Fetching((host.name,), 1 << 30, **parts),
        start=arriving.in_thread,
    )


def state(bulk: Bulk, job: str) -> str:
    with bulk.desk.database.read() as connection:
        asked = select(bulk_job.c.state).where(bulk_job.c.id == job.rpartition("/")[2])
        return str(connection.execute(asked).scalar_one())


def is_done(bulk: Bulk, job: str) -> bool:
    bulk.work()
    return state(bulk, job) == jobs.DONE


def test_other_jobs_go_on_while_a_host_is_slow(swept: Database, host: Host) -> None:
    bulk, held = apart(swept, host), threading.Event()

    def slowly(path: str) -> Iterator[bytes]:
        yield ndjson(patient("ann"))
        assert held.wait(PATIENCE_SECONDS)
        yield ndjson(patient("ben"))

    host.sends = slowly
    slow = began(bulk, host.url())
    bulk.work()
    assert state(bulk, slow) == jobs.WAITING
    quick = bulk.kick("/$export", "harbor")
    bulk.work()
    assert state(bulk, quick) == jobs.DONE
    assert state(bulk, slow) == jobs.WAITING
    held.set()
    until(lambda: is_done(bulk, slow))
    assert bulk.manifest(slow)["output"] == [{"type": "Patient", "count": 2, "extension": {"created": 2}}]


def test_nothing_is_imported_of_a_file_that_is_not_whole(swept: Database, host: Host) -> None:
    bulk, held = apart(swept, host), threading.Event()
    whole = ndjson(*(patient(f"p{n}", name=[{"text": "x" * 1000}]) for n in range(2000)))
    assert len(whole) > PIECE
    host.length = len(whole) + 1

    def sends(_: str) -> Iterator[bytes]:
        yield whole
        held.wait(PATIENCE_SECONDS)

    host.sends = sends
    job = began(bulk, host.url())
    bulk.work()
    until(lambda: parts(bulk) > 0)  # some of it is here
    bulk.work()
    assert bulk.api.found("/Patient?_count=1") == []
    held.set()
    until(lambda: parts(bulk) == 0)  # and goes where the rest does not come
    assert state(bulk, job) == jobs.WAITING
    assert bulk.api.found("/Patient?_count=1") == []


def parts(bulk: Bulk) -> int:
    with bulk.desk.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(bulk_part)).scalar_one())


def test_of_one_client_one_file_is_fetched_at_a_time(swept: Database, host: Host) -> None:
    bulk, held, asked = apart(swept, host), threading.Event(), []

    def sends(path: str) -> Iterator[bytes]:
        asked.append(path)
        held.wait(PATIENCE_SECONDS)
        yield b""

    host.sends = sends
    first, second = (began(bulk, host.url(path), "harbor") for path in ("one", "two"))
    began(bulk, host.url("three"), "other")
    bulk.work()
    until(lambda: len(asked) == 2)
    assert sorted(asked) in (["/one", "/three"], ["/three", "/two"])
    held.set()
    until(lambda: is_done(bulk, first) and is_done(bulk, second))
    assert len(asked) == 3


def test_a_job_that_is_deleted_meanwhile_keeps_nothing(swept: Database, host: Host) -> None:
    bulk, held, came = apart(swept, host), threading.Event(), threading.Event()

    def sends(_: str) -> Iterator[bytes]:
        came.set()
        held.wait(PATIENCE_SECONDS)
        while True:
            yield b"x" * 1000 + b"\n"

    host.sends = sends
    job = began(bulk, host.url())
    bulk.work()
    assert came.wait(PATIENCE_SECONDS)
    assert bulk.api.delete(job).status_code == 202
    held.set()
    assert host.left.wait(PATIENCE_SECONDS)  # nobody reads on
    assert bulk.rows() == 0


def test_an_empty_file_is_a_file(swept: Database, host: Host) -> None:
    bulk = apart(swept, host)
    job = began(bulk, host.url())
    until(lambda: is_done(bulk, job))
    told = bulk.manifest(job)
    assert (told["output"], told["error"]) == ([], [])
