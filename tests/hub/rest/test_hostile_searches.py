"""Searches by whoever wants harm: no value of any parameter is a fault of ours, reaches SQL as SQL, or finds more.

The statements that the driver runs itself (hub.store.engine.driver) are constants with placeholders; those that
SQLAlchemy makes are listened to here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import event

from hub.fhir.types import resource_types
from hub.rest import app as rim
from hub.search.parameters import parameters_of
from hub.store.engine import Database
from tests.hub.asking import Api, observation, patient, refused

POISON = (
    "",
    "__proto__",
    "constructor",
    "x" * 65_536,
    "a\0b",
    "\U0001f9ea",
    "-",
    ":",
    "|",
    "$",
    "\\",
    ",",
    "\ud800",
    "٣",
)
INJECTED = (
    "' OR '1'='1",
    "'; DROP TABLE resource; --",
    '" OR ""="',
    "1) OR (1=1",
    "1 UNION SELECT body FROM resource",
    "$$; SELECT pg_sleep(9); $$",
    "\\'; SELECT 1; --",
    "%27%20OR%201=1",
    "{{7*7}}",
    "?1 :name %s %(a)s $1",
    "/*",
)
NAMES = (
    "__proto__",
    "constructor",
    "toString",
    "name[]",
    "name' OR 1=1",
    "",
    ":",
    ".",
    "_has:",
    "name:",
    "\U0001f9ea",
    "a" * 999,
)


def asked(api: Api, of: str, name: str, value: str) -> int:
    """By a form: a URL would be too long for the web server."""
    return api.form(f"/{of}/_search", urlencode({name: value}, errors="surrogatepass")).status_code


def test_no_value_of_any_parameter_is_a_fault_of_ours(api: Api) -> None:
    """SEC-25: every parameter of a type with all values, and of some other types with one after the other."""
    faults, count = [], 0
    for of in [*sorted(resource_types())[::6], "Patient"]:
        names = sorted(parameters_of(of))
        for place, name in enumerate(names):
            chosen = POISON if of == "Patient" else POISON[(place + len(of)) % len(POISON) :][:1]
            for value in chosen:
                status = asked(api, of, name, value)
                count += 1
                if status >= 500:
                    faults.append((of, name, value[:20], status))
    assert count > 500
    assert faults == []


@pytest.mark.parametrize(
    "control",
    [
        "_sort",
        "_count",
        "_include",
        "_revinclude",
        "_has",
        "_filter",
        "_elements",
        "_summary",
        "_total",
        "_cursor",
        "_type",
        "_list",
        "_id",
        "_lastUpdated",
        "_tag",
    ],
)
def test_no_control_parameter_is_a_fault_of_ours(api: Api, control: str) -> None:
    """SEC-25"""
    assert {status for value in POISON if (status := asked(api, "Patient", control, value)) >= 500} == set()
    assert {status for value in INJECTED if (status := asked(api, "Patient", control, value)) >= 500} == set()


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_parameter_is_a_fault_of_ours(api: Api, name: str) -> None:
    """SEC-25"""
    assert asked(api, "Patient", name, "x") == (200 if name == "name:" else 400)  # no modifier is none


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that SQLAlchemy sends for reading."""
    sent: list[str] = []

    def listen(_c: object, _k: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(database._reads, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(database._reads, "before_cursor_execute", listen)


SHAPES = {
    "string": ("Patient", "name", ""),
    "contains": ("Patient", "name:contains", ""),
    "exact": ("Patient", "name:exact", ""),
    "token": ("Patient", "identifier", ""),
    "token with a system": ("Patient", "identifier", "urn:x|"),
    "reference": ("Observation", "subject", "Patient/"),
    "uri": ("ValueSet", "url", ""),
    "uri below": ("ValueSet", "url:below", "http://"),
    "id": ("Patient", "_id", ""),
    "chain": ("Observation", "subject:Patient.name", ""),
    "reverse chain": ("Patient", "_has:Observation:patient:code", ""),
    "quantity": ("Observation", "value-quantity", "5||"),
    "date": ("Patient", "birthdate", ""),
}


@pytest.mark.parametrize(("of", "name", "before"), SHAPES.values(), ids=SHAPES)
def test_what_is_injected_stays_a_value(api: Api, of: str, name: str, before: str) -> None:
    """SEC-26: the same statements whatever the value, nothing found by it, and nothing gone."""
    api.have(patient("1", name=[{"family": "Oakes"}]), observation("1", subject={"reference": "Patient/1"}))
    shapes = set()
    for value in INJECTED:
        with statements(api.database) as sent:
            answer = api.get(f"/{of}?{urlencode({name: before + value.replace('|', '')})}")
        assert answer.status_code in (200, 400), (value, answer.text)
        assert not answer.json.get("entry"), value
        if answer.status_code == 200:
            shapes.add(tuple(sent))
        assert not [statement for statement in sent if value in statement]
    assert len(shapes) <= 2  # PostgreSQL looks first whether a chain finds few, and goes on by that
    assert api.counts()["resource"] == 2


@pytest.mark.parametrize(
    ("wanted", "name", "found"),
    [
        ("100%", "name", ["percent"]),
        ("%", "name:contains", ["percent"]),
        ("a_b", "name", ["underscore"]),
        ("_", "name:contains", ["underscore"]),
        ("c\\\\d", "name", ["backslash"]),
        ("\\\\", "name:contains", ["backslash"]),
        ("100%", "name:exact", ["percent"]),
        ("[a-z]", "name:contains", []),
        ("*", "name", []),
        ("?", "name:contains", []),
    ],
)
def test_wildcards_are_letters(api: Api, wanted: str, name: str, found: list[str]) -> None:
    """SEC-26"""
    for identity, family in (
        ("percent", "100%"),
        ("digits", "1000"),
        ("underscore", "a_b"),
        ("letters", "axb"),
        ("backslash", "c\\d"),
        ("plain", "cd"),
    ):
        api.have(patient(identity, name=[{"family": family}]))
    assert api.found(f"/Patient?{name}={quote(wanted)}") == found


DEEP = b'{"resourceType":"Patient","extension":' + b'[{"extension":' * 100_000


@pytest.mark.parametrize("token", ["", f"Bearer {'x' * 43}", "Basic YTpi"])
def test_the_body_of_a_stranger_is_not_read(api: Api, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """SEC-15: who asks is settled before a byte of the body is looked at."""
    looked: list[int] = []
    monkeypatch.setattr(rim, "_body", lambda *_: looked.append(1) or DEEP)
    for ask in (
        "POST /Patient",
        "POST ",
        "PUT /Patient/1",
        "PATCH /Patient/1",
        "POST /Patient/_search",
        "POST /$meta",
    ):
        refused(api.ask(*ask.split(" "), DEEP, Authorization=token), 401, "login")
    assert looked == []
    refused(api.post("/Patient", DEEP), 400, "structure")  # of a client it is
    assert looked == [1]


def test_unicode_is_kept_byte_for_byte_and_found_however_it_is_composed(api: Api) -> None:
    """SEC-27: nothing is normalized in the store; a search compares without accents; homoglyphs stay different."""
    blocks = (0xC0, 0x391, 0x410, 0x5D0, 0x627, 0x905, 0x4E00, 0x1F600, 0x20000, 0xE0100)
    names = [f"{chr(block + step)}x" for block in blocks for step in range(9)]
    names += ["cafe\u0301", "caf\u00e9", "\u202eevil\u202c", "zero\u200bwidth", "stra\u00dfe", "\ufb01n", "I\u0307"]
    api.have(*(patient(f"n{place}", name=[{"family": name}]) for place, name in enumerate(names)))
    for place, name in enumerate(names):
        assert api.get(f"/Patient/n{place}").json["name"][0]["family"] == name
    composed = {f"n{names.index(name)}" for name in ("cafe\u0301", "caf\u00e9")}
    assert set(api.found(f"/Patient?name={quote('cafe' + chr(0x301))}")) == composed
    assert set(api.found(f"/Patient?name={quote(chr(0x63) + 'af' + chr(0xE9))}")) == composed
    latin, cyrillic = api.found("/Patient?name:exact=Ax"), api.found(f"/Patient?name:exact={quote('А' + 'x')}")
    assert latin == []
    assert len(cyrillic) == 1
    refused(api.post("/Patient", b'{"resourceType":"Patient","name":[{"family":"a\\u0000b"}]}'), 400, "value")
