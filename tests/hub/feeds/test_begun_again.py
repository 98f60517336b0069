"""A reading that ends anywhere, or sleeps while another one goes on, leaves what a single clean one would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.feeds import files, kept
from hub.feeds.ingest import Ingest
from hub.feeds.loading import Loading
from hub.feeds.moments import Moments
from hub.feeds.records import ABOUT
from hub.store.engine import Database
from hub.store.tables_feeds import feed_record
from tests.hub.feeds.toy import file_of, load, read_toy, toy_loading

PEOPLE = ("P,ann,91234567A,Invented,1980-05-01", "P,bob,92345678C,Different,1955-11-30", "L,1,Example Pier")


class Killed(Exception):
    """As by kill -9, between two transactions."""


def reading(loading: Loading, path: Path, step: Callable[[], object] = lambda: None) -> Callable[[], None]:
    """What reads this file, and keeps what is new; `step` comes when its rows are compared."""
    _, seq = loading.arriving(path, path.name, loading.feeds["toy"])
    content = loading.arriving.content(digest_of(loading, seq))

    def run() -> None:
        ingest = Ingest(loading.database, loading.feeds["toy"], seq, step=lambda counts: step())
        ingest.run(read_toy, content, loading.arriving.folder)

    return run


def digest_of(loading: Loading, seq: int) -> str:
    with loading.database.read() as connection:
        found = files.find(connection, seq)
    assert found is not None
    return found.digest


@pytest.mark.parametrize("at", ["put", "touch"])
def test_who_is_killed_while_rows_move_to_another_subject_still_maps_anew_what_they_left(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", *PEOPLE, "V,1,ann,home", "V,2,ann,home"))
    run = reading(loading, file_of(tmp_path, "b.csv", *PEOPLE, "V,1,bob,home", "V,2,ann,home"))
    done: Any = getattr(kept, at)

    def killed(*given: Any) -> None:
        raise Killed

    monkeypatch.setattr(kept, at, killed)
    with pytest.raises(Killed):
        run()
    monkeypatch.setattr(kept, at, done)
    run()
    with database.read() as connection:
        assert kept.changed(connection, loading.feeds["toy"], ABOUT, "", 10) == ["visits|ann", "visits|bob"]


@pytest.mark.parametrize("newer", ["V,1,ann,home", "V,1,ann,office"])
def test_a_reader_that_lost_its_lease_writes_nothing_over_what_was_said_later(
    database: Database, tmp_path: Path, newer: str
) -> None:
    """It slept between comparing and keeping, and somebody else read a newer file meanwhile."""
    loading = toy_loading(database, tmp_path)
    load(loading, file_of(tmp_path, "a.csv", "AS,2026-01-01", *PEOPLE, "V,1,ann,home"))
    others = [reading(loading, file_of(tmp_path, "c.csv", "AS,2026-03-01", newer))]
    older = "V,1,ann,office" if newer.endswith("home") else "V,1,ann,home"
    reading(loading, file_of(tmp_path, "b.csv", "AS,2026-02-01", older), lambda: others and others.pop()())()
    with database.read() as connection:
        row = connection.execute(
            select(feed_record.c.body, feed_record.c.said).where(feed_record.c.kind == "V")
        ).one()
    assert newer.rsplit(",", 1)[1].encode() in bytes(row.body)
    assert row.said == march(loading)


def march(loading: Loading) -> int:
    found = Moments(loading.feeds["toy"], "", 2**60).told("2026-03-01")
    assert found is not None
    return found
