"""The oracle against itself: it knows every word of the dimensions, denies every other, and is consistent."""

import ast
import inspect
import sys
from itertools import product

import pytest

from tests.matrix import oracle
from tests.matrix.charts import KINDS
from tests.matrix.dimensions import ACTORS, CONSENTS, EXITS, LABELS, RELATIONS

ROLES = [actor.role for actor in ACTORS if actor.token == "valid"]
TYPES = sorted({kind.type for kind in KINDS} | {"Consent", "Coverage", "Group"})
CELLS = list(product(ROLES, RELATIONS, LABELS, CONSENTS, TYPES))


def test_it_is_small_and_imports_nothing_of_the_product() -> None:
    source = inspect.getsource(oracle)
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    }
    assert imported <= set(sys.stdlib_module_names)
    assert source.count("\n") <= 200


def test_it_knows_the_words_of_the_dimensions() -> None:
    assert set(oracle.TYPES) == set(ROLES)
    assert set(oracle.LABELS) == set(LABELS)
    assert set(oracle.CONSENTS) == set(CONSENTS)
    assert set(oracle.EVERYBODY) == set(RELATIONS)


WORDS = ("ehr", "assigned", "none", "none", "E01", "Condition")


@pytest.mark.parametrize("place", [0, 1, 2, 4, 5])
def test_an_unknown_word_is_denied(place: int) -> None:
    assert oracle.decide(*WORDS) == oracle.ALLOW
    words = [*WORDS]
    words[place] = "unheard-of"
    assert oracle.decide(*words) == oracle.DENY


def test_an_unknown_consent_opens_nothing() -> None:
    assert oracle.decide("ehr", "assigned", "part2", "unheard-of", "E01", "Condition") == oracle.DENY


@pytest.mark.parametrize("actor", [actor.policy for actor in ACTORS if actor.token != "valid"])
def test_without_a_valid_token_all_is_denied(actor: str) -> None:
    assert oracle.refusal(actor, "Patient") == 401
    assert {oracle.decide(actor, *rest, "E01", type_) for _, *rest, type_ in CELLS[:5000]} == {oracle.DENY}


def test_no_consent_opens_what_no_relation_covers() -> None:
    for role, relation, labels, consent, type_ in CELLS:
        if oracle.decide(role, relation, "none", "none", "E01", type_) == oracle.DENY:
            assert oracle.decide(role, relation, labels, consent, "E01", type_) == oracle.DENY


def test_a_label_never_opens() -> None:
    for role, relation, labels, consent, type_ in CELLS:
        if oracle.decide(role, relation, labels, consent, "E01", type_) != oracle.DENY:
            assert oracle.decide(role, relation, "none", consent, "E01", type_) != oracle.DENY


def test_every_exit_decides_alike() -> None:
    for actor, relation, labels, consent, type_ in CELLS[::97]:
        exits = [exit_.code for exit_ in EXITS if exit_.code != "E15"]
        assert len({oracle.decide(actor, relation, labels, consent, each, type_) for each in exits}) == 1


def test_errors_and_logs_tell_nothing() -> None:
    for exit_ in ("E17", "E26", "E34", "E37"):
        assert not oracle.may_leave(oracle.ALLOW, "ehr", exit_, "family")


def test_each_verdict_is_given() -> None:
    found = [oracle.decide(role, *rest, "E01", type_) for role, *rest, type_ in CELLS]
    assert {word: found.count(word) > 1000 for word in (oracle.ALLOW, oracle.DENY)} == {"allow": True, "deny": True}
    assert found.count(oracle.MASK) > 50
