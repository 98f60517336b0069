"""SFTP against a real server process: rows C02, C03, C05, C06 and C14 of the catalogue of bad input, and cuts."""

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from adapters.files import faults, transports
from adapters.files.drop_folder import Ending, locked
from adapters.files.faults import Fault
from adapters.files.sftp import SftpFeed
from adapters.files.transports import answer, place, send
from hub.feeds.records import Feed
from hub.problems import CannotStart
from tests.adapters.files.conftest import Hub, SftpServer

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.files.sftp_push.FIRST_WAIT", 0)


def at(server: SftpServer, hub: Hub, tmp_path: Path, **changed: Any) -> SftpFeed:
    feed = Feed("sample", "plan-834", "https://plan.example/feed", options={"sftp": server.table(**changed)})
    found = place(feed, hub.deliver, hub.ended, tmp_path / "spool")
    assert isinstance(found, SftpFeed)
    return found


def put(server: SftpServer, name: str, content: bytes) -> None:
    (server.root / "in" / name).write_bytes(content)


def spooled(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "spool").iterdir())


def test_a_file_is_taken_archived_and_answered(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    put(sftp_server, "members.csv", b"ID\n1\n")
    there = at(sftp_server, hub, tmp_path)
    assert there.poll() == 1
    assert hub.taken == [("members.csv", b"ID\n1\n")]
    assert (sftp_server.names("in"), sftp_server.names("archive")) == ([], ["members.csv"])
    assert sftp_server.names("reports") == []
    hub.endings["members.csv"] = Ending(False, ["file,code\r\n", "members.csv,DATE\r\n"])
    assert there.poll() == 0
    assert (sftp_server.root / "reports" / "members.csv.report.csv").read_bytes().endswith(b"DATE\r\n")
    assert spooled(tmp_path) == [".lock", "left.json"]


def test_the_same_file_again_is_a_duplicate_and_other_bytes_are_answered(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path
) -> None:
    there = at(sftp_server, hub, tmp_path)
    for content in (b"ID\n1\n", b"ID\n1\n", b"ID\n2\n"):
        put(sftp_server, "members.csv", content)
        assert there.poll() == 1
    assert sftp_server.names("archive") == ["members.csv", "members.csv.2", "members.csv.3"]
    assert b"NAME_REUSED" in (sftp_server.root / "reports" / "members.csv.report.csv").read_bytes()
    assert hub.kept == {"members.csv": b"ID\n1\n"}


def test_what_is_still_written_is_left_alone(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    seconds = [0.0]
    there = at(sftp_server, hub, tmp_path, quiet_seconds=10)
    there.clock = lambda: seconds[0]
    for name in ("a.csv.part", "b.tmp", ".c.csv", "d.csv.filepart"):
        put(sftp_server, name, b"x")
    put(sftp_server, "members.csv", b"ID\n")
    assert there.poll() == 0
    seconds[0] = 11
    put(sftp_server, "members.csv", b"ID\n1\n")
    assert there.poll() == 0  # it grew
    seconds[0] = 22
    assert there.poll() == 1
    assert hub.taken == [("members.csv", b"ID\n1\n")]


def test_a_file_that_changes_while_it_is_read_is_taken_later(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path
) -> None:
    put(sftp_server, "members.csv", b"ID\n1\n")
    sftp_server.faults(touched=True)
    there = at(sftp_server, hub, tmp_path)
    assert there.poll() == 0
    assert sftp_server.names("in") == ["members.csv"]
    assert there.poll() == 1
    assert hub.names == ["members.csv"]


def test_a_marker_and_a_checksum_are_waited_for_and_looked_at(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path
) -> None:
    there = at(sftp_server, hub, tmp_path, markers=True, checksum=True)
    for name, said in (("good.csv", b"ID\n1\n"), ("bad.csv", b"else")):
        put(sftp_server, name, b"ID\n1\n")
        assert there.poll() == 0
        put(sftp_server, f"{name}.sha256", hashlib.sha256(said).hexdigest().encode() + b"  x.csv\n")
        assert there.poll() == 0
        put(sftp_server, f"{name}.done", b"")
        assert there.poll() == 1
    assert hub.names == ["good.csv"]
    assert sftp_server.names("in") == []
    assert b"CHECKSUM" in (sftp_server.root / "reports" / "bad.csv.report.csv").read_bytes()


def test_names_that_are_not_plain_are_left_and_never_taken(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path
) -> None:
    for name in ("a\nb.csv", "m\u0435mbers.csv", "x" * 240 + ".csv", "a\\b.csv", " .csv"):
        put(sftp_server, name, b"x")
    put(sftp_server, "members.csv", b"ID\n1\n")
    os.symlink("/etc/hostname", sftp_server.root / "in" / "link.csv")
    there = at(sftp_server, hub, tmp_path)
    assert there.poll() == 1
    assert hub.names == ["members.csv"]
    assert len(sftp_server.names("in")) == 6


def test_a_cut_in_the_middle_is_gone_on_from(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    content = os.urandom(8 << 20)
    put(sftp_server, "members.csv", content)
    sftp_server.faults(cut_after=5 << 20)
    assert at(sftp_server, hub, tmp_path).poll() == 1
    assert hub.taken == [("members.csv", content)]
    reads = sftp_server.reads()
    assert reads.count(0) == 1  # its beginning was read once


def test_a_hub_that_was_killed_while_reading_goes_on(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    content = os.urandom(4 << 20)
    put(sftp_server, "members.csv", content)
    first = at(sftp_server, hub, tmp_path)
    hub.broken = OSError("our disk")
    with pytest.raises(OSError, match="our disk"):
        first.poll()
    hub.broken = None
    assert sftp_server.names("in") == ["members.csv"]
    assert at(sftp_server, hub, tmp_path).poll() == 1
    assert sftp_server.reads().count(0) == 1
    assert hub.taken == [("members.csv", content)]


def test_a_hub_that_was_killed_after_taking_takes_it_as_a_duplicate(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path
) -> None:
    put(sftp_server, "members.csv", b"ID\n1\n")
    hub.deliver(sftp_server.root / "in" / "members.csv", "members.csv", Feed("sample", "x", "y"))
    at(sftp_server, hub, tmp_path).poll()
    assert hub.names == ["members.csv", "members.csv"]
    assert hub.kept == {"members.csv": b"ID\n1\n"}
    assert sftp_server.names("archive") == ["members.csv"]


@pytest.mark.parametrize("changed", [{"archive": ""}, {}])
def test_where_the_server_lets_nothing_be_moved_a_file_is_taken_once(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path, changed: dict[str, str]
) -> None:
    sftp_server.faults(deny_rename=True)
    put(sftp_server, "members.csv", b"ID\n1\n")
    assert at(sftp_server, hub, tmp_path, **changed).poll() == 1
    assert at(sftp_server, hub, tmp_path, **changed).poll() == 0  # by another process, too
    put(sftp_server, "members.csv", b"ID\n1,2\n")
    assert at(sftp_server, hub, tmp_path, **changed).poll() == 1
    assert hub.names == ["members.csv"]  # other bytes: a conflict


def test_a_file_that_may_not_be_read_does_not_keep_the_others(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path
) -> None:
    put(sftp_server, "a.csv", b"x")
    put(sftp_server, "b.csv", b"y")
    sftp_server.faults(deny_read="a.csv")
    assert at(sftp_server, hub, tmp_path).poll() == 1
    assert hub.names == ["b.csv"]


def test_a_server_that_does_not_answer_is_given_up(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    put(sftp_server, "members.csv", b"ID\n1\n")
    sftp_server.faults(slow=2)
    with pytest.raises(Fault) as caught:
        at(sftp_server, hub, tmp_path, seconds=0.5).poll()
    assert caught.value.code == faults.CUT
    assert hub.taken == []


def test_one_process_looks_at_a_server_at_a_time(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    put(sftp_server, "members.csv", b"ID\n1\n")
    there = at(sftp_server, hub, tmp_path)
    there.spool.mkdir()
    with locked(there.spool) as mine:
        assert mine
        assert there.poll() == 0
    assert there.poll() == 1


def test_a_server_with_another_key_is_refused(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    put(sftp_server, "members.csv", b"ID\n1\n")
    other = asyncssh.generate_private_key("ssh-ed25519")
    for pinned in (other.get_fingerprint(), other.export_public_key().decode()):
        with pytest.raises(Fault) as caught:
            at(sftp_server, hub, tmp_path, host_key=pinned).poll()
        assert caught.value.code == faults.HOST_KEY
    assert hub.taken == []


def test_a_key_may_be_pinned_as_a_key_as_one_of_several_and_by_a_file(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sftp_server.port} {sftp_server.key}")
    other = asyncssh.generate_private_key("ssh-rsa").get_fingerprint()
    pins: list[dict[str, Any]] = [
        {"host_key": sftp_server.key},
        {"host_key": [other, sftp_server.fingerprint]},
        {"host_key": [], "known_hosts": str(known)},
    ]
    for pinned in pins:
        put(sftp_server, "members.csv", b"ID\n1\n")
        assert at(sftp_server, hub, tmp_path, **pinned).poll() == 1


def test_a_known_hosts_file_with_another_key_is_refused(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known.write_text(f"[127.0.0.1]:{sftp_server.port} {other}")
    with pytest.raises(Fault) as caught:
        at(sftp_server, hub, tmp_path, host_key=[], known_hosts=str(known)).poll()
    assert caught.value.code == faults.HOST_KEY


def test_a_password_comes_from_a_file(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    for content, code in (("an invented password\n", None), ("another", faults.LOGIN)):
        secret.write_text(content)
        there = at(sftp_server, hub, tmp_path, key_file="", password_file=str(secret))
        if code is None:
            assert there.poll() == 0
            continue
        with pytest.raises(Fault) as caught:
            there.poll()
        assert caught.value.code == code


def test_a_server_that_is_not_there_is_a_fault(sftp_server: SftpServer, hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        at(sftp_server, hub, tmp_path, port=1).poll()
    assert caught.value.code == faults.UNREACHABLE


@pytest.mark.parametrize(
    "changed",
    [
        {"host_key": ""},
        {"host_key": "trust me"},
        {"key_file": ""},
        {"key_file": "/nowhere"},
        {"host": ""},
        {"in": "", "out": ""},
        {"in": 7},
        {"port": "x"},
        {"quiet_seconds": "soon"},
    ],
)
def test_a_table_that_says_too_little_does_not_start(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path, changed: dict[str, Any]
) -> None:
    with pytest.raises(CannotStart, match="Feed sample: "):
        at(sftp_server, hub, tmp_path, **changed)


def sending(server: SftpServer, **changed: Any) -> Feed:
    return Feed("sample", "rtf", "https://plan.example/feed", options={"sftp": server.table(**changed)})


def test_a_file_is_sent_in_whole_or_not_at_all(sftp_server: SftpServer, tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    path.write_bytes(os.urandom(6 << 20))
    sftp_server.faults(cut_write_after=3 << 20)
    send(path, sending(sftp_server))
    assert sftp_server.names("out") == ["answer.csv"]
    assert (sftp_server.root / "out" / "answer.csv").read_bytes() == path.read_bytes()


def test_sending_again_changes_nothing_and_other_bytes_are_refused(sftp_server: SftpServer, tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    for content in (b"ID\n1\n", b"ID\n1\n"):
        path.write_bytes(content)
        send(path, sending(sftp_server))
    for content in (b"ID\n2\n", b"ID\n1", b"ID\n1\n2\n"):
        path.write_bytes(content)
        with pytest.raises(Fault) as caught:
            send(path, sending(sftp_server))
        assert caught.value.code == faults.TAKEN
    assert (sftp_server.root / "out" / "answer.csv").read_bytes() == b"ID\n1\n"


def test_an_answer_that_is_made_again_replaces_the_first(sftp_server: SftpServer, tmp_path: Path) -> None:
    path = tmp_path / "made"
    for content in (b"ISA*at eight~", b"ISA*at nine~"):
        path.write_bytes(content)
        answer(path, sending(sftp_server), "nov.834.999")
    assert sftp_server.names("out") == ["nov.834.999"]
    assert (sftp_server.root / "out" / "nov.834.999").read_bytes() == b"ISA*at nine~"


def test_a_full_disk_and_a_missing_folder_are_named(sftp_server: SftpServer, tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    path.write_bytes(b"ID\n1\n")
    sftp_server.faults(no_space=True)
    with pytest.raises(Fault) as full:
        send(path, sending(sftp_server))
    sftp_server.faults()
    with pytest.raises(Fault) as missing:
        send(path, sending(sftp_server, out="/nowhere"))
    assert (full.value.code, missing.value.code) == (faults.REFUSED, faults.MISSING)
    assert "answer.csv" not in sftp_server.names("out")


def test_a_name_that_is_not_plain_is_not_sent(sftp_server: SftpServer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NAME_UNSAFE"):
        send(tmp_path / "x", sending(sftp_server), "../x")


def test_no_log_names_a_file_a_person_or_a_password(
    sftp_server: SftpServer, hub: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = tmp_path / "secret"
    secret.write_text("Canary-password")
    for name in ("Canary-one.csv", "Canary-two\n.csv", "Canary-three.csv", "Canary-four.csv"):
        put(sftp_server, name, b"Canary")
    put(sftp_server, "Canary-four.csv.sha256", b"0" * 64)
    sftp_server.faults(deny_read="three.csv", deny_rename=True)
    kept = [at(sftp_server, hub, tmp_path), at(sftp_server, hub, tmp_path, key_file="", password_file=str(secret))]
    looking = transports.Transports({str(number): one for number, one in enumerate(kept)})
    assert [looking.look("0"), looking.look("1")] == [2, 0]
    assert "cannot be read" in caplog.text
    assert "CHECKSUM" in caplog.text
    assert "does not let us in" in caplog.text
    assert "Canary" not in caplog.text
