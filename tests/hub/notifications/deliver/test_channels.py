"""Formats, several events in one notice, heartbeats, mail: what a Subscription asks of its channel."""

import email
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from hub import clock, outbox
from hub.fhir import xml
from hub.notifications import attempts, heartbeats
from hub.notifications.mail import Relay, message
from hub.notifications.outgoing import Outgoing
from hub.notifications.subscriptions import Served, issues, subscription
from hub.problems import CannotStart
from hub.settings import read_settings
from tests.hub.notifications.conftest import BASE, Received, SmallHub, wanted
from tests.hub.notifications.deliver.conftest import notices, status_of, verified


def numbers(got: Received) -> list[str]:
    """Of the events in one notice, in order."""
    told = [p for p in got.bundle["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event"]
    return [part["valueString"] for one in told for part in one["part"] if part["name"] == "event-number"]


@pytest.mark.parametrize("payload", ["application/fhir+xml", "application/fhir+xml; fhirVersion=4.0"])
def test_a_subscription_in_xml_is_told_in_xml(hub: SmallHub, payload: str) -> None:
    hub.receiver.status = 200
    hub.put(wanted(hub.receiver.url, payload=payload, content="full-resource"))
    hub.wait(milliseconds=5)
    hub.drive()
    hub.admit()
    hub.drive()
    handshake, notice = hub.receiver.received
    for got in (handshake, notice):
        assert got.headers["content-type"] == payload
        assert xml.read(got.body)["type"] == "history"
    assert b"enc-1" in notice.body


def test_max_count_tells_several_events_at_once_and_no_more(hub: SmallHub) -> None:
    hub.subscribe(most=3)
    hub.receiver.status = 503
    for number in range(1, 8):
        hub.admit(f"enc-{number}")
    hub.drive()
    hub.receiver.received.clear()
    hub.receiver.status = 200
    hub.wait(minutes=1)
    hub.drive()
    told = notices(hub)
    assert [numbers(got) for got in told] == [["1", "2", "3"], ["4", "5", "6"], ["7"]]
    assert [got.parameters["events-since-subscription-start"] for got in told] == ["3", "6", "7"]
    assert [len(got.bundle["entry"]) for got in told] == [4, 4, 2]
    assert len({got.headers["webhook-id"] for got in told}) == 3
    assert len(hub.rows("done")) == 7
    assert hub.rows("waiting") == []


def test_without_max_count_each_event_has_a_notice(hub: SmallHub) -> None:
    hub.subscribe()
    for number in range(1, 4):
        hub.admit(f"enc-{number}")
    hub.drive()
    assert [numbers(got) for got in notices(hub)] == [["1"], ["2"], ["3"]]


def test_what_may_not_be_seen_any_more_is_left_out_of_a_notice_of_several(hub: SmallHub) -> None:
    hub.subscribe(most=5)
    for number in range(1, 4):
        hub.admit(f"enc-{number}")
    hub.drive("event")
    shown = hub.look
    hidden = replace(hub.deliveries, look=lambda owner, event: None if event.id == "enc-2" else shown(owner, event))
    hub.handlers |= hidden.handlers()
    hub.drive()
    (got,) = notices(hub)
    assert numbers(got) == ["1", "3"]
    assert b"enc-2" not in got.body
    assert hub.rows("waiting") == []


def test_a_message_of_other_events_has_another_id(hub: SmallHub) -> None:
    """Else a receiver that knows the first one would drop what the second one adds."""
    hub.subscribe(most=5)
    hub.receiver.answers = [503]
    hub.admit("enc-1")
    hub.drive()
    hub.admit("enc-2")
    hub.wait(seconds=2)
    hub.drive()
    first, second = notices(hub)
    assert (numbers(first), numbers(second)) == (["1"], ["1", "2"])
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


def beat(hub: SmallHub) -> None:
    heartbeats.beat(hub.database, BASE, clock.micros(hub.now()))
    hub.drive()


def beats(hub: SmallHub) -> list[Received]:
    return [got for got in hub.receiver.received if got.parameters["type"] == "heartbeat"]


def test_a_heartbeat_comes_once_each_period_with_the_same_count_of_events(hub: SmallHub) -> None:
    hub.subscribe(heartbeat=60)
    hub.admit()
    hub.drive()
    for _ in range(20):
        hub.wait(seconds=10)
        beat(hub)
    told = beats(hub)
    assert len(told) == 3
    assert {got.parameters["events-since-subscription-start"] for got in told} == {"1"}
    assert all(len(got.bundle["entry"]) == 1 and verified(got) for got in told)


def test_without_a_period_and_after_its_end_there_is_no_heartbeat(hub: SmallHub) -> None:
    hub.subscribe("sub-none")
    hub.subscribe("sub-ended", heartbeat=60, end=clock.instant(clock.micros(hub.now()) + 30_000_000))
    hub.subscribe("sub-off", heartbeat=60)
    hub.put(wanted(hub.receiver.url, "sub-off", heartbeat=60, status="off"))
    hub.wait(minutes=10)
    beat(hub)
    assert beats(hub) == []


def test_a_heartbeat_that_fails_is_not_tried_again_and_not_piled_up(hub: SmallHub) -> None:
    hub.subscribe(heartbeat=60)
    hub.receiver.status = 503
    for _ in range(12):
        hub.wait(seconds=10)
        beat(hub)
    assert len(beats(hub)) == 2
    assert hub.rows("waiting", "heartbeat") == []
    with hub.database.read() as connection:
        kinds = [(one.kind, one.outcome, one.status) for one in attempts.listed(connection, "sub-1", 9)]
    assert kinds == [("heartbeat", "failed", 503)] * 2 + [("handshake", "sent", 0)]


def test_right_after_the_handshake_there_is_no_heartbeat(hub: SmallHub) -> None:
    hub.subscribe(heartbeat=60)
    beat(hub)
    assert beats(hub) == []


def test_a_heartbeat_that_waits_is_not_followed_by_another(hub: SmallHub) -> None:
    """Else they pile up where a receiver holds its line."""
    hub.subscribe(heartbeat=60)
    for _ in range(4):
        hub.wait(seconds=61)
        heartbeats.beat(hub.database, BASE, clock.micros(hub.now()))
    assert len(hub.rows("waiting", "heartbeat")) == 1


def test_workers_that_look_in_one_second_add_one_heartbeat(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.subscribe(heartbeat=60)
    hub.subscribe("sub-2", heartbeat=60)
    hub.wait(seconds=61)
    now = clock.micros(hub.now())
    monkeypatch.setattr(heartbeats, "_busy", lambda *_: {"sub-2"})
    assert heartbeats.beat(hub.database, BASE, now)
    # the second looked before the first wrote: it knows of no row
    monkeypatch.setattr(heartbeats, "_busy", lambda *_: set())
    monkeypatch.setattr(heartbeats, "_not_there", lambda _, rows: rows)
    assert heartbeats.beat(hub.database, BASE, now)
    assert not heartbeats.beat(hub.database, BASE, now)
    assert len(hub.rows("waiting", "heartbeat")) == 2


@dataclass
class Mailroom:
    """A relay in this process: what it took, and what it answers to a recipient."""

    port: int = 0
    taken: list[Message] = field(default_factory=list)
    answer: str = "250 yes"


class _Relay(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        room: Mailroom = self.server.room  # type: ignore[attr-defined]
        self._say("220 relay.invalid")
        data: list[bytes] = []
        while line := self.rfile.readline():
            word = line.strip().upper()[:4]
            if word == b"DATA":
                self._say("354 go on")
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    data.append(part)
                room.taken.append(email.message_from_bytes(b"".join(data)))
                self._say("250 kept")
            elif word == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say(room.answer if word == b"RCPT" else "250 yes")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@pytest.fixture
def room() -> Iterator[Mailroom]:
    made = Mailroom()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Relay) as server:
        server.daemon_threads = True
        server.room = made  # type: ignore[attr-defined]
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        server.shutdown()


def mailing(hub: SmallHub, room: Mailroom, tls: str = "none") -> None:
    relay = Relay("127.0.0.1", room.port, "hub@county.example", tls)
    hub.deliveries = replace(hub.deliveries, relay=relay)
    hub.handlers |= hub.deliveries.handlers()


MAILBOX = "mailto:care@partner.example"


def test_a_notice_by_mail_names_nobody_but_in_its_attachment(hub: SmallHub, room: Mailroom) -> None:
    mailing(hub, room)
    hub.put(wanted(MAILBOX, channel="email"))
    hub.wait(milliseconds=5)
    hub.drive()
    assert status_of(hub) == "active"
    hub.admit()
    hub.drive()
    handshake, notice = room.taken
    assert (notice["To"], notice["From"]) == ("care@partner.example", "hub@county.example")
    text, attached = notice.get_payload()  # type: ignore[misc]
    assert attached.get_content_type() == "application/fhir+json"
    assert b"Encounter/enc-1" in attached.get_payload(decode=True)
    assert "enc-1" not in text.get_payload() + str(notice["Subject"])
    assert b"pat-1" not in notice.as_bytes()
    assert notice["Message-ID"] != handshake["Message-ID"]


def test_a_mailbox_that_the_relay_refuses_for_good_ends_the_handshake(hub: SmallHub, room: Mailroom) -> None:
    mailing(hub, room)
    room.answer = "550 nobody here"
    hub.put(wanted(MAILBOX, channel="email"))
    hub.wait(milliseconds=5)
    hub.drive()
    assert status_of(hub) == "error"
    assert hub.get("Subscription", "sub-1")["error"] == "Handshake failed: The relay answered 550"
    assert room.taken == []


def test_a_relay_without_tls_gets_nothing_where_tls_is_wanted(hub: SmallHub, room: Mailroom) -> None:
    mailing(hub, room, tls="starttls")
    hub.put(wanted(MAILBOX, channel="email"))
    hub.wait(milliseconds=5)
    hub.drive()
    assert room.taken == []
    assert status_of(hub) == "requested"


def test_without_a_relay_nothing_is_sent_and_it_is_said(hub: SmallHub) -> None:
    hub.put(wanted(MAILBOX, channel="email"))
    hub.wait(milliseconds=5)
    hub.drive()
    with hub.database.read() as connection:
        (tried,) = attempts.listed(connection, "sub-1", 5)
    assert (tried.outcome, tried.reason) == ("failed", "No mail relay is configured")


SERVED = Served(("127.0.0.1",), ("partner.example",), sockets=True)


def refusals(resource: dict[str, Any], served: Served = SERVED) -> list[str]:
    return [issue.where.removeprefix("Subscription.") for issue in issues(resource, served)]


@pytest.mark.parametrize(
    ("resource", "where"),
    [
        (wanted(MAILBOX, channel="email"), []),
        (wanted("mailto:care@PARTNER.example", channel="email", content="empty"), []),
        (wanted(MAILBOX, channel="email", content="full-resource"), ["channel.payload.extension"]),
        (wanted("mailto:care@elsewhere.example", channel="email"), ["channel.endpoint"]),
        (wanted("mailto:care@partner.example?bcc=a@b.example", channel="email"), ["channel.endpoint"]),
        (wanted("mailto:a@b@partner.example", channel="email"), ["channel.endpoint"]),
        (wanted("mailto:a\r\nBcc: x@partner.example", channel="email"), ["channel.endpoint"]),
        (wanted("https://receiver.example/hook", channel="email"), ["channel.endpoint"]),
        (wanted(MAILBOX, channel="email", heartbeat=60), ["channel.extension"]),
        (wanted(MAILBOX, channel="email", header=("X-A: b",)), ["channel.header"]),
        (wanted("", channel="websocket"), []),
        (wanted("", channel="websocket", heartbeat=60, content="full-resource"), []),
        (wanted("wss://receiver.example/ws", channel="websocket"), ["channel.endpoint"]),
        (wanted("", channel="message", content="full-resource"), ["channel.endpoint"]),
        (wanted("", channel="sms"), ["channel.type"]),
    ],
)
def test_what_each_channel_takes(resource: dict[str, Any], where: list[str]) -> None:
    assert refusals(resource) == where


def test_a_channel_that_the_deployment_does_not_serve_is_refused() -> None:
    none = Served()
    assert refusals(wanted(MAILBOX, channel="email"), none) == ["channel.type"]
    assert refusals(wanted("", channel="websocket"), none) == ["channel.type"]


def test_a_mail_is_one_message_whatever_its_try() -> None:
    asked = subscription({**wanted(MAILBOX, channel="email"), "meta": {"versionId": "1"}})
    relay = Relay("relay.invalid", 25, "hub@county.example")
    one, two = (message(relay, Outgoing(asked, "notice", "an-id", b"{}")) for _ in range(2))
    assert one["Message-ID"] == two["Message-ID"] == "<an-id@county.example>"
    assert one["Auto-Submitted"] == "auto-generated"


def test_a_relay_needs_an_address_of_its_own_and_a_password_that_can_be_read(tmp_path: Path) -> None:
    usual = {"HUB_SMTP_HOST": "relay.invalid", "HUB_EMAIL_FROM": "hub@county.example", "HUB_SMTP_USER": "hub"}
    secret = tmp_path / "password"
    secret.write_text("an invented password\n")
    made = Relay.of(read_settings(usual | {"HUB_SMTP_PASSWORD_FILE": str(secret)}))
    assert made == Relay("relay.invalid", 587, "hub@county.example", "starttls", "hub", "an invented password")
    assert Relay.of(read_settings({})) is None
    for wrong in ({"HUB_EMAIL_FROM": ""}, {"HUB_SMTP_PASSWORD_FILE": str(tmp_path / "none")}):
        with pytest.raises(CannotStart):
            Relay.of(read_settings(usual | wrong))


def test_an_event_that_fails_costs_those_before_it_nothing(hub: SmallHub) -> None:
    hub.subscribe(most=5)
    for number in range(1, 4):
        hub.admit(f"enc-{number}")
    hub.drive("event")
    shown = hub.look

    def look(owner: str, event: Any) -> Any:
        if event.id == "enc-3":
            raise ValueError("an invented fault")
        return shown(owner, event)

    poisoned = replace(hub.deliveries, look=look)
    (work,) = hub.claim("notice")
    settled = poisoned.notice(work)
    assert settled == outbox.Done()
    assert hub.settle(work, settled)
    (got,) = notices(hub)
    assert numbers(got) == ["1", "2"]
    assert [row.key for row in hub.rows("waiting")] == ["sub-1|3"]
