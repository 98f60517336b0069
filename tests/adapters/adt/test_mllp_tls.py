"""TLS for MLLP on real sockets, and who may send for whom."""

import logging
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from adapters.adt import tls
from adapters.adt.commands import send_commands
from adapters.adt.frames import framed
from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from adapters.adt.senders import Senders, read, senders
from hub.settings import Settings
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import HOST, Hospital, Peer, adt, eventually, listening, stored
from tests.certificates import Authority, Papers, trusting


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("papers"), "county")


@pytest.fixture(scope="module")
def listener_papers(authority: Authority) -> Papers:
    return authority.sign("listener")


@pytest.fixture(scope="module")
def harbor(authority: Authority) -> Papers:
    """A hospital's certificate."""
    return authority.sign("harbor", "adt.harbor.example")


def files(papers: Papers, authority: Authority | None = None) -> tls.ServerTls:
    return tls.ServerTls(tls.Files(papers.cert, papers.key, authority.cert if authority else None))


def table(folder: Path, *rows: str) -> Senders:
    path = folder / "senders.csv"
    path.write_text("\n".join(("facility,certificate,network", *rows)) + "\n")
    return senders(path)


def code(hospital: Hospital, message: bytes, context: ssl.SSLContext | None = None) -> str:
    """MSA-1 of a message's answer."""
    return acknowledged(send(HOST, hospital.port, message, 5, context))[0]


def test_a_message_comes_and_is_acknowledged_by_tls(
    database: Database, authority: Authority, listener_papers: Papers
) -> None:
    with listening(database, tls=files(listener_papers)) as hospital:
        assert code(hospital, adt("7"), trusting(authority)) == "AA"
        assert stored(database) == [("received", adt("7"))]


def test_many_messages_and_a_large_one_come_by_one_connection(
    database: Database, authority: Authority, listener_papers: Papers
) -> None:
    with listening(database, tls=files(listener_papers)) as hospital:
        peer = Peer(hospital.port)
        peer.socket = trusting(authority).wrap_socket(peer.socket, server_hostname=HOST)
        hospital.peers.append(peer)
        peer.send(*(adt(str(number)) for number in range(200)), adt("large") + b"ZXX|" + b"x" * 500_000)
        assert peer.codes(201)[-1] == ("AA", "large")


def test_plain_text_gets_nothing_from_a_listener_with_tls(database: Database, listener_papers: Papers) -> None:
    with listening(database, tls=files(listener_papers)) as hospital:
        with pytest.raises(NoAcknowledgment):
            send(HOST, hospital.port, adt("7"), 5)
        assert stored(database) == []


def test_tls_before_1_2_is_refused(database: Database, authority: Authority, listener_papers: Papers) -> None:
    old = trusting(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with listening(database, tls=files(listener_papers)) as hospital, pytest.raises(NoAcknowledgment):
        send(HOST, hospital.port, adt("7"), 5, old)


def test_a_sender_checks_the_listener(database: Database, listener_papers: Papers, tmp_path: Path) -> None:
    foreign = Authority(tmp_path, "foreign")
    with listening(database, tls=files(listener_papers)) as hospital:
        with pytest.raises(NoAcknowledgment):
            send(HOST, hospital.port, adt("7"), 5, tls.client(foreign.cert))
        assert stored(database) == []


def test_with_mutual_tls_a_sender_shows_a_certificate_of_the_authority(
    database: Database, authority: Authority, listener_papers: Papers, harbor: Papers, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "foreign").sign("intruder")
    with listening(database, tls=files(listener_papers, authority)) as hospital:
        for context in (trusting(authority), trusting(authority, foreign)):
            with pytest.raises(NoAcknowledgment):
                send(HOST, hospital.port, adt("7"), 5, context)
        assert stored(database) == []
        assert code(hospital, adt("7"), trusting(authority, harbor)) == "AA"


def test_files_that_are_replaced_count_for_the_next_connection(database: Database, tmp_path: Path) -> None:
    """Certificate, key and authorities: the old ones are not taken any more, and an open connection goes on."""
    first, second = Authority(tmp_path / "1", "first"), Authority(tmp_path / "2", "second")
    papers, others = first.sign("listener"), second.sign("listener")
    ours, theirs = first.sign("sender"), second.sign("sender")
    with listening(database, tls=files(papers, first)) as hospital:
        peer = Peer(hospital.port)
        peer.socket = trusting(first, ours).wrap_socket(peer.socket, server_hostname=HOST)
        hospital.peers.append(peer)
        peer.send(adt("1"))
        assert peer.codes(1) == [("AA", "1")]
        papers.replace_with(others)
        first.cert.write_bytes(second.cert.read_bytes())
        assert code(hospital, adt("2"), trusting(second, theirs)) == "AA"
        mixed = trusting(second, ours)
        with pytest.raises(NoAcknowledgment):
            send(HOST, hospital.port, adt("3"), 5, mixed)
        peer.send(adt("4"))
        assert peer.codes(1) == [("AA", "4")]


def test_files_that_cannot_be_used_keep_the_last_good_ones(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path, "county")
    papers = authority.sign("listener")
    with listening(database, tls=files(papers)) as hospital:
        papers.cert.write_text("half a certifi")
        with caplog.at_level(logging.ERROR, "adapters"):
            assert code(hospital, adt("7"), trusting(authority)) == "AA"
        assert "keeps its certificate files" in caplog.text


def test_a_listener_does_not_start_with_files_that_cannot_be_used(tmp_path: Path, listener_papers: Papers) -> None:
    with pytest.raises(OSError, match="not-there"):
        tls.ServerTls(tls.Files(tmp_path / "not-there", listener_papers.key))
    with pytest.raises(ssl.SSLError):
        tls.ServerTls(tls.Files(listener_papers.key, listener_papers.key))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_does_not_outlive_the_files(
    database: Database, authority: Authority, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """A certificate that is not trusted any more would come in by an old session."""
    papers = authority.sign("short-lived")
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    with listening(database, tls=files(papers)) as hospital:
        session: ssl.SSLSession | None = None
        for number in range(2):
            papers.replace_with(papers)
            plain = socket.create_connection((HOST, hospital.port), 5)
            with context.wrap_socket(plain, server_hostname=HOST, session=session) as wire:
                wire.sendall(framed(adt(str(number))))
                assert b"MSA|AA" in wire.recv(65536)
                assert not wire.session_reused
                session = wire.session


Row = Callable[[Papers], str]

# what the table says of HOSPITAL_ONE: whether the connection of harbor, from 127.0.0.1, may send for it
BOUND: dict[str, tuple[Row, bool]] = {
    "its thumbprint": (lambda p: f"HOSPITAL_ONE,sha256:{p.thumbprint},", True),
    "its thumbprint, as tools print it": (lambda p: f"HOSPITAL_ONE,sha256:{_colons(p.thumbprint)},", True),
    "its name": (lambda _: "HOSPITAL_ONE,DNS:ADT.harbor.example,", True),
    "its network": (lambda _: "HOSPITAL_ONE,,127.0.0.0/8", True),
    "both": (lambda p: f"HOSPITAL_ONE,sha256:{p.thumbprint},127.0.0.1", True),
    "the second row": (lambda _: "HOSPITAL_ONE,,10.0.0.0/8\nHOSPITAL_ONE,,127.0.0.0/8", True),
    "another thumbprint": (lambda p: f"HOSPITAL_ONE,sha256:{p.thumbprint[::-1]},", False),
    "another name": (lambda _: "HOSPITAL_ONE,DNS:harbor.example,", False),
    "another network": (lambda _: "HOSPITAL_ONE,,10.0.0.0/8", False),
    "a network of IPv6": (lambda _: "HOSPITAL_ONE,,::/0", False),
    "the right thumbprint from elsewhere": (lambda p: f"HOSPITAL_ONE,sha256:{p.thumbprint},10.0.0.0/8", False),
    "the right network, another thumbprint": (lambda p: f"HOSPITAL_ONE,sha256:{'0' * 64},127.0.0.0/8", False),
    "another facility": (lambda _: "HOSPITAL_TWO,,127.0.0.0/8", False),
    "the facility in small letters": (lambda _: "hospital_one,,127.0.0.0/8", False),
    "nobody": (lambda _: "", False),
}


def _colons(text: str) -> str:
    return ":".join(text[at : at + 2] for at in range(0, len(text), 2)).upper()


@pytest.mark.parametrize(("row", "may"), BOUND.values(), ids=BOUND)
def test_a_facility_is_believed_from_its_own_connections_only(
    database: Database,
    authority: Authority,
    listener_papers: Papers,
    harbor: Papers,
    tmp_path: Path,
    row: Row,
    may: bool,
) -> None:
    bound = table(tmp_path, row(harbor))
    with listening(database, tls=files(listener_papers, authority), senders=bound) as hospital:
        answer = send(HOST, hospital.port, adt("7"), 5, trusting(authority, harbor))
        assert acknowledged(answer) == (("AA", "7") if may else ("AR", "7"))
        assert len(stored(database)) == may
        if not may:
            assert b"\rERR||MSH^1^4|207^Application internal error^HL70357|E" in answer


def test_what_is_refused_is_answered_in_its_turn_and_wakes_nobody(database: Database, tmp_path: Path) -> None:
    woken: list[int] = []
    with listening(
        database, senders=table(tmp_path, "A,,127.0.0.1"), on_accepted=lambda: woken.append(1)
    ) as hospital:
        peer = hospital.peer()
        peer.send(*(adt(str(number), facility="AB"[number % 2]) for number in range(6)))
        codes = peer.codes(6)
        assert codes == [(("AA", "AR")[number % 2], str(number)) for number in range(6)]
        assert len(stored(database)) == 3
        assert eventually(lambda: bool(woken))
        time.sleep(0.5)  # the six may have come in several groups, each of which wakes once
        woken.clear()
        peer.send(adt("x", facility="B"))
        assert peer.codes(1) == [("AR", "x")]
        assert woken == []
        assert hospital.listener.counted["refused senders"] == 4


def test_a_sender_that_wants_commit_acknowledgments_gets_cr(database: Database, tmp_path: Path) -> None:
    with listening(database, senders=table(tmp_path, "A,,127.0.0.1")) as hospital:
        peer = hospital.peer()
        peer.send(adt("7", accept="AL", application="NE"))
        assert peer.codes(1) == [("CR", "7")]


# frames that name a facility in another way than the worker would read it
TRICKS = {
    "no header at all": b"PID|1||77",
    "a facility with more components": adt("7", facility="B^A^L"),
    "a second header": adt("7", facility="B") + b"MSH|^~\\&|EHR|A|HUB|CALAIM|20261122||ADT^A01|7|P|2.5.1\r",
    "an escaped facility": adt("7", facility="\\X41\\"),
    "a repeated facility": adt("7", facility="B~A"),
    "nothing": adt("7", facility=""),
}


@pytest.mark.parametrize("frame", TRICKS.values(), ids=TRICKS)
def test_a_trick_with_the_facility_is_not_stored(database: Database, tmp_path: Path, frame: bytes) -> None:
    with listening(database, senders=table(tmp_path, "A,,127.0.0.1")) as hospital:
        peer = hospital.peer()
        peer.send(frame)
        assert peer.codes(1)[0][0] == "AR"
        assert stored(database) == []


def test_a_table_that_changes_counts_for_open_connections(database: Database, tmp_path: Path) -> None:
    bound = table(tmp_path, "HOSPITAL_ONE,,127.0.0.1")
    with listening(database, senders=bound) as hospital:
        peer = hospital.peer()
        peer.send(adt("1"))
        assert peer.codes(1) == [("AA", "1")]
        table(tmp_path, "HOSPITAL_ONE,,10.1.2.3")
        os.utime(tmp_path / "senders.csv", (0, 0))
        peer.send(adt("2"))
        assert peer.codes(1) == [("AR", "2")]
        (tmp_path / "senders.csv").write_text("half")
        peer.send(adt("3"))
        assert peer.codes(1) == [("AR", "3")]


def test_without_a_table_a_facility_is_believed(database: Database) -> None:
    with listening(database) as hospital:
        assert code(hospital, adt("7", facility="ANYBODY")) == "AA"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("facility,network\nA,10.0.0.1\n", "the columns are"),
        ("facility,certificate,network\nA,,\n", "line 2: neither"),
        ("facility,certificate,network\n,,10.0.0.1\n", "line 2: facility"),
        ("facility,certificate,network\nA,,10.0.0.1\nB,,10.0.0.1/8\n", "line 3"),
        ("facility,certificate,network\nA,sha256:00,\n", "64 hexadecimal"),
        ("facility,certificate,network\nA,CN=harbor,\n", "such as DNS:"),
    ],
)
def test_a_table_that_binds_nobody_is_refused_by_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "senders.csv").write_text(text)
    with pytest.raises(ValueError, match=says):
        read(tmp_path / "senders.csv")


def test_the_command_sends_by_tls_with_a_certificate(
    database: Database, authority: Authority, listener_papers: Papers, harbor: Papers, tmp_path: Path
) -> None:
    (tmp_path / "a.hl7").write_bytes(adt("7"))
    app: typer.Typer = send_commands(lambda: Settings({"HUB_MLLP_HOST": HOST, "HUB_MLLP_PORT": 1}))
    with listening(database, tls=files(listener_papers, authority)) as hospital:
        words = ["adt", str(tmp_path / "a.hl7"), "--port", str(hospital.port), "--ca", str(authority.cert)]
        without = CliRunner().invoke(app, words)
        assert without.exit_code == 1
        shown = CliRunner().invoke(app, [*words, "--cert", str(harbor.cert), "--key", str(harbor.key)])
        assert (shown.exit_code, "MSA|AA|7" in shown.output) == (0, True)
        half = CliRunner().invoke(app, [*words, "--cert", str(harbor.cert)])
        assert half.exit_code == 2
