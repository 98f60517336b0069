"""The index finds what the resource itself answers to, and nothing else: random resources, random searches."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.search.criterion import PREFIXES
from hub.search.match import matches
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.engine import Database
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
    "urn:oid:1.2",
    "Patient/1/_history/3",
]


def coded(dice: random.Random, name: str) -> dict[str, Any]:
    system = dice.choice(SYSTEMS)
    return ({"system": system} if system else {}) | {name: dice.choice(CODES)}


def resource(dice: random.Random, number: int) -> dict[str, Any]:
    if dice.random() < 0.5:
        made = patient(f"p{number}")
        if dice.random() < 0.8:
            made["identifier"] = [coded(dice, "value") for _ in range(dice.randint(1, 3))]
        if dice.random() < 0.8:
            made["name"] = [{"family": dice.choice(WORDS), "given": dice.sample(WORDS, 2)}]
        if dice.random() < 0.8:
            made["birthDate"] = dice.choice(DATES)
        return made | (
            {"deceasedDateTime": dice.choice(DATES)} if dice.random() < 0.4 else {"active": dice.random() < 0.5}
        )
    made = observation(
        f"o{number}", status=dice.choice(["final", "amended"]), code={"coding": [coded(dice, "code")]}
    )
    if dice.random() < 0.8:
        made["subject"] = {"reference": dice.choice(TARGETS)}
    start, end = sorted(dice.sample(DATES, 2))
    moments = [
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
    },
}


@st.composite
def searches(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    where = draw(st.sampled_from(sorted(CHOICES)))
    names = draw(st.lists(st.sampled_from(sorted(CHOICES[where])), min_size=1, max_size=3))
    pairs = [(n, ",".join(draw(st.lists(CHOICES[where][n], min_size=1, max_size=2)))) for n in names]
    return where, pairs + draw(st.sampled_from([[], [("_sort", "_lastUpdated")], [("_sort", "-_lastUpdated")]]))


def test_the_index_finds_what_the_resource_answers_to_and_nothing_else(swept: Database) -> None:
    dice = random.Random(20)
    sent = [resource(dice, number) for number in range(250)]
    entries = [Entry("PUT", r["resourceType"], id=r["id"], resource=r) for r in sent]
    done = Transactions(swept, lambda *_: (), lambda _: (), BASE).commit(entries, ALL)
    stored = [json.stored(r.stored.body) for r in done if r.stored and r.stored.body]
    sizes: list[int] = []

    @settings(max_examples=250, deadline=None, database=None, derandomize=True)
    @given(searches())
    def check(search: tuple[str, list[tuple[str, str]]]) -> None:
        query = parse(search[0], search[1], Limits(base=BASE))
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
        sizes.append(len(wanted))

    check()
    assert sum(size > 0 for size in sizes) > 50, "the searches find something"
