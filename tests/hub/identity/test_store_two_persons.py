"""Merges that two persons must decide, and what else a deployment chooses of who is who."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha1, sha256
from typing import Any

import pytest

from hub import clock
from hub.access import Access
from hub.identity import chosen, events, hashed
from hub.identity.chosen import Chosen
from hub.identity.desk import Registry
from hub.identity.patient import person_of
from hub.identity.proposals import agreed
from hub.identity.resolve import resolve
from hub.identity.strong import Systems
from hub.identity.weights import LIMITS
from hub.problems import CannotStart, Problem
from hub.settings import Settings, read_settings
from hub.store.engine import Database
from hub.transactions import Transactions, single
from tests.hub.asking import BASE, Api
from tests.hub.identity.test_store_commands import ran
from tests.hub.identity.test_store_operations import merged, operator
from tests.hub.identity.test_store_resolving import HOSPITAL, done, in_doubt, quilla, reviews, said
from tests.hub.identity_world import callers, contents, county


@pytest.fixture
def api(swept: Database) -> Api:
    other = replace(operator(), who="ops-2")
    return county(swept, callers() | {"ops": operator(), "ops-2": other})


@pytest.fixture
def registry(api: Api) -> Registry:
    from hub.identity.assembly import effects

    own = Transactions(api.database, lambda *_: (), lambda changes: list(effects(changes)), BASE)
    return Registry.of(own, BASE)


@pytest.fixture
def two() -> None:
    chosen.replace(Chosen(reviewers=2))


@pytest.fixture(autouse=True)
def _as_ever() -> Iterator[None]:
    yield
    chosen.replace(Chosen())


def answered(registry: Registry, task: dict[str, Any], answer: str, who: str) -> None:
    output = [{"type": {"text": "answer"}, "valueCode": answer}]
    content = task | {"status": "completed", "output": output}
    access = replace(Access.system("test"), who=who)
    registry.transactions.commit([single("PUT", "Task", id=task["id"], resource=content)], access)
    done(registry)


def is_one(api: Api) -> bool:
    return len(api.found("/Patient?active=true")) == 2  # of three


def kinds(api: Api) -> list[str]:
    with api.database.read() as connection:
        return [each.kind for each in events.newest(connection, None, 20)][::-1]


@pytest.mark.usefixtures("two")
def test_a_review_links_when_a_second_other_person_says_so(registry: Registry, api: Api) -> None:
    *_, task = in_doubt(registry, api)
    answered(registry, task, "link", "ops")
    assert not is_one(api)
    (task,) = reviews(api)
    assert (task["status"], "output" in task) == ("requested", False)
    assert "another one" in task["statusReason"]["text"]
    answered(registry, task, "link", "ops")
    assert not is_one(api)
    (task,) = reviews(api)
    assert task["status"] == "requested"
    answered(registry, task, "link", "ops-2")
    assert is_one(api)
    with api.database.read() as connection:
        (event,) = events.newest(connection, events.MERGE, 5)
    assert (event.who, event.evidence["first"]) == ("ops-2", "ops")


@pytest.mark.usefixtures("two")
def test_one_person_is_enough_to_hold_two_apart(registry: Registry, api: Api) -> None:
    *_, task = in_doubt(registry, api)
    answered(registry, task, "link", "ops")
    answered(registry, reviews(api)[0], "distinct", "ops-2")
    assert not is_one(api)
    assert kinds(api)[-1] == events.APART


def test_one_person_links_where_one_is_enough(registry: Registry, api: Api) -> None:
    *_, task = in_doubt(registry, api)
    answered(registry, task, "link", "ops")
    assert is_one(api)


@pytest.mark.usefixtures("two")
def test_an_operators_merge_is_done_when_another_one_asks_for_the_same(api: Api) -> None:
    before = contents(api.database)
    for _ in range(2):
        answer = merged(api.as_("ops"), "anna", "ann")
        assert answer.status_code == 200, answer.text
        assert "second person" in answer.text
    assert contents(api.database) == before
    assert merged(api.as_("ops-2"), "anna", "ann", preview=True).status_code == 200
    assert contents(api.database) == before
    assert "second person" in merged(api.as_("ops-2"), "bob", "ann").text
    assert "were rewritten" in merged(api.as_("ops-2"), "anna", "ann").text
    assert api.found("/Patient?active=true") == ["ann", "bob"]
    assert kinds(api) == [events.PROPOSAL, events.PROPOSAL, events.MERGE]


@pytest.mark.usefixtures("two")
def test_what_was_agreed_to_once_is_not_agreed_to_for_ever(api: Api, registry: Registry) -> None:
    merged(api.as_("ops"), "anna", "ann")
    merged(api.as_("ops-2"), "anna", "ann")
    ran(api, "unmerge", "anna")
    assert "second person" in merged(api.as_("ops-2"), "anna", "ann").text
    assert "second person" in ran(api, "merge", "bob", "anna")
    with pytest.raises(Problem, match="itself"):
        registry.decide(lambda desk: agreed(desk, "ann", "ann", "ops"))


def settings(**values: str) -> Settings:
    return read_settings(values)


def test_limits_of_the_settings_count_for_who_comes(api: Api, registry: Registry) -> None:
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    comes = {name: each for name, each in quilla("y").items() if name != "identifier"}
    person = person_of(comes, "other", Systems())
    with api.database.read() as connection:
        assert resolve(connection, person, "other", "B", clock.micros(clock.now())).outcome == "link"
        chosen.use(settings(HUB_IDENTITY_LIMITS="link_margin=90,bare_margin=90"))
        assert resolve(connection, person, "other", "B", clock.micros(clock.now())).outcome == "review"
    assert chosen.current().limits == replace(LIMITS, link_margin=90, bare_margin=90)


@pytest.mark.parametrize("status", [2, 3])
def test_a_hash_that_nobody_explained_is_refused_with_the_settings_name(status: int) -> None:
    with pytest.raises(Problem, match=hashed.SETTING):
        hashed.scheme_of(status, chosen.current().schemes)
    chosen.use(settings(HUB_HMIS_HASHES="2=sha1:lower,3=sha256:lower"))
    assert hashed.scheme_of(status, chosen.current().schemes) == {2: "sha1:lower", 3: "sha256:lower"}[status]


def test_sha1_and_sha256_of_a_normalised_name_are_unsalted() -> None:
    assert hashed.digest("sha1:lower", " O'Testa-Lee ") == sha1(b"otestalee").hexdigest()
    assert hashed.digest("sha256:lower", "OTESTALEE") == sha256(b"otestalee").hexdigest()


@pytest.mark.parametrize("wrong", [{"HUB_IDENTITY_LIMITS": "nonsense=1"}, {"HUB_HMIS_HASHES": "2=rot13:lower"}])
def test_nothing_starts_with_a_limit_or_a_scheme_that_nobody_knows(wrong: dict[str, str]) -> None:
    with pytest.raises(CannotStart, match=next(iter(wrong))):
        chosen.use(settings(**wrong))
