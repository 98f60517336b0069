"""The one clock: this machine's, and with PostgreSQL the database's, for all nodes (hub.store.clocks).
Times are aware datetimes in UTC; the store keeps microseconds since 1970 (UTC).

FHIR instants are written with millisecond or finer precision and `Z`:
https://hl7.org/fhir/R4/datatypes.html#instant
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NEAR = timedelta(milliseconds=100)  # what two clocks may differ by: a clock that is moved often is none
_ahead = timedelta()  # how far the database's is ahead of this machine's


def now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.now(UTC) + _ahead


def nanos() -> int:
    """The same as nanoseconds since 1970, UTC."""
    return micros(now()) * 1000


def own() -> datetime:
    """This moment by this machine alone."""
    return datetime.now(UTC)


def follow(theirs: int, before: datetime, after: datetime) -> None:
    """The database's clock said so (microseconds since 1970, UTC) between these moments of `own`. `now` is moved
    where that cannot be, by more than NEAR."""
    global _ahead
    told = moment(theirs)
    if not before - NEAR <= told - _ahead <= after + NEAR:
        _ahead = told - before - (after - before) / 2


def micros(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970-01-01T00:00:00Z."""
    return (moment - EPOCH) // MICROSECOND


def moment(microseconds: int) -> datetime:
    """The inverse of `micros`."""
    return EPOCH + timedelta(microseconds=microseconds)


def instant(microseconds: int) -> str:
    """Microseconds since 1970 as a FHIR instant, such as 2026-11-22T08:15:30.123456Z."""
    return moment(microseconds).isoformat(timespec="microseconds").replace("+00:00", "Z")
