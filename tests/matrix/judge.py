"""Compares what left with what the oracle allows, cell by cell."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from tests.matrix import oracle
from tests.matrix.asker import Asker, Evidence
from tests.matrix.canaries import canaries
from tests.matrix.charts import BY_SHORT, Chart, resource
from tests.matrix.world import WITHOUT_COVERAGE, World, own_of, type_of

BY_ELEMENT = ("E09", "E10", "E17")  # asked by, or of, elements that a masked resource may not show


@cache
def elements_of(short: str) -> frozenset[str]:
    """The elements of a resource that hold a canary; its id, too, where nothing refers to it."""
    made = resource(Chart(1, "never", "none", "none"), BY_SHORT[short])
    return frozenset(each.element for each in canaries(json.dumps(made).encode()) if each.short == short)


def verdict(world: World, ask: Asker, exit_: str, number: int, short: str) -> str:
    """The oracle's word on one resource."""
    type_, policy = type_of(short), ask.actor.policy
    if short == "grp":
        return oracle.decide(policy, _group_relation(world, ask, number), "none", "none", exit_, type_)
    chart = world.charts[number]
    labels = chart.labels if short in BY_SHORT and BY_SHORT[short].labelled else "none"
    own = own_of(chart, short, ask.actor)
    return oracle.decide(policy, relation_of(ask, chart), labels, chart.consent, exit_, type_, own)


def relation_of(ask: Asker, chart: Chart) -> str:
    """How the caller stands to the patient: a member's app to the member, a plan to those whom it covers."""
    if ask.actor.policy == "member":
        return "assigned" if chart.number == ask.member else "never"
    if ask.actor.policy == "plan" and chart.consent == WITHOUT_COVERAGE:
        return "never"
    return chart.relation


def _group_relation(world: World, ask: Asker, number: int) -> str:
    """A Group is its holder's, whoever is still in it (its members leave only while they are): which others have to
    do with its members is nobody else's to know."""
    holder, relation = world.groups[number]
    if ask.actor.name == "custodian" or (ask.actor.name == holder and relation != "other-county"):
        return "assigned"
    return "never"  # a Group of the other county is the other county's


@dataclass
class Judge:
    """Counts cells and collects disagreements, each with both traces."""

    world: World
    cells: set[tuple[str, int, str, int, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def hear(self, ask: Asker, found: Iterable[Evidence]) -> None:
        for each in found:
            self.cells.add((ask.actor.name, ask.member, each.exit, each.number, each.short))
            said = verdict(self.world, ask, each.exit, each.number, each.short)
            if what := list(_disagreements(ask, each, said)):
                about = f"{each.exit} {each.short}{each.number}{_about(self.world, each.number)}: oracle {said}"
                self._note(ask, each.number, each.short, f"{about}, but {'; '.join(what)}")

    def scan(self, ask: Asker) -> None:
        """Every byte that left, whatever it was asked for."""
        for exit_, leaving in ask.left.items():
            for found in canaries(b"\n".join(leaving)):
                said = verdict(self.world, ask, exit_, found.number, found.short)
                if not oracle.may_leave(said, ask.actor.policy, exit_, found.element):
                    about = f"{exit_} {found.short}{found.number}{_about(self.world, found.number)}: oracle {said}"
                    self._note(ask, found.number, found.short, f"{about}, but {found.element} was among the bytes")
        ask.left.clear()

    def _note(self, ask: Asker, number: int, short: str, what: str) -> None:
        self.wrong.append(f"{ask.actor.name}{ask.member or ''} {what}")


def _disagreements(ask: Asker, each: Evidence, said: str) -> Iterator[str]:
    if isinstance(each.seen, bool):
        if each.seen and said == oracle.DENY:
            yield "it was there"
        if (
            not each.seen
            and each.firm
            and (said == oracle.ALLOW or (said == oracle.MASK and each.exit not in BY_ELEMENT))
        ):
            yield "it was not there"
        return
    leaked = [e for e in each.seen if not oracle.may_leave(said, ask.actor.policy, each.exit, e)]
    if leaked:
        yield f"there left {sorted(leaked)}"
    wanted = elements_of(each.short) if each.expected is None else each.expected
    missing = [e for e in wanted - each.seen if oracle.must_leave(said, type_of(each.short), e)]
    if each.firm and missing:
        yield f"there came no {sorted(missing)}"


def _about(world: World, number: int) -> str:
    if number in world.groups:
        return f" (Group of {'/'.join(world.groups[number])})"
    chart = world.charts[number]
    return f" ({chart.relation}/{chart.labels}/{chart.consent})"
