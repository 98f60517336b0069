"""Drop folders: rows C02, C03, C05, C06 and C14 of the catalogue of bad input, and kills between steps."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.files import drop_folder, transports
from adapters.files.complete import Watch, watch
from adapters.files.drop_folder import DropFolder, Ending
from adapters.files.faults import TAKEN, Fault
from hub.feeds.records import Feed
from hub.problems import CannotStart, Problem
from tests.adapters.files.conftest import ROOT, Hub

At = Callable[..., DropFolder]
AT_ONCE = Watch(quiet=0)
REPORT = ["file,code\r\n", "members.csv,DATE\r\n"]


@pytest.fixture
def at(tmp_path: Path, hub: Hub, feed: Feed) -> At:
    def made(seen: Watch = AT_ONCE) -> DropFolder:
        return DropFolder(tmp_path / "drop", feed, hub.deliver, hub.ended, seen)

    return made


def put(folder: DropFolder, name: str, content: bytes = b"ID\n1\n") -> Path:
    (folder.root / "in").mkdir(parents=True, exist_ok=True)
    path = folder.root / "in" / name
    path.write_bytes(content)
    return path


def everything(folder: DropFolder) -> dict[str, list[str]]:
    return {
        place: found
        for place in ("in", "processing", "archive", "rejected")
        if (found := sorted(path.name for path in (folder.root / place).iterdir()))
    }


def test_a_file_goes_from_in_to_processing_to_archive_with_its_report(at: At, hub: Hub) -> None:
    folder = at()
    put(folder, "members.csv")
    assert folder.poll() == 0
    assert everything(folder) == {"processing": ["members.csv"]}
    folder.poll()
    assert hub.names == ["members.csv"]  # handed over once
    hub.endings["members.csv"] = Ending(False, REPORT)
    assert folder.poll() == 1
    assert everything(folder) == {"archive": ["members.csv", "members.csv.report.csv"]}
    assert (folder.root / "archive" / "members.csv.report.csv").read_bytes() == "".join(REPORT).encode()


def test_a_file_without_faults_has_no_report(at: At, hub: Hub) -> None:
    folder = at()
    hub.endings["members.csv"] = Ending(False)
    put(folder, "members.csv")
    folder.poll()
    assert everything(folder) == {"archive": ["members.csv"]}


def test_a_file_that_the_hub_refuses_goes_to_rejected_with_its_report(at: At, hub: Hub) -> None:
    folder = at()
    hub.endings["members.csv"] = Ending(True, REPORT)
    put(folder, "members.csv")
    folder.poll()
    assert everything(folder) == {"rejected": ["members.csv", "members.csv.report.csv"]}


def test_the_same_file_again_is_archived_again_and_other_bytes_are_rejected(at: At, hub: Hub) -> None:
    folder = at()
    hub.endings["members.csv"] = Ending(False)
    for content in (b"ID\n1\n", b"ID\n1\n", b"ID\n2\n", b"ID\n3\n"):
        put(folder, "members.csv", content)
        folder.poll()
    kept = ["members.csv", "members.csv.2", "members.csv.2.report.csv", "members.csv.report.csv"]
    assert everything(folder) == {"archive": ["members.csv", "members.csv.2"], "rejected": kept}
    assert "NAME_REUSED" in (folder.root / "rejected" / "members.csv.report.csv").read_text()


@pytest.mark.parametrize(
    "name", ["a.csv.tmp", "a.part", "a.csv.filepart", ".a.csv", "~$a.xlsx", "a.csv~", "a.sha256"]
)
def test_what_is_still_written_is_left_alone(at: At, hub: Hub, name: str) -> None:
    folder = at()
    put(folder, name)
    folder.poll()
    assert hub.taken == []
    assert everything(folder) == {"in": [name]}


def test_a_file_that_grows_is_not_begun(at: At, hub: Hub) -> None:
    seconds = [0.0]
    folder = at(Watch(quiet=10))
    folder.clock = lambda: seconds[0]
    path = put(folder, "members.csv")
    for seconds[0], content in ((0, b"ID\n"), (11, b"ID\n1\n"), (20, b"ID\n1\n")):
        if path.read_bytes() != content:
            path.write_bytes(content)
        folder.poll()
        assert hub.taken == []
    seconds[0] = 21
    folder.poll()
    assert hub.taken == [("members.csv", b"ID\n1\n")]


def test_a_file_of_the_same_size_that_was_written_again_is_not_begun(at: At, hub: Hub) -> None:
    seconds = [0.0]
    folder = at(Watch(quiet=10))
    folder.clock = lambda: seconds[0]
    path = put(folder, "members.csv")
    folder.poll()
    os.utime(path, (1, 1))
    seconds[0] = 11
    folder.poll()
    assert hub.taken == []


def test_a_file_that_somebody_writes_while_it_is_claimed_goes_back(
    at: At, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = at(), os.rename
    put(folder, "members.csv")
    writing = (folder.root / "in" / "members.csv").open("ab")

    def rename(old: Path, new: Path) -> None:
        real(old, new)
        if "members.csv" in new.name and new.parent.name == "processing":
            writing.write(b"2\n")
            writing.flush()

    monkeypatch.setattr(os, "rename", rename)
    assert folder.poll() == 0
    assert everything(folder) == {"in": ["members.csv"]}
    monkeypatch.undo()
    writing.close()
    folder.poll()
    assert hub.taken == [("members.csv", b"ID\n1\n2\n")]


def test_a_marker_is_waited_for_and_goes_along(at: At, hub: Hub) -> None:
    folder = at(Watch(quiet=0, markers=True))
    hub.endings["members.csv"] = Ending(False)
    put(folder, "members.csv")
    folder.poll()
    assert hub.taken == []
    put(folder, "members.csv.done", b"")
    folder.poll()
    assert everything(folder) == {"archive": ["members.csv", "members.csv.done"]}


def test_a_checksum_must_be_that_of_the_file(at: At, hub: Hub) -> None:
    folder = at(Watch(quiet=0, checksum=True))
    good = hashlib.sha256(b"ID\n1\n").hexdigest()
    hub.endings["good.csv"] = Ending(False)
    for name, said in (("good.csv", f"{good.upper()} *good.csv\n"), ("bad.csv", "0" * 64), ("none.csv", "sum")):
        put(folder, name)
        folder.poll()
        assert (folder.root / "in" / name).exists()
        put(folder, f"{name}.sha256", said.encode())
        folder.poll()
    assert hub.names == ["good.csv"]
    found = everything(folder)
    assert found["archive"] == ["good.csv", "good.csv.sha256"]
    assert found["rejected"] == [
        f"{name}.csv{end}" for name in ("bad", "none") for end in ("", ".report.csv", ".sha256")
    ]


@pytest.mark.parametrize(
    "name", ["a\nb.csv", "m\u0435mbers.csv", "x" * 201, "a\\b.csv", "-rf.csv", "a\u202ecsv.b", " a"]
)
def test_a_name_that_is_not_plain_is_rejected_under_another_one(at: At, hub: Hub, name: str) -> None:
    folder = at()
    put(folder, name)
    assert folder.poll() == 1
    kept, report = everything(folder)["rejected"]
    assert kept.startswith("refused-")
    assert "NAME_UNSAFE" in (folder.root / "rejected" / report).read_text()
    assert hub.taken == []


def test_bytes_that_are_no_text_are_no_name(at: At, hub: Hub) -> None:
    folder = at()
    put(folder, "x")
    os.rename(folder.root / "in" / "x", os.fsencode(folder.root / "in") + b"/\xff.csv")
    assert folder.poll() == 1
    assert hub.taken == []


def test_links_and_devices_are_rejected_and_never_opened(at: At, hub: Hub) -> None:
    folder = at()
    put(folder, "x").unlink()
    os.symlink("/etc/hostname", folder.root / "in" / "link.csv")
    os.mkfifo(folder.root / "in" / "pipe.csv")
    (folder.root / "in" / "folder.csv").mkdir()
    assert folder.poll() == 2
    assert hub.taken == []
    assert everything(folder)["in"] == ["folder.csv"]


def test_names_that_do_not_match_belong_to_somebody_else(at: At, hub: Hub) -> None:
    folder = at(Watch(quiet=0, match="*.csv"))
    put(folder, "members.csv")
    put(folder, "members.xlsx")
    folder.poll()
    assert hub.names == ["members.csv"]


def test_a_second_file_of_the_name_waits_until_the_first_is_done(at: At, hub: Hub) -> None:
    folder = at()
    put(folder, "members.csv")
    folder.poll()
    put(folder, "members.csv", b"ID\n2\n")
    folder.poll()
    assert everything(folder) == {"in": ["members.csv"], "processing": ["members.csv"]}
    assert hub.kept == {"members.csv": b"ID\n1\n"}


@pytest.mark.parametrize("error", [OSError("disk"), Problem("busy", "later")])
def test_a_fault_of_ours_leaves_the_file_and_tries_again(at: At, hub: Hub, error: Exception) -> None:
    folder = at()
    hub.broken = error
    put(folder, "members.csv")
    folder.poll()
    assert everything(folder) == {"processing": ["members.csv"]}
    hub.broken, hub.endings["members.csv"] = None, Ending(False)
    folder.poll()
    assert everything(folder) == {"archive": ["members.csv"]}


def test_one_process_looks_after_a_folder_at_a_time(at: At, hub: Hub) -> None:
    folder = at()
    put(folder, "members.csv")
    started, ended = threading.Event(), threading.Event()

    def slow(path: Path, name: str, feed: Feed) -> tuple[str, int]:
        started.set()
        ended.wait(10)
        return "new", 1

    other = at()
    other.deliver = slow
    thread = threading.Thread(target=other.poll)
    thread.start()
    started.wait(10)
    put(folder, "more.csv")
    assert folder.poll() == 0
    assert hub.taken == []
    ended.set()
    thread.join()
    folder.poll()
    assert hub.names == ["members.csv", "more.csv"]


KILLED = """
import os, sys
from pathlib import Path
from adapters.files import drop_folder
from adapters.files.complete import Watch
from adapters.files.drop_folder import DropFolder, Ending
from hub.feeds.records import Feed

left = int(sys.argv[2])

def step(real):
    def counted(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)
        return real(*arguments, **named)
    return counted

os.rename, os.replace = step(os.rename), step(os.replace)
taken = Path(sys.argv[1]) / "taken.txt"

def deliver(path, name, feed):
    with taken.open("a") as log:
        log.write(name + "\\n")
    return step(lambda: ("new", 1))()

ended = lambda feed, name: Ending("bad" in name, ["code\\r\\n", "DATE\\r\\n"])
DropFolder(Path(sys.argv[1]) / "drop", Feed("sample", "x", "y"), deliver, ended, Watch(quiet=0)).poll()
"""


def test_a_kill_between_any_two_steps_ends_as_one_clean_run_does(at: At, tmp_path: Path) -> None:
    folder = at()
    steps, code = 0, -9
    while code == -9:
        for place in ("archive", "rejected"):
            for path in (folder.root / place).glob("*"):
                path.unlink()
        for name in ("bad.csv", "good.csv", "good.csv.sha256"):
            content = hashlib.sha256(b"ID\n1\n").hexdigest().encode() if name.endswith("sha256") else b"ID\n1\n"
            put(folder, name, content)
        code = _killed(tmp_path, steps)
        found = everything(folder)
        data = [name for names in found.values() for name in names if name in ("bad.csv", "good.csv")]
        assert sorted(data) == ["bad.csv", "good.csv"], f"after {steps} steps each file is in one place"
        assert _killed(tmp_path, 1000) == 0
        assert everything(folder) == {
            "archive": ["good.csv", "good.csv.report.csv", "good.csv.sha256"],
            "rejected": ["bad.csv", "bad.csv.report.csv"],
        }, f"after {steps} steps"
        steps += 1
    assert steps > 9


def _killed(tmp_path: Path, steps: int) -> int:
    return subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(steps)], cwd=ROOT).returncode


def test_a_feed_may_say_its_folder_as_a_text_or_as_a_table(tmp_path: Path, hub: Hub) -> None:
    for folder in (str(tmp_path), {"path": str(tmp_path), "match": "*.csv", "markers": True, "quiet_seconds": 3}):
        feed = Feed("sample", "x", "y", options={"folder": folder})
        found = transports.place(feed, hub.deliver, hub.ended, tmp_path / "spool")
        assert isinstance(found, DropFolder)
        assert found.root == tmp_path
    assert found.watch == Watch(3.0, "*.csv", True)


@pytest.mark.parametrize(
    "options",
    [
        {"folder": {}},
        {"folder": 7},
        {"folder": {"path": "x", "quiet_seconds": -1}},
        {"folder": {"path": "x", "markers": "yes"}},
        {"folder": {"path": "x"}, "sftp": {}},
    ],
)
def test_a_table_that_cannot_be_does_not_start(hub: Hub, tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(CannotStart, match="Feed sample: "):
        transports.transports([Feed("sample", "x", "y", options=options)], hub.deliver, hub.ended, tmp_path)


def test_two_feeds_of_one_folder_share_it_by_patterns_only(hub: Hub, tmp_path: Path) -> None:
    def feeds(*tables: dict[str, object]) -> list[Feed]:
        return [Feed(f"sample-{number}", "x", "y", options={"folder": one}) for number, one in enumerate(tables)]

    path = {"path": str(tmp_path)}
    transports.transports(feeds(path | {"match": "a*"}, path | {"match": "b*"}), hub.deliver, hub.ended, tmp_path)
    with pytest.raises(CannotStart, match="one folder"):
        transports.transports(feeds(path, path | {"match": "b*"}), hub.deliver, hub.ended, tmp_path)


def test_feeds_without_a_place_are_not_looked_for(hub: Hub, tmp_path: Path, feed: Feed) -> None:
    assert transports.transports([feed], hub.deliver, hub.ended, tmp_path).turn() == 0


def test_a_file_to_send_is_put_in_the_folder_whole(tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    path.write_bytes(b"ID\n1\n")
    transports.send(path, Feed("sample", "x", "y", options={"folder": str(tmp_path / "drop")}), "plan.csv")
    assert [(one.name, one.read_bytes()) for one in (tmp_path / "drop" / "out").iterdir()] == [
        ("plan.csv", b"ID\n1\n")
    ]


def test_a_file_that_waits_in_the_folder_is_not_written_over_but_an_answer_is(tmp_path: Path) -> None:
    to, path = Feed("sample", "x", "y", options={"folder": str(tmp_path / "drop")}), tmp_path / "made"
    for content in (b"ID\n1\n", b"ID\n1\n"):
        path.write_bytes(content)
        transports.send(path, to, "plan.csv")
    path.write_bytes(b"ID\n2\n")
    with pytest.raises(Fault) as caught:
        transports.send(path, to, "plan.csv")
    there = tmp_path / "drop" / "out" / "plan.csv"
    assert (caught.value.code, there.read_bytes()) == (TAKEN, b"ID\n1\n")
    transports.answer(path, to, "plan.csv")
    assert there.read_bytes() == b"ID\n2\n"


def test_a_feed_without_a_place_sends_nothing(tmp_path: Path, feed: Feed) -> None:
    with pytest.raises(ValueError, match="a folder, or sftp"):
        transports.send(tmp_path / "x.csv", feed)


class Broken:
    """A place that fails."""

    def __init__(self) -> None:
        self.looks = 0

    def poll(self) -> int:
        self.looks += 1
        raise RuntimeError("Sample Person, born 1980")


def test_a_place_that_fails_is_asked_less_often_and_its_words_are_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seconds, place = [0.0], Broken()
    looking = transports.Transports({"sample": place}, lambda: seconds[0])
    looked = []
    for seconds[0] in range(0, 300, 10):
        if looking.turn():
            for thread in threading.enumerate():
                if thread.name == "files sample":
                    thread.join(10)
            looked.append(seconds[0])
    assert looked == [0, 30, 90, 210]
    assert "RuntimeError" in caplog.text
    assert "Sample" not in caplog.text


def test_a_place_that_is_looked_at_is_not_looked_at_twice() -> None:
    started, ended = threading.Event(), threading.Event()

    class Slow:
        looks = 0

        def poll(self) -> int:
            self.looks += 1
            started.set()
            ended.wait(10)
            return 0

    slow = Slow()
    looking = transports.Transports({"sample": slow})
    looking.turn()
    started.wait(10)
    assert looking.look("sample") == 0
    ended.set()
    assert slow.looks == 1


def test_a_watch_is_read_from_the_feed() -> None:
    assert watch({}) == Watch(10.0, "*", False, False)
    assert drop_folder.PLACES == ("in", "processing", "archive", "rejected")
