"""A reading that ends anywhere leaves what a single clean one would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.feeds import kept
from hub.feeds.loading import Loading
from hub.feeds.records import ABOUT
from hub.store.engine import Database
from tests.hub.feeds.toy import file_of, ingested, load, toy_loading

PEOPLE = ("P,ann,91234567A,Invented,1980-05-01", "P,bob,92345678C,Different,1955-11-30", "L,1,Example Pier")


class Killed(Exception):
    """As by kill -9, between two transactions."""


def reading(loading: Loading, path: Path) -> Callable[[], None]:
    """What reads this file, and keeps what is new."""
    _, seq = loading.arriving(path, path.name, loading.feeds["toy"])

    def run() -> None:
        loading.again(seq)
        ingested(loading.database, loading.feeds["toy"], seq, path)

    return run


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
