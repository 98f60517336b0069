"""A websocket, bound with a token by a client that nobody here wrote, is told what its client may see."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hub import clock
from hub.access import Access
from hub.fhir import xml
from hub.notifications import attempts, binding, sockets
from hub.notifications.binding import Bound
from hub.notifications.events import Event
from hub.notifications.sockets import Sockets
from hub.notifications.subscriptions import Subscription
from hub.notifications.telling import Place, Said, Teller
from hub.sight import ALL
from tests.hub.notifications.conftest import BASE, CLIENT, KEY, SmallHub, wanted

OWNER = "client-lantern"
PATIENCE = 20


@pytest.fixture
def clients() -> dict[str, Access]:
    """Who is a client now."""
    return {OWNER: CLIENT, "client-harbor": Access("client-harbor", CLIENT.grants, sight=ALL)}


@pytest.fixture
def listening(hub: SmallHub, clients: dict[str, Access]) -> Iterator[Sockets]:
    hub.put(wanted("", channel="websocket"))
    hub.wait(milliseconds=5)
    hub.drive()
    teller = Teller(hub.database, hub.look, clients.get, BASE, now=hub.now)
    made = Sockets("127.0.0.1", 0, KEY, teller, hub.now)
    made.start()
    yield made
    made.stop()


def token(hub: SmallHub, client: str = OWNER, *names: str) -> str:
    return binding.token(KEY, client, names or ("sub-1",), clock.micros(hub.now())).token


def talk(listening: Sockets, said: Callable[[ClientConnection], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        async with connect(f"ws://127.0.0.1:{listening.port}/") as socket:
            return await said(socket)

    return asyncio.run(asyncio.wait_for(whole(), PATIENCE))


async def heard(socket: ClientConnection) -> dict[str, Any]:
    bundle = json.loads(await socket.recv())
    found = {p["name"]: p for p in bundle["entry"][0]["resource"]["parameter"]}
    return {
        "type": found["type"]["valueCode"],
        "events": found["events-since-subscription-start"]["valueString"],
        "focus": [entry["fullUrl"].rpartition("/")[2] for entry in bundle["entry"][1:]],
    }


def bound(text: str) -> str:
    return f"bind-with-token {text}"


def test_a_bound_websocket_is_greeted_and_told_each_event_in_order(hub: SmallHub, listening: Sockets) -> None:
    hub.admit("enc-0")
    hub.drive()

    async def said(socket: ClientConnection) -> list[dict[str, Any]]:
        await socket.send(bound(token(hub)))
        found = [await heard(socket)]
        for number in (1, 2):
            hub.admit(f"enc-{number}")
        await asyncio.to_thread(hub.drive)
        return [*found, await heard(socket), await heard(socket)]

    assert talk(listening, said) == [
        {"type": "handshake", "events": "1", "focus": []},
        {"type": "event-notification", "events": "2", "focus": ["enc-1"]},
        {"type": "event-notification", "events": "3", "focus": ["enc-2"]},
    ]
    assert hub.rows("waiting") == []


def test_what_the_client_may_not_see_any_more_is_not_told(
    hub: SmallHub, clients: dict[str, Access], listening: Sockets
) -> None:
    async def said(socket: ClientConnection) -> dict[str, Any]:
        await socket.send(bound(token(hub)))
        await heard(socket)
        for name in ("enc-hidden", "enc-seen"):
            hub.admit(name)
        await asyncio.to_thread(hub.drive)
        return await heard(socket)

    def look(owner: str, event: Event) -> dict[str, Any] | None:
        return None if event.id == "enc-hidden" else hub.look(owner, event)

    listening.teller = replace(listening.teller, look=look)
    assert talk(listening, said) == {"type": "event-notification", "events": "2", "focus": ["enc-seen"]}


@pytest.mark.parametrize("first", ["", "hello", "bind-with-token", "bind-with-token x", b"bind-with-token x"])
def test_without_a_good_token_it_is_closed(listening: Sockets, first: str | bytes) -> None:
    async def said(socket: ClientConnection) -> int | None:
        await socket.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        return closed.value.rcvd.code if closed.value.rcvd else None

    assert talk(listening, said) == sockets.POLICY


def test_who_says_nothing_is_closed(listening: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "BIND_SECONDS", 0.1)

    async def said(socket: ClientConnection) -> None:
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    talk(listening, said)


def test_a_token_binds_once(hub: SmallHub, listening: Sockets) -> None:
    text = token(hub)

    async def first(socket: ClientConnection) -> str:
        await socket.send(bound(text))
        return (await heard(socket))["type"]

    async def second(socket: ClientConnection) -> None:
        await socket.send(bound(text))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert talk(listening, first) == "handshake"
    talk(listening, second)


def test_another_clients_subscription_is_not_told(hub: SmallHub, listening: Sockets) -> None:
    async def said(socket: ClientConnection) -> None:
        await socket.send(bound(token(hub, "client-harbor")))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    talk(listening, said)


@pytest.mark.parametrize("lost", ["off", "client"])
def test_it_ends_when_the_subscription_or_the_client_does(
    hub: SmallHub, listening: Sockets, clients: dict[str, Access], lost: str
) -> None:
    async def said(socket: ClientConnection) -> None:
        await socket.send(bound(token(hub)))
        await heard(socket)
        if lost == "off":
            hub.put(wanted("", channel="websocket", status="off"))
        else:
            del clients[OWNER]
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    talk(listening, said)


def test_a_websocket_is_told_in_the_format_and_by_the_heartbeat_that_it_asked_for(
    hub: SmallHub, listening: Sockets
) -> None:
    xml_too = wanted("", "sub-2", channel="websocket", payload="application/fhir+xml", heartbeat=10)
    hub.put(xml_too)
    hub.wait(milliseconds=5)
    hub.drive()

    async def said(socket: ClientConnection) -> list[Any]:
        await socket.send(bound(token(hub, OWNER, "sub-2")))
        first = xml.read(str(await socket.recv()).encode())
        hub.wait(seconds=11)
        second = xml.read(str(await socket.recv()).encode())
        return [p["valueCode"] for one in (first, second) for p in _status(one) if p["name"] == "type"]

    assert talk(listening, said) == ["handshake", "heartbeat"]


def _status(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bundle["entry"][0]["resource"]["parameter"]
    return found


def test_what_leaves_is_recorded_before_and_logged_afterwards(hub: SmallHub, listening: Sockets) -> None:
    recorded: list[tuple[str, str, str]] = []

    def tell(asked: Subscription, owner: str, event: Event | None) -> None:
        recorded.append((asked.id, owner, event.id if event else ""))

    listening.teller = replace(listening.teller, tell=tell)

    async def said(socket: ClientConnection) -> None:
        await socket.send(bound(token(hub)))
        await heard(socket)
        hub.admit("enc-1")
        await asyncio.to_thread(hub.drive)
        await heard(socket)

    talk(listening, said)
    assert recorded == [("sub-1", OWNER, ""), ("sub-1", OWNER, "enc-1")]
    with hub.database.read() as connection:
        told = [(one.kind, one.first, one.outcome) for one in attempts.listed(connection, "sub-1", 9)]
    assert told == [("notice", 1, "sent"), ("handshake", 0, "sent")]


def test_what_cannot_be_recorded_does_not_leave(hub: SmallHub, listening: Sockets) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("out of order")

    listening.teller = replace(listening.teller, tell=broken)

    async def said(socket: ClientConnection) -> None:
        await socket.send(bound(token(hub)))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    talk(listening, said)


def test_a_slow_websocket_delays_no_other(hub: SmallHub, listening: Sockets) -> None:
    """One is bound and never reads; the other is told all the same."""

    async def whole() -> list[str]:
        url = f"ws://127.0.0.1:{listening.port}/"
        async with connect(url, max_queue=1) as slow, connect(url) as quick:
            await slow.send(bound(token(hub)))
            await quick.send(bound(token(hub)))
            await heard(quick)
            for number in range(5):
                hub.admit(f"enc-{number}")
            await asyncio.to_thread(hub.drive)
            return [(await heard(quick))["focus"][0] for _ in range(5)]

    assert asyncio.run(asyncio.wait_for(whole(), PATIENCE)) == [f"enc-{n}" for n in range(5)]


class Counting(Teller):
    """Counts what it asks the database for."""

    looks: ClassVar[list[int]] = []
    follows: ClassVar[list[str]] = []

    def newest(self, subscriptions: Sequence[str]) -> Mapping[str, int]:
        self.looks.append(len(subscriptions))
        return super().newest(subscriptions)

    def follow(self, bound: Bound, places: Mapping[str, Place]) -> Said:
        self.follows.append(bound.client)
        return super().follow(bound, places)


def test_websockets_that_wait_share_one_look_at_the_database(
    hub: SmallHub, listening: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "CHECK_SECONDS", 600)
    Counting.looks, Counting.follows = [], []
    before = listening.teller
    listening.teller = Counting(before.database, before.look, before.access_of, BASE, now=hub.now)

    async def whole() -> list[str]:
        url = f"ws://127.0.0.1:{listening.port}/"
        async with connect(url) as one, connect(url) as two, connect(url) as three:
            for socket in (one, two, three):
                await socket.send(bound(token(hub)))
                await heard(socket)
            Counting.looks.clear()
            while len(Counting.looks) < 5:
                await asyncio.sleep(0.05)
            assert Counting.follows == []
            assert set(Counting.looks) == {1}
            hub.admit("enc-1")
            await asyncio.to_thread(hub.drive)
            return [(await heard(socket))["focus"][0] for socket in (one, two, three)]

    assert asyncio.run(asyncio.wait_for(whole(), PATIENCE)) == ["enc-1"] * 3
