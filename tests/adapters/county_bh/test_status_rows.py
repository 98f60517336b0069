"""The status record as counties send it: what is taken, and what is refused by line, column and code."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from conformance.validation import structure
from hub.feeds.records import PERSON, Feed, Reject
from tests.adapters.county_bh.reading import FILES, KINDS, SYSTEM, read, rejects, rows, subjects
from tests.adapters.county_bh.reading import written as table

GOOD = {
    "cin": "91234567A",
    "county_client_number": "006132463",
    "last": "Testperson-Alder",
    "first": "Robin",
    "dob": "1980-02-15",
    "system": "SMHS",
    "status": "open",
    "open_date": "2026-03-02",
    "close_date": "",
    "as_of": "2026-04-01",
}


def written(folder: Path, *changes: dict[str, str]) -> Path:
    return table(folder / "status.csv", GOOD, *changes)


def test_each_row_is_a_statement_about_its_client() -> None:
    given = read(FILES / "status.csv")
    assert rejects(given) == []
    assert [(row.subject, row.line, row.stage) for row in rows(given)] == [
        (f"00613246{last}", line, PERSON) for line, last in enumerate("3456", 2)
    ]


def test_what_is_read_becomes_persons_and_valid_resources() -> None:
    kind = KINDS["county"]
    for subject in subjects(read(FILES / "status.csv")):
        said = kind.said(subject)
        assert said
        for resource in (said.patient, *kind.resources(subject, "Patient/p1")):
            assert list(structure.validate(resource, resource["resourceType"], conditional_references=True)) == []


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"county_client_number": ""}, "REQUIRED", "county_client_number"),
        ({"system": "SUD"}, "CODE", "system"),
        ({"status": "pending"}, "CODE", "status"),
        ({"cin": "1234"}, "IDENTIFIER", "cin"),
        ({"dob": "1980-02-30"}, "DATE", "dob"),
        ({"as_of": ""}, "REQUIRED", "as_of"),
        ({"open_date": ""}, "REQUIRED", "open_date"),
        ({"status": "closed"}, "REQUIRED", "close_date"),
        ({"status": "closed", "close_date": "2026-01-01"}, "DATE", "close_date"),
        ({"provider_org_npi": "1234567890"}, "IDENTIFIER", "provider_org_npi"),
        ({"part2_program": "perhaps"}, "CODE", "part2_program"),
        ({"diagnosis": "depressed"}, "IDENTIFIER", "diagnosis"),
        ({"last": "x" * 101}, "LENGTH", "last"),
    ],
)
def test_a_bad_cell_costs_its_row_and_says_where(
    tmp_path: Path, change: dict[str, str], code: str, column: str
) -> None:
    given = read(written(tmp_path, {}, change, {"county_client_number": "9"}))
    assert rejects(given) == [(code, 3, column)]
    assert [row.line for row in rows(given)] == [2, 4]


def test_no_reject_repeats_what_stood_in_the_row(tmp_path: Path) -> None:
    changes = [{"last": "Canary" * 20}, {"cin": "CanaryCin"}, {"system": "CanarySystem"}, {"dob": "CanaryDay"}]
    assert "Canary" not in repr([one for one in read(written(tmp_path, *changes)) if isinstance(one, Reject)])


def test_words_and_diagnoses_are_read_however_they_are_written(tmp_path: Path) -> None:
    change = {"system": "dmc-ods", "status": "OPEN", "part2_program": "yes", "diagnosis": "f1120; F33.1 F33.1"}
    (row,) = rows(read(written(tmp_path, change)))
    assert row.values["system"] == "DMC-ODS"
    assert row.values["part2_program"] == "Y"
    assert row.values["diagnosis"] == ["F11.20", "F33.1"]


def test_a_county_may_write_its_headers_words_and_dates_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, {"system": "MH", "dob": "02/15/1980"})
    path.write_text(path.read_text().replace("county_client_number", "Client No.").replace("dob", "Birth Day"))
    options = {
        "columns": {"Client No": "county_client_number", "birthday": "dob"},
        "words": {"system": {"MH": "SMHS", "SUD": "DMC-ODS"}},
        "dates": ["%m/%d/%Y"],
    }
    (row,) = rows(read(path, feed=Feed("county", "county", SYSTEM, options=options)))
    assert (row.subject, row.values["system"], row.values["dob"]) == ("006132463", "SMHS", "1980-02-15")


def test_a_file_without_a_column_that_must_be_there_is_refused_whole(tmp_path: Path) -> None:
    path = written(tmp_path, {})
    path.write_text(path.read_text().replace("as_of", "asof_1"))
    (reject,) = [one for one in read(path) if isinstance(one, Reject)]
    assert (reject.code, reject.whole) == ("HEADER_MISSING", True)


def test_a_row_that_is_taken_back_is_deleted_under_the_same_key(tmp_path: Path) -> None:
    given = rows(read(written(tmp_path, {"deleted": "N"}, {"deleted": "Y"})))
    assert [row.deleted for row in given] == [False, True]
    assert len({row.key for row in given}) == 1


def test_two_statements_have_two_keys(tmp_path: Path) -> None:
    changes = (
        {},
        {"as_of": "2026-05-01"},
        {"status": "screened"},
        {"system": "DMC"},
        {"county_client_number": "1"},
    )
    assert len({row.key for row in rows(read(written(tmp_path, *changes)))}) == len(changes)


def test_the_parts_of_an_archive_are_named(tmp_path: Path) -> None:
    path = tmp_path / "status.zip"
    with ZipFile(path, "w") as archive:
        archive.write(FILES / "status.csv", "march/status.csv")
    assert {row.part for row in rows(read(path))} == {"status.csv"}
