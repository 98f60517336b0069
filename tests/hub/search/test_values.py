"""Values: dates as ranges by their precision, prefixes, escapes, strings as they are compared."""

import re
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import micros
from hub.problems import Problem
from hub.search.criterion import PREFIXES, DateValue, ReferenceValue, TokenValue, criterion
from hub.search.match import PREFIX, matches
from hub.search.query import Limits, parse
from hub.search.texts import split, unescape
from hub.search.values import CONTACT_SYSTEMS, FOREVER, NEVER, date_range, dates, plain, strings, tokens


def at(*parts: int) -> int:
    return micros(datetime(*parts, tzinfo=UTC))  # type: ignore[arg-type, misc]


RANGES = {
    "2020": (at(2020, 1, 1), at(2021, 1, 1)),
    "2021": (at(2021, 1, 1), at(2022, 1, 1)),
    "2020-02": (at(2020, 2, 1), at(2020, 3, 1)),
    "2020-12": (at(2020, 12, 1), at(2021, 1, 1)),
    "2020-02-29": (at(2020, 2, 29), at(2020, 3, 1)),
    "2020-02-29T10:20": (at(2020, 2, 29, 10, 20), at(2020, 2, 29, 10, 21)),
    "2020-02-29T10:20Z": (at(2020, 2, 29, 10, 20), at(2020, 2, 29, 10, 21)),
    "2020-02-29T10:20:30Z": (at(2020, 2, 29, 10, 20, 30), at(2020, 2, 29, 10, 20, 31)),
    "2020-02-29T10:20:30-07:30": (at(2020, 2, 29, 17, 50, 30), at(2020, 2, 29, 17, 50, 31)),
    "2020-03-01T00:20:30+14:00": (at(2020, 2, 29, 10, 20, 30), at(2020, 2, 29, 10, 20, 31)),
    "2020-02-29T10:20:30.5Z": (at(2020, 2, 29, 10, 20, 30, 500_000), at(2020, 2, 29, 10, 20, 30, 600_000)),
    "2020-02-29T10:20:30.123456Z": (at(2020, 2, 29, 10, 20, 30, 123_456), at(2020, 2, 29, 10, 20, 30, 123_457)),
    "2020-02-29T10:20:30.123456789012Z": (
        at(2020, 2, 29, 10, 20, 30, 123_456),
        at(2020, 2, 29, 10, 20, 30, 123_457),
    ),
    "9999-12-31": (at(9999, 12, 31), at(9999, 12, 31) + 86_400_000_000),
    "9999": (at(9999, 1, 1), at(9999, 1, 1) + 365 * 86_400_000_000),
    "0001-01-01T00:00:00+14:00": (at(1, 1, 1) - 14 * 3_600_000_000, at(1, 1, 1) - 14 * 3_600_000_000 + 1_000_000),
}


@pytest.mark.parametrize(("text", "wanted"), RANGES.items(), ids=RANGES)
def test_a_date_covers_what_its_precision_says(text: str, wanted: tuple[int, int]) -> None:
    assert date_range(text) == wanted
    assert list(dates(text)) == [wanted]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20",
        "0000",
        "2020-13",
        "2020-00",
        "2020-02-30",
        "2019-02-29",
        "20200229",
        "2020-W01-1",
        "2020-2-9",
        "2020-02-29\n",
        "2020-02-29T",
        "2020-02-29T10",
        "2020-02-29T24:00",
        "2020-02-29T10:20:60Z",
        "2020-02-29T10:20:30.Z",
        "2020Z",
        "٢٠٢٠",
        " 2020",
    ],
)
def test_what_is_no_date_has_no_range(text: str) -> None:
    assert date_range(text) is None
    assert list(dates(text)) == []


# https://hl7.org/fhir/R4/search.html#prefix: a searched day 2020-06-15, against what a resource says
HELD = {
    "the same day": ((0, 1), "eq ge le ap"),
    "an hour of it": ((0.4, 0.5), "eq ge le ap"),
    "the month around it": ((-14, 16), "ne gt lt ge le ap"),
    "the day before": ((-1, 0), "ne lt le eb"),
    "the day after": ((1, 2), "ne gt ge sa"),
    "from its middle on": ((0.5, 9), "ne gt ge ap"),
    "until its middle": ((-9, 0.5), "ne lt le ap"),
    "from then on for ever": ((0, None), "ne gt ge ap"),
    "ever until then": ((None, 1), "ne lt le ap"),
}
DAY = 86_400_000_000


@pytest.mark.parametrize(("held", "found_by"), HELD.values(), ids=HELD)
def test_a_prefix_finds_what_the_table_says(held: tuple[float | None, float | None], found_by: str) -> None:
    low, high = RANGES["2020-02-29"]
    begin = NEVER if held[0] is None else low + int(held[0] * DAY)
    end = FOREVER if held[1] is None else low + int(held[1] * DAY)
    found = [prefix for prefix in PREFIXES if PREFIX[prefix](DateValue(prefix, low, high), (begin, end))]
    assert sorted(found) == sorted(found_by.split())


def test_periods_and_timings_are_ranges() -> None:
    day = RANGES["2020-02-29"]
    assert list(dates({"start": "2020-02-29"})) == [(day[0], FOREVER)]
    assert list(dates({"end": "2020-02-29"})) == [(NEVER, day[1])]
    assert list(dates({"start": "2020-02", "end": "2020-02-29"})) == [(RANGES["2020-02"][0], day[1])]
    assert list(dates({"event": ["2021", "2020-02"]})) == [(RANGES["2020-02"][0], RANGES["2021"][1])]
    assert list(dates({"repeat": {"boundsPeriod": {"start": "2020-02-29"}}})) == [(day[0], FOREVER)]
    assert list(dates({"repeat": {"frequency": 1}})) == []
    assert list(dates({"extension": []})) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (r"a\,b", [r"a\,b"]),
        (r"a\\,b", [r"a\\", "b"]),
        (r"a\\\,b", [r"a\\\,b"]),
        ("a,", ["a", ""]),
        ("\\", ["\\"]),
        ("a\\", ["a\\"]),
        (",\n,", ["", "\n", ""]),
    ],
)
def test_a_separator_that_is_escaped_separates_nothing(text: str, parts: list[str]) -> None:
    assert split(text, ",") == parts


def escape(text: str) -> str:
    return re.sub(r"([\\,|$])", r"\\\1", text)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_what_was_escaped_comes_back(texts: list[str]) -> None:
    assert [unescape(part) for part in split(",".join(map(escape, texts)), ",")] == texts


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    st.text().filter(lambda system: system not in CONTACT_SYSTEMS),
)
def test_any_token_is_found_when_it_is_escaped(code: str, system: str) -> None:
    patient = {"resourceType": "Patient", "identifier": [{"system": system or None, "value": code}]}
    asked = criterion("Patient", "identifier", f"{escape(system.replace(chr(0), ''))}|{escape(code)}")
    if "\0" not in system:
        assert matches([asked], patient)
    assert asked.values == (TokenValue(system.replace("\0", ""), code),)


@pytest.mark.parametrize(
    ("text", "flat"),
    [
        ("Núñez", "nunez"),
        ("  a \t b ", "a b"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("İ", "i"),
        ("℡", "tel"),
        ("ﬁ", "fi"),
        ("O'Brien", "o'brien"),
    ],
)
def test_a_text_is_compared_without_case_and_accents(text: str, flat: str) -> None:
    assert plain(text) == flat


@given(st.text())
def test_flattening_twice_changes_nothing(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_names_and_addresses_are_searched_part_by_part() -> None:
    assert list(
        strings({"family": "a", "given": ["b", None], "_given": [None, {}], "period": {"start": "2020"}})
    ) == ["a", "b"]
    assert list(tokens({"system": "phone", "value": "1"})) == [(None, "1")]
    assert list(tokens({"coding": [{"display": "no code"}], "text": "x"})) == []


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("subject", "1", ReferenceValue(None, "1")),
        ("subject:Patient", "1", ReferenceValue("Patient", "1")),
        ("patient", "1", ReferenceValue("Patient", "1")),
        ("encounter", "1", ReferenceValue(None, "1")),
        ("subject", "https://hub.example/fhir/Patient/1", ReferenceValue("Patient", "1")),
        ("subject", "https://hub.example/fhir/Patient/1/_history/3", ReferenceValue("Patient", "1")),
        (
            "subject",
            "https://hub.example/other/Patient/1",
            ReferenceValue(None, "https://hub.example/other/Patient/1", True),
        ),
        ("subject", "urn:uuid:1", ReferenceValue(None, "urn:uuid:1", True)),
    ],
)
def test_a_reference_is_understood_in_each_of_its_forms(name: str, text: str, wanted: ReferenceValue) -> None:
    found = criterion("Observation", name, text, "https://hub.example/fhir").values[0]
    if name == "encounter":
        assert found in (wanted, ReferenceValue("Encounter", "1"))
    else:
        assert found == wanted


@pytest.mark.parametrize(("code", "most"), product(["identifier"], [500]))
def test_as_many_alternatives_as_allowed_and_no_more(code: str, most: int) -> None:
    assert len(criterion("Patient", code, ",".join(map(str, range(most)))).values) == most
    with pytest.raises(Problem, match="too-costly"):
        criterion("Patient", code, ",".join(map(str, range(most + 1))))


def test_as_many_parameters_as_allowed_and_no_more() -> None:
    assert len(parse("Patient", [("identifier", "1")] * 100, Limits()).criteria) == 100
    with pytest.raises(Problem, match="search-too-long"):
        parse("Patient", [("identifier", "1")] * 101, Limits())
