"""SEC-55: 10,000 labelled pairs that look alike. Nobody is linked with somebody else; what is uncertain waits."""

from collections import Counter

import pytest

from hub.identity.decide import LINK, REVIEW, Decision, decide
from hub.identity.frequencies import Counted
from tests.hub.identity.hard_pairs import PAIRS, TWO, Hard, hard_pairs


@pytest.fixture(scope="module")
def decided() -> list[tuple[Hard, Decision]]:
    """In a hub that knows all of them, and the shelter's and families' numbers of persons."""
    pairs = list(hard_pairs())
    known = Counted()
    known.add(each for pair in pairs for each in (pair.one, pair.other))
    return [(pair, decide(pair.one, pair.other, known)) for pair in pairs]


def test_of_ten_thousand_pairs_no_two_persons_are_linked(decided: list[tuple[Hard, Decision]]) -> None:
    assert len(decided) == PAIRS
    wrong = [(pair.kind, str(decision)) for pair, decision in decided if not pair.same and decision.outcome == LINK]
    assert wrong == []


def test_each_kind_of_confusion_is_among_them(decided: list[tuple[Hard, Decision]]) -> None:
    counted = Counter(pair.kind for pair, _ in decided if not pair.same)
    assert set(counted) == {kind.__name__ for kind in TWO}
    assert min(counted.values()) > 500


def test_persons_written_twice_are_mostly_linked_and_hardly_ever_lost(decided: list[tuple[Hard, Decision]]) -> None:
    """So that nothing is gained by linking nobody."""
    outcomes = Counter(
        d.outcome for pair, d in decided if pair.same and pair.kind not in ("named_later", "mistyped")
    )
    assert outcomes[LINK] / outcomes.total() > 0.75
    assert (outcomes[LINK] + outcomes[REVIEW]) / outcomes.total() > 0.97


def test_a_newborn_that_got_its_name_waits_for_a_person(decided: list[tuple[Hard, Decision]]) -> None:
    outcomes = {decision.outcome for pair, decision in decided if pair.kind == "named_later"}
    assert LINK not in outcomes
    assert REVIEW in outcomes
