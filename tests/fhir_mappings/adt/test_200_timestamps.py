"""SEC-52: times with and without offset, through both changes of the clock, and at the ends of the calendar."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fhir_mappings.adt.dates import fhir_date, fhir_date_time, moment, read
from fhir_mappings.adt.problems import Unreadable

PACIFIC = ZoneInfo("America/Los_Angeles")
ZONES = [PACIFIC, ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Etc/GMT+12")]
# the pattern of https://hl7.org/fhir/R4/datatypes.html#dateTime
DATE_TIME = re.compile(
    r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)(-(0[1-9]|1[0-2])(-(0[1-9]|[1-2][0-9]|3[0-1])"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00)))?)?)?"
)
GAP = datetime(2026, 3, 8)  # at 2:00 the clock goes to 3:00
FOLD = datetime(2026, 11, 1)  # at 2:00 the clock goes back to 1:00


def minutes(day: datetime, step: int) -> list[datetime]:
    """From midnight to 5:00."""
    return [day + timedelta(minutes=minute) for minute in range(0, 300, step)]


def pacific(local: datetime) -> datetime:
    """What a clock on a wall in California means, told without a table of time zones. In the hour that is there
    twice the first one; in the hour that is not there, the time before the jump goes on."""
    year = local.year
    march, november = datetime(year, 3, 1), datetime(year, 11, 1)
    begins = march + timedelta(days=(6 - march.weekday()) % 7 + 7, hours=2)
    ends = november + timedelta(days=(6 - november.weekday()) % 7, hours=2)
    hours = 7 if begins + timedelta(hours=1) <= local < ends else 8
    return (local + timedelta(hours=hours)).replace(tzinfo=UTC)


LOCAL = [
    *minutes(GAP, 5),
    *minutes(FOLD, 5),
    *(datetime(2026, month, 15, hour, 30) for month in range(1, 13) for hour in (0, 6, 12, 23)),
]
OFFSETS = ["+0000", "-0000", "-0500", "-0800", "+0530", "+0545", "+1245", "+1400", "-1200"]
WITH_OFFSET = [
    f"{at:%Y%m%d%H%M%S}{offset}" for at in (GAP, FOLD, datetime(2026, 2, 28, 23, 59)) for offset in OFFSETS
]
EDGES = ["19691231000000+0800", "00010101000000", "00010101000000+1400", "99991231235959", "99991231235959-1200"]
OTHERS = [
    "2026",
    "202611",
    "20261122",
    "2026112208",
    "202611220815",
    "20261122081500.1234-0800",
    "20000229",
    "20240229",
]
REFUSED = [
    *("20261122240000", "202611222400", "20261122236000", "20261122235960", "00000101", "20261301", "20260230"),
    *(
        "20230229",
        "20261122081500-2500",
        "20261122081500+0060",
        "20261122081500-08:00",
        "2026-11-22",
        "20261122T08",
    ),
    *("20261122081500Z", "202611220815001", "2026112", "00000000", "99999999", "-0012026", " 20261122", "２０２６"),
]


def test_there_are_two_hundred() -> None:
    assert len({*LOCAL}) + len({*WITH_OFFSET, *EDGES, *OTHERS, *REFUSED}) >= 200


@pytest.mark.parametrize("local", LOCAL, ids=str)
def test_a_time_without_offset_is_that_of_the_hospital(local: datetime) -> None:
    dtm = read(local.strftime("%Y%m%d%H%M%S"), "EVN-2")
    assert moment(dtm, PACIFIC) == pacific(local)
    told = fhir_date_time(dtm, PACIFIC)
    assert DATE_TIME.fullmatch(told)
    assert datetime.fromisoformat(told) == pacific(local)
    assert told[:19] == local.isoformat()


@pytest.mark.parametrize("text", WITH_OFFSET)
def test_an_offset_is_kept_wherever_the_hospital_is(text: str) -> None:
    dtm = read(text, "EVN-2")
    sign = -1 if text[14] == "-" else 1
    shift = sign * timedelta(hours=int(text[15:17]), minutes=int(text[17:19]))
    meant = (datetime.strptime(text[:14], "%Y%m%d%H%M%S") - shift).replace(tzinfo=UTC)
    for zone in ZONES:
        assert moment(dtm, zone) == meant
        told = fhir_date_time(dtm, zone)
        assert DATE_TIME.fullmatch(told)
        assert told[-6:].replace(":", "") == text[14:].replace("-0000", "+0000")


@pytest.mark.parametrize("text", [*EDGES, *OTHERS])
def test_edges_and_parts_of_a_time_are_valid_in_every_zone(text: str) -> None:
    dtm = read(text, "EVN-2")
    for zone in ZONES:
        assert DATE_TIME.fullmatch(fhir_date_time(dtm, zone))
        assert datetime.min.replace(tzinfo=UTC) <= moment(dtm, zone) <= datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", [f"{at:%Y%m%d%H%M}" for at in LOCAL[:40]] + WITH_OFFSET + EDGES)
def test_a_birth_date_is_the_day_that_was_written(text: str) -> None:
    assert fhir_date(read(text, "PID-7")) == f"{text[:4]}-{text[4:6]}-{text[6:8]}"


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_time_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(text, "PID-7")
    assert (refused.value.code, refused.value.where) == ("102", "PID-7")
