"""Many connections, one commit: whatever gathered while the last commit ran goes into the next.

No delay is added: a message that comes alone is committed alone. One thread commits, so the batches, and with
them the messages of each connection, are settled in the order in which they were handed in.
A slip without an arrival is settled in its turn and nothing of it is stored.
Refuses: nothing; an error of the commit goes to all slips of its batch, and none of them is acknowledged.
"""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from hub.inbox import arrivals as inbox
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.store.engine import Database

MAX_BATCH = 512

Slip = TypeVar("Slip")
Accept = Callable[[Sequence[Arrival]], list[Receipt]]


def into(database: Database) -> Accept:
    """Arrivals into the inbox of this database: when it returns, they are durable. (With SQLite, hub.spool does not
    wait for other writers.)"""
    return lambda arrivals: database.writing(lambda connection: inbox.accept(connection, arrivals))


class GroupCommit(Generic[Slip]):
    """`arrival_of` finds the arrival of a slip; `settled(slips, receipts or the error)` is called in the
    committing thread, once a batch, after the commit has returned or failed."""

    def __init__(
        self,
        accept: Accept,
        arrival_of: Callable[[Slip], Arrival | None],
        settled: Callable[[list[Slip], list[Receipt] | Exception], None],
    ):
        self._accept = accept
        self._arrival_of = arrival_of
        self._settled = settled
        self._queue: SimpleQueue[Slip | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mllp-commit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, slip: Slip) -> None:
        self._queue.put(slip)

    def stop(self, timeout: float) -> None:
        """Commit what was handed in, then end. Submit nothing afterwards."""
        self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while slip := self._queue.get():
            batch = [slip]
            more = self._gathered(batch)
            self._commit(batch)
            if not more:
                return

    def _gathered(self, batch: list[Slip]) -> bool:
        """Add what waits to the batch; False where the end was among it."""
        try:
            while len(batch) < MAX_BATCH:
                slip = self._queue.get_nowait()
                if slip is None:
                    return False
                batch.append(slip)
        except Empty:
            pass
        return True

    def _commit(self, batch: list[Slip]) -> None:
        try:
            outcome: list[Receipt] | Exception = self._accepted(batch)
        except Exception as error:
            outcome = error
        self._settled(batch, outcome)

    def _accepted(self, batch: list[Slip]) -> list[Receipt]:
        arrivals = [self._arrival_of(slip) for slip in batch]
        kept = [arrival for arrival in arrivals if arrival is not None]
        receipts = self._accept(kept) if kept else []
        if len(kept) == len(batch):
            return receipts
        given = iter(receipts)
        return ["new" if arrival is None else next(given) for arrival in arrivals]
