"""MSH-18: what is read, what is refused, and that no letter is guessed (V26, SEC-53)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.adt.charset import CHARSETS, WESTERN, decode, encoding
from adapters.adt.header import header
from adapters.adt.intake import answer, intake
from adapters.adt.message import parse
from fhir_mappings.adt.problems import Unreadable
from tests.adapters.adt.test_intake import AT
from tests.fhir_mappings.adt.factory import adt

# MSH-18 -> a family name that only this set can hold so
NAMES = {
    "": "Ñuñez",
    "ASCII": "Canary",
    "ISO IR6": "Canary",
    "8859/1": "Müßigbrod",
    "8859/2": "Dvořák",
    "8859/3": "Ĝoja",
    "8859/4": "Žukā",
    "8859/5": "Иванов",
    "8859/6": "سليم",
    "8859/7": "Παπάς",
    "8859/8": "כהן",
    "8859/9": "Şahin",
    "8859/10": "Þórs",
    "8859/11": "สมชาย",
    "8859/13": "Žąsis",
    "8859/14": "Ŵyn",
    "8859/15": "Šœur€",
    "8859/16": "Țurcanu",
    "ISO IR87": "山田",
    "ISO IR159": "丂",
    "GB 18030-2000": "王小明",
    "KS X 1001": "김철수",
    "BIG-5": "陳",
    "UNICODE": "Ñuñez",
    "UNICODE UTF-8": "李Ñ",
    "UTF-8": "李Ñ",
}


def sent(charset: str, family: str, codec: str | None = None) -> bytes:
    """A message whose patient has this name, in this encoding (that of MSH-18 if none is given)."""
    text = adt(charset=charset, fields={"PID-5": f"{family}^Quillon"}).decode()
    return text.encode(codec or encoding(charset))


def test_every_character_set_of_the_table_has_its_name_here() -> None:
    assert NAMES.keys() == CHARSETS.keys()


@pytest.mark.parametrize("charset", NAMES)
def test_a_name_is_read_as_it_was_meant_in_every_character_set(charset: str) -> None:
    names = parse(sent(charset, NAMES[charset])).patient.names
    assert isinstance(names, tuple)
    assert names[0].family == NAMES[charset]


NOT_READ = ("8859/12", "UNICODE UTF-16", "UNICODE UTF-32", "CNS 11643-1992", "ISO IR14", "X")


@pytest.mark.parametrize("charset", NOT_READ)
def test_other_character_sets_are_refused_with_103(charset: str) -> None:
    with pytest.raises(Unreadable) as caught:
        encoding(charset)
    assert (caught.value.code, caught.value.where) == ("103", "MSH-18")


def test_japanese_is_switched_to_from_ascii() -> None:
    names = parse(sent("~ISO IR87", "ヤマダ", "iso2022_jp_ext")).patient.names
    assert isinstance(names, tuple)
    assert names[0].family == "ヤマダ"


def test_a_switch_that_was_not_announced_is_refused() -> None:
    with pytest.raises(Unreadable, match="control character"):
        parse(sent("ASCII", "山田", "iso2022_jp_ext"))


@pytest.mark.parametrize(
    ("charset", "really"),
    [
        ("UNICODE UTF-8", "latin-1"),
        ("", "latin-1"),
        ("ASCII", "utf-8"),
        ("8859/1", "utf-8"),
        ("8859/15", "utf-8"),
        ("8859/9", "utf-8"),
    ],
)
def test_v26_bytes_of_another_set_are_102_and_kept_as_they_came(charset: str, really: str) -> None:
    raw = sent(charset, "Muñoz", really)
    taken = intake(raw, 0, True)
    assert taken.refused is not None
    assert taken.refused[:2] == ("102", "MSH-18")
    assert b"\rMSA|AE|" in answer(taken, "new", AT, "ACK1")
    assert (taken.arrival.raw, taken.arrival.state) == (raw, "refused")
    with pytest.raises(Unreadable):
        parse(raw)


@pytest.mark.parametrize("codec", sorted({*CHARSETS.values()}))
@given(text=st.text())
def test_what_a_set_can_hold_comes_back_and_nothing_is_ever_replaced(codec: str, text: str) -> None:
    try:
        raw = text.encode(codec)
    except UnicodeEncodeError:
        return
    try:
        assert "\N{REPLACEMENT CHARACTER}" not in decode(raw, codec).replace(text, "")
    except Unreadable:
        assert codec in WESTERN or raw.decode(codec, "replace") != text


@pytest.mark.parametrize("codec", sorted({*CHARSETS.values()}))
@given(raw=st.binary(max_size=40))
def test_bytes_are_text_or_refused_and_never_a_replacement_character(codec: str, raw: bytes) -> None:
    try:
        text = decode(raw, codec)
    except Unreadable:
        return
    assert "\N{REPLACEMENT CHARACTER}" not in text or "\N{REPLACEMENT CHARACTER}".encode(codec) in raw


@pytest.mark.parametrize("charset", ["8859/1", "8859/5", "KS X 1001", "UNICODE UTF-8", "~ISO IR87"])
def test_an_acknowledgment_repeats_its_senders_bytes_and_character_set(charset: str) -> None:
    raw = sent(charset, "Canary").replace(b"|MSG00001|", "|Ж山".encode(encoding("UNICODE UTF-8")) + b"1|")
    head = header(raw)
    reply = answer(intake(raw, 0, True), "new", AT, "ACK1")
    assert b"|" + head.control_id.encode("latin-1") in reply
    assert reply.partition(b"\r")[0].endswith(b"|" + charset.encode())


def test_repetitions_of_msh_18_come_back_in_the_senders_delimiters() -> None:
    raw = b"MSH|^!\\&|A|SMC|||2026||ADT^A01|7|P|2.5.1||||||!ISO IR87\rPID|1\r"
    assert header(raw).charset == "~ISO IR87"
    assert answer(intake(raw, 0, True), "new", AT, "ACK1").partition(b"\r")[0].endswith(b"|!ISO IR87")
