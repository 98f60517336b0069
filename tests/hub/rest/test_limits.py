"""Rate limits and quotas: what a client may ask for, how often a stranger may guess, and what every answer says."""

import json
import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from hub.problems import Problem
from hub.rest.limits import COUNTED, DAY, NANO, Found, Pace, Rates, Throttle, counted, taken
from hub.rest.peers import Peers, networks
from hub.rest.slots import SIZE, WAYS, Slots
from tests.hub.asking import Api, app_of, patient, refused

KEY = b"a key of the tests, of 32 letters"
START = 20_000 * DAY * NANO


class Hand:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> int:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += int(seconds * NANO)


@pytest.fixture
def clock() -> Hand:
    return Hand()


def throttle(clock: Hand, folder: Path | None = None, **rates: int) -> Throttle:
    return Throttle(Rates(**rates), folder, KEY, Peers(networks(["127.0.0.0/8"])), clock)


def limited(api: Api, clock: Hand, folder: Path | None = None, **rates: int) -> Api:
    return Api(app_of(api.database, throttle=throttle(clock, folder, **rates)), api.database)


def statuses(api: Api, count: int, path: str = "/Patient/1", **headers: str) -> list[int]:
    return [api.get(path, **headers).status_code for _ in range(count)]


def throttled(answer: TestResponse, wait: int) -> None:
    refused(answer, 429, "throttled")
    assert answer.headers["Retry-After"] == str(wait)


def test_a_client_past_its_burst_is_told_to_wait_and_others_are_not(api: Api, clock: Hand) -> None:
    api.have(patient("1"))
    hub = limited(api, clock, per_second=2, burst=5)
    assert statuses(hub, 6) == [200] * 5 + [429]
    throttled(hub.get("/Patient/1"), 1)
    throttled(hub.post("/Patient", patient()), 1)
    assert statuses(hub.as_("other"), 1) == [200]
    clock.move(0.5)
    assert statuses(hub, 2) == [200, 429]
    clock.move(3600)
    assert statuses(hub, 6) == [200] * 5 + [429]


def test_answers_say_what_is_left(api: Api, clock: Hand) -> None:
    """draft-ietf-httpapi-ratelimit-headers-11: a policy with its quota and window, and what remains of it."""
    api.have(patient("1"))
    hub = limited(api, clock, per_second=2, burst=5, a_day=100)
    clock.move(60)
    for left, path in ((4, "/Patient/1"), (3, "/Patient/2")):
        answer = hub.get(path)
        assert answer.headers["RateLimit-Policy"] == '"burst";q=5;w=3, "day";q=100;w=86400'
        full = {4: 1, 3: 1}[left]
        assert answer.headers["RateLimit"] == f'"burst";r={left};t={full}, "day";r={left + 95};t={DAY - 60}'
    assert "RateLimit" not in api.get("/Patient/1").headers


def test_a_day_has_its_quota(api: Api, clock: Hand, tmp_path: Path) -> None:
    api.have(patient("1"))
    hub = limited(api, clock, tmp_path, a_day=3)
    clock.move(DAY - 10)
    assert statuses(hub, 4) == [200, 200, 200, 429]
    throttled(hub.get("/Patient/1"), 10)
    again = limited(api, clock, tmp_path, a_day=3)  # a process that was started anew
    throttled(again.get("/Patient/1"), 10)
    clock.move(10)
    assert statuses(hub, 4) == [200, 200, 200, 429]


def test_without_limits_nobody_is_held_up(api: Api, clock: Hand) -> None:
    api.have(patient("1"))
    assert set(statuses(limited(api, clock), 50)) == {200}


def test_wrong_tokens_are_counted_by_address_and_a_good_one_still_counts(api: Api, clock: Hand) -> None:
    api.have(patient("1"))
    hub = limited(api, clock, failures_a_minute=6)
    wrong = f"Bearer {'x' * 43}"
    assert statuses(hub, 8, Authorization=wrong) == [401] * 6 + [429] * 2
    throttled(hub.get("/Patient/1", Authorization=wrong), 10)
    assert statuses(hub, 1) == [200]
    assert statuses(hub, 1, Authorization="") == [401]  # it guessed nothing
    assert statuses(hub, 1, Authorization=wrong, X_Forwarded_For="198.51.100.7") == [401]
    clock.move(10)
    assert statuses(hub, 2, Authorization=wrong) == [401, 429]


def test_what_is_open_is_limited_by_address(api: Api, clock: Hand) -> None:
    hub = limited(api, clock, per_second=1, burst=3)
    assert statuses(hub, 4, "/metadata", Authorization="") == [200] * 3 + [429]
    assert statuses(hub, 1, "/metadata", Authorization="", X_Forwarded_For="198.51.100.7") == [200]


# what the connection and the header say, and the address that counts
ADDRESSES: dict[str, tuple[str, str, str]] = {
    "no proxy": ("198.51.100.7", "", "198.51.100.7"),
    "a stranger says what it likes": ("198.51.100.7", "192.0.2.1", "198.51.100.7"),
    "the proxy": ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
    "what stands left of it is not believed": ("127.0.0.1", "10.9.9.9, 192.0.2.1", "192.0.2.1"),
    "two proxies": ("127.0.0.1", "192.0.2.1, 127.0.0.2", "192.0.2.1"),
    "a port": ("127.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
    "IPv6": ("127.0.0.1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
    "IPv6 with a port": ("127.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
    "IPv4 in IPv6": ("::ffff:198.51.100.7", "", "198.51.100.7"),
    "nothing that can be read": ("127.0.0.1", "unknown", "127.0.0.1"),
    "only proxies": ("127.0.0.1", "127.0.0.3", "127.0.0.3"),
    "no address": ("", "192.0.2.1", "unknown"),
}


@pytest.mark.parametrize(("remote", "forwarded", "counts"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_address_that_counts_is_what_a_trusted_proxy_saw(remote: str, forwarded: str, counts: str) -> None:
    peers = Peers(networks(["127.0.0.0/8"]))
    assert peers.of({"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}) == counts


def test_a_thousand_hops_are_not_walked() -> None:
    forwarded = "192.0.2.1, " + "127.0.0.1, " * 100_000 + "127.0.0.1"
    begin = time.process_time()
    assert Peers().of({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": forwarded}) == "127.0.0.1"
    assert time.process_time() - begin < 0.5


def _ask(folder: str, asked: int, answers: Any) -> None:
    hand = Hand()
    mine = throttle(hand, Path(folder), per_second=1, burst=1000, a_day=900)
    got = 0
    for _ in range(asked):
        try:
            mine.take("client", {})
            got += 1
        except Problem:
            pass
    answers.put(got)


@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_processes_and_threads_count_together_and_exactly(tmp_path: Path, kind: str) -> None:
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    make: Any = context.Process if kind == "processes" else threading.Thread
    asking = [make(target=_ask, args=(str(tmp_path), 500, answers)) for _ in range(4)]
    for each in asking:
        each.start()
    assert sum(answers.get(timeout=20) for _ in asking) == 900
    for each in asking:
        each.join()


def test_a_bucket_gives_what_its_rate_says_over_any_time() -> None:
    pace, full_at, given = Pace(10, 20), 0, 0
    for tick in range(3000):  # asked every 10 ms, for 30 s
        found = Found()
        full_at = taken(full_at, START + tick * NANO // 100, pace, 1, found)
        given += not found.wait
    assert given == pytest.approx(20 + 300, abs=2)


@pytest.mark.parametrize("full_at", [0, START - NANO, START + DAY * NANO, 2**62])
def test_a_moment_that_no_bucket_can_have_counts_as_full(full_at: int) -> None:
    found = Found()
    taken(full_at, START, Pace(1, 5), 1, found)
    assert (found.left, found.wait) == (4, 0)


def test_another_day_begins_at_nothing() -> None:
    found = Found()
    assert counted(7 << COUNTED | 99, 8, 10, found) == 8 << COUNTED | 1
    assert (found.left, found.wait) == (9, 0)


def test_a_full_set_makes_room_where_least_is_lost() -> None:
    slots = Slots(None, KEY)
    seen: list[int] = []
    for number in range(20_000):
        slots.change(f"name {number}", lambda held, number=number: held or number + 1)
    for number in range(20_000 - WAYS, 20_000):
        slots.change(f"name {number}", lambda held: seen.append(held) or held)  # type: ignore[func-returns-value]
    assert seen == list(range(20_001 - WAYS, 20_001))


def test_where_the_file_cannot_be_had_each_process_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").mkdir()
    slots = Slots(tmp_path / "taken", KEY)
    slots.change("a", lambda held: held + 7)
    seen: list[int] = []
    slots.change("a", lambda held: seen.append(held) or held)  # type: ignore[func-returns-value]
    assert seen == [7]
    assert "each process" in caplog.text


def test_the_shared_file_is_its_owners_and_whole(tmp_path: Path) -> None:
    Slots(tmp_path / "limits", KEY)
    assert (tmp_path / "limits").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "limits").stat().st_size == SIZE


def test_a_request_costs_little(tmp_path: Path) -> None:
    mine = Throttle(Rates(1_000_000, 1_000_000, 0, 60), tmp_path, KEY, Peers())
    begin = time.process_time()
    for _ in range(10_000):
        mine.take("client", {})
    assert (time.process_time() - begin) / 10_000 < 40e-6  # 5 µs on a machine that does nothing else


def test_neither_clients_nor_addresses_stand_in_the_files(tmp_path: Path, clock: Hand) -> None:
    mine = throttle(clock, tmp_path, per_second=1, burst=5, a_day=9, failures_a_minute=9)
    mine.take("ZQCANARY", {})
    mine.failed({"REMOTE_ADDR": "198.51.100.7"})
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ZQCANARY" not in held
    assert b"198.51.100.7" not in held
    assert any(held)


PROTECTIVE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Strict-Transport-Security": "max-age=63072000",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/Patient/1"),
        ("GET", "/Patient?name=x"),
        ("GET", "/Patient/none"),
        ("GET", "/Patiant/1"),
        ("GET", "/no/such/way/at/all"),
        ("BREW", "/Patient/1"),
        ("POST", "/Patient"),
        ("GET", "/_history"),
        ("GET", "/metadata"),
    ],
)
def test_every_answer_protects_what_it_holds(api: Api, method: str, path: str) -> None:
    api.have(patient("1"))
    answer = api.ask(method, path)
    assert {name: answer.headers.get(name) for name in PROTECTIVE} == PROTECTIVE
    assert answer.headers["Cache-Control"] == ("no-cache" if path == "/metadata" else "no-store")
    assert len(answer.headers.getlist("Cache-Control")) == 1
    if path.startswith("/Patient"):
        assert "Authorization" in answer.headers["Vary"]


def test_a_client_that_keeps_what_it_read_is_still_told_that_it_is_current(api: Api) -> None:
    api.have(patient("1"))
    answer = api.get("/Patient/1", If_None_Match='W/"1"')
    assert (answer.status_code, answer.headers["Cache-Control"]) == (304, "no-store")


def test_a_refusal_of_a_limit_is_fhir_in_the_clients_format(api: Api, clock: Hand) -> None:
    hub = limited(api, clock, per_second=1, burst=1)
    statuses(hub, 1)
    answer = hub.get("/Patient/1", Accept="application/fhir+xml")
    assert answer.status_code == 429
    assert b'<code value="throttled"/>' in answer.data
    assert json.loads(hub.get("/Patient/1").data)["issue"][0]["code"] == "throttled"
