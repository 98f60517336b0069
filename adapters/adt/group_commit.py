"""Many connections, one commit: whatever gathered while the last commit ran goes into the next.

No delay is added: a message that comes alone is committed alone. One thread commits, so the batches, and with
them the messages of each connection, are settled in the order in which they were handed in.
A slip may hold several arrivals (a batch): they are in one commit. One without arrivals is settled in its turn and
nothing of it is stored.
Refuses: nothing; an error of the commit goes to all slips of its batch, and none of them is acknowledged.
"""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from hub.inbox import arrivals as inbox
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.store.calls import INBOX
from hub.store.engine import Database

MAX_BATCH = 512

Slip = TypeVar("Slip")
Accept = Callable[[Sequence[Arrival]], list[Receipt]]


def into(database: Database) -> Accept:
    """Arrivals into the inbox of this database: when it returns, they are durable. (With SQLite, hub.spool does not
    wait for other writers.)"""

    def accept(arrivals: Sequence[Arrival]) -> list[Receipt]:
        receipts = database.writing(lambda connection: inbox.accept(connection, arrivals))
        database.call(INBOX)
        return receipts

    return accept


class GroupCommit(Generic[Slip]):
    """`arrivals_of` finds the arrivals of a slip. `settled(slips, the receipts of each or the error)` is called in
    the committing thread, once a batch, after the commit has returned or failed. `before` is called before it; what
    it raises fails the batch."""

    def __init__(
        self,
        accept: Accept,
        arrivals_of: Callable[[Slip], Sequence[Arrival]],
        settled: Callable[[list[Slip], list[list[Receipt]] | Exception], None],
        before: Callable[[list[Slip]], None] = lambda slips: None,
    ):
        self._accept = accept
        self._arrivals_of = arrivals_of
        self._settled = settled
        self._before = before
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
            self._before(batch)
            outcome: list[list[Receipt]] | Exception = self._accepted(batch)
        except Exception as error:
            outcome = error
        self._settled(batch, outcome)

    def _accepted(self, batch: list[Slip]) -> list[list[Receipt]]:
        kept = [self._arrivals_of(slip) for slip in batch]
        every = [arrival for arrivals in kept for arrival in arrivals]
        receipts = iter(self._accept(every) if every else ())
        return [[next(receipts) for _ in arrivals] for arrivals in kept]
