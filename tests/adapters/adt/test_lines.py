"""Whose line a message stands in, read from its bytes."""

import pytest

from adapters.adt.header import header
from adapters.adt.intake import intake
from adapters.adt.lines import line_of
from hub.inbox.messages import member_key
from tests.fhir_mappings.adt.factory import adt

MSH = b"MSH|^~\\&|EPICADT|SMC|HUB|CALAIM|20261122081500||ADT^A08|1|P|2.5.1\r"


def line(segments: bytes, head: bytes = MSH) -> int | None:
    return line_of("adt", "EPICADT|NVH" if b"NVH" in head else "EPICADT|SMC", head + segments, header(head))


def of(identifier: bytes, feed: bytes = b"EPICADT|SMC") -> int:
    return member_key(b"adt", feed, identifier)


@pytest.mark.parametrize(
    "segments",
    [
        b"PID|1||M1^^^SMC^MR~9^^^CA^MC||Testperson^Ann\rPV1|1\r",
        b"EVN|A08\nPID|1||M1\nPV1|1\n",
        b"EVN|A08\r\nPID|||M1~M2\r\n",
        b"PID|||M1",
    ],
)
def test_it_is_the_first_identifier_of_pid_3_of_this_feed(segments: bytes) -> None:
    assert line(segments) == of(b"M1")


def test_another_feed_is_another_line() -> None:
    assert line(b"PID|||M1\r", MSH.replace(b"|SMC|", b"|NVH|")) == of(b"M1", b"EPICADT|NVH")
    assert of(b"M1") != of(b"M1", b"EPICADT|NVH")


def test_the_messages_own_delimiters_count() -> None:
    head = MSH.replace(b"|", b"!").replace(b"^~\\&", b"*@\\&").replace(b"ADT^A08", b"ADT*A08")
    assert line(b"PID!!!M1*x@M2\r", head) == of(b"M1")


@pytest.mark.parametrize("segments", [b"", b"PID", b"PID|1", b"PID|1||\r", b"PID|1||^^^SMC\r", b"PV1|PID|||M1\r"])
def test_without_an_identifier_there_is_no_order(segments: bytes) -> None:
    assert line(segments) is None


def test_nobody_reads_from_it_whom_the_sender_means() -> None:
    found = line(b"PID|||M1\r")
    assert isinstance(found, int)
    assert -(2**63) <= found < 2**63


def test_the_intake_keeps_the_line_with_the_message() -> None:
    frame = adt("A08", "1", mrn="M1")
    head = header(frame)
    taken = intake(frame, 0, True)
    assert taken.arrival.member is not None
    assert taken.arrival.member == line_of("adt", f"{head.application}|{head.facility}", frame, head)
