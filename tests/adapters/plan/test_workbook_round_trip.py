"""What a layout writes, it reads back: the same facts, unknown columns too."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapters.files.layout_cells import written
from adapters.files.layouts import Column, Layout, Layouts
from adapters.files.spreadsheet_out import write_csv, write_workbook
from adapters.plan.workbook_choice import SHIPPED
from adapters.plan.workbook_rows import LAYOUT
from fhir_mappings.plan.workbook_terms import WORDS
from tests.adapters.plan.workbooks import KINDS, feed

LAYOUTS = Layouts.load(SHIPPED)
NAMES = sorted(LAYOUTS.by_name)
TEXT = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"), exclude_characters="\xa0"),
    min_size=1,
    max_size=40,
)
PLAIN = TEXT.map(lambda text: " ".join(text.split())).filter(lambda text: text and not text.startswith(("#", "'")))
DAYS = st.dates(date(2000, 1, 1), date(2026, 1, 1)).map(date.isoformat)
CIN = st.from_regex(r"9[0-9]{7}[ACDEFGHMNT-Z]", fullmatch=True)


def value(layout: Layout, column: Column) -> st.SearchStrategy[Any]:
    of: Mapping[str, st.SearchStrategy[Any]] = {
        "text": PLAIN,
        "date": DAYS,
        "past": DAYS,
        "period": st.tuples(DAYS, DAYS).map(lambda days: "/".join(sorted(days))),
        "integer": st.integers(0, 999_999_999),
        "flag": st.booleans(),
        "code": st.sampled_from(sorted(set(layout.codes.get(column.codes, {}).values())) or [None]),
        "cin": CIN,
        "npi": st.from_regex(r"[0-9]{10}", fullmatch=True),
        "minutes": st.integers(0, 6000),
    }
    return of[column.type]


@st.composite
def facts(draw: st.DrawFn, layout: Layout) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column in layout.columns:
        if not column.written:
            continue
        if column.required or column.fact in layout.one_of or draw(st.booleans()):
            found[column.fact] = draw(value(layout, column))
    more = draw(st.dictionaries(st.sampled_from(["Tier", "Note of the plan"]), PLAIN, max_size=2))
    return {name: one for name, one in found.items() if one is not None} | ({"_more": more} if more else {})


@pytest.mark.parametrize("is_csv", [False, True], ids=["workbook", "csv"])
@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a workbook costs 50 ms: no shrinking
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_what_a_layout_writes_it_reads_back(name: str, is_csv: bool, data: st.DataObject, tmp_path: Path) -> None:
    layout = LAYOUTS.by_name[name]
    rows = data.draw(st.lists(facts(layout), min_size=1, max_size=4, unique_by=lambda one: one.get("cin")))
    made = written(layout, rows)
    path = tmp_path / "file"
    if is_csv:
        write_csv(path, made.header, made.rows)
    else:
        write_workbook(path, {layout.sheets[0]: (made.header, made.rows)})
    assert made.gaps == set()
    assert read_back(path, layout) == rows


def read_back(path: Path, layout: Layout) -> list[dict[str, Any]]:
    kind = KINDS[layout.kinds[0]]
    every = list(kind.read(path, feed(kind.name, layout=layout.name)))
    assert [one for one in every if getattr(one, "severity", "") == "error"] == []
    return [facts_of(layout, one.values) for one in every if getattr(one, "kind", "") == kind.name]


def facts_of(layout: Layout, values: Mapping[str, Any]) -> dict[str, Any]:
    """With our words for their codes."""
    found = {name: one for name, one in values.items() if name != LAYOUT}
    for column in layout.columns:
        if column.type == "code" and column.fact in found:
            found[column.fact] = layout.means(column, str(found[column.fact])) or found[column.fact]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_words_of_every_shipped_table_are_words_that_the_hub_knows(name: str) -> None:
    layout = LAYOUTS.by_name[name]
    for column in layout.columns:
        words = set(layout.codes.get(column.codes, {}).values())
        assert column.fact not in WORDS or words <= WORDS[column.fact]


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_layout_says_where_it_is_from_and_knows_its_own_header(name: str) -> None:
    layout = LAYOUTS.by_name[name]
    header = [column.header for column in layout.columns if column.written]
    assert len(layout.evidence) > 50
    assert [one.name for one in LAYOUTS.of(layout.kinds[0]) if one.has_header(header)] == [name]
    assert layout.unknown(header) == []


def test_what_a_layout_has_no_word_for_is_an_empty_cell_and_told() -> None:
    made = written(LAYOUTS.by_name["rtf-eldermark"], [{"cin": "91234567A", "status": "delivering"}])
    assert made.gaps == {"Member ECM Status: delivering"}
    assert "delivering" not in made.rows[0]


def test_a_formula_does_not_leave_as_one(tmp_path: Path) -> None:
    import openpyxl

    layout = LAYOUTS.by_name["ils-mif"]
    made = written(layout, [{"first_name": "=1+1", "last_name": "@x", "cin": "91234567A"}])
    write_workbook(tmp_path / "a.xlsx", {"MIF": (made.header, made.rows)})
    cell = openpyxl.load_workbook(tmp_path / "a.xlsx")["MIF"]["A2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")
    write_csv(tmp_path / "a.csv", made.header, made.rows)
    assert "'=1+1,'@x" in (tmp_path / "a.csv").read_text(encoding="utf-8")
