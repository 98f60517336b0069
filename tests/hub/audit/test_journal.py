"""What the journal calls durable is there after kill -9, once; what breaks off was not answered; damage is told."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hub.audit import journal, store
from hub.audit.journal import Journal, framed, read
from hub.audit.record import encoded
from hub.problems import Problem
from hub.store.engine import Database
from tests.hub.audit.records import record

ALL = 1_000_000


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def records(folder: Path) -> list[bytes]:
    return [one for path in files(folder) for one in read(path, 0, ALL).records]


def only(folder: Path) -> Path:
    (found,) = files(folder)
    return found


def test_what_a_killed_process_said_is_durable_is_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.hub.audit.appender", str(tmp_path / "audit")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(500)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    told = {line.strip() for line in said if line.endswith(b"\n")}
    found = records(tmp_path / "audit")
    assert len(told) >= 500
    assert told <= set(found)
    assert len(found) == len(set(found))
    assert len(files(tmp_path / "audit")) > 1  # it began new files meanwhile
    assert all(read(path, 0, ALL).dead for path in files(tmp_path / "audit"))
    assert not any(read(path, 0, ALL).damaged for path in files(tmp_path / "audit"))


WRITE = os.pwrite


def test_threads_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []

    def slow(descriptor: int, data: bytes, position: int) -> int:
        syncs.append(descriptor)
        time.sleep(0.02)
        return WRITE(descriptor, data, position)

    monkeypatch.setattr(journal.os, "pwrite", slow)
    mine = Journal(tmp_path)
    threads = [threading.Thread(target=mine.append, args=(str(number).encode(),)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(records(tmp_path)) == sorted(str(number).encode() for number in range(16))
    assert len(syncs) <= 4


def test_nobody_is_told_before_the_write_and_each_write_is_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    mine = Journal(tmp_path)
    mine.append(b"the first one makes room")

    def told_of(descriptor: int, data: bytes, position: int) -> int:
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DSYNC
        written = WRITE(descriptor, data, position)
        order.append("written")
        return written

    monkeypatch.setattr(journal.os, "pwrite", told_of)
    mine.append(b"a")
    order.append("told")
    assert order == ["written", "told"]


REFUSALS = {errno.ENOSPC: ("no-space", 507), errno.EDQUOT: ("no-space", 507), errno.EIO: ("busy", 503)}


@pytest.mark.parametrize("number", REFUSALS)
@pytest.mark.parametrize("call", ["pwrite", "open"])
def test_what_cannot_be_written_is_refused_and_the_next_is_not(
    call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Journal(tmp_path)
    mine.append(b"before")
    if call == "open":
        mine.close()
    with monkeypatch.context() as broken:
        broken.setattr(journal.os, call, lambda *_: (_ for _ in ()).throw(OSError(number, "broken")))
        with pytest.raises(Problem) as refused:
            mine.append(b"lost")
        assert (refused.value.kind, refused.value.status) == REFUSALS[number]
    mine.append(b"after")
    assert sorted(records(tmp_path)) == [b"after", b"before"]


def test_a_disk_that_takes_half_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Journal(tmp_path)
    mine.append(b"before")

    def half(descriptor: int, data: bytes, position: int) -> int:
        if len(data) < 10:
            raise OSError(errno.EIO, "Input/output error")
        return WRITE(descriptor, bytes(data)[:9], position)

    with monkeypatch.context() as broken:
        broken.setattr(journal.os, "pwrite", half)
        with pytest.raises(Problem):
            mine.append(b"lost")
    found = read(only(tmp_path), 0, ALL)
    assert (found.records, found.rest, found.dead) == ([b"before"], 0, True)


def test_all_who_wait_for_a_write_that_fails_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        time.sleep(0.02)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(journal.os, "pwrite", fail)
    mine, refused = Journal(tmp_path), []

    def work() -> None:
        try:
            mine.append(b"a")
        except Problem as problem:
            refused.append(problem.kind)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["busy"] * 8


def test_a_record_that_is_too_large_to_be_read_again_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="too large"):
        Journal(tmp_path).append(b"x" * (journal.LONGEST + 1))
    assert records(tmp_path) == []


def test_a_journal_is_for_the_hub_alone(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    Journal(folder).append(b"a")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only(folder).stat().st_mode & 0o777 == 0o600


def test_a_living_process_keeps_its_file(tmp_path: Path) -> None:
    mine = Journal(tmp_path)
    mine.append(b"a")
    assert not read(only(tmp_path), 0, ALL).dead
    mine.close()
    assert read(only(tmp_path), 0, ALL).dead


def test_a_child_does_not_write_into_its_parents_file(tmp_path: Path) -> None:
    mine = Journal(tmp_path)
    mine.append(b"parent")
    child = os.fork()
    if not child:
        mine.append(b"child")
        os._exit(0)
    os.waitpid(child, 0)
    assert [read(path, 0, ALL).records for path in files(tmp_path)].count([b"parent"]) == 1
    assert sorted(records(tmp_path)) == [b"child", b"parent"]


GOOD = framed(b"good")
# what stands behind a good record in a dead file -> whether it is damage
TAILS = {
    "nothing": (b"", False),
    "half a head": (framed(b"torn")[:5], False),
    "a head without a record": (framed(b"torn")[:8], False),
    "half a record": (framed(b"torn record")[:12], False),
    "a last record whose pages are not all there": (framed(b"torn")[:-2] + b"\0\0", False),
    "nothing but zeros": (bytes(100), False),
    "a changed record before another one": (framed(b"changed")[:-1] + b"X" + GOOD, True),
    "a length that is none": (b"\xff" * 100, True),
    "text": (b"\0\0\0\x01 something else" + bytes(50), True),
    "half a record in its room": (framed(b"torn record")[:12] + bytes(300_000), False),
    "half a head in its room": (framed(b"torn")[:3] + bytes(100), False),
    "something far behind": (bytes(300_000) + GOOD, True),
    "a record behind one that is not there": (bytes(len(GOOD)) + GOOD + bytes(100), True),
}


@pytest.mark.parametrize("tail", TAILS)
def test_a_torn_end_was_never_answered_and_anything_else_is_damage(tail: str, tmp_path: Path) -> None:
    behind, damaged = TAILS[tail]
    path = tmp_path / "a.journal"
    path.write_bytes(GOOD + behind)
    found = read(path, 0, ALL)
    assert (found.records, found.end, found.damaged) == ([b"good"], len(GOOD), damaged)


def test_what_a_living_process_is_writing_is_no_damage(tmp_path: Path) -> None:
    mine = Journal(tmp_path)
    mine.append(b"good")
    with only(tmp_path).open("r+b") as file:
        file.seek(len(GOOD))
        file.write(framed(b"half of it")[:-3] + GOOD)
    found = read(only(tmp_path), 0, ALL)
    assert (found.records, found.dead, found.damaged) == ([b"good"], False, False)


def test_a_full_disk_costs_nothing_that_has_its_room_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Journal(tmp_path, most_bytes=1000)
    mine.append(b"a" * 500)

    def full(descriptor: int, data: bytes, position: int) -> int:
        if position + len(data) > 1000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return WRITE(descriptor, data, position)

    with monkeypatch.context() as broken:
        broken.setattr(journal.os, "pwrite", full)
        with pytest.raises(Problem):
            mine.append(b"b" * 500)
        mine.append(b"c" * 400)
    mine.append(b"d" * 500)
    assert [one[:1] for one in records(tmp_path)] == [b"a", b"c", b"d"]
    assert len(files(tmp_path)) == 1


def test_a_journal_that_is_given_up_has_no_room_left(tmp_path: Path) -> None:
    mine = Journal(tmp_path)
    mine.append(b"good")
    assert only(tmp_path).stat().st_size == journal.ROOM
    mine.close()
    assert only(tmp_path).stat().st_size == len(GOOD)


def test_room_that_a_killed_process_left_is_no_damage_and_is_done_with(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    folder.mkdir()
    (folder / "a.journal").write_bytes(framed(encoded(record(1))) + bytes(journal.ROOM))
    assert store.move(database, folder) == 1
    assert list(folder.iterdir()) == []


def test_room_alone_is_nothing_that_waits(database: Database, tmp_path: Path) -> None:
    mine = Journal(tmp_path)
    mine.append(encoded(record(1)))
    assert store.waits(database, tmp_path)
    assert store.move(database, tmp_path) == 1
    assert not store.waits(database, tmp_path)
    mine.append(encoded(record(2)))
    assert store.waits(database, tmp_path)
    mine.close()
