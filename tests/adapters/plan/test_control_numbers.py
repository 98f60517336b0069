"""Row C16 of the bad input: a control number (ISA13) comes once from a sender, whatever file brings it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.files.answering import Answering
from adapters.plan.kinds_x12 import FILE_KINDS_X12
from hub import outbox
from hub.feeds import files
from hub.feeds.arriving import Arriving
from hub.feeds.files import DONE, REFUSED
from hub.feeds.loading import ANSWERS, Loading
from hub.feeds.records import Feed
from hub.store import merges
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.adapters.plan.made_834 import body, member
from tests.adapters.x12.made import file_834, group, interchange, replaced, transaction, written


def loading_of(database: Database, folder: Path, **options: Any) -> Loading:
    merges.look_again()
    options = {"validate": "envelope", "folder": {"path": str(folder / "plan")}, **options}
    feed = Feed("example", "plan-834", "https://plan.example/feed", options=options)
    own = Transactions(database, lambda *_: (), lambda changes: (), "http://hub.test/fhir")
    kinds = {kind.name: kind for kind in FILE_KINDS_X12}
    return Loading(database, own, Arriving(database, folder / "files"), kinds, {"example": feed})


def load(loading: Loading, folder: Path, name: str, segments: Sequence[str]) -> Any:
    _, seq = loading.arriving(written(folder / name, segments), name, loading.feeds["example"])
    return loading.run(seq)


def rejects(loading: Loading, seq: int) -> list[tuple[str, str]]:
    with loading.database.read() as connection:
        return [(one.code, one.what) for one in files.rejects(connection, seq)]


def ta1(loading: Loading, seq: int) -> list[str]:
    """What is put into the sender's folder for a file."""
    sent: list[bytes] = []
    answering = Answering(loading, lambda path, feed, name: sent.append(path.read_bytes()))
    answering(outbox.Work(1, ANSWERS, str(seq), {"file": seq}, 0, 0))
    return [line for one in sent for line in one.decode().split("~\n") if line.startswith(("TA1", "AK9"))]


ONE, TWO = file_834(body([member(1)])), file_834(body([member(2)]))
REPEATED = ("X12_ENVELOPE", "rejected, TA105 025")


def test_a_number_that_came_in_an_earlier_file_is_refused(database: Database, tmp_path: Path) -> None:
    loading = loading_of(database, tmp_path)
    first = load(loading, tmp_path, "a.834", ONE)
    second = load(loading, tmp_path, "b.834", TWO)
    assert (first.state, second.state) == (DONE, REFUSED)
    assert rejects(loading, second.seq) == [REPEATED]
    assert ta1(loading, second.seq) == ["TA1*000000001*261101*1930*R*025"]
    assert ta1(loading, first.seq) == ["AK9*A*1*1*1"]


def test_only_the_interchange_that_repeats_it_is_refused(database: Database, tmp_path: Path) -> None:
    loading = loading_of(database, tmp_path)
    load(loading, tmp_path, "a.834", ONE)
    other = interchange([group([transaction(body([member(3)]))])], control="000000002")
    both = load(loading, tmp_path, "b.834", [*TWO, *other])
    assert (both.state, rejects(loading, both.seq)) == (DONE, [REPEATED])
    assert both.counts["subjects"] == 1


@pytest.mark.parametrize("name", ["a.834", "again.834"])
def test_the_same_bytes_again_are_no_repetition(database: Database, tmp_path: Path, name: str) -> None:
    loading = loading_of(database, tmp_path)
    load(loading, tmp_path, "a.834", ONE)
    again = load(loading, tmp_path, name, ONE)
    assert (again.state, rejects(loading, again.seq), again.counts["new"]) == (DONE, [], 0)


def test_what_was_refused_may_come_again_with_its_number(database: Database, tmp_path: Path) -> None:
    loading = loading_of(database, tmp_path)
    refused = load(loading, tmp_path, "a.834", list(replaced(ONE, "IEA", "IEA*2*000000001")))
    mended = load(loading, tmp_path, "b.834", ONE)
    assert (refused.state, mended.state) == (REFUSED, DONE)


def test_another_sender_has_numbers_of_its_own(database: Database, tmp_path: Path) -> None:
    loading = loading_of(database, tmp_path)
    load(loading, tmp_path, "a.834", ONE)
    other = [segment.replace("CADHCS_5010_834", "OTHER_SENDER_01") for segment in TWO]
    assert load(loading, tmp_path, "b.834", other).state == DONE


def test_a_feed_may_repeat_its_numbers(database: Database, tmp_path: Path) -> None:
    loading = loading_of(database, tmp_path, control_numbers="repeat")
    load(loading, tmp_path, "a.834", ONE)
    assert load(loading, tmp_path, "b.834", TWO).state == DONE
