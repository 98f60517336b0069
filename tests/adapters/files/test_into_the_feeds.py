"""From a drop folder and from an SFTP server into the hub, and the answer back, with the real inbox and vault."""

from pathlib import Path
from typing import Any

from adapters.files.transports import ended_by, place
from hub.feeds.lane import FileLane
from hub.feeds.loading import Loading
from hub.store.engine import Database
from tests.adapters.files.conftest import SftpServer
from tests.hub.feeds.toy import stored, toy_feed, toy_loading

LINES = b"L,1,Sample Place\nP,p1,91234567A,Sampleton,1980-02-03\nbad\nV,v1,p1,home\n"


def looking(database: Database, tmp_path: Path, **options: Any) -> tuple[Loading, Any]:
    feed = toy_feed(options=options)
    loading = toy_loading(database, tmp_path, feed)
    return loading, place(feed, loading.arriving, ended_by(database), tmp_path / "spool")


def work(loading: Loading) -> None:
    while FileLane(loading).turn():
        pass


def test_a_file_in_a_folder_becomes_fhir_and_is_answered_beside_it(database: Database, tmp_path: Path) -> None:
    root = tmp_path / "drop"
    (root / "in").mkdir(parents=True)
    loading, there = looking(database, tmp_path, folder={"path": str(root), "quiet_seconds": 0})
    (root / "in" / "april.txt").write_bytes(LINES)
    there.poll()
    assert [path.name for path in (root / "processing").iterdir()] == ["april.txt"]
    work(loading)
    there.poll()
    (visit,) = stored(database, "Encounter")
    assert visit["status"] == "finished"
    assert sorted(path.name for path in (root / "archive").iterdir()) == ["april.txt", "april.txt.report.csv"]
    report = (root / "archive" / "april.txt.report.csv").read_text()
    assert "april.txt,,3,cell,error,TYPE" in report
    assert "Sampleton" not in report


def test_a_refused_file_is_answered_and_its_name_is_not_used_again(database: Database, tmp_path: Path) -> None:
    root = tmp_path / "drop"
    (root / "in").mkdir(parents=True)
    loading, there = looking(database, tmp_path, folder={"path": str(root), "quiet_seconds": 0})
    for content in (b"stop\n", LINES):
        (root / "in" / "april.txt").write_bytes(content)
        there.poll()
        work(loading)
        there.poll()
    assert stored(database, "Encounter") == []
    reports = sorted((root / "rejected").glob("*.report.csv"))
    assert ["NAME_REUSED" in reports[0].read_text(), "CHECKSUM" in reports[1].read_text()] == [True, True]


def test_a_file_on_a_server_becomes_fhir_and_is_answered_there(
    database: Database, tmp_path: Path, sftp_server: SftpServer
) -> None:
    loading, there = looking(database, tmp_path, sftp=sftp_server.table())
    for _ in range(2):  # and again: a duplicate
        (sftp_server.root / "in" / "april.txt").write_bytes(LINES)
        there.poll()
        work(loading)
        there.poll()
    assert len(stored(database, "Encounter")) == 1
    assert sftp_server.names("archive") == ["april.txt", "april.txt.2"]
    assert "TYPE" in (sftp_server.root / "reports" / "april.txt.report.csv").read_text()
