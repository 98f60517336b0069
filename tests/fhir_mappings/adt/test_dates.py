import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from fhir_mappings.adt.dates import fhir_date, fhir_date_time, moment, read
from fhir_mappings.adt.problems import Unreadable

PACIFIC = ZoneInfo("America/Los_Angeles")


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("2026", "2026"),
        ("202611", "2026-11"),
        ("20261122", "2026-11-22"),
        ("2026112208", "2026-11-22"),  # FHIR has no hour without minutes
        ("202611220815", "2026-11-22T08:15:00-08:00"),
        ("20260722081530", "2026-07-22T08:15:30-07:00"),
        ("20261122081530.25", "2026-11-22T08:15:30.25-08:00"),
        ("20261122081530-0500", "2026-11-22T08:15:30-05:00"),
        ("20261122081530+0000", "2026-11-22T08:15:30+00:00"),
        ("202611220815+0545", "2026-11-22T08:15:00+05:45"),
    ],
)
def test_a_time_keeps_its_precision_and_gets_the_facilitys_offset_only_when_it_has_none(
    sent: str, written: str
) -> None:
    assert fhir_date_time(read(sent, "PV1-44"), PACIFIC) == written


@pytest.mark.parametrize(
    ("sent", "written", "utc_hour"),
    [
        ("20261101013000", "2026-11-01T01:30:00-07:00", 8),  # occurs twice: the first one
        ("20260308023000", "2026-03-08T02:30:00-08:00", 10),  # does not exist: offset before the jump
    ],
)
def test_an_hour_that_occurs_twice_or_never_has_one_defined_meaning(sent: str, written: str, utc_hour: int) -> None:
    dtm = read(sent, "PV1-44")
    assert fhir_date_time(dtm, PACIFIC) == written
    assert moment(dtm, PACIFIC).hour == utc_hour


@pytest.mark.parametrize("sent", ["19800215", "19800215000000", "19800215235959+1400", "198002150030-1200"])
def test_a_birth_date_is_never_shifted(sent: str) -> None:
    assert fhir_date(read(sent, "PID-7")) == "1980-02-15"


# SEC-52: each time zone habit, each change of the clock, each edge of the calendar

OFFSETS = ["", "-0800", "-0700", "-0500", "+0000", "-0000", "+0530", "+0545", "+1400", "-1200"]
MOMENTS = [
    ("20260308015959", "2026-03-08T01:59:59", "-08:00"),  # the last second before the gap
    ("20260308020000", "2026-03-08T02:00:00", "-08:00"),  # in the gap: the offset before it
    ("20260308025959", "2026-03-08T02:59:59", "-08:00"),
    ("20260308030000", "2026-03-08T03:00:00", "-07:00"),
    ("20261101005959", "2026-11-01T00:59:59", "-07:00"),
    ("20261101010000", "2026-11-01T01:00:00", "-07:00"),  # in the fold: the first of two
    ("20261101015959", "2026-11-01T01:59:59", "-07:00"),
    ("20261101020000", "2026-11-01T02:00:00", "-08:00"),
    ("20260101000000", "2026-01-01T00:00:00", "-08:00"),
    ("20261231235959", "2026-12-31T23:59:59", "-08:00"),
    ("20240229120000", "2024-02-29T12:00:00", "-08:00"),
    ("19691231000000", "1969-12-31T00:00:00", "-08:00"),
    ("19691231235959", "1969-12-31T23:59:59", "-08:00"),
    ("19500615120000", "1950-06-15T12:00:00", "-07:00"),
    ("20380119031408", "2038-01-19T03:14:08", "-08:00"),
    ("20991231235959", "2099-12-31T23:59:59", "-08:00"),
]


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize(("sent", "written", "local"), MOMENTS)
def test_an_offset_is_kept_as_sent_and_otherwise_is_that_of_the_facility_on_that_day(
    sent: str, written: str, local: str, offset: str
) -> None:
    dtm = read(sent + offset, "PV1-44")
    wanted = {"": local, "-0000": "+00:00"}.get(offset, f"{offset[:3]}:{offset[3:]}")
    assert fhir_date_time(dtm, PACIFIC) == written + wanted
    assert moment(dtm, PACIFIC) == datetime.fromisoformat(written + wanted)
    assert fhir_date(dtm) == written[:10]  # a birth date never moves


@pytest.mark.parametrize(
    "sent", ["00010101", "00010101000000", "99991231", "99991231235959", "00010101000000+1400"]
)
def test_the_ends_of_the_calendar_are_dates_and_have_an_order(sent: str) -> None:
    dtm = read(sent, "PID-7")
    assert fhir_date(dtm) == f"{sent[:4]}-{sent[4:6]}-{sent[6:8]}"
    assert moment(dtm, PACIFIC).tzinfo is UTC
    assert re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d[+-]\d\d:\d\d)?", fhir_date_time(dtm, PACIFIC))


@pytest.mark.parametrize(
    "sent",
    [
        "20261122240000",
        "20261122235960",
        "20261122236000",
        "00000101",
        "20260229",
        "20261122081530-1401",
        "2026-11",
    ],
)
def test_times_that_no_clock_shows_are_unreadable(sent: str) -> None:
    with pytest.raises(Unreadable):
        read(sent, "EVN-2")


def test_fractions_of_a_second_order_two_moments() -> None:
    assert moment(read("20261122081530.1", "EVN-2"), PACIFIC) < moment(read("20261122081530.2", "EVN-2"), PACIFIC)
    assert moment(read("20261122081530-0800", "EVN-2"), UTC) == datetime(2026, 11, 22, 16, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "sent",
    [
        *("19991345", "20260230", "00000000", "202611222400", "20261122081530-1500", "20261122081530-0860"),
        *("1999-01-01", "199", "20261", "20261122081530Z", "UNKNOWN", "٢٠٢٦", "20261122\n", " "),
    ],
)
def test_what_is_no_date_is_unreadable_at_its_place(sent: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(sent, "PID-7")
    assert (caught.value.where, caught.value.code, caught.value.state) == ("PID-7", "102", "unreadable")
    assert sent.strip() == "" or sent not in str(caught.value)
