"""An uploaded file goes to the vault while it comes in; what breaks off leaves nothing behind."""

import io
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from adapters.files.upload import upload
from hub.access import Access
from hub.feeds.loading import Loading
from hub.feeds.vault import MARK
from hub.fhir import json
from hub.problems import Problem
from hub.rest import incoming
from hub.rest.doors import Beside, Reply
from hub.store.engine import Database
from hub.store.tables import inbox
from tests.hub.feeds.toy import stored, toy_feed, toy_loading

CLIENT = Access.system("toy-client")
LINES = b"L,1,Sample Place\nP,p1,91234567A,Sampleton,1980-02-03\n"
MEGABYTE = 1 << 20


class Zeros(io.RawIOBase):
    """So many, which nobody holds."""

    def __init__(self, size: int):
        self.left = size

    def read(self, size: int = -1) -> bytes:
        given = min(self.left, size)
        self.left -= given
        return bytes(given)


def opened(database: Database, folder: Path, megabytes: int) -> tuple[Loading, Beside]:
    loading = toy_loading(database, folder, toy_feed(options={"clients": [CLIENT.who]}))
    return loading, upload(lambda: loading, "https://hub.example", megabytes)[0]


def sent(door: Beside, pieces: Iterator[bytes], name: str = "a.csv") -> Reply:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return door.serve(CLIENT, headers, pieces, feed="toy")


def test_it_is_read_as_it_was_sent(database: Database, tmp_path: Path) -> None:
    loading, door = opened(database, tmp_path, 1)
    assert door.in_pieces
    reply = sent(door, incoming.pieces(io.BytesIO(LINES), "", door.most))
    assert reply.status == 202
    loading.run(json.read(reply.body)["number"])
    assert len(stored(database, "Location")) == 1
    again = sent(door, incoming.pieces(io.BytesIO(LINES), "", door.most))
    assert again.status == 200


def test_memory_holds_a_piece_of_it(database: Database, tmp_path: Path) -> None:
    _, door = opened(database, tmp_path, 48)
    tracemalloc.start()
    try:
        assert sent(door, incoming.pieces(Zeros(48 * MEGABYTE), "", door.most)).status == 202
        assert tracemalloc.get_traced_memory()[1] < 16 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.csv", "../a.csv"])
def test_what_breaks_off_or_has_no_name_leaves_nothing(database: Database, tmp_path: Path, name: str) -> None:
    loading, door = opened(database, tmp_path, 1)
    with pytest.raises(Problem):
        sent(door, incoming.pieces(Zeros(MEGABYTE + 1), "", door.most), name)
    folder = loading.arriving.folder
    assert not folder.exists() or [path.name for path in folder.iterdir()] == [MARK]
    with database.read() as connection:
        assert not connection.execute(select(inbox.c.seq)).all()
