"""An export becomes rows; what is wrong in it becomes rejects, and costs nothing else."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.feeds.records import DIRECTORY, PERSON, WARNING, AsOf, Given, Reject, Row, Whole
from tests.adapters.hmis.exports import (
    CLIENT,
    ENROLLMENT,
    FEED,
    ORGANIZATION,
    SHELTER,
    USUAL,
    folder,
    given,
    texts,
    zipped,
)

DELTA = {"ExportDirective": "1"}


def rows(found: Sequence[Given]) -> list[Row]:
    return [one for one in found if isinstance(one, Row)]


def rejects(found: Sequence[Given]) -> list[tuple[str, str, str, int]]:
    """Without the files that are empty: most are."""
    told = (one for one in found if isinstance(one, Reject) and one.code != "EMPTY")
    return [(one.code, one.part, one.column, one.line) for one in told]


def read(tmp_path: Path, files: Any, **options: Any) -> list[Given]:
    return given(zipped(tmp_path / "export.zip", texts(files, **options)))


def kinds(found: Sequence[Given]) -> frozenset[str]:
    return next((one.kinds for one in found if isinstance(one, Whole)), frozenset())


def test_an_export_is_as_of_its_export_date(tmp_path: Path) -> None:
    assert read(tmp_path, USUAL)[0] == AsOf("2026-04-01T06:00:00")


@pytest.mark.parametrize("version", ["2024", "2026"])
@pytest.mark.parametrize(("quoted", "bom"), [(False, False), (True, True)])
def test_both_versions_are_read_with_and_without_quotes_and_mark(
    tmp_path: Path, version: str, quoted: bool, bom: bool
) -> None:
    found = read(tmp_path, USUAL, version=version, quoted=quoted, bom=bom)
    assert [(row.kind, row.key, row.subject, row.stage) for row in rows(found)] == [
        ("Organization", "org-1", "organization|org-1", DIRECTORY),
        ("Project", "p-es", "project|p-es", DIRECTORY),
        ("Client", "c-1", "client|c-1", PERSON),
        ("Enrollment", "e-1", "client|c-1", PERSON),
        ("EnrollmentProject", "e-1", "client|c-1", PERSON),
    ]
    assert rejects(found) == []


def test_a_folder_is_read_like_a_zip(tmp_path: Path) -> None:
    found = texts(USUAL)
    assert given(folder(tmp_path / "export", found)) == given(zipped(tmp_path / "export.zip", found))


def test_the_id_of_the_export_is_left_off_so_that_the_next_export_says_the_same(tmp_path: Path) -> None:
    first = read(tmp_path, USUAL)
    second = read(tmp_path, USUAL, export={"ExportID": "exp-2"})
    assert [row.values for row in rows(first)] == [row.values for row in rows(second)]
    assert all("ExportID" not in row.values for row in rows(first))


def test_an_enrolment_knows_its_project_and_whose_that_is(tmp_path: Path) -> None:
    shelter = {**SHELTER, "TargetPopulation": "1"}
    found = read(tmp_path, {**USUAL, "Organization": [{**ORGANIZATION, "VictimServiceProvider": "1"}],
                            "Project": [shelter]})  # fmt: skip
    facts = next(row for row in rows(found) if row.kind == "EnrollmentProject")
    assert facts.values == {
        "ProjectID": "p-es", "OrganizationID": "org-1", "ProjectName": "Example Shelter", "ProjectType": "0",
        "TargetPopulation": "1", "VictimServiceProvider": "1",
    }  # fmt: skip
    assert (facts.part, facts.line) == ("Project.csv", 2)


def test_a_date_deleted_takes_a_row_back(tmp_path: Path) -> None:
    gone = {**ENROLLMENT, "DateDeleted": "2026-03-05 10:00:00"}
    found = read(tmp_path, {**USUAL, "Enrollment": [gone]}, export=DELTA)
    assert {row.kind: row.deleted for row in rows(found)} == {
        "Organization": False, "Project": False, "Client": False, "Enrollment": True, "EnrollmentProject": True,
    }  # fmt: skip


def test_a_full_export_of_a_period_replaces_what_was_there(tmp_path: Path) -> None:
    found = read(tmp_path, USUAL)
    assert isinstance(found[-1], Whole)
    assert {"Client", "Enrollment", "EnrollmentProject", "Exit", "Project"} <= kinds(found)
    assert "Export" not in kinds(found)


@pytest.mark.parametrize(
    ("export", "warned"),
    [
        (DELTA, []),
        ({"ExportDirective": "3"}, [("UNSUPPORTED", "Export.csv", "ExportDirective", 2)]),
        ({"ExportPeriodType": "1"}, [("UNSUPPORTED", "Export.csv", "ExportPeriodType", 2)]),
        ({"ExportPeriodType": "4"}, [("UNSUPPORTED", "Export.csv", "ExportPeriodType", 2)]),
    ],
)
def test_any_other_export_takes_nothing_back(tmp_path: Path, export: Any, warned: Any) -> None:
    found = read(tmp_path, USUAL, export=export)
    assert (kinds(found), rejects(found)) == (frozenset(), warned)
    assert len(rows(found)) == 5


def test_a_file_with_a_bad_row_takes_nothing_back(tmp_path: Path) -> None:
    found = read(tmp_path, {**USUAL, "Enrollment": [ENROLLMENT, {**ENROLLMENT, "EntryDate": "2026-02-30"}]})
    assert kinds(found).isdisjoint({"Enrollment", "EnrollmentProject"})
    assert "Client" in kinds(found)
    assert rejects(found) == [("DATE", "Enrollment.csv", "EntryDate", 3), ("COUNT", "Enrollment.csv", "", 0)]


def test_a_file_that_is_missing_takes_nothing_back_and_costs_nothing_else(tmp_path: Path) -> None:
    without = {name: text for name, text in texts(USUAL).items() if name != "Exit.csv"}
    found = given(zipped(tmp_path / "export.zip", without))
    assert rejects(found) == [("LAYOUT_UNKNOWN", "Exit.csv", "", 0)]
    assert "Exit" not in kinds(found)
    assert len(rows(found)) == 5


@pytest.mark.parametrize("file", ["Export", "Client", "Enrollment", "Project"])
def test_without_the_files_that_matter_nothing_is_taken(tmp_path: Path, file: str) -> None:
    without = {name: text for name, text in texts(USUAL).items() if name != f"{file}.csv"}
    found = given(zipped(tmp_path / "export.zip", without))
    assert rows(found) == []
    assert [(one.code, one.part, one.whole) for one in found if isinstance(one, Reject)] == [
        ("LAYOUT_UNKNOWN", f"{file}.csv", True)
    ]


@pytest.mark.parametrize("file", ["Client", "Enrollment", "Project"])
def test_a_full_export_without_clients_ends_nothing(tmp_path: Path, file: str) -> None:
    found = read(tmp_path, {**USUAL, file: []})
    assert any(isinstance(one, Reject) and one.whole and one.code == "EMPTY" for one in found)


def test_a_delta_without_clients_is_one_like_others(tmp_path: Path) -> None:
    found = read(tmp_path, {**USUAL, "Client": [], "Project": []}, export=DELTA)
    assert not any(isinstance(one, Reject) and one.whole for one in found)
    assert [row.kind for row in rows(found)] == ["Organization", "Enrollment"]


def test_a_file_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    found = given(zipped(tmp_path / "export.zip", {**texts(USUAL), "CustomGender.csv": b"a,b\r\n1,2\r\n"}))
    assert rejects(found) == [("UNSUPPORTED", "customgender.csv", "", 0)]


REFERENCES = {
    "an enrolment of no client": (
        {"Enrollment": [{**ENROLLMENT, "PersonalID": "c-9"}]},
        "Enrollment",
        "PersonalID",
    ),
    "an enrolment in no project": ({"Enrollment": [{**ENROLLMENT, "ProjectID": "p-9"}]}, "Enrollment", "ProjectID"),
    "an exit of no enrolment": ({"Exit": [{"EnrollmentID": "e-9"}]}, "Exit", "EnrollmentID"),
    "an exit of another client": ({"Exit": [{"PersonalID": "c-9"}]}, "Exit", "EnrollmentID"),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_row_that_names_what_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    files, file, column = REFERENCES[name]
    found = read(tmp_path, {**USUAL, **files})
    assert ("REFERENCE", f"{file}.csv", column, 2) in rejects(found)
    assert all(row.kind != file for row in rows(found))


def test_in_an_export_of_changes_a_row_may_name_what_came_before(tmp_path: Path) -> None:
    found = read(tmp_path, {**USUAL, "Exit": [{"EnrollmentID": "e-9", "PersonalID": "c-9"}]}, export=DELTA)
    assert rejects(found) == []
    assert next(row for row in rows(found) if row.kind == "Exit").subject == "client|c-9"


def test_a_client_whose_row_is_refused_costs_that_row_only(tmp_path: Path) -> None:
    found = read(tmp_path, {**USUAL, "Client": [CLIENT, {"PersonalID": "c-2", "DOB": "1980-13-01"}],
                            "Enrollment": [{**ENROLLMENT, "PersonalID": "c-2"}]})  # fmt: skip
    assert [code for code, *_ in rejects(found)] == ["DATE", "COUNT"]
    assert [row.kind for row in rows(found) if row.subject == "client|c-2"] == ["Enrollment", "EnrollmentProject"]


CELLS = {
    "no whole number": ({"VeteranStatus": "yes"}, "TYPE", "VeteranStatus"),
    "no code of the list": ({"VeteranStatus": "7"}, "CODE", "VeteranStatus"),
    "a date that is none": ({"DOB": "2026-02-30"}, "DATE", "DOB"),
    "a birth to come": ({"DOB": "2126-02-03"}, "DATE", "DOB"),
    "a name that is too long": ({"FirstName": "x" * 51}, "LENGTH", "FirstName"),
    "nothing, where something must be": ({"NameDataQuality": ""}, "REQUIRED", "NameDataQuality"),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_that_breaks_its_column_costs_its_row(tmp_path: Path, name: str) -> None:
    cells, code, column = CELLS[name]
    found = read(tmp_path, {**USUAL, "Client": [CLIENT, {"PersonalID": "c-2", **cells}]})
    assert (code, "Client.csv", column, 3) in rejects(found)
    assert [row.key for row in rows(found) if row.kind == "Client"] == ["c-1"]


def test_dates_that_are_written_otherwise_are_read_and_told_once(tmp_path: Path) -> None:
    enrollments = [{**ENROLLMENT, "EnrollmentID": f"e-{n}", "EntryDate": "02/07/2026"} for n in range(3)]
    found = read(tmp_path, {**USUAL, "Enrollment": enrollments}, export={"ExportDate": "02-07-2023 12:00:00"})
    told = [one for one in found if isinstance(one, Reject) and one.code == "DATE"]
    assert [(one.part, one.column, one.line, one.severity) for one in told] == [
        ("Export.csv", "ExportDate", 2, WARNING),
        ("Enrollment.csv", "EntryDate", 2, WARNING),
    ]
    assert {row.values["EntryDate"] for row in rows(found) if row.kind == "Enrollment"} == {"2026-02-07"}


def test_a_column_that_is_not_known_is_kept(tmp_path: Path) -> None:
    files = texts(USUAL)
    text = files["Client.csv"].decode().splitlines()
    files["Client.csv"] = "\r\n".join([text[0] + ",Nickname", text[1] + ",Rob"]).encode()
    found = given(zipped(tmp_path / "export.zip", files))
    assert rejects(found) == [("HEADER_UNKNOWN", "Client.csv", "Nickname", 1)]
    assert next(row for row in rows(found) if row.kind == "Client").values["_more"] == {"Nickname": "Rob"}


def test_headers_may_be_written_in_small_letters(tmp_path: Path) -> None:
    files = texts(USUAL)
    for name in ("Client.csv", "Enrollment.csv"):
        head, _, rest = files[name].partition(b"\r\n")
        files[name] = head.lower() + b"\r\n" + rest
    found = given(zipped(tmp_path / "export.zip", files))
    assert (rejects(found), len(rows(found))) == ([], 5)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "export.zip", texts(USUAL))
    path.write_bytes(path.read_bytes()[:-200])
    found = given(path)
    assert [one.whole for one in found if isinstance(one, Reject)] == [True]
    assert rows(found) == []


EXPORTS: dict[str, tuple[dict[str, str], str, str]] = {
    "another year": ({"CSVVersion": "2022 v1.0"}, "UNSUPPORTED", "CSVVersion"),
    "a year that only begins so": ({"CSVVersion": "20267"}, "UNSUPPORTED", "CSVVersion"),
    "no version": ({"CSVVersion": ""}, "UNSUPPORTED", "CSVVersion"),
    "a hash that nobody knows": ({"HashStatus": "3"}, "UNSUPPORTED", "HashStatus"),
    "SHA-1": ({"HashStatus": "2"}, "UNSUPPORTED", "HashStatus"),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_that_nobody_can_read_for_sure_is_refused(tmp_path: Path, name: str) -> None:
    export, code, column = EXPORTS[name]
    found = read(tmp_path, USUAL, export=export)
    assert [(one.code, one.column, one.whole) for one in found if isinstance(one, Reject)] == [(code, column, True)]
    assert rows(found) == []


@pytest.mark.parametrize("said", ["2026 v1.0", "2026", "FY2026 v1.3", "2024 v1.3"])
def test_the_year_decides_of_whatever_point_release(tmp_path: Path, said: str) -> None:
    version = "2024" if "2024" in said else "2026"
    assert rejects(read(tmp_path, USUAL, version=version, export={"CSVVersion": said})) == []


def test_a_feed_may_say_the_version_that_its_export_does_not(tmp_path: Path) -> None:
    path = zipped(tmp_path / "export.zip", texts(USUAL, export={"CSVVersion": ""}))
    assert rejects(given(path, replace(FEED, layout="2026"))) == []


def test_a_hash_that_the_deployment_knows_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "export.zip", texts(USUAL, export={"HashStatus": "3"}))
    found = given(path, replace(FEED, options={"hmis_hashes": "3=sha256:lower"}))
    assert next(row for row in rows(found) if row.kind == "Client").values["HashScheme"] == "sha256:lower"


def test_the_export_of_another_implementation_is_refused(tmp_path: Path) -> None:
    feed = replace(FEED, options={"implementation": "ANOTHER-COC"})
    found = given(zipped(tmp_path / "export.zip", texts(USUAL)), feed)
    assert [(one.code, one.column, one.whole) for one in found if isinstance(one, Reject)] == [
        ("IDENTIFIER", "ImplementationID", True)
    ]


@pytest.mark.parametrize("number", [0, 2])
def test_an_export_has_exactly_one_row(tmp_path: Path, number: int) -> None:
    files = texts(USUAL)
    head, row = files["Export.csv"].splitlines()
    files["Export.csv"] = b"\r\n".join([head, *[row] * number]) + b"\r\n"
    found = given(zipped(tmp_path / "export.zip", files))
    assert ("COUNT", "Export.csv", "", 0) in rejects(found)
    assert rows(found) == []
