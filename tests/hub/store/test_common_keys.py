"""A key that half the county has is not asked for again for ten minutes."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from hub.store import identity_keys
from hub.store.engine import Database

MOST = 3
RARE, COMMON = 7001, 7002


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Seconds that are turned by hand; nothing is remembered from other tests."""
    made = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(identity_keys, "time", SimpleNamespace(monotonic=lambda: made.seconds))
    monkeypatch.setattr(identity_keys, "_common", {})
    return made


@pytest.fixture
def keyed(database: Database) -> Database:
    """Two persons share one key, four the other: one more than is asked for."""
    rows = [(RARE, 1), (RARE, 2), *((COMMON, person) for person in range(1, MOST + 2))]
    database.writing(lambda connection: identity_keys.add(connection, rows))
    return database


def shared(database: Database, *keys: int) -> dict[int, list[int]]:
    with database.read() as connection:
        return {key: sorted(persons) for key, persons in identity_keys.sharing(connection, keys, MOST)}


def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[int]]:
    """The keys that the database is asked for from now on."""
    seen: list[Sequence[int]] = []
    ask = identity_keys._shared
    monkeypatch.setattr(
        identity_keys, "_shared", lambda c, wanted, most: (seen.append(wanted), ask(c, wanted, most))[1]
    )
    return seen


def test_a_key_that_too_many_have_links_nobody(keyed: Database, clock: SimpleNamespace) -> None:
    assert shared(keyed, RARE, COMMON) == {RARE: [1, 2]}


def test_it_is_not_asked_for_again_for_ten_minutes_and_then_it_is(
    keyed: Database, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared(keyed, RARE, COMMON)
    seen = asked(monkeypatch)
    clock.seconds += identity_keys.COMMON_SECONDS - 1
    assert shared(keyed, RARE, COMMON) == {RARE: [1, 2]}
    assert seen == [[RARE]]
    clock.seconds += 1
    shared(keyed, RARE, COMMON)
    assert seen == [[RARE], [RARE, COMMON]]


def test_one_that_has_become_rare_meanwhile_counts_again_after_that(
    keyed: Database, clock: SimpleNamespace
) -> None:
    shared(keyed, COMMON)
    with keyed.write() as connection:
        connection.exec_driver_sql(f"DELETE FROM identity_key WHERE hash = {COMMON} AND person > 2")
    assert shared(keyed, COMMON) == {}
    clock.seconds += identity_keys.COMMON_SECONDS
    assert shared(keyed, COMMON) == {COMMON: [1, 2]}


def test_what_is_common_in_one_database_is_not_so_in_another(
    keyed: Database, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared(keyed, COMMON)
    (place,) = identity_keys._common
    monkeypatch.setattr(identity_keys, "_common", {("another database", place[1]): identity_keys._common[place]})
    seen = asked(monkeypatch)
    shared(keyed, COMMON)
    assert seen == [[COMMON]]
