from timeit import repeat

import pytest

from adapters.adt.header import NoHeader, header
from tests.fhir_mappings.adt.factory import adt


def test_the_header_gives_what_an_acknowledgment_needs() -> None:
    found = header(
        adt("A08", "C-1", fields={"MSH-15": "AL", "MSH-16": "NE", "MSH-11": "P^T", "MSH-12": "2.5.1^USA"})
    )
    assert found.separators == "|^~\\&"
    assert (found.application, found.facility, found.facility_code) == ("EPICADT", "SMC", "SMC")
    assert (found.receiving_application, found.receiving_facility) == ("CALAIMHUB", "HUB")
    assert (found.message_type, found.event, found.control_id) == ("ADT", "A08", "C-1")
    assert (found.processing_id, found.version, found.charset) == ("P", "2.5.1", "UNICODE UTF-8")
    assert (found.accept_ack, found.application_ack, found.enhanced) == ("AL", "NE", True)
    assert found.sent_at == "20261122081530"


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_the_header_ends_with_its_line(line_end: str) -> None:
    raw = adt(line_end=line_end, charset="", fields={"MSH-18": "X"})
    assert header(raw).charset == "X"


def test_odd_delimiters_and_a_facility_with_components() -> None:
    found = header(b"MSH#*~!%#APP#SMC*1.2.3*ISO#####ADT*A04#7#P#2.3\rPID#1")
    assert found.separators == "#*~!%"
    assert (found.facility_code, found.event, found.version, found.charset) == ("SMC", "A04", "2.3", "")


def test_missing_delimiters_are_the_standard_ones() -> None:
    assert header(b"MSH|^~|A|SMC||||||||").separators == "|^~\\&"


def test_every_byte_of_a_control_id_survives() -> None:
    assert header(adt(control_id="Zoë")).control_id.encode("latin-1") == "Zoë".encode()


@pytest.mark.parametrize(
    "raw",
    [b"", b"\r", b"MSH", b"MSH|", b"PID|1||A", b"BHS|^~\\&|A|B", b"MSHA^~\\&AA", b"MSH||a|b|c|d"],
)
def test_bytes_without_a_header_are_refused(raw: bytes) -> None:
    with pytest.raises(NoHeader) as caught:
        header(raw)
    assert (caught.value.where, caught.value.code) == ("MSH", "100")


def test_a_header_costs_microseconds_even_before_a_long_message() -> None:
    raw = adt() + b"OBX|1|TX|" + b"x" * 1_000_000
    assert min(repeat(lambda: header(raw), number=200, repeat=5)) / 200 < 50e-6  # 2 to 3 µs when measured
