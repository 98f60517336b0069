"""Row C13 of the bad input: an archive that is refused as an attack is a security event of the audit."""

from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from sqlalchemy import select

from adapters.county_bh.kinds import FILE_KINDS
from hub.audit.record import Record, decoded
from hub.feeds.files import REFUSED
from hub.feeds.loading import Loading
from hub.feeds.records import Feed
from hub.store.engine import Database
from hub.store.tables_audit import audit_pending
from tests.hub.feeds.toy import toy_loading


def loading_of(database: Database, folder: Path) -> Loading:
    made = toy_loading(database, folder)
    feed = Feed("example-county", "county", "https://county.example/bh")
    return Loading(database, made.own, made.arriving, {one.name: one for one in FILE_KINDS}, {feed.name: feed})


def archive(folder: Path, member: str, content: bytes) -> Path:
    path = folder / "a.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as opened:
        opened.writestr(member, content)
    return path


def load(loading: Loading, path: Path) -> Any:
    _, seq = loading.arriving(path, path.name, loading.feeds["example-county"])
    return loading.run(seq)


def recorded(database: Database) -> list[Record]:
    with database.read() as connection:
        return [decoded(bytes(one)) for one in connection.execute(select(audit_pending.c.record)).scalars()]


@pytest.mark.parametrize(
    ("member", "content"),
    [("status.csv", bytes(64 << 20)), ("../../outside.csv", b"x"), ("inner.zip", b"x")],
    ids=["bomb", "traversal", "archive in archive"],
)
def test_an_archive_that_attacks_is_a_security_event(
    database: Database, tmp_path: Path, member: str, content: bytes
) -> None:
    loading = loading_of(database, tmp_path)
    path = archive(tmp_path, member, content)
    file = load(loading, path)
    assert file.state == REFUSED
    (told,) = recorded(database)
    assert (told.interaction, told.status) == ("unsafe-file", 403)
    assert told.query == f"feed example-county: file {file.seq}, ZIP_UNSAFE"
    load(loading, path)
    assert len(recorded(database)) == 1


def test_a_file_that_is_merely_wrong_is_none(database: Database, tmp_path: Path) -> None:
    file = load(loading_of(database, tmp_path), archive(tmp_path, "status.csv", b"no,columns\n1,2\n"))
    assert file.state == REFUSED
    assert recorded(database) == []
