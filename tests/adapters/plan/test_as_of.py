"""A file of the plan says as of when it speaks, before it says anything else (docs/feeds.md "Said when")."""

from pathlib import Path

import pytest

from hub.feeds.records import AsOf, Given, Once, Row, Whole
from tests.adapters.plan.made_834 import header, member
from tests.adapters.plan.made_837 import body, claim
from tests.adapters.plan.test_workbook_returns import KP
from tests.adapters.plan.workbooks import KINDS, book, table
from tests.adapters.plan.workbooks import feed as workbook_feed
from tests.adapters.plan.x12_world import feed, read
from tests.adapters.x12.made import file_834, file_837, group, interchange, replaced, transaction


def moments(given: list[Given]) -> list[str]:
    return [one.at for one in given if isinstance(one, AsOf)]


@pytest.mark.parametrize(
    ("isa", "gs", "bgn", "said"),
    [
        ("261101*1930", "20261102*0800", "20261103*1000", "2026-11-01T19:30:00"),
        ("000000*1930", "20261102*0800", "20261103*1000", "2026-11-02T08:00:00"),
        ("261341*1930", "20261340*0800", "20261103*1000", "2026-11-03T10:00:00"),
    ],
)
def test_an_834_is_as_of_its_envelope_else_its_group_else_itself(
    tmp_path: Path, isa: str, gs: str, bgn: str, said: str
) -> None:
    segments = [
        segment.replace("261101*1930*^", f"{isa}*^").replace("20261101*1930*1", f"{gs}*1")
        for segment in file_834([*header(), *member(1)])
    ]
    segments = list(replaced(segments, "BGN", f"BGN*00*NAME*{bgn}****2"))
    found = read(tmp_path, segments, feed(validate="envelope"))
    assert isinstance(next(one for one in found.given if not isinstance(one, Once)), AsOf)
    assert moments(found.given) == [said]


def test_each_plan_of_a_full_834_is_whole_as_of_its_own_set(tmp_path: Path) -> None:
    """Two interchanges of two days in one file."""
    other = [line.replace("N1*IN*Invented Plan Inc.*FI*999999991", "N1*IN*Other Plan Inc.*FI*999999992")
             for line in header(kind="4")]  # fmt: skip
    first = interchange([group([transaction([*header(kind="4"), *member(1)])])])
    second = interchange([group([transaction([*other, *member(2)])])], control="000000002")
    second[0] = second[0].replace("261101*1930", "261201*1930")
    given = read(tmp_path, [*first, *second], feed(validate="envelope")).given
    told = [
        (one.at if isinstance(one, AsOf) else one.within["plan"]) for one in given if isinstance(one, AsOf | Whole)
    ]
    november, december = "2026-11-01T19:30:00", "2026-12-01T19:30:00"
    assert told == [november, december, november, "999999991", december, "999999992"]


def test_claims_are_as_of_their_envelope(tmp_path: Path) -> None:
    found = read(tmp_path, file_837(body(claim())), feed("plan-837", validate="envelope"))
    assert isinstance(next(one for one in found.given if not isinstance(one, Once)), AsOf)
    assert moments(found.given) == ["2026-11-01T19:30:00"]


def test_a_row_of_a_workbook_is_as_of_its_production_date(tmp_path: Path) -> None:
    produced = "Member Information RTF Production Date"
    path = book(tmp_path / "a.xlsx", {"RTF": table({**KP, produced: "11/02/2026"}, {**KP, produced: "11/02/2026"})})
    given = list(KINDS["rtf"].read(path, workbook_feed("rtf")))
    assert moments(given) == ["2026-11-02"]
    assert isinstance(given[0], AsOf)
    assert isinstance(given[1], Row)


def test_a_workbook_without_a_production_date_says_none(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"RTF": table(KP)})
    assert moments(list(KINDS["rtf"].read(path, workbook_feed("rtf")))) == []
