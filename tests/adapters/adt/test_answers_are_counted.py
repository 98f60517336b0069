"""Each answer to a hospital is counted once, by its code and the door; a fault of the hub counts as silence."""

from collections import Counter
from collections.abc import Sequence

from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.problems import Problem
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import adt, eventually, listening
from tests.adapters.adt.test_batches import batch


def test_what_is_answered_is_counted_by_code_and_door(database: Database) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    told = lambda door, code: counted.update([(door, code)])  # noqa: E731
    with listening(database, answered=told, name="north") as hospital:
        peer = hospital.peer()
        peer.send(adt("1"), adt("2"), adt("1", note="other"), adt("3", kind="ORU^R01"), adt("4", accept="AL"))
        peer.answers(5)
        peer.send(adt("5", accept="NE", application="NE"))
        peer.send(batch(adt("6"), adt("7")))
        peer.answers(1)
    codes = {code: number for (door, code), number in counted.items() if door == "north"}
    assert codes == {"AA": 4, "AE": 1, "AR": 1, "CA": 1, "none": 1}
    assert counted.total() == 8


def test_silence_is_counted(database: Database) -> None:
    counted: Counter[str] = Counter()

    def fails(arrivals: Sequence[Arrival]) -> list[Receipt]:
        raise Problem("busy", "no database")

    with listening(fails, answered=lambda door, code: counted.update([code])) as hospital:
        assert hospital.loses("1")
        assert eventually(lambda: counted == {"silence": 1})
