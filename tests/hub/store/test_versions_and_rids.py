"""Row numbers of a large commit, and version numbers that no column holds."""

import pytest

from hub.access import Access
from hub.store import read, rids
from hub.store.engine import Database
from hub.store.rids import new_rid
from hub.transactions import single
from hub.versions import Target, Work
from tests.hub.asking import Api, patient, refused

ALL = Access.system("tests")
NOW = 1_800_000_000_000_000


def test_a_commit_draws_each_row_number_once_however_many_it_has() -> None:
    work = Work(NOW, {}, "tests")
    many = 12_000  # 17 of them would be drawn twice
    for number in range(many):
        entry = single("POST", "Patient", resource={"resourceType": "Patient"})
        work.do(Target(entry, ("Patient", f"{number}"), fresh=True), entry.resource)
    assert len({row.rid for row in work.created}) == len(work.changes) == many


def test_a_row_number_that_is_taken_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rids, "RANDOM_BITS", 2)
    monkeypatch.setattr(rids, "_behind_last", lambda _: 0)  # as when the last one is of another time
    taken: set[int] = set()
    for _ in range(4):
        taken.add(new_rid(NOW, taken))
    assert len(taken) == 4


@pytest.mark.parametrize("number", [2, 2**31 - 1, 2**31, 2**63, 99999999999999999999])
def test_a_version_that_no_column_holds_is_not_there(api: Api, swept: Database, number: int) -> None:
    api.have(patient("p1"))
    with swept.read() as connection:
        assert read.version(connection, ALL, "Patient", "p1", number) is None
    for path in ("", "/$meta"):
        refused(api.get(f"/Patient/p1/_history/{number}{path}"), 404, "not-found")


def test_numbers_of_one_millisecond_stand_in_the_order_in_which_they_were_made() -> None:
    drawn = [new_rid(NOW) for _ in range(5000)]
    assert drawn == sorted(set(drawn))
    ahead = (drawn[-1] >> rids.RANDOM_BITS) - (drawn[0] >> rids.RANDOM_BITS)
    assert ahead <= 1, "nor does their number run ahead of the clock"
