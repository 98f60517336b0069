"""The index finds what the resource itself answers to, and nothing else: random resources, random searches."""

import random
from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.search.criterion import PREFIXES, Criterion, criterion
from hub.search.match import matches
from hub.search.query import Limits, parse
from hub.search.terms import Code
from hub.store import read
from hub.store.criteria import clause, rids
from hub.store.engine import Database
from hub.store.tables import resource as resource_table
from hub.transactions import Transactions
from tests.hub.asking import BASE, observation, patient

ALL = Access.system("tests")
SYSTEMS = [None, "https://a.invalid", "https://b.invalid"]
CODES = ["1", "2", "x y", "é", "a|b", "c,d", "e\\f"]
WORDS = ["ann", "Ann", "Ánn", "Ann Marie", "bo", "Bobby", "%", "_", "'", "o'brien", "ANN  x"]
DATES = [
    "2020",
    "2020-02",
    "2020-02-29",
    "2021-01-01",
    "2020-02-29T10:00:00Z",
    "2020-02-29T10:00:00-08:00",
    "2020-02-29T10:00:00.5Z",
    "9999-12-31",
]
TARGETS = [
    "Patient/1",
    "Patient/2",
    "Group/1",
    f"{BASE}/Patient/1",
    "https://x.invalid/fhir/Patient/1",
    "urn:invented:1.2",
    "Patient/1/_history/3",
]


NUMBERS = ["0", "1", "1.5", "1.50", "-2", "100", "0.1", "1e2", "99.5", "100.5"]
UNITS = [
    {},
    {"unit": "mg"},
    {"system": "urn:u", "code": "mg", "unit": "milligram"},
    {"system": "urn:u", "code": "g"},
]
URIS = [
    "https://a.invalid/x",
    "https://a.invalid/x/y",
    "https://a.invalid/xx",
    "https://a.invalid/x|1",
    "urn:invented:1.2",
]
PLACES = [(0, 0), (0, 0.1), (0.1, 0), (38.58, -121.49), (0, 179.99), (89.9, 10)]


class Known:
    """A terminology of one value set and one hierarchy."""

    def members(self, value_set: str) -> Collection[Code] | None:
        return [("https://a.invalid", "1"), ("https://b.invalid", "é"), ("urn:g", "male")]

    def below(self, system: str, code: str) -> Collection[Code] | None:
        return [(system, code), (system, "2")]

    def above(self, system: str, code: str) -> Collection[Code] | None:
        return [(system, code), (system, "1")]

    def member(self, value_set: str, system: str, code: str) -> bool | None:
        return None


def quantity(dice: random.Random) -> dict[str, Any]:
    compared = {"comparator": dice.choice(["<", "<=", ">", ">="])} if dice.random() < 0.3 else {}
    return {"value": Decimal(dice.choice(NUMBERS)), **compared, **dice.choice(UNITS)}


def concept(dice: random.Random) -> dict[str, Any]:
    return {"coding": [coded(dice, "code") | {"display": dice.choice(WORDS)}]} | (
        {"text": dice.choice(WORDS)} if dice.random() < 0.5 else {}
    )


def rarer(dice: random.Random, number: int) -> dict[str, Any]:
    """A resource with a number, a position or a uri."""
    latitude, longitude = dice.choice(PLACES)
    risk = {"probabilityDecimal": Decimal(dice.choice(NUMBERS))}
    choices: list[dict[str, Any]] = [
        {"resourceType": "RiskAssessment", "prediction": [risk]},
        {"resourceType": "RiskAssessment"},
        {"resourceType": "Location", "position": {"latitude": latitude, "longitude": longitude}},
        {"resourceType": "Location"},
        {"resourceType": "ValueSet", "url": dice.choice(URIS)},
        {"resourceType": "ValueSet", "status": "draft"},
    ]
    return dice.choice(choices) | {"id": f"r{number}"}


def coded(dice: random.Random, name: str) -> dict[str, Any]:
    system = dice.choice(SYSTEMS)
    return ({"system": system} if system else {}) | {name: dice.choice(CODES)}


def value(dice: random.Random) -> dict[str, Any]:
    values: list[dict[str, Any]] = [
        {"valueQuantity": quantity(dice)},
        {"valueCodeableConcept": concept(dice)},
        {"valueString": dice.choice(WORDS)},
        {"valueDateTime": dice.choice(DATES)},
        {},
    ]
    return dice.choice(values)


def resource(dice: random.Random, number: int) -> dict[str, Any]:
    if dice.random() < 0.3:
        return rarer(dice, number)
    return person(dice, number) if dice.random() < 0.5 else measured(dice, number)


def person(dice: random.Random, number: int) -> dict[str, Any]:
    made = patient(f"p{number}")
    if dice.random() < 0.8:
        made["identifier"] = [coded(dice, "value") for _ in range(dice.randint(1, 3))]
    if dice.random() < 0.8:
        made["name"] = [{"family": dice.choice(WORDS), "given": dice.sample(WORDS, 2)}]
    if dice.random() < 0.8:
        made["birthDate"] = dice.choice(DATES)
    if dice.random() < 0.5:
        made["gender"] = dice.choice(["male", "female"])
    if dice.random() < 0.5:
        made["maritalStatus"] = concept(dice)
    if dice.random() < 0.3:
        kind = {"type": {"coding": [coded(dice, "code")], "text": dice.choice(WORDS)}}
        made.setdefault("identifier", []).append(coded(dice, "value") | kind)
    return made | (
        {"deceasedDateTime": dice.choice(DATES)} if dice.random() < 0.4 else {"active": dice.random() < 0.5}
    )


def measured(dice: random.Random, number: int) -> dict[str, Any]:
    made = observation(
        f"o{number}", status=dice.choice(["final", "amended"]), code={"coding": [coded(dice, "code")]}
    )
    if dice.random() < 0.8:
        made["subject"] = {"reference": dice.choice(TARGETS)}
    if dice.random() < 0.3:
        made.setdefault("subject", {})["identifier"] = coded(dice, "value")
    made |= value(dice)
    if dice.random() < 0.5:
        made["component"] = [{"code": concept(dice)} | value(dice) for _ in range(2)]
    start, end = sorted(dice.sample(DATES, 2))
    moments: list[dict[str, Any]] = [
        {"effectiveDateTime": start},
        {"effectivePeriod": {"start": start, "end": end}},
        {"effectivePeriod": {"start": start}},
        {"effectivePeriod": {"end": end}},
        {},
    ]
    return made | dice.choice(moments)


def escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in ",|$\\" else c for c in text)


codes = st.sampled_from([escaped(code) for code in CODES] + ["none"])
tokens = st.one_of(
    codes,
    st.builds("{}|{}".format, st.sampled_from(["", *SYSTEMS[1:]]), codes),
    st.sampled_from([f"{system}|" for system in SYSTEMS[1:]]),
)
texts = st.sampled_from([escaped(word) for word in WORDS] + ["a", "n", "marie", "zz"])
moments = st.builds("{}{}".format, st.sampled_from(["", *PREFIXES]), st.sampled_from(DATES))
targets = st.sampled_from([*TARGETS, "1", "2", "none"])
numbers = st.builds("{}{}".format, st.sampled_from(["", *PREFIXES]), st.sampled_from(NUMBERS))
quantities = st.builds(
    "{}{}".format, numbers, st.sampled_from(["", "||mg", "||g", "||milligram", "|urn:u|mg", "|urn:u|g", "|urn:v|g"])
)
firsts = tokens.filter(lambda text: not text.endswith("|"))
missing = st.sampled_from(["true", "false"])
uris = st.sampled_from([*URIS, "https://a.invalid", "https://a.invalid/", "none"])
VALUE_SETS = st.just("https://sets.invalid/any")
SYSTEM_AND_CODE = st.sampled_from(["https://a.invalid|1", "https://b.invalid|x y"])


def composite(second: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds("{}${}".format, firsts, second)


CHOICES = {
    "Patient": {
        "identifier": tokens,
        "name": texts,
        "family": texts,
        "name:contains": texts,
        "name:exact": texts,
        "birthdate": moments,
        "death-date": moments,
        "active": st.sampled_from(["true", "false"]),
        "deceased": st.sampled_from(["true", "false"]),
        "identifier:not": tokens,
        "identifier:text": texts,
        "identifier:of-type": st.builds("https://a.invalid|{}|{}".format, codes, codes),
        "identifier:in": VALUE_SETS,
        "identifier:not-in": VALUE_SETS,
        "identifier:below": SYSTEM_AND_CODE,
        "identifier:above": SYSTEM_AND_CODE,
        "gender:not": st.sampled_from(["male", "female", "none"]),
        "gender:in": VALUE_SETS,
        "_id:not": st.sampled_from(["p1", "none"]),
        **{f"{name}:missing": missing for name in ("identifier", "name", "birthdate", "gender", "deceased", "_id")},
        "_id": st.sampled_from(["p1", "p2", "p3,p5", "none"]),
        "_lastUpdated": st.sampled_from(["gt2020", "lt2020", "ne2020"]),
    },
    "Observation": {
        "code": tokens,
        "status": st.sampled_from(["final", "amended", "other"]),
        "date": moments,
        "subject": targets,
        "patient": targets,
        "subject:Patient": st.sampled_from(["1", "2"]),
        "combo-code": tokens,
        "combo-code:text": texts,
        "code:text": texts,
        "subject:identifier": tokens,
        "value-quantity": quantities,
        "combo-value-quantity": quantities,
        "component-value-quantity": quantities,
        "value-concept:not": tokens,
        "code-value-quantity": composite(quantities),
        "component-code-value-quantity": composite(quantities),
        "combo-code-value-quantity": composite(quantities),
        "combo-code-value-concept": composite(firsts),
        "code-value-concept": composite(tokens),
        "code-value-string": composite(texts),
        "code-value-date": composite(moments),
        **{
            f"{name}:missing": missing
            for name in ("subject", "code", "value-quantity", "combo-value-quantity", "combo-code-value-quantity")
        },
    },
    "RiskAssessment": {"probability": numbers, "probability:missing": missing},
    "Location": {
        "near": st.builds(
            "{0[0]}|{0[1]}|{1}|km".format, st.sampled_from(PLACES), st.sampled_from(["0", "12", "9000"])
        ),
        "near:missing": missing,
    },
    "ValueSet": {
        "url": uris,
        "url:above": uris,
        "url:below": uris,
        "url:missing": missing,
        "status:missing": missing,
    },
}


def alternatives(found: st.SearchStrategy[str], name: str) -> st.SearchStrategy[list[str]]:
    return st.lists(found, min_size=1, max_size=1 if name.endswith(":missing") else 2)


@st.composite
def searches(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    where = draw(st.sampled_from(sorted(CHOICES)))
    names = draw(st.lists(st.sampled_from(sorted(CHOICES[where])), min_size=1, max_size=3))
    pairs = [(name, ",".join(draw(alternatives(CHOICES[where][name], name)))) for name in names]
    return where, pairs + draw(st.sampled_from([[], [("_sort", "_lastUpdated")], [("_sort", "-_lastUpdated")]]))


def alike(database: Database, criterion: Criterion) -> bool:
    """Driving a statement, and asked of each row of another one, it finds the same."""
    other = resource_table.alias()
    of_type = other.c.type == criterion.parameter.base
    with database.read() as connection:
        drives = connection.scalars(rids(criterion))
        asked = connection.scalars(select(other.c.rid).where(of_type, clause(criterion, other.c.rid)))
        return set(drives) == set(asked)


def criteria_of(search: tuple[str, list[tuple[str, str]]]) -> tuple[Criterion, ...]:
    where, pairs = search
    return tuple(criterion(where, name, text, BASE, Known()) for name, text in pairs if name != "_sort")


def test_the_index_finds_what_the_resource_answers_to_and_nothing_else(swept: Database) -> None:
    dice = random.Random(20)
    sent = [resource(dice, number) for number in range(350)]
    entries = [Entry("PUT", r["resourceType"], id=r["id"], resource=r) for r in sent]
    done = Transactions(swept, lambda *_: (), lambda _: (), BASE).commit(entries, ALL)
    stored = [json.stored(r.stored.body) for r in done if r.stored and r.stored.body]
    sizes: list[int] = []

    @settings(max_examples=250, deadline=None, database=None, derandomize=True)
    @given(searches())
    def check(search: tuple[str, list[tuple[str, str]]]) -> None:
        controls = [pair for pair in search[1] if pair[0] == "_sort"]
        query = replace(parse(search[0], controls, Limits(base=BASE)), criteria=criteria_of(search))
        wanted = {r["id"] for r in stored if r["resourceType"] == query.type and matches(query.criteria, r, BASE)}
        with swept.read() as connection:
            rows = read.page(connection, ALL, query, (), 1000)
            total = read.total(connection, ALL, query)
        found = {row.id for row in rows}
        assert len(found) == len(rows) == total
        if any(criterion.modifier == "exact" for criterion in query.criteria):
            assert wanted <= found, "the index of strings knows no case; the resource is asked afterwards"
        else:
            assert found == wanted
            assert all(alike(swept, criterion) for criterion in query.criteria)
        sizes.append(len(wanted))

    check()
    assert sum(size > 0 for size in sizes) > 50, "the searches find something"
