"""Panels of the size of a plan's: Groups of 2,000 people, a million rows in all, written by the hub's own store.

Each of the county's members stands in one of them, as a member stands in the panel of one provider; the others in
them are people of whom the hub has no record. So an event's subject is looked for among a million rows.
"""

from collections.abc import Iterator

from hub import clock
from hub.demo.members import member
from hub.demo.scenario import Scenario
from hub.store import write
from hub.store.engine import Database
from tests.bench.filled import COUNTY, Resource, batch_of

ROWS_A_GROUP = 2000
GROUPS_A_STATEMENT = 5


def fill(database: Database, members: int, rows: int) -> None:
    """So many rows, in Groups of ROWS_A_GROUP."""
    groups = list(_groups(members, rows))
    for start in range(0, len(groups), GROUPS_A_STATEMENT):
        batch = batch_of(groups[start : start + GROUPS_A_STATEMENT])
        database.writing(lambda connection: write.store(connection, batch))  # noqa: B023 - it is called at once
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def _groups(members: int, rows: int) -> Iterator[tuple[int, Resource]]:
    """With the moment at which each was written."""
    began, count = clock.micros(clock.now()) - rows * 1000, max(1, rows // ROWS_A_GROUP)
    for number in range(count):
        ids = [member(Scenario(), one).id for one in range(1 + number, members + 1, count)]
        ids += [f"roster-{number}-{place}" for place in range(ROWS_A_GROUP - len(ids))]
        yield began + number * 1000, _group(number, ids)


def _group(number: int, ids: list[str]) -> Resource:
    return {
        "resourceType": "Group",
        "id": f"roster-{number}",
        "active": True,
        "type": "person",
        "actual": True,
        "managingEntity": {"reference": COUNTY},
        "member": [{"entity": {"reference": f"Patient/{one}"}, "inactive": False} for one in ids],
    }
