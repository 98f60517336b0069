"""One of several processes that write to a database as hard as they can (tests.faults.test_eight_writers).

    python -m tests.faults.writing URL NUMBER SECONDS

Prints what it was refused, and how much it stored.
"""

import sys
import time

from hub.access import Access
from hub.inbox.messages import Arrival
from hub.problems import Problem
from hub.spool import Spool
from hub.store.engine import Database
from hub.transactions import Transactions, single
from tests.hub.asking import BASE

ALL = Access.system("tests")


def main(url: str, number: int, seconds: float) -> None:
    database = Database(url)
    spool = Spool(database)
    writes = Transactions(database, lambda *_: (), lambda _: (), BASE)
    stored, refusals, end = 0, [], time.monotonic() + seconds
    while time.monotonic() < end:
        name = f"w{number}-{stored}"
        try:
            writes.commit([single("PUT", "Basic", id=name, resource=_basic(name))], ALL)
            writes.commit([single("PUT", "Basic", id="all", resource=_basic("all", name))], ALL)
            spool.accept([Arrival("adt", "A|B", name, name.encode(), stored, "refused", "invented")])
            if stored % 5 == 0:
                database.forget_overwritten()  # a checkpoint, as often as can be
                spool.move()
            stored += 1
        except Problem as problem:
            refusals.append(f"{problem.kind}: {problem.__cause__}")
    spool.close()
    database.close()
    print(stored, *refusals[:3], sep="\n")


def _basic(identity: str, text: str = "") -> dict[str, object]:
    return {"resourceType": "Basic", "id": identity, "code": {"text": text or identity}}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
