"""R32: certificates and names that fail. Nothing is sent to whom the hub cannot be sure of; it is tried again."""

import shutil
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from socket import gaierror

import pytest

from adapters.adt import tls
from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from hub.notifications.connections import Route, Unreachable, post
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import HOST, adt, listening, stored
from tests.certificates import Authority, Papers, trusting
from tests.hub.notifications.conftest import Receiver, SmallHub

ENDED = timedelta(days=-1)
PARTIES = (("listener", timedelta(hours=1)), ("harbor", timedelta(hours=1)), ("former", ENDED))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "papers", "county")


@pytest.fixture
def small(receiver: Receiver, migrated_sqlite: Path, tmp_path: Path) -> SmallHub:
    return SmallHub(Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}"), receiver)


PAPERS: dict[str, Callable[[Authority, Path], Papers]] = {
    "ended": lambda known, folder: known.sign("receiver", "receiver.test", ends=ENDED),
    "another name": lambda known, folder: known.sign("receiver", "other.test"),
    "an address for a name": lambda known, folder: known.sign("receiver", "127.0.0.1"),
    "another authority": lambda known, folder: Authority(folder / "other", "other").sign(
        "receiver", "receiver.test"
    ),
}


def secured(receiver: Receiver, papers: Papers) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.cert, papers.key)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)


def called(receiver: Receiver, verify: Path) -> int:
    entry = f"receiver.test:{receiver.server_port}"
    route = Route((entry,), lambda *_: ["127.0.0.1"], str(verify))
    return post(f"https://{entry}/hook", b"{}", {}, 5, route)


def test_a_certificate_that_is_well_is_taken(receiver: Receiver, authority: Authority) -> None:
    secured(receiver, authority.sign("receiver", "receiver.test"))
    assert called(receiver, authority.cert) == 200


@pytest.mark.parametrize("papers", PAPERS.values(), ids=PAPERS)
def test_nothing_is_sent_where_the_certificate_is_not_the_receivers(
    receiver: Receiver, authority: Authority, tmp_path: Path, papers: Callable[[Authority, Path], Papers]
) -> None:
    secured(receiver, papers(authority, tmp_path))
    with pytest.raises(Unreachable, match="SSLError"):
        called(receiver, authority.cert)
    assert receiver.received == []


def test_a_hospital_whose_certificate_ended_sends_nothing(database: Database, authority: Authority) -> None:
    own, good, ended = (authority.sign(name, ends=ends) for name, ends in PARTIES)
    served = tls.ServerTls(tls.Files(own.cert, own.key, authority.cert))
    with listening(database, tls=served) as hospital:
        with pytest.raises(NoAcknowledgment):
            send(HOST, hospital.port, adt("1"), 5, trusting(authority, ended))
        assert stored(database) == []
        assert acknowledged(send(HOST, hospital.port, adt("1"), 5, trusting(authority, good)))[0] == "AA"


def test_a_hospitals_listener_whose_certificate_ended_is_sent_nothing(
    database: Database, authority: Authority
) -> None:
    own = authority.sign("listener", ends=ENDED)
    with listening(database, tls=tls.ServerTls(tls.Files(own.cert, own.key, None))) as hospital:
        with pytest.raises(NoAcknowledgment):
            send(HOST, hospital.port, adt("1"), 5, tls.client(authority.cert))
        assert stored(database) == []


def test_while_names_cannot_be_looked_up_notices_wait_and_then_they_are_sent(small: SmallHub) -> None:
    small.subscribe()
    names = {"up": False}

    def lookup(*_: object) -> Sequence[str]:
        if not names["up"]:
            raise gaierror("Temporary failure in name resolution")
        return ["127.0.0.1"]

    entry = f"receiver.test:{small.receiver.server_port}"
    deliveries = replace(small.deliveries, route=Route((small.receiver.host, entry), lookup))
    small.handlers |= deliveries.handlers()
    small.receiver.received.clear()
    small.admit()
    for _ in range(4):
        small.drive()
        small.wait(minutes=5)
    (waiting,) = small.rows("waiting")
    assert waiting.attempts == 4
    assert small.receiver.received == []
    names["up"] = True
    small.drive()
    assert small.receiver.numbers == ["1"]
    assert small.rows("waiting") == small.rows("dead") == []
