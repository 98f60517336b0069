"""What the bytes of a message alone show: rows V15, V16, V18 to V20, V26, V27 and V35 of the bad input."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.adt.charset import encoding
from adapters.adt.checks import LONGEST, LONGEST_READ, MOST_CHARACTERS, fault
from adapters.adt.header import NoHeader, header
from adapters.adt.intake import answer, intake
from adapters.adt.mllp_client import acknowledged
from fhir_mappings.adt.events import EVENTS
from tests.adapters.adt.test_intake import AT, answered
from tests.fhir_mappings.adt.factory import adt

MESSAGES = Path(__file__).parents[2] / "fhir_mappings" / "adt" / "messages"
SAME = {"MRG-1": "SMC0012345^^^SMC^MR"}
OTHER = {"MRG-1": "SMC0099999^^^SMC^MR"}
NO_CIN: dict[str, str | None] = {"IN1": None}


def verdict(frame: bytes) -> str:
    found = fault(frame, header(frame))
    return " ".join((f"A{found.verdict}", found.error[0], found.error[1])) if found else "AA"


def with_fields(cin: str | None = None, event: str = "A01", **fields: str | None) -> bytes:
    return adt(event, cin=cin, fields={name.replace("_", "-"): value for name, value in fields.items()})


@pytest.mark.parametrize(
    ("row", "frame", "expected"),
    [
        ("V15 no PID", with_fields(PID=None), "AE 100 PID"),
        ("V15 no PID-3", with_fields(PID_3="", IN1=None), "AE 101 PID-3"),
        ("V15 PID-3 deleted", with_fields(PID_3='""', IN1=None), "AE 101 PID-3"),
        ("V15 no number in PID-3", with_fields(PID_3="^^^SMC^MR", IN1=None), "AE 101 PID-3"),
        ("V15 no authority and no type", with_fields(PID_3="12345", IN1=None), "AE 101 PID-3"),
        ("V15 no authority, account only", with_fields(PID_3="12345^^^^AN", IN1=None), "AE 101 PID-3"),
        ("V16", with_fields(PID_7="19991345"), "AE 102 PID-7"),
        ("V16 no date", with_fields(PID_7="unknown"), "AE 102 PID-7"),
        ("V18 number", with_fields(PID_3=f"{'9' * 251}^^^SMC^MR"), "AE 104 PID-3"),
        ("V18 name", with_fields(PID_5="Testperson" * 30), "AE 104 PID-5"),
        ("V18 visit", with_fields(PV1_19="7" * 251), "AE 104 PV1-19"),
        ("V18 time", with_fields(PV1_44="2026" + "0" * 30), "AE 104 PV1-44"),
        ("V18 control id", adt(control_id="1" * 200), "AE 104 MSH-10"),
        ("V19", with_fields(event="A40"), "AE 100 MRG"),
        ("V19 A34", with_fields(event="A34"), "AE 100 MRG"),
        ("V19 second group", adt("A40", fields={**OTHER, "PID#2-3": "SMC7^^^SMC^MR"}), "AE 100 MRG"),
        ("V19 empty", with_fields(event="A40", MRG_1="^^^SMC^MR"), "AE 101 MRG-1"),
        ("V20", adt("A40", cin=None, fields=SAME), "AR 205 MRG-1"),
        ("V20 within", adt("A40", fields=SAME), "AR 205 MRG-1"),
        ("V26 UTF-8", adt(fields={"PID-5": "Pe\xf1a^Alder"}, encoding="latin-1"), "AE 102 MSH-18"),
        ("V26 ASCII", adt(charset="ASCII", fields={"PID-5": "Pe\xf1a^Alder"}), "AE 102 MSH-18"),
        ("V27 open", with_fields(PID_5="Alder\\X0^Robin"), "AE 102 PID-5"),
        ("V27 open at the end", with_fields(PV2_3="^Pain\\"), "AE 102 PV2-3"),
        ("V27 no hexadecimal", with_fields(PID_5="Alder\\XZZ\\^Robin"), "AE 102 PID-5"),
        ("V35 field that is read", with_fields(PID_11="x" * 1_000_000), "AE 104 PID-11"),
        ("V35 any field", adt() + b"OBX|1|TX|||" + b"x" * 1_000_000 + b"\r", "AE 104 OBX"),
    ],
)
def test_what_the_bytes_show_is_told_at_once(row: str, frame: bytes, expected: str) -> None:
    assert verdict(frame) == expected, row


@pytest.mark.parametrize(
    ("why", "frame"),
    [
        ("V15 a record number without authority is the facility's", with_fields(PID_3="12345^^^^MR", IN1=None)),
        ("V15 a number of an authority that only people know", with_fields(PID_3="12345^^^ELSEWHERE^PI", IN1=None)),
        ("V15 an older version's PID-2", with_fields(PID_3="", PID_2="12345^^^SMC^PI", IN1=None)),
        ("V15 a CIN alone", with_fields(PID_3="91234567A^^^MEDI-CAL^MA", IN1=None)),
        ("V15 a CIN in IN1", with_fields(PID_3="", IN1_36="91234567A")),
        ("V16 no birth date", with_fields(PID_7="")),
        ("V16 a birth date that goes", with_fields(PID_7='""')),
        ("V16 a year", with_fields(PID_7="1980")),
        ("V17 a code with no row", with_fields(PID_8="Q", PV1_2="Z9")),
        ("V18 long free text", with_fields(PV2_3="^" + "Chest pain " * 500)),
        ("V18 a long code", with_fields(PID_8="FEMALE-OR-WHAT-THEY-CALL-IT")),
        ("V18 many numbers", with_fields(PID_3="~".join(f"{n:09}^^^A{n}^PI" for n in range(60)) + "~7^^^SMC^MR")),
        ("V19 with its MRG", adt("A40", fields=OTHER)),
        ("V20 two of whom one stays", adt("A40", fields={"MRG-1": "SMC0012345^^^SMC^MR~92345678C^^^M^MA"})),
        ("V20 an MRG where none belongs", adt("A01", fields=SAME)),
        ("V26 as it says", adt(charset="8859/1", fields={"PID-5": "Pe\xf1a"}, encoding="latin-1")),
        ("V27 unknown", with_fields(PID_5="Alder\\Zx\\^Robin")),
        ("V27 in what nobody reads", with_fields(ZPV_3="open \\X0")),
        ("V35 2,000 OBX", adt() + b"".join(b"OBX|%d|TX|||normal\r" % n for n in range(2000))),
        ("V35 a long field within the limit", adt() + b"OBX|1|TX|||" + b"x" * LONGEST + b"\r"),
    ],
)
def test_what_the_hub_can_work_with_or_people_can_mend_is_taken(why: str, frame: bytes) -> None:
    assert verdict(frame) == "AA", why


def test_a_message_of_every_event_is_taken() -> None:
    assert {event: verdict(adt(event, fields=OTHER)) for event in EVENTS} == dict.fromkeys(EVENTS, "AA")


def test_messages_of_vendors_are_taken_but_the_one_with_an_impossible_birth_date() -> None:
    found = {path.stem: verdict(path.read_bytes()) for path in MESSAGES.glob("*.hl7")}
    assert {name: said for name, said in found.items() if said != "AA"} == {"unreadable_birth_date": "AE 102 PID-7"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_delimiters_of_other_systems_are_seen_through(end: str) -> None:
    """bad-input.md V08, V29."""
    assert verdict(adt("A40", line_end=end)) == "AE 100 MRG"
    assert verdict(adt("A40", fields=OTHER, line_end=end)) == "AA"
    other = adt(fields={"PID-3": "12345", "IN1": None}).replace(b"|", b"!").replace(b"^~\\&", b"*~\\&")
    assert verdict(other.replace(b"^", b"*")) == "AE 101 PID-3"


def test_lengths_are_of_characters() -> None:
    name = "\xf1" * 250
    assert verdict(adt(fields={"PID-5": name})) == "AA"
    assert verdict(adt(fields={"PID-5": name + "\xf1"})) == "AE 104 PID-5"
    assert all(most <= LONGEST_READ for fields in MOST_CHARACTERS.values() for most in fields.values())


def test_it_is_kept_with_what_was_answered_and_answered_in_the_senders_mode() -> None:
    taken = intake(adt(fields={"PID-7": "19991345"}), 5, True)
    assert (taken.arrival.state, taken.arrival.location) == ("refused", "PID-7")
    assert (taken.arrival.reason or "").startswith("102 ")
    assert acknowledged(answer(taken, "new", AT, "ACK1")) == ("AE", "MSG00001")
    assert answered(adt("A40", cin=None, fields=SAME)) == "AR 205"
    enhanced = adt(fields={"PID-7": "19991345", "MSH-15": "AL", "MSH-16": "NE"})
    assert answered(enhanced) == "CE 102"


def test_a_character_set_nobody_reads_is_an_error_of_msh_18() -> None:
    assert verdict(adt(charset="NO SUCH SET")) == "AE 103 MSH-18"
    assert encoding("") == "utf-8"


def is_answer(said: str) -> bool:
    code, _, reason = said.partition(" ")
    return said == "AA" or (code in ("AE", "AR") and reason[:3] in ("100", "101", "102", "103", "104", "205"))


PIECES = st.sampled_from(
    [
        "PID",
        "MRG",
        "PV1",
        "|",
        "|",
        "|",
        "^",
        "~",
        "\\",
        "&",
        "\r",
        "\n",
        '""',
        "SMC",
        "MR",
        "2026",
        "X0",
        "\xf1",
        "1",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["A01", "A40"]), st.lists(PIECES, max_size=60))
def test_whatever_comes_has_an_answer(event: str, pieces: list[str]) -> None:
    frame = adt(event, fields=OTHER) + "".join(pieces).encode()
    assert is_answer(verdict(frame))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 500))
def test_bytes_put_anywhere_have_an_answer(extra: bytes, place: int) -> None:
    whole = adt()
    frame = whole[:place] + extra + whole[place:]
    try:
        known = header(frame).event in EVENTS
    except NoHeader:
        return
    assert not known or is_answer(verdict(frame))
