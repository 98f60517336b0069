"""Group commit: full batches, in order, nothing left behind."""

import threading
from collections.abc import Sequence

from adapters.adt.group_commit import MAX_BATCH, GroupCommit
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival


def arrival(number: int) -> Arrival:
    return Arrival("adt", "A|B", str(number), b"", number)


def test_everything_handed_in_before_the_stop_is_settled_in_order_and_in_bounded_batches() -> None:
    settled: list[list[Arrival]] = []
    stopping = threading.Event()

    def accept(arrivals: Sequence[Arrival]) -> list[Receipt]:
        assert stopping.wait(5)
        return ["new" for _ in arrivals]

    commits = GroupCommit[Arrival](accept, lambda slip: [slip], lambda slips, _: settled.append(slips))
    handed_in = [arrival(number) for number in range(3 * MAX_BATCH + 7)]
    for slip in handed_in:
        commits.submit(slip)
    commits.start()
    threading.Timer(0.05, stopping.set).start()  # the end is handed in while the first batch commits
    commits.stop(5)
    assert not commits._thread.is_alive()
    assert [slip for batch in settled for slip in batch] == handed_in
    assert [len(batch) for batch in settled] == [MAX_BATCH, MAX_BATCH, MAX_BATCH, 7]


def test_an_error_goes_to_its_batch_and_the_next_batch_is_committed() -> None:
    outcomes: list[tuple[list[Arrival], list[list[Receipt]] | Exception]] = []
    told = threading.Event()

    def fails_once(arrivals: Sequence[Arrival]) -> list[Receipt]:
        if not outcomes:
            raise MemoryError
        return ["new" for _ in arrivals]

    def settled(slips: list[Arrival], outcome: list[list[Receipt]] | Exception) -> None:
        outcomes.append((slips, outcome))
        told.set()

    commits = GroupCommit[Arrival](fails_once, lambda slip: [slip], settled)
    commits.start()
    commits.submit(arrival(1))
    assert told.wait(5)
    commits.submit(arrival(2))
    commits.stop(5)
    assert [type(outcome) for _, outcome in outcomes] == [MemoryError, list]
    assert outcomes[1] == ([arrival(2)], [["new"]])
