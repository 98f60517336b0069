"""The one clock. Times are aware datetimes in UTC; the store keeps microseconds since 1970 (UTC).

FHIR instants are written with millisecond or finer precision and `Z`:
https://hl7.org/fhir/R4/datatypes.html#instant
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.now(UTC)


def micros(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970-01-01T00:00:00Z."""
    return (moment - EPOCH) // MICROSECOND


def moment(microseconds: int) -> datetime:
    """The inverse of `micros`."""
    return EPOCH + timedelta(microseconds=microseconds)


def instant(microseconds: int) -> str:
    """Microseconds since 1970 as a FHIR instant, such as 2026-11-22T08:15:30.123456Z."""
    return moment(microseconds).isoformat(timespec="microseconds").replace("+00:00", "Z")
