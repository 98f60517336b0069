"""What a frame's header decides: what the inbox is asked to keep and what the sender is answered."""

from datetime import UTC, datetime

import pytest

from adapters.adt.intake import answer, intake
from adapters.adt.mllp_client import acknowledged
from hub.inbox.arrivals import Receipt
from tests.adapters.adt.mllp_peer import adt

AT = datetime(2026, 11, 22, 8, 15, 30, tzinfo=UTC)


def answered(frame: bytes, receipt: Receipt = "new", production: bool = True) -> str:
    """MSA-1, and the ERR code if there is one."""
    reply = answer(intake(frame, 0, production), receipt, AT, "ACK1")
    if not reply:
        return "silence"
    err = next((line for line in reply.decode().split("\r") if line.startswith("ERR")), "")
    return " ".join([acknowledged(reply)[0], *([err.split("|")[3].partition("^")[0]] if err else [])])


@pytest.mark.parametrize(
    ("row", "frame", "expected"),
    [
        ("V07 empty", b"", "AR 100"),
        ("V07 no MSH", b"PID|1||123\r", "AR 100"),
        ("V08", adt().replace(b"|", b"!").replace(b"MSH!^~\\&!", b"MSH!*~\\&!").replace(b"^", b"*"), "AA"),
        ("V09 type", adt(kind="ORU^R01"), "AR 200"),
        ("V09 event", adt(kind="ADT^A99"), "AR 201"),
        ("V10", adt(processing="T"), "AR 202"),
        ("V11 unknown", adt(version="9.9"), "AR 203"),
        ("V11 missing", adt(version=""), "AR 203"),
        ("V12", adt(""), "AR 101"),
        ("V13", adt(), "AA"),
    ],
)
def test_the_header_alone_decides(row: str, frame: bytes, expected: str) -> None:
    assert answered(frame) == expected, row


def test_v10_test_messages_are_taken_where_production_is_not_set() -> None:
    assert answered(adt(processing="T"), production=False) == "AA"


def test_v14_a_control_id_used_before_with_other_content_is_an_error() -> None:
    assert answered(adt(), "conflict") == "AE 205"
    assert answered(adt(), "duplicate") == "AA"


@pytest.mark.parametrize(
    ("accept", "application", "good", "conflict", "refused"),
    [
        ("AL", "AL", "CA", "CE 205", "CR 203"),
        ("AL", "NE", "CA", "CE 205", "CR 203"),
        ("SU", "NE", "CA", "silence", "silence"),
        ("ER", "NE", "silence", "CE 205", "CR 203"),
        ("NE", "NE", "silence", "silence", "silence"),
        ("NE", "AL", "AA", "AE 205", "AR 203"),
        ("", "AL", "AA", "AE 205", "AR 203"),
        ("", "", "AA", "AE 205", "AR 203"),
        ("??", "", "CA", "CE 205", "CR 203"),
    ],
)
def test_v32_each_sender_gets_the_acknowledgments_it_asked_for(
    accept: str, application: str, good: str, conflict: str, refused: str
) -> None:
    asks = {"accept": accept, "application": application}
    assert answered(adt(**asks)) == good
    assert answered(adt(**asks), "conflict") == conflict
    assert answered(adt(version="9.9", **asks)) == refused


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (adt(kind="ORU^R01", accept="AL"), "CR 200"),
        (adt(kind="ADT^A99", accept="AL"), "CR 201"),
        (adt(processing="T", accept="AL"), "CR 202"),
        (adt(version="9.9", accept="AL"), "CR 203"),
        (adt("", accept="AL"), "CE 101"),
        (adt(note="\xff", accept="AL"), "CE 102"),
    ],
)
def test_v32_msh_9_11_and_12_are_cr_and_other_faults_of_the_commit_ce(wrong: bytes, expected: str) -> None:
    assert answered(wrong) == expected


def test_v32_what_is_sent_later_is_not_sent_at_once() -> None:
    both, only_later = adt(accept="AL", application="AL"), adt(application="AL")
    assert acknowledged(answer(intake(both, 0, True), "new", AT, "ACK1", later=True))[0] == "CA"
    assert answer(intake(only_later, 0, True), "new", AT, "ACK1", later=True) == b""
    assert acknowledged(answer(intake(only_later, 0, True), "conflict", AT, "ACK1", later=True))[0] == "AE"


def test_a_refused_message_is_kept_with_what_was_answered() -> None:
    arrival = intake(adt("7", version="9.9"), 5, True).arrival
    assert (arrival.state, arrival.location, arrival.received) == ("refused", "MSH-12", 5)
    assert arrival.reason == "203 Unsupported version id"


def test_the_feed_is_application_and_facility_and_unknown_without_a_header() -> None:
    assert intake(adt(), 0, True).arrival.feed == "EHR|HOSPITAL_ONE"
    assert intake(b"garbage", 0, True).arrival.feed == "unknown"


def test_an_unknown_facility_is_safe_with_us() -> None:
    assert answered(adt(facility="NOBODY_KNOWS")) == "AA"
