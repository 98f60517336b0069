"""Random lives of a small world against a model of a few lines: every person stands at a Patient, merges lead from
one Patient to another, and whatever came with a person, or was said of a Patient, is where that one is.

issue 5: merge, unmerge, split and not-a-duplicate are reversible and put everything back as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.identity import persons
from hub.identity.apart import distinct
from hub.identity.candidates import recorded
from hub.identity.desk import Registry
from hub.identity.patient import person_of
from hub.identity.resolve import resolve, settle
from hub.identity.split import split
from hub.identity.strong import Systems
from hub.problems import Problem
from hub.store import read
from hub.store.engine import Database
from hub.store.rids import new_rid
from hub.transactions import single
from tests.hub.asking import observation, patient
from tests.hub.identity_world import cleared, contents, county, merged, registry_of, rights, unmerged
from tests.hub.sighted import emptied, to

PEOPLE = ("ann", "anna", "bob")
HOMES = ("ann", "ann", "anna", "bob")  # of four source persons: two hospitals know Ann
NUMBERS = st.integers(0, len(HOMES) - 1)
WHO = st.sampled_from(PEOPLE)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), WHO, WHO),
        st.tuples(st.just("unmerge"), WHO),
        st.tuples(st.just("split"), NUMBERS),
        st.tuples(st.just("apart"), NUMBERS, NUMBERS),
        st.tuples(st.just("brings"), NUMBERS),
        st.tuples(st.just("says"), WHO),
        st.tuples(st.just("message"), NUMBERS),
    ),
    max_size=10,
)
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@dataclass
class Model:
    """`stands`: the Patient of each person. `into`: the merges. `about`: whose each resource is, a person's or a
    Patient's."""

    stands: list[str] = field(default_factory=lambda: list(HOMES))
    into: dict[str, str] = field(default_factory=dict)
    about: dict[str, int | str] = field(default_factory=dict)

    def member(self, who: str) -> str:
        while who in self.into:
            who = self.into[who]
        return who

    def of(self, about: int | str) -> str:
        return self.member(self.stands[about] if isinstance(about, int) else about)


class World:
    """The hub, which does the same."""

    def __init__(self, database: Database):
        self.api = county(emptied(database))
        self.registry: Registry = registry_of(self.api.database)
        self.model = Model()
        self.numbers = [self._known(place, who) for place, who in enumerate(HOMES)]
        self.steps = 0

    def _known(self, place: int, who: str) -> int:
        number, told = new_rid(clock.micros(clock.now())), _told(place)
        whole = recorded(person_of(told, f"s{place}", Systems()), told)
        self.registry.decide(
            lambda desk: persons.put(desk.connection, number, f"s{place}", "1", who, whole, desk.now)
        )
        return number

    def do(self, kind: str, *given_: Any) -> None:
        self.steps += 1
        getattr(self, f"_{kind}")(*given_)

    def _merge(self, survivor: str, absorbed: str) -> None:
        model, target = self.model, self.model.member(survivor)
        allowed = survivor != absorbed and target != absorbed and absorbed not in model.into
        if _done(allowed, lambda: merged(self.registry, survivor, absorbed)):
            model.into[absorbed] = target

    def _unmerge(self, who: str) -> None:
        if done := _done(who in self.model.into, lambda: unmerged(self.registry, who)):
            assert done.lost == ()
            del self.model.into[who]

    def _split(self, place: int) -> None:
        model, at = self.model, self.model.of(place)
        allowed = sum(model.of(each) == at for each in range(len(HOMES))) > 1
        number = self.numbers[place]
        if done := _done(allowed, lambda: self.registry.decide(lambda desk: split(desk, number, "test"))):
            self._left(place, at, done.patient)

    def _left(self, place: int, at: str, patient_: str) -> None:
        """By the end of its own merge, or to a Patient that stands alone."""
        if self.model.into.get(patient_) is not None and self.model.stands[place] == patient_:
            del self.model.into[patient_]
        self.model.stands[place] = patient_
        assert self.model.of(place) == patient_ != at

    def _apart(self, one: int, other: int) -> None:
        if one == other:
            return
        model, numbers = self.model, (self.numbers[one], self.numbers[other])
        was_one, at = model.of(one) == model.of(other), model.of(one)
        self.registry.decide(lambda desk: distinct(desk, *numbers, "test"))
        if was_one:
            leaving = max((one, other), key=lambda each: self.numbers[each])
            self._left(leaving, at, self._patient(leaving))

    def _brings(self, place: int) -> None:
        name = f"b{self.steps}"
        made = observation(name, subject=to("Patient", self.model.of(place)))
        entry = single("PUT", "Observation", id=name, resource=made)
        self.registry.transactions.commit([entry], Access.system("test", person=self.numbers[place]))
        self.model.about[name] = place

    def _says(self, who: str) -> None:
        name = f"c{self.steps}"
        self.api.have(observation(name, subject=to("Patient", who)))
        self.model.about[name] = who

    def _message(self, place: int) -> None:
        """It is the member that it is, whatever was decided."""
        told, now = _told(place), clock.micros(clock.now())

        def work(desk: Any) -> None:
            found = resolve(desk.connection, person_of(told, f"s{place}", Systems()), f"s{place}", "1", now)
            assert (found.outcome, found.patient) == ("known", self.model.of(place))
            assert settle(desk.connection, found, str(found.patient), told, now)

        self.registry.decide(work)

    def _patient(self, place: int) -> str:
        with self.api.database.read() as connection:
            found = persons.get(connection, self.numbers[place])
        assert found is not None
        return found.patient

    def agrees(self) -> None:
        model = self.model
        assert [self._patient(place) for place in range(len(HOMES))] == [model.of(p) for p in range(len(HOMES))]
        with self.api.database.read() as connection:
            for name, about in {f"o-{who}": who for who in PEOPLE}.items() | model.about.items():
                found = read.current(connection, Access.system("test"), "Observation", name)
                assert found is not None
                assert json.stored(found.body or b"")["subject"] == to("Patient", model.of(about)), name
        active = set(self.api.found("/Patient?active=true&_count=50"))
        assert active == ({*PEOPLE, *model.stands} - set(model.into))


def _told(place: int) -> dict[str, Any]:
    names = ("Alderbrook", "Birchfield", "Cedarholm", "Dogwoodson")
    return patient(
        "x", name=[{"family": names[place], "given": ["Quill"]}], birthDate=f"19{50 + 7 * place}-03-0{place + 1}"
    )


def _done(allowed: bool, work: Callable[[], Any]) -> Any:
    """What it did, where that is allowed."""
    if allowed:
        return work()
    with pytest.raises(Problem) as refusal:
        work()
    assert refusal.value.kind in ("conflict", "not-found", "invalid")
    return None


def lived(database: Database, steps: list[Any]) -> None:
    world = World(cleared(database))
    before, seen = contents(world.api.database), rights(world.api.database)
    for step in steps:
        world.do(*step)
        world.agrees()
    for who in PEOPLE * 2:
        if who in world.model.into:
            world.do("unmerge", who)
    world.agrees()
    if not {kind for kind, *_ in steps} & {"split", "apart"}:
        now = contents(world.api.database)
        assert {name: now[name] for name in before} == before
        if not world.model.about:
            assert rights(world.api.database) == seen


@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
@given(steps=STEPS)
def test_a_random_life_is_as_the_model_says(swept: Database, steps: list[Any]) -> None:
    if swept.is_sqlite:
        lived(swept, steps)


@settings(max_examples=6, deadline=None, suppress_health_check=QUIET)
@given(steps=STEPS)
def test_a_random_life_is_as_the_model_says_on_both_databases(swept: Database, steps: list[Any]) -> None:
    lived(swept, steps)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=QUIET)
@given(steps=STEPS)
def test_many_random_lives_are_as_the_model_says(swept: Database, steps: list[Any]) -> None:
    lived(swept, steps)
