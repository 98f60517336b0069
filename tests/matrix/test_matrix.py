"""The matrix: each actor, relation, label set and consent at each exit, against the oracle.

In every run a covering set: all pairs, and all in which a relation holds; in the long run all of them.
"""

from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.matrix.asker import Ask, Asker
from tests.matrix.callers import askers
from tests.matrix.canaries import canaries
from tests.matrix.charts import Chart
from tests.matrix.conftest import Lines, Settled
from tests.matrix.dimensions import BUILT, EXITS
from tests.matrix.judge import Judge
from tests.matrix.list_exits import LISTS
from tests.matrix.single_exits import SINGLE, WRITING

NOTICES = {"E23", "E24", "E25"}  # test_notices
SHOWN = 25  # disagreements in a failure


def run(settled: Settled, exits: Mapping[str, Ask], charts: Callable[[Asker, int], Sequence[Chart]]) -> Judge:
    judge = Judge(settled.world)
    for ask in askers(settled.app, settled.members):
        for turn, exit_ in enumerate(exits.values()):
            judge.hear(ask, exit_(ask, settled.world, list(charts(ask, turn))))
            judge.scan(ask)
    return judge


def agreed(judge: Judge, logged: Lines, least: int) -> None:
    leaked = canaries("\n".join(logged.lines).encode())
    assert not leaked, f"E37: the log tells {sorted(leaked)[:SHOWN]}"
    shown = "\n".join(judge.wrong[:SHOWN])
    assert not judge.wrong, f"{len(judge.wrong)} disagreements in {len(judge.cells)} cells:\n{shown}"
    assert len(judge.cells) >= least, "fewer cells than there are to be"


def every_seventh(settled: Settled) -> Callable[[Asker, int], Sequence[Chart]]:
    """Other charts for each exit and actor; a member's own always among them."""

    def chosen(ask: Asker, turn: int) -> Sequence[Chart]:
        every = settled.world.every
        step = 7 if ask.actor.token == "valid" and not ask.member else 41
        some = every[(turn + len(ask.actor.name)) % step :: step]
        return [settled.world.charts[ask.member], *some] if ask.member else some

    return chosen


def all_of(settled: Settled) -> Callable[[Asker, int], Sequence[Chart]]:
    """All charts; a member's app its own and others in turn, but for one that asks for all: to each of them the
    others are strangers alike."""
    few = every_seventh(settled)

    def chosen(ask: Asker, turn: int) -> Sequence[Chart]:
        return few(ask, turn) if ask.member not in (0, settled.members[0]) else settled.world.every

    return chosen


def test_lists_tell_each_actor_what_the_oracle_allows(covering: Settled, logged: Lines) -> None:
    agreed(run(covering, LISTS, every_seventh(covering)), logged, 3000)


def test_single_answers_tell_each_actor_what_the_oracle_allows(covering: Settled, logged: Lines) -> None:
    agreed(run(covering, SINGLE, every_seventh(covering)), logged, 3000)


def test_conditional_creates_find_what_the_oracle_allows(covering: Settled, logged: Lines) -> None:
    agreed(run(covering, WRITING, every_seventh(covering)), logged, 100)


@pytest.mark.long
def test_all_cells_of_lists(whole: Settled, logged: Lines) -> None:
    agreed(run(whole, LISTS, all_of(whole)), logged, 100_000)


@pytest.mark.long
def test_all_cells_of_single_answers(whole: Settled, logged: Lines) -> None:
    agreed(run(whole, SINGLE, all_of(whole)), logged, 100_000)


def test_every_exit_is_asked_or_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    asked = {name.split()[0] for name in (*LISTS, *SINGLE, *WRITING)} | {"E37"} | NOTICES
    with capsys.disabled():
        waiting = ", ".join(f"{each.code} ({each.missing})" for each in EXITS if each.missing)
        print(f"\nexits not asked: {waiting}")
    assert {each.code for each in BUILT} == asked
