"""Batches (FHS, BHS, BTS, FTS): each message stored and answered, all in one commit, or the whole refused (V31)."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from adapters.adt.batches import MOST_PIECES, BatchIntake, batch_answer, batch_intake, is_batch
from adapters.adt.group_commit import into
from adapters.adt.intake import intake
from hub.inbox import arrivals as inbox
from hub.inbox.arrivals import Receipt
from hub.inbox.messages import Arrival
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import adt, listening, stored
from tests.adapters.adt.test_intake import AT
from tests.adapters.adt.test_mllp_tls import table

BHS = b"BHS|^~\\&|EHR|HOSPITAL_ONE|HUB|CALAIM|20261122081530||||B-1\r"
FHS = b"FHS|^~\\&|EHR|HOSPITAL_ONE|HUB|CALAIM|20261122081530||||F-1\r"


def batch(*messages: bytes, count: str | None = None, head: bytes = BHS) -> bytes:
    said = str(len(messages)) if count is None else count
    return b"".join((head, *messages, f"BTS|{said}\r".encode()))


def file(*batches: bytes, count: str | None = None) -> bytes:
    said = str(len(batches)) if count is None else count
    return b"".join((FHS, *batches, f"FTS|{said}\r".encode()))


def taken(frame: bytes) -> BatchIntake:
    return batch_intake(frame, 0, lambda message: intake(message, 0, True))


def replied(frame: bytes, receipts: Sequence[Receipt] = ()) -> list[str]:
    numbers = itertools.count(1)
    found = taken(frame)
    given = receipts or ["new"] * len(found.arrivals)
    return batch_answer(found, given, AT, lambda: f"HUB{next(numbers)}").decode("latin-1").split("\r")


def verdicts(lines: list[str]) -> list[str]:
    """MSA-1 and MSA-2 of each acknowledgment, and the ERR behind it."""
    return [line for line in lines if line[:3] in ("MSA", "ERR")]


def test_each_message_of_a_batch_is_answered_in_a_batch() -> None:
    lines = replied(batch(adt("1"), adt("2")))
    assert [line[:3] for line in lines] == ["BHS", "MSH", "MSA", "MSH", "MSA", "BTS", ""]
    assert lines[0].startswith("BHS|^~\\&|HUB|CALAIM|EHR|HOSPITAL_ONE|2026112208")
    assert lines[0].split("|")[11] == "B-1"
    assert verdicts(lines) == ["MSA|AA|1", "MSA|AA|2"]
    assert lines[-2] == "BTS|2"


def test_a_file_of_batches_is_answered_by_a_file() -> None:
    lines = replied(file(batch(adt("1")), batch(adt("2"), adt("3"))))
    assert [lines[0][:3], lines[1][:3], lines[-3], lines[-2]] == ["FHS", "BHS", "BTS|3", "FTS|1"]
    assert lines[0].split("|")[11] == "F-1"
    assert verdicts(lines) == ["MSA|AA|1", "MSA|AA|2", "MSA|AA|3"]


def test_the_answer_is_in_the_delimiters_of_the_batch() -> None:
    odd = batch(adt("1")).replace(b"|", b"#").replace(b"^", b"*")
    lines = replied(odd)
    assert lines[0].startswith("BHS#*~\\&#HUB#CALAIM#EHR#")
    assert verdicts(lines) == ["MSA#AA#1"]
    assert lines[-2] == "BTS#1"


def test_a_message_that_its_header_refuses_is_refused_alone() -> None:
    lines = replied(batch(adt("1"), adt("2", version="9.9")))
    assert [line.split("|")[1] for line in verdicts(lines) if line.startswith("MSA")] == ["AA", "AR"]


def test_who_wants_no_acknowledgment_has_none_in_the_batch() -> None:
    silent = adt("1", accept="NE", application="NE")
    assert verdicts(replied(batch(silent, adt("2", accept="AL")))) == ["MSA|CA|2"]
    assert replied(batch(silent)) == [""]


@pytest.mark.parametrize(
    ("why", "frame", "where"),
    [
        ("more said", batch(adt("1"), count="2"), "BTS^1^1"),
        ("less said", batch(adt("1"), adt("2"), count="1"), "BTS^1^1"),
        ("no number", batch(adt("1"), count="one"), "BTS^1^1"),
        ("a long number", batch(adt("1"), count="1" * 5000), "BTS^1^1"),
        ("batches of the file", file(batch(adt("1")), count="2"), "FTS^1^1"),
        ("in one batch of two", file(batch(adt("1")), batch(adt("2"), count="0")), "BTS^1^1"),
        ("batch not closed", BHS + adt("1"), "BTS"),
        ("file not closed", FHS + batch(adt("1")), "FTS"),
        ("closed twice", batch(adt("1")) + b"BTS|1\r", "BTS"),
        ("a message behind", batch(adt("1")) + adt("2"), "MSH"),
        ("a batch in a batch", BHS + batch(adt("1")), "BHS"),
        ("a message between", file(batch(adt("1")) + adt("2")), "MSH"),
        ("other delimiters", batch(adt("1").replace(b"|", b"#")), "MSH^1^1"),
        ("no delimiters", b"BHS\r" + adt("1") + b"BTS|1\r", "BHS^1^1"),
    ],
)
def test_v31_a_batch_whose_envelope_does_not_hold_is_refused_whole(why: str, frame: bytes, where: str) -> None:
    found = taken(frame)
    assert [(one.state, one.raw) for one in found.arrivals] == [("refused", frame)], why
    lines = [line.replace("#", "|") for line in verdicts(replied(frame))]
    assert {line.split("|")[1] for line in lines if line.startswith("MSA")} == {"AE"}
    assert all(line.startswith(f"ERR||{where}|100^") for line in lines if line.startswith("ERR"))
    assert lines[1].startswith("ERR")


@pytest.mark.parametrize("piece", [b"MSH|^~\\&|\r", b"BHS|^~\\&|\rBTS|0\r"])
def test_v31_a_batch_of_too_many_pieces_is_refused_before_it_is_taken_apart(piece: bytes) -> None:
    found = taken(BHS + piece * (MOST_PIECES + 1) + b"BTS|1\r")
    assert found.refused is not None
    assert (len(found.parts), len(found.arrivals)) == (0, 1)


def test_v31_the_report_says_how_many_came() -> None:
    lines = replied(batch(adt("1"), count="2"))
    assert "The count does not hold: 1 came" in lines[0].split("|")[9]
    assert verdicts(lines)[0] == "MSA|AE|1"


def test_a_refused_batch_without_messages_is_answered_by_its_own_control_id() -> None:
    assert verdicts(replied(batch(count="3")))[0] == "MSA|AE|B-1"


def test_counts_may_be_left_out_and_a_file_needs_no_batches() -> None:
    assert verdicts(replied(batch(adt("1"), count=""))) == ["MSA|AA|1"]
    assert verdicts(replied(FHS + adt("1") + adt("2") + b"FTS|1\r")) == ["MSA|AA|1", "MSA|AA|2"]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_the_messages_of_a_batch_are_kept_as_they_came(end: bytes) -> None:
    messages = [adt("1").replace(b"\r", end), adt("2", note=" of BHS MSH").replace(b"\r", end)]
    frame = b"".join((BHS.replace(b"\r", end), *messages, b"BTS|2", end))
    assert [one.raw.strip() for one in taken(frame).arrivals] == [one.strip() for one in messages]


PIECES = (FHS, BHS, adt("1"), b"BTS|1\r", b"FTS|1\r", b"ZZZ|x\r", b"MSH\r", b"BHS")


@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_no_order_of_segments_is_more_than_refused(pieces: list[bytes]) -> None:
    frame = BHS + b"".join(pieces)
    assert is_batch(frame)
    found = taken(frame)
    assert replied(frame) is not None
    assert found.refused or found.arrivals == [part.arrival for part in found.parts]


# Over a socket, into a database


def test_a_batch_is_one_commit_and_one_answer(database: Database) -> None:
    sizes: list[int] = []
    store = into(database)

    def accept(arrivals: Sequence[Arrival]) -> list[Receipt]:
        sizes.append(len(arrivals))
        return store(arrivals)

    with listening(accept) as hospital:
        peer = hospital.peer()
        peer.send(batch(*(adt(str(number)) for number in range(50))), adt("single"))
        answer, single = peer.answers(2)
        assert answer.count(b"\rMSA|AA|") == 50
        assert b"MSA|AA|single" in single
        assert sizes[0] in (50, 51)
    assert [state for state, _ in stored(database)] == ["received"] * 51


def test_a_batch_that_cannot_be_stored_is_not_answered_and_nothing_of_it_is_there(database: Database) -> None:
    def fails_at_the_end(connection: Connection, arrivals: Sequence[Arrival]) -> list[Receipt]:
        inbox.accept(connection, arrivals)
        raise MemoryError

    def accept(arrivals: Sequence[Arrival]) -> list[Receipt]:
        return database.writing(lambda connection: fails_at_the_end(connection, arrivals))

    with listening(accept) as hospital:
        peer = hospital.peer()
        peer.send(batch(adt("1"), adt("2")))
        assert peer.is_closed_without_an_answer()
    assert stored(database) == []


def test_v31_a_wrong_count_stores_no_work(database: Database) -> None:
    woken: list[bool] = []
    frame = batch(adt("1"), adt("2"), count="3")
    with listening(database, on_accepted=lambda: woken.append(True)) as hospital:
        peer = hospital.peer()
        peer.send(frame, frame)
        first, _ = peer.answers(2)
        assert first.count(b"\rMSA|AE|") == 2
    assert stored(database) == [("refused", frame)]
    assert woken == []


def test_a_batch_sent_again_is_acknowledged_and_has_no_second_effect(database: Database) -> None:
    frame = batch(adt("1"), adt("2"))
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.send(frame, frame)
        for answer in peer.answers(2):
            assert answer.count(b"\rMSA|AA|") == 2
    assert len(stored(database)) == 2


def test_a_message_twice_in_one_batch_is_stored_once(database: Database) -> None:
    with listening(database) as hospital:
        peer = hospital.peer()
        peer.send(batch(adt("1"), adt("1"), adt("1", note="other")))
        (answer,) = peer.answers(1)
    assert [answer.count(b"\rMSA|AA|1\r"), answer.count(b"\rMSA|AE|1\r")] == [2, 1]
    assert [state for state, _ in stored(database)] == ["received", "refused"]


def test_of_a_batch_only_what_its_connection_may_send_is_kept(database: Database, tmp_path: Path) -> None:
    bound = table(tmp_path, "A,,127.0.0.1")
    wrong = batch(adt("1", facility="B"), count="7")
    with listening(database, senders=bound) as hospital:
        peer = hospital.peer()
        peer.send(batch(adt("1", facility="A"), adt("2", facility="B")), wrong, batch(count="7"))
        answers = peer.answers(3)
        assert b"\rMSA|AA|1\r" in answers[0]
        assert b"\rMSA|AR|2\r" in answers[0]
    assert stored(database) == [("received", adt("1", facility="A"))]
