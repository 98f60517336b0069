"""Schemas applied column by column: rows C04, C11 and C12 of the catalogue of bad input."""

import datetime
from collections.abc import Mapping
from typing import Any

import pytest
from marshmallow import Schema, fields, validate, validates_schema

from adapters.files.cells import Day, Moment, Refused
from adapters.files.columns import Columns
from adapters.files.tables import Line
from hub import clock
from hub.feeds.records import WARNING, Reject

FULL = {"Member ID": "90000001A", "Birth Date": "1980-02-03", "Sex": "1", "Start": "2026-01-01 08:00:00"}


class Members(Schema):
    """An invented table."""

    member = fields.String(data_key="Member ID", required=True, validate=validate.Regexp(r"9\d{7}[A-Z]\Z"))
    birth = Day(data_key="Birth Date", required=True, allow_none=True, formats=("%m/%d/%Y",))
    sex = fields.Integer(data_key="Sex", required=True, allow_none=True, validate=validate.OneOf([0, 1, 9]))
    start = Moment(data_key="Start")
    end = Day(data_key="End", future=True)
    sum = fields.Decimal(data_key="Sum")
    name = fields.String(data_key="Name", validate=validate.Length(max=5))

    @validates_schema
    def ends_after_start(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if "start" in data and "end" in data and data["end"] < data["start"].date():
            raise Refused("DATE", "The end is before the start.", "End")


def row(changed: Mapping[str, str], columns: Columns | None = None) -> dict[str, Any] | list[Reject]:
    return (columns or Columns(Members)).row(Line(7, FULL | changed))


def codes(changed: Mapping[str, str], columns: Columns | None = None) -> list[tuple[str, int, str]]:
    found = row(changed, columns)
    assert isinstance(found, list)
    return [(reject.code, reject.line, reject.column) for reject in found]


def test_values_are_what_json_holds_and_empty_cells_are_left_out() -> None:
    assert row({"Sum": "72.50", "Name": "", "Sex": "  "}) == {
        "member": "90000001A",
        "birth": "1980-02-03",
        "start": "2026-01-01T08:00:00",
        "sum": "72.50",
    }


@pytest.mark.parametrize("written", ["02/03/1980", "2/3/1980", "1980-02-03"])
def test_a_date_is_read_in_the_forms_that_the_schema_names(written: str) -> None:
    found = row({"Birth Date": written})
    assert isinstance(found, dict)
    assert found["birth"] == "1980-02-03"


@pytest.mark.parametrize(
    "written",
    [
        "02/30/1980",
        "1980-02-30",
        "1/2/80",
        "19800203",
        "1980-W05-7",
        "3.2.1980",
        "02/03/1900",
        "2999-01-01",
        "0000-00-00",
    ],
)
def test_an_impossible_date_is_refused(written: str) -> None:
    assert codes({"Birth Date": written}) == [("DATE", 7, "Birth Date")]


def test_a_birth_of_tomorrow_or_of_121_years_ago_is_refused() -> None:
    today = clock.now().date()
    for day in (today + datetime.timedelta(days=1), today - datetime.timedelta(days=121 * 366)):
        assert codes({"Birth Date": day.isoformat()}) == [("DATE", 7, "Birth Date")]
    assert isinstance(row({"Birth Date": today.isoformat()}), dict)


def test_a_plan_may_end_in_the_future() -> None:
    assert isinstance(row({"End": "2999-01-01"}), dict)


def test_further_forms_of_dates_come_with_the_layout() -> None:
    assert isinstance(row({"End": "3.2.2026"}, Columns(Members, dates=("%d.%m.%Y",))), dict)


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("Member ID", "", "REQUIRED"),
        ("Member ID", "123", "IDENTIFIER"),
        ("Sex", "x", "TYPE"),
        ("Sex", "7", "CODE"),
        ("Sum", "1,5", "TYPE"),
        ("Name", "Sampleton", "LENGTH"),
        ("Start", "2026-01-01 25:00", "DATE"),
        ("Name", "#REF!", "TYPE"),
    ],
)
def test_what_is_wrong_is_told_by_code_line_and_column(column: str, cell: str, code: str) -> None:
    assert codes({column: cell}) == [(code, 7, column)]


def test_all_that_is_wrong_with_a_row_is_told_at_once_and_again_for_the_next_row() -> None:
    columns = Columns(Members)
    for _ in range(2):  # the second time from memory
        assert codes({"Sex": "7", "Birth Date": "x"}, columns) == [("DATE", 7, "Birth Date"), ("CODE", 7, "Sex")]


def test_no_reject_repeats_a_value() -> None:
    canary = dict.fromkeys(("Member ID", "Birth Date", "Sex", "Sum", "Name", "Start", "End"), "Canary4711")
    found = row(canary)
    assert isinstance(found, list)
    assert len(found) == 7
    assert "Canary" not in repr(found)


def test_rules_about_several_columns_come_after_the_columns() -> None:
    assert codes({"End": "2025-12-31"}) == [("DATE", 7, "End")]
    assert codes({"End": "2025-12-31", "Sex": "7"}) == [("CODE", 7, "Sex")]


def test_a_header_fits_however_it_is_written() -> None:
    columns = Columns(Members, {"Date of Birth": "Birth Date", "Resdidential ID": "Member ID"})
    names = ["RESDIDENTIAL_ID", "date  of birth", "sex"]
    assert columns.header(names) == []
    assert columns.knows(names)
    made = columns.row(Line(2, dict(zip(names, ["90000001A", "1980-02-03", "1"], strict=True))))
    assert made == {"member": "90000001A", "birth": "1980-02-03", "sex": 1}


def test_rejects_name_the_column_as_the_sender_writes_it() -> None:
    columns = Columns(Members, {"DOB": "Birth Date"})
    found = columns.row(Line(2, {"Member ID": "90000001A", "DOB": "x", "Sex": ""}))
    assert isinstance(found, list)
    assert found[0].column == "DOB"


def test_a_missing_column_refuses_the_file_and_an_unknown_one_is_warned_of() -> None:
    (missing,) = Columns(Members).header(["Member ID", "Birth Date"])
    (unknown,) = Columns(Members).header(["Member ID", "Birth Date", "Sex", "Extra"])
    assert (missing.code, missing.column, missing.whole) == ("HEADER_MISSING", "Sex", True)
    assert (unknown.code, unknown.column, unknown.severity) == ("HEADER_UNKNOWN", "Extra", WARNING)
    assert not Columns(Members).knows(["Member ID"])


def test_a_file_without_a_header_is_refused_without_a_word_of_its_first_row() -> None:
    """The first row is a person's then."""
    told = Columns(Members).header(["M-1", "Testperson", "1980-02-15"])
    assert {one.code for one in told} == {"HEADER_MISSING"}
    assert "Testperson" not in str(told)


def test_two_names_of_one_column_refuse_the_file() -> None:
    columns = Columns(Members, {"DOB": "Birth Date"})
    (found,) = columns.header(["Member ID", "Birth Date", "DOB", "Sex"])
    assert (found.code, found.column, found.whole) == ("HEADER_REPEATED", "DOB", True)


def test_unknown_columns_are_kept_where_the_caller_asks_for_them() -> None:
    found = row({"Note": " as is ", "Empty": ""}, Columns(Members, more=True))
    assert isinstance(found, dict)
    assert found["_more"] == {"Note": " as is "}
    assert "_more" not in row({"Note": "x"})


def test_words_of_the_sender_become_codes_and_unknown_words_are_refused() -> None:
    columns = Columns(Members, codes={"Sex": {"Male": "1", "Unknown ": "9"}})
    assert [row({"Sex": word}, columns)["sex"] for word in ("MALE", "unknown")] == [1, 9]  # type: ignore[call-overload]
    assert codes({"Sex": "1"}, columns) == [("CODE", 7, "Sex")]


def test_the_rejects_of_the_reader_go_on_among_the_rows() -> None:
    torn = Reject("COLUMN_COUNT", 3)
    found = list(Columns(Members).rows([Line(2, FULL), torn, Line(4, FULL | {"Sex": "7"})]))
    assert [one if isinstance(one, Reject) else one[0].number for one in found][:2] == [2, torn]
    assert isinstance(found[2], Reject)
