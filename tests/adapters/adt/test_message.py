from typing import Any

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.adt.message import _field, parse
from fhir_mappings.adt.problems import Unreadable
from fhir_mappings.adt.records import CWE, CX, DELETE, PL, XPN, XTN
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import MESSAGES, fixture


def test_a_message_is_read_into_its_typed_parts() -> None:
    found = parse(adt())
    assert (found.control_id, found.event, found.facility, found.version) == ("MSG00001", "A01", "SMC", "2.5.1")
    assert found.patient.identifiers == (CX("SMC0012345", "SMC", "MR"), CX("91234567A", "MEDI-CAL", "MA"))
    assert found.patient.names == (XPN("Testperson-Alder", "Robin", "Q", type="L"),)
    assert found.patient.home_phones == (XTN("+1-916-5550101", "PRN", "PH"),)
    assert found.visit.location == PL("4W", "412", "B", "SMC")
    assert found.visit.patient_class == CWE("I")
    assert (len(found.insurances), len(found.next_of_kin)) == (1, 1)


def levels(field: Any) -> list[list[list[str]]]:
    """The library leaves out the levels that have no separator."""
    repetitions = ([one] if isinstance(one, str) else one for one in field)
    return [[[each] if isinstance(each, str) else list(map(str, each)) for each in one] for one in repetitions]


@settings(max_examples=300)
@given(st.text("AbZ9 .^~&", min_size=1, max_size=30))
def test_a_field_is_taken_apart_as_the_hl7_library_does(sent: str) -> None:
    library = hl7.parse(f"MSH|^~\\&|\rZZZ|{sent}|end")[1][1]
    assert _field(sent, "|^~\\&", "utf-8", "ZZZ-1") == levels(library)


def test_empty_says_nothing_and_the_null_deletes() -> None:
    """bad-input.md V28."""
    found = parse(adt(fields={"PID-11": "", "PID-13": '""', "PV1-45": '""', "PID-7": '""'}))
    assert found.patient.addresses is None
    assert (found.patient.home_phones, found.visit.discharged_at, found.patient.birth) == (DELETE, DELETE, DELETE)


def test_a_null_in_one_component_is_an_empty_component() -> None:
    assert parse(adt(fields={"PID-5": 'Testperson^""^Q'})).patient.names == (XPN("Testperson", "", "Q"),)


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_any_line_end_is_a_segment_end(line_end: str) -> None:
    """bad-input.md V29."""
    assert parse(adt(line_end=line_end)).visit.visit_number == CX("V1000123", "SMC", "VN")


def test_declared_delimiters_are_honoured() -> None:
    found = fixture("odd_delimiters_latin1_a01_2.5")
    assert found.patient.identifiers == (CX("E1009000", "SMC", "MR"),)
    assert found.patient.names == (XPN("Testperson-Müller", "Zoë*Zed", type="L"),)


@pytest.mark.parametrize(
    ("charset", "encoding", "name"),
    [
        ("UNICODE UTF-8", "utf-8", "Núñez 李"),
        ("", "utf-8", "Núñez 李"),
        ("8859/1", "latin-1", "Núñez"),
        ("ASCII", "ascii", "Nunez"),
        ("unicode utf-8", "utf-8", "Núñez"),
        ("UNICODE UTF-8~ISO IR87", "utf-8", "Núñez"),
    ],
)
def test_the_character_set_is_that_of_msh_18(charset: str, encoding: str, name: str) -> None:
    found = parse(adt(charset=charset, encoding=encoding, fields={"PID-5": name}))
    assert found.patient.names == (XPN(name),)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("A\\T\\B", "A&B"),
        ("\\F\\\\S\\\\R\\\\E\\", "|^~\\"),
        ("one\\.br\\two", "one\ntwo"),
        ("\\H\\loud\\N\\", "loud"),
        ("\\X4F4B\\", "OK"),
        ("\\XC3A9\\", "é"),
        ("\\Zx\\kept", "\\Zx\\kept"),
    ],
)
def test_escape_sequences_become_text(sent: str, text: str) -> None:
    """bad-input.md V27."""
    assert parse(adt(fields={"PV2-3": f"^{sent}"})).visit.admit_reason == CWE("", text)


def test_segments_nothing_maps_are_not_read() -> None:
    """bad-input.md V30."""
    sent = adt() + b"ZXX|\\X0|" + b"x" * 50 + b"\rOBX|1|" + b"^~&" * 100 + b"\rPIDX|1\rPVX\r"
    assert parse(sent).patient == parse(adt()).patient


def test_the_first_of_several_patient_segments_counts() -> None:
    assert parse(adt() + b"PID|2||OTHER^^^SMC^MR\r").patient == parse(adt()).patient


def test_the_time_of_the_event_is_evn_2_else_msh_7() -> None:
    assert parse(adt(fields={"EVN-2": "20261122070000"})).event_at.start.hour == 7
    assert parse(adt(fields={"EVN": None})).event_at.start.hour == 8


@pytest.mark.parametrize(
    ("sent", "where", "code"),
    [
        (b"", "MSH", "100"),
        (b"PID|1||x", "MSH", "100"),
        (adt(fields={"PID": None}), "PID", "100"),
        (adt("A99"), "MSH-9", "201"),
        (adt(fields={"PID-7": "19991345"}), "PID-7", "102"),
        (adt(discharged="yesterday"), "PV1-45", "102"),
        (adt(fields={"IN1-12": "2026-01-01"}), "IN1-12", "102"),
        (adt(at=""), "EVN-2", "101"),
        (adt(fields={"EVN-2": '""', "MSH-7": ""}), "EVN-2", "101"),
        (adt(fields={"MSH-7": "soon"}), "MSH-7", "102"),
        (adt(charset="CNS 11643-1992"), "MSH-18", "103"),
        (adt(charset="UNICODE UTF-8", encoding="latin-1", fields={"PID-5": "Núñez"}), "MSH-18", "102"),
        (adt(charset="", encoding="latin-1", fields={"PID-5": "Núñez"}), "MSH-18", "102"),
        (adt(charset="ASCII", fields={"PID-5": "Núñez"}), "MSH-18", "102"),
        (adt(fields={"PV2-3": "^open \\X0"}), "PV2-3", "102"),
        (adt(fields={"PV2-3": "^\\XZZ\\"}), "PV2-3", "102"),
        (adt(fields={"PV2-3": "^\\XFF\\"}), "PV2-3", "102"),
        (adt(fields={"PV2-3": "^\\X00\\"}), "PV2-3", "102"),
        (adt(fields={"PID-5": "Test\x07person"}), "PID-5", "102"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(sent: bytes, where: str, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(sent)
    assert (caught.value.where, caught.value.code, caught.value.state) == (where, code, "unreadable")


def test_the_unreadable_fixture_is_refused_at_the_birth_date_without_saying_it() -> None:
    with pytest.raises(Unreadable) as caught:
        parse((MESSAGES / "unreadable_birth_date.hl7").read_bytes())
    assert caught.value.where == "PID-7"
    assert "1999" not in str(caught.value)


def test_fixtures_end_their_segments_with_carriage_returns() -> None:
    for path in MESSAGES.glob("*.hl7"):
        assert b"\n" not in path.read_bytes(), path.name
        assert path.read_bytes().endswith(b"\r"), path.name
