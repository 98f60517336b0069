"""Housing changes of members with a release: which are told, which never, and that the file reads back the same."""

import io
from datetime import date
from typing import Any

import pytest

from adapters.hmis.housing_changes import HEADER, read_changes, written
from fhir_mappings.hmis.housing_changes import Change, changes, status_of
from fhir_mappings.hmis.subjects import resources
from hub.feeds.records import Reject
from tests.fhir_mappings.hmis.clients import enrolled, kept, subject

MEMBERS = {"Patient/p1": "91234567A"}
ALL = date(2026, 1, 1)


def cls(code: str, on: str) -> Any:
    return kept("CurrentLivingSituation", {"CurrentLivingSituation": code, "InformationDate": on,
                                           "CurrentLivingSitID": on})  # fmt: skip


EXIT = kept("Exit", {"Destination": "410", "ExitDate": "2026-02-20"})
STORY = resources(subject(*enrolled(LivingSituation="116"), cls("116", "2026-02-05"), cls("99", "2026-02-06"),
                          cls("206", "2026-02-10"), EXIT), "Patient/p1")  # fmt: skip


def told(found: list[Change]) -> list[tuple[str, str, str, str]]:
    return [(one.event, one.day, one.before, one.status) for one in found]


def test_a_change_is_another_status_than_before() -> None:
    found = changes(STORY, ALL, MEMBERS, MEMBERS)
    assert told(found) == [
        ("enrolled", "2026-02-01", "", ""),
        ("situation", "2026-02-01", "", "homeless"),
        ("situation", "2026-02-10", "homeless", "institution"),
        ("exited", "2026-02-20", "", ""),
        ("situation", "2026-02-20", "institution", "housed"),
    ]
    assert {one.member for one in found} == {"91234567A"}
    assert found[-1].words == "Rental by client, no ongoing housing subsidy"


def test_only_what_changed_since_is_told_and_against_what_was_before() -> None:
    assert told(changes(STORY, date(2026, 2, 15), MEMBERS, MEMBERS)) == [
        ("exited", "2026-02-20", "", ""),
        ("situation", "2026-02-20", "institution", "housed"),
    ]


def test_who_has_no_release_or_is_no_member_is_not_told() -> None:
    assert changes(STORY, ALL, MEMBERS, ()) == []
    assert changes(STORY, ALL, {}, MEMBERS) == []


@pytest.mark.parametrize("facts", [{"VictimServiceProvider": "1"}, {"TargetPopulation": "3"}])
def test_what_is_sensitive_is_never_on_the_file(facts: dict[str, str]) -> None:
    hidden = resources(subject(*enrolled(LivingSituation="116", project=facts), EXIT), "Patient/p1")
    assert changes(hidden, ALL, MEMBERS, MEMBERS) == []


def test_a_sensitive_place_is_left_out_and_the_others_stay() -> None:
    found = resources(subject(*enrolled(LivingSituation="205"), EXIT), "Patient/p1")
    assert [one.code for one in changes(found, ALL, MEMBERS, MEMBERS) if one.event == "situation"] == ["410"]


def test_what_was_entered_in_error_is_no_change() -> None:
    gone = kept("Enrollment", {"EntryDate": "2026-02-01", "ProjectID": "p-1", "LivingSituation": "116",
                               "DateDeleted": "2026-03-01T10:00:00"})  # fmt: skip
    assert changes(resources(subject(gone), "Patient/p1"), ALL, MEMBERS, MEMBERS) == []


@pytest.mark.parametrize(
    ("code", "status"),
    [("101", "homeless"), ("302", "transitional"), ("312", "temporary"), ("225", "institution"), ("435", "housed"),
     ("17", ""), ("24", ""), ("99", "")],
)  # fmt: skip
def test_the_range_of_a_code_is_its_status(code: str, status: str) -> None:
    assert status_of(code) == status


def test_the_file_reads_back_the_same() -> None:
    found = changes(STORY, ALL, MEMBERS, MEMBERS)
    assert list(read_changes(io.BytesIO(written(found)))) == found
    assert written(found).startswith(b"member_id,event,date,status,previous_status,code,description\r\n")


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        (",situation,2026-02-01,homeless,,116,x", "REQUIRED", "member_id"),
        ("9,moved,2026-02-01,homeless,,116,x", "CODE", "event"),
        ("9,situation,2026-02-30,homeless,,116,x", "DATE", "date"),
        ("9,situation,2026-02-01,rich,,116,x", "CODE", "status"),
    ],
)
def test_a_line_that_says_no_change_is_refused(line: str, code: str, column: str) -> None:
    text = ",".join(name for name, _ in HEADER) + "\n" + line + "\n"
    (found,) = read_changes(io.BytesIO(text.encode()))
    assert isinstance(found, Reject)
    assert (found.code, found.column) == (code, column)
