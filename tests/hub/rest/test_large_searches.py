"""Large searches: what is long, wide or deep is answered or refused, in a time that grows with its length alone."""

import time
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from hub.search.filters import MAX_LEVELS, MAX_TESTS
from hub.search.index import MAX_STRING
from hub.search.texts import LONGEST, LONGEST_PART, split
from tests.hub.asking import Api, patient, refused


def test_a_large_text_is_split_in_linear_time() -> None:
    begin = time.process_time()
    assert len(split("a\\," * 500_000 + ",b", ",")) == 2
    assert len(split("x" * 1_000_000, ",")) == 1
    assert time.process_time() - begin < 3


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [""]),
        (",", ["", ""]),
        (r"a\,b,c", [r"a\,b", "c"]),
        (r"a\\,b", [r"a\\", "b"]),
        ("a,b\\", ["a", "b\\"]),
        ("a\n,\\\n,", ["a\n", "\\\n", ""]),
    ],
)
def test_a_text_is_split_where_no_backslash_stands_before(text: str, parts: list[str]) -> None:
    assert split(text, ",") == parts


LONG = {
    "one text": ("Patient", "name", "x" * 1_000_000),
    "many of a value": ("Patient", "_id", "a," * LONGEST),
    "one alternative": ("Patient", "identifier", "a," + "b" * (LONGEST_PART + 1)),
    "behind a chain": ("Observation", "subject.identifier", "b" * (LONGEST_PART + 1)),
    "URIs above": ("ValueSet", "url:above", "http://a" + "/" * LONGEST_PART),
}


@pytest.mark.parametrize(("of", "name", "text"), LONG.values(), ids=LONG)
def test_a_value_that_is_too_long_is_refused_and_named(api: Api, of: str, name: str, text: str) -> None:
    begin = time.process_time()
    told = refused(api.form(f"/{of}/_search", urlencode({name: text})), 400, "too-long")
    assert name.partition(":")[0].rpartition(".")[2] in told["diagnostics"]
    assert time.process_time() - begin < 3


def test_uris_above_many_are_too_many(api: Api) -> None:
    text = ",".join("http://a" + "/x" * 1_500 for _ in range(10))
    refused(api.form("/ValueSet/_search", urlencode({"url:above": text})), 400, "too-costly")


def test_many_alternatives_are_taken(api: Api) -> None:
    api.have(patient("p7"), patient("p499"))
    wanted = ",".join(f"p{number}" for number in range(500))
    answer = api.form("/Patient/_search", urlencode({"_id": wanted}))
    assert [e["resource"]["id"] for e in answer.json["entry"]] == ["p7", "p499"]


FLAT = {
    "and": (" and ", "name pr true"),
    "or": (" or ", "name sw app"),
    "and not": (" and ", "name ne bee"),
    "a chain": (" or ", "link.name sw app"),
}


@pytest.mark.parametrize(("together", "test"), FLAT.values(), ids=FLAT)
@pytest.mark.parametrize("around", ["{}", "not (not ({}))", "gender pr false and ({})"])
def test_as_many_tests_as_allowed_stand_beside_each_other(api: Api, together: str, test: str, around: str) -> None:
    """SQLite's parser has a stack of a hundred places."""
    linked = [{"other": {"reference": "Patient/a"}, "type": "seealso"}]
    api.have(patient("a", name=[{"family": "Apple"}], link=linked))
    most = MAX_TESTS - around.count("pr")
    grouped = f"({together.join([test] * 10)})"  # parentheses around the same are no level
    expression = around.format(together.join([grouped, *[test] * (most - 10)]))
    assert api.found(f"/Patient?_filter={quote(expression)}") == ["a"]


def deep(levels: int, test: str) -> str:
    """and, or and not inside each other."""
    text = test
    for level in range(levels):
        text = (f"not ({text})", f"{test} and ({text})", f"({text}) or {test}")[level % 3]
    return text


DEEP = {"text": ("name eq x", 0), "token": ("gender eq male", 0), "chain": ("link.name eq x", 1), "far": (
    "link:Patient.link:Patient.link:Patient.link:Patient.link:Patient.name eq x", 5)}  # fmt: skip


@pytest.mark.parametrize(("test", "steps"), DEEP.values(), ids=DEEP)
@pytest.mark.parametrize("more", ["", "&_sort=-birthdate", "&_total=accurate"])
def test_levels_are_taken_up_to_a_depth(api: Api, test: str, steps: int, more: str) -> None:
    most = MAX_LEVELS - steps
    assert api.get(f"/Patient?_filter={quote(deep(most, test))}{more}").status_code == 200
    refused(api.get(f"/Patient?_filter={quote(deep(most + 1, test))}{more}"), 400, "too-costly")


def test_a_filter_over_several_types_is_as_deep(api: Api) -> None:
    path = f"/?_type=Patient,Practitioner&_filter={quote(deep(MAX_LEVELS, 'name eq x'))}"
    assert api.get(path).status_code == 200


def test_a_search_over_several_types_has_not_too_many_tests_in_all(api: Api) -> None:
    types = "Patient,Practitioner,Person,RelatedPerson,Organization,Location,Group,Medication,Device,Substance"
    wide = quote(" or ".join(["_id eq x"] * MAX_TESTS))
    assert api.get(f"/?_type={types}&_filter={wide}").status_code == 200
    assert api.get(f"/?_type={types}&_filter={wide}&_filter={wide}").status_code == 200
    refused(api.get(f"/?_type={types}&_filter={wide}&_filter={wide}&_filter={wide}"), 400, "too-costly")


def test_untyped_chains_in_a_filter_have_not_too_many_branches(api: Api) -> None:
    wide = " or ".join(["performer.identifier eq x"] * 50)
    refused(api.get(f"/Observation?_filter={quote(wide)}"), 400, "too-costly")


@pytest.mark.parametrize("sign", [r"\ud800", r"\u0000", r"\udfff"])
@pytest.mark.parametrize("test", ["name eq", "identifier eq", "name ne", "link.name eq"])
def test_what_is_no_text_is_refused_in_a_filter(api: Api, test: str, sign: str) -> None:
    """The bodies of forms and URLs hold none; the escapes of a quoted text might."""
    refused(api.get("/Patient?_filter=" + quote(f'{test} "a{sign}b"')), 400, "value")


LETTERS = MAX_STRING + 20


def too_long() -> Iterator[str]:
    """A text that agrees with the one that is stored as far as the index goes, and not behind that."""
    text = "b" * (MAX_STRING + 5) + "zzzzz"
    for name in ("name", "name:contains", "link:Patient.name", "_has:Patient:link:name"):
        yield f"{name}={text}"
    for operator in ("eq", "sw", "co", "ew", "ne"):
        yield f"_filter=name {operator} {text}"
    yield f"_filter=link.name sw {text}"


@pytest.mark.parametrize("query", list(too_long()), ids=lambda query: query.partition("bb")[0])
def test_a_text_past_what_the_index_keeps_is_refused_rather_than_guessed(api: Api, query: str) -> None:
    api.have(patient("long", name=[{"family": "b" * LETTERS}]))
    refused(api.get(f"/Patient?{query}&_total=accurate"), 400, "too-long")


@pytest.mark.parametrize(
    ("of", "query"),
    [
        ("Observation", f"code:text={'x' * MAX_STRING}"),
        ("ValueSet", f"url:below=http://{'x' * MAX_STRING}"),
    ],
)
def test_so_is_a_text_of_another_type(api: Api, of: str, query: str) -> None:
    refused(api.get(f"/{of}?{query}"), 400, "too-long")


def test_a_long_text_is_found_by_what_the_index_keeps_of_it(api: Api) -> None:
    long, most = "b" * LETTERS, "b" * (MAX_STRING - 1)
    api.have(patient("long", name=[{"family": long}]), patient("short", name=[{"family": most}]))
    assert api.found(f"/Patient?name={most}") == ["long", "short"]
    assert api.found(f"/Patient?name:contains={most}") == ["long", "short"]
    assert api.found(f"/Patient?name:exact={long}") == ["long"]
    assert api.found(f"/Patient?_filter=name eq {most}") == ["short"]
    assert api.found(f"/Patient?_filter=name ew {most}") == ["short"]  # the end of the other one was not kept
    assert api.found(f"/Patient?_filter=name sw {most}") == ["long", "short"]
