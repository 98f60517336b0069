from datetime import UTC, datetime

import hl7
import pytest

from adapters.adt.acknowledgment import ack, refusal
from adapters.adt.header import header
from fhir_mappings.adt.events import EVENTS
from tests.fhir_mappings.adt.factory import adt

AT = datetime(2026, 11, 22, 16, 16, tzinfo=UTC)


def answer(raw: bytes, code: str = "AA", error: tuple[str, str, str] | None = None) -> list[str]:
    return ack(header(raw), code, AT, "HUB1", error).decode("latin-1").split("\r")


def test_an_acknowledgment_goes_back_to_the_sender_with_its_control_id() -> None:
    msh, msa, end = answer(adt(control_id="C-1"))
    head = "MSH|^~\\&|CALAIMHUB|HUB|EPICADT|SMC|20261122161600+0000||ACK^A01|HUB1|P|2.5.1||||||UNICODE UTF-8"
    assert (msh, msa, end) == (head, "MSA|AA|C-1", "")


def test_an_error_stands_in_err_2_to_4_from_version_2_5_on() -> None:
    _, msa, err, _ = answer(adt(), "AE", ("102", "PID-7", "Not a date"))
    assert msa == "MSA|AE|MSG00001"
    assert err == "ERR||PID^1^7|102^Data type error^HL70357|E||||Not a date"


def test_an_error_stands_in_err_1_and_msa_3_before_version_2_5() -> None:
    _, msa, err, _ = answer(adt(version="2.3"), "AE", ("102", "PID-7", "Not a date"))
    assert msa == "MSA|AE|MSG00001|Not a date"
    assert err == "ERR|PID^1^7^102&Data type error&HL70357"


def test_the_answer_is_in_the_senders_delimiters_and_escapes_them() -> None:
    raw = b"MSH#*~!%#APP#SMC#HUB#CA#2026##ADT*A01#7#P#2.5\rPID#1\r"
    msh, msa, err, _ = answer(raw, "AE", ("100", "PID", "no PID # or * here!"))
    assert msh.startswith("MSH#*~!%#HUB#CA#APP#SMC#")
    assert msa == "MSA#AE#7"
    assert err == "ERR##PID#100*Segment sequence error*HL70357#E####no PID !F! or !S! here!E!"


def test_a_message_without_header_gets_an_empty_control_id_back() -> None:
    msh, msa, err, _ = ack(None, "AR", AT, "HUB1", ("100", "MSH-1", "No message header")).decode().split("\r")
    assert msh == "MSH|^~\\&|||||20261122161600+0000||ACK|HUB1|P|2.5.1"
    assert msa == "MSA|AR|"
    assert err.startswith("ERR||MSH^1^1|100^")


@pytest.mark.parametrize("version", ["2.1", "2.3", "2.3.1", "2.4", "2.5.1", "2.8.2"])
def test_an_hl7_parser_reads_every_version_of_the_answer(version: str) -> None:
    found = hl7.parse(ack(header(adt(version=version)), "AE", AT, "HUB1", ("101", "PID-3", "missing")).decode())
    assert (str(found["MSA"][0][1]), str(found["MSA"][0][2]), str(found["MSH"][0][12])) == (
        "AE",
        "MSG00001",
        version,
    )


def test_the_bytes_of_a_control_id_come_back_as_they_came() -> None:
    assert "MSA|AA|Zoë\r".encode() in ack(header(adt(control_id="Zoë")), "AA", AT, "HUB1")


@pytest.mark.parametrize(
    ("fields", "code", "where"),
    [
        ({"MSH-9": "ORU^R01"}, "200", "MSH-9"),
        ({"MSH-9": ""}, "200", "MSH-9"),
        ({"MSH-9": "ADT^A99"}, "201", "MSH-9"),
        ({"MSH-9": "ADT"}, "201", "MSH-9"),
        ({"MSH-11": "T"}, "202", "MSH-11"),
        ({"MSH-11": "D"}, "202", "MSH-11"),
        ({"MSH-11": ""}, "202", "MSH-11"),
        ({"MSH-12": "9.9"}, "203", "MSH-12"),
        ({"MSH-12": ""}, "203", "MSH-12"),
        ({"MSH-12": "2.9"}, "203", "MSH-12"),
        ({"MSH-10": ""}, "101", "MSH-10"),
    ],
)
def test_the_header_alone_can_be_reason_to_refuse(fields: dict[str, str], code: str, where: str) -> None:
    found = refusal(header(adt(fields=fields)))
    assert found is not None
    assert (found[0], found[1][:2]) == ("AR", (code, where))


def test_in_enhanced_mode_a_refusal_is_a_commit_reject() -> None:
    found = refusal(header(adt(fields={"MSH-9": "ORU^R01", "MSH-15": "AL", "MSH-16": "AL"})))
    assert found is not None
    assert found[0] == "CR"


def test_no_header_is_refused_with_100() -> None:
    assert refusal(None) == ("AR", ("100", "MSH-1", "No message header"))


@pytest.mark.parametrize("event", sorted(EVENTS))
@pytest.mark.parametrize("version", ["2.1", "2.3", "2.3.1", "2.5.1", "2.7.1", "2.8", "2.8.2"])
def test_every_accepted_event_passes_in_every_version(event: str, version: str) -> None:
    assert refusal(header(adt(event, version=version))) is None


@pytest.mark.parametrize("processing_id", ["T", "D", "P"])
def test_outside_production_training_messages_pass(processing_id: str) -> None:
    assert refusal(header(adt(fields={"MSH-11": processing_id})), production=False) is None
