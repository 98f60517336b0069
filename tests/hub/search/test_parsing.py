"""Values with modifiers: MIME types, URIs above and below, terminology, approximate dates."""

from collections.abc import Collection
from datetime import timedelta

import pytest

from hub import clock
from hub.problems import Problem
from hub.search.criterion import Criterion, DateValue, criterion
from hub.search.match import matches
from hub.search.parsing import MAX_CODES
from hub.search.terms import Code
from hub.search.values import uris_above


class Known:
    """A terminology of one value set, one hierarchy, and a value set that is too large."""

    def members(self, value_set: str) -> Collection[Code] | None:
        many = [("urn:c", str(number)) for number in range(MAX_CODES + 1)]
        return {"urn:set": [("urn:c", "a"), ("urn:c", "male")], "urn:none": [], "urn:many": many}.get(value_set)

    def below(self, system: str, code: str) -> Collection[Code] | None:
        return [(system, code), (system, f"{code}.1")] if system == "urn:c" else None

    def above(self, system: str, code: str) -> Collection[Code] | None:
        return [(system, code), (system, "root")] if system == "urn:c" else None

    def member(self, value_set: str, system: str, code: str) -> bool | None:
        return None


def asked(name: str, text: str, of: str = "Condition") -> Criterion:
    return criterion(of, name, text, terms=Known())


def coded(*codes: str) -> dict[str, object]:
    codings = [{"system": "urn:c", "code": code} for code in codes]
    return {"resourceType": "Condition"} | ({"code": {"coding": codings}} if codes else {})


ROWS = {
    ("code:in", "urn:set"): "a",
    ("code:not-in", "urn:set"): "b b.1 root none",
    ("code:in", "urn:none"): "",
    ("code:not-in", "urn:none"): "a b b.1 root none",
    ("code:below", "urn:c|b"): "b b.1",
    ("code:above", "urn:c|b.1"): "b.1 root",
    ("code:not", "a"): "b b.1 root none",
    ("code:not", "a,b"): "b.1 root none",
    ("code:missing", "true"): "none",
    ("code:missing", "false"): "a b b.1 root",
}


@pytest.mark.parametrize(("name", "text"), ROWS, ids=lambda part: part)
def test_a_modifier_of_a_token_finds(name: str, text: str) -> None:
    found = [code for code in ("a", "b", "b.1", "root") if matches([asked(name, text)], coded(code))]
    found += ["none"] if matches([asked(name, text)], coded()) else []
    assert found == ROWS[name, text].split()


def test_an_element_without_a_system_is_found_in_a_value_set_by_its_code() -> None:
    patient = {"resourceType": "Patient", "gender": "male"}
    assert matches([asked("gender:in", "urn:set", "Patient")], patient)
    assert not matches([asked("gender:not-in", "urn:set", "Patient")], patient)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("code:in", "urn:unknown", "not-supported"),
        ("code:in", "urn:many", "too-costly"),
        ("code:below", "urn:unknown|a", "not-supported"),
        ("code:above", "urn:unknown|a", "not-supported"),
        ("code:below", "a", "value"),
        ("code:below", "urn:c|", "value"),
    ],
)
def test_what_terminology_does_not_say_is_refused(name: str, text: str, kind: str) -> None:
    with pytest.raises(Problem) as caught:
        asked(name, text)
    assert caught.value.kind == kind


MIMES = {
    "text": True,
    "text/plain": True,
    "TEXT/Plain": True,
    "text/plain;charset=utf-8": True,
    "text/pl": False,
    "application": False,
}


@pytest.mark.parametrize(("text", "wanted"), MIMES.items(), ids=MIMES)
def test_a_mime_type_is_found_below_its_type(text: str, wanted: bool) -> None:
    document = {
        "resourceType": "DocumentReference",
        "content": [{"attachment": {"contentType": "text/plain; charset=utf-8"}}],
    }
    assert matches([criterion("DocumentReference", "contenttype:below", text)], document) is wanted


URIS = {
    ("url", "http://a.invalid/b"): "http://a.invalid/b",
    ("url:below", "http://a.invalid/b"): "http://a.invalid/b http://a.invalid/b/c http://a.invalid/b/c|1",
    ("url:below", "http://a.invalid/b/"): "http://a.invalid/b/c http://a.invalid/b/c|1",
    ("url:below", "http://a.invalid/b/c"): "http://a.invalid/b/c http://a.invalid/b/c|1",
    ("url:below", "http://a.inv"): "",
    ("url:above", "http://a.invalid/b/c"): "http://a.invalid/b http://a.invalid/b/c",
    ("url:above", "http://a.invalid/bb"): "http://a.invalid/bb",
    ("url:above", "urn:oid:1.2"): "urn:oid:1.2",
    ("url:below", "urn:oid:1.2"): "urn:oid:1.2",
}
HELD = [
    "http://a.invalid/b",
    "http://a.invalid/bb",
    "http://a.invalid/b/c",
    "http://a.invalid/b/c|1",
    "urn:oid:1.2",
    "urn:oid:1.2.3",
]


@pytest.mark.parametrize(("name", "text"), URIS, ids=lambda part: part)
def test_a_uri_is_above_or_below_by_its_path(name: str, text: str) -> None:
    found = [
        uri for uri in HELD if matches([asked(name, text, "ValueSet")], {"resourceType": "ValueSet", "url": uri})
    ]
    assert found == URIS[name, text].split()


def test_a_uri_stands_below_each_part_of_its_path() -> None:
    assert sorted(uris_above("http://a/b|1")) == ["http://a", "http://a/", "http://a/b", "http://a/b|1"]


def test_a_date_is_approximately_another_by_a_tenth_of_its_age() -> None:
    long_ago = clock.now() - timedelta(days=1000)
    found = criterion("Patient", "birthdate", f"ap{long_ago:%Y-%m-%d}").values[0]
    assert isinstance(found, DateValue)
    width = timedelta(microseconds=found.high - found.low)
    assert timedelta(days=200) < width < timedelta(days=202)
