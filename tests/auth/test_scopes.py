"""Laws of scopes: read and written they are the same, and never more is granted than was registered."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.clients import Client
from auth.scopes import (
    CONTEXTS,
    LETTERS,
    WORDS,
    Scope,
    ScopeError,
    covers,
    for_backend,
    for_person,
    granted,
    parse,
    written,
    written_like,
)
from auth.sights import access_for

TYPES = ("Patient", "Task", "ServiceRequest", "CarePlan")
ELSEWHERE = "Observation"  # named by no scope: only a wildcard covers it

letters = st.sets(st.sampled_from(LETTERS), min_size=1).map(lambda some: "".join(c for c in LETTERS if c in some))
plain = st.builds(Scope, st.sampled_from(CONTEXTS), st.sampled_from(("*", *TYPES)), letters)
QUERIES = ("status=active", "status=draft", "status=active&intent=order", "intent=order&status=active")
granular = st.builds(
    Scope, st.sampled_from(CONTEXTS), st.sampled_from(("Task", "ServiceRequest")), letters, st.sampled_from(QUERIES)
)
word = st.builds(Scope, st.just(""), st.sampled_from(WORDS))
scope = plain | granular | word
scope_lists = st.lists(scope, min_size=1, max_size=6).map(tuple)


CELLS = tuple(product(CONTEXTS, (*TYPES, ELSEWHERE), LETTERS, ("active", "draft"), ("order", "plan")))


def covered(scopes: tuple[Scope, ...]) -> set[object]:
    """Every cell (context, type, letter, status, intent) that the scopes let through, asked of each alone."""
    found: set[object] = {one.resource for one in scopes if not one.context}
    for context, resource, letter, status, intent in CELLS:
        has = {("status", status), ("intent", intent)}
        for one in scopes:
            fits = one.context == context and one.resource in (resource, "*") and letter in one.letters
            if fits and set(one.conditions) <= has:
                found.add((context, resource, letter, status, intent))
    return found


def given_or_nothing(requested: tuple[Scope, ...], registered: tuple[Scope, ...]) -> tuple[Scope, ...]:
    try:
        return granted(requested, registered)
    except ScopeError:
        return ()


@given(scope_lists)
def test_scopes_written_and_read_again_are_the_same(scopes: tuple[Scope, ...]) -> None:
    assert parse(written(scopes)) == scopes


@given(scope_lists, scope_lists)
def test_exactly_what_is_both_asked_and_registered_is_granted(
    requested: tuple[Scope, ...], registered: tuple[Scope, ...]
) -> None:
    """Two queries that no one query says (one by status, one by intent) would be granted as nothing: never more."""
    assert covered(given_or_nothing(requested, registered)) <= covered(requested) & covered(registered)


@given(st.lists(plain | word, min_size=1, max_size=6).map(tuple), scope_lists)
def test_what_is_asked_plainly_is_granted_as_far_as_it_is_registered(
    requested: tuple[Scope, ...], registered: tuple[Scope, ...]
) -> None:
    for one, other in ((requested, registered), (registered, requested)):
        assert covered(given_or_nothing(one, other)) == covered(one) & covered(other)


@given(scope_lists, scope_lists)
def test_a_refresh_is_never_wider_than_what_it_refreshes(
    wider: tuple[Scope, ...], narrower: tuple[Scope, ...]
) -> None:
    if covers(wider, narrower):
        assert covered(narrower) <= covered(wider)
    assert covers(wider, wider)


@given(scope_lists, scope_lists)
def test_granting_again_changes_nothing(requested: tuple[Scope, ...], registered: tuple[Scope, ...]) -> None:
    once = given_or_nothing(requested, registered)
    if once:
        assert granted(once, registered) == once


@given(st.lists(plain | word, min_size=1, max_size=6).map(tuple))
def test_access_allows_what_the_scopes_cover_and_nothing_else(scopes: tuple[Scope, ...]) -> None:
    """The custodian's role takes nothing away; without a person user/ and patient/ scopes open nothing."""
    access = access_for(Client("load-1", "Demo", "custodian", written(scopes)), scopes)
    interaction = {"c": "create", "r": "read", "u": "update", "d": "delete", "s": "search-type"}
    for resource, letter in product((*TYPES, ELSEWHERE), LETTERS):
        fits = [one for one in scopes if one.context == "system" and one.resource in (resource, "*")]
        assert access.may(interaction[letter], resource) is any(letter in one.letters for one in fits)


@pytest.mark.parametrize(
    ("version_1", "version_2"),
    [
        ("system/Patient.read", "system/Patient.rs"),
        ("system/Patient.write", "system/Patient.cud"),
        ("system/Patient.*", "system/Patient.cruds"),
        ("system/*.read", "system/*.rs"),
        ("system/*.*", "system/*.cruds"),
    ],
)
def test_version_1_scopes_have_their_version_2_meaning(version_1: str, version_2: str) -> None:
    assert written(parse(version_1)) == version_2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "required"),
        (" ", "characters"),
        ("system/Patient.r  system/Task.r", "characters"),
        ("system/Patient.r\n", "characters"),
        ('system/"Patient".r', "characters"),
        ("system/Patient.r" * 600, "too long"),
        ("system/Observation.rs?", "in that order"),
        ("system/Observation.rs?category", "granular"),
        ("system/Observation.rs?category=", "granular"),
        ("system/Observation.rs?=laboratory", "granular"),
        ("system/Observation.rs?category=laboratory&", "granular"),
        ("system/Observation.rs?category=a&&status=b", "granular"),
        ("patient/Observation.rs?categroy=laboratory", "granular"),
        ("patient/Observation.rs?subject=Patient/1", "granular"),
        ("patient/Observation.rs?date=2026", "granular"),
        ("patient/Observation.rs?category:not=laboratory", "granular"),
        ("patient/Observation.rs?subject.gender=male", "granular"),
        ("patient/Observation.rs?_security=R", "granular"),
        ("patient/Observation.rs?_id=1", "granular"),
        ("patient/Observation.rs?" + "&".join(["category=a"] * 9), "granular"),
        ("patient/*.rs?category=laboratory", "granular"),
        ("practitioner/Patient.r", "in that order"),
        ("launch/practitioner", "in that order"),
        ("fhiruser", "in that order"),
        ("system/Patient.sr", "in that order"),
        ("system/Patient.rr", "in that order"),
        ("system/Patient.R", "in that order"),
        ("system/Patient.", "in that order"),
        ("system/Patient", "in that order"),
        ("system/.r", "in that order"),
        ("system/patient.r", "in that order"),
        ("System/Patient.r", "in that order"),
        ("system/Patient.readx", "in that order"),
        ("system/*.r*", "in that order"),
        ("OpenID", "in that order"),
        ("system/Patiant.r", "no resource type"),
        ("system/Resource.r", "no resource type"),
        ("system/SubscriptionStatus.r", "no resource type"),
    ],
)
def test_a_scope_that_is_none_is_refused_with_its_place_and_without_its_text(text: str, why: str) -> None:
    with pytest.raises(ScopeError, match=why) as refused:
        parse(text)
    assert "Patiant" not in str(refused.value)


def test_the_wildcard_is_granted_type_by_type_where_types_are_registered() -> None:
    assert written(granted(parse("system/*.rs"), parse("system/Patient.r system/Task.cruds"))) == (
        "system/Patient.r system/Task.rs"
    )


def test_what_the_wildcard_covers_is_not_granted_a_second_time() -> None:
    asked = parse("system/*.r system/Patient.r system/Task.ru")
    assert written(granted(asked, parse("system/*.ru"))) == "system/*.r system/Task.u"


@pytest.mark.parametrize(
    "word", ["patient/Patient.r", "user/Patient.r", "openid", "launch/patient", "offline_access"]
)
def test_a_backend_asks_for_system_scopes_only_t16(word: str) -> None:
    with pytest.raises(ScopeError, match="Scope 2 is not for a backend"):
        for_backend(f"system/Task.r {word}")


def test_where_a_person_signs_in_nobody_asks_for_system_scopes() -> None:
    assert len(for_person("openid fhirUser launch patient/*.rs user/Task.cruds")) == 5
    with pytest.raises(ScopeError, match="Scope 2 is for a backend"):
        for_person("openid system/Task.r")


LAB = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"


@pytest.mark.parametrize(
    ("asked", "registered", "given"),
    [
        (f"patient/Observation.rs?category={LAB}", "patient/*.rs", f"patient/Observation.rs?category={LAB}"),
        ("patient/*.rs", f"patient/Observation.rs?category={LAB}", f"patient/Observation.rs?category={LAB}"),
        ("patient/Observation.rs", "patient/Observation.rs?category=a", "patient/Observation.rs?category=a"),
        ("patient/Task.rs?status=a&intent=b", "patient/Task.r?status=a", "patient/Task.r?status=a&intent=b"),
        ("patient/Task.rs?status=a", "patient/Task.rs?status=b", None),
        ("patient/Task.rs?status=a", "user/Task.rs", None),
        ("patient/Task.rs", "user/Task.rs system/*.cruds", None),
        ("openid patient/Task.rs", "openid", "openid"),
        ("patient/Task.r patient/Task.rs?status=a", "patient/*.rs", "patient/Task.r patient/Task.s?status=a"),
    ],
)
def test_the_narrower_of_two_is_granted_in_the_context_of_both(
    asked: str, registered: str, given: str | None
) -> None:
    if given is None:
        with pytest.raises(ScopeError, match="None of"):
            granted(parse(asked), parse(registered))
    else:
        assert written(granted(parse(asked), parse(registered))) == given


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("openid patient/*.read", "openid patient/*.read"),
        ("openid patient/*.rs", "openid patient/*.rs"),
        ("openid patient/*.read user/Task.rs", "openid patient/*.rs user/Task.rs"),
        ("patient/Patient.* patient/Task.write", "patient/Patient.* patient/Task.write"),
        ("openid launch", "openid launch"),
    ],
)
def test_who_asks_in_the_words_of_version_1_is_answered_in_them(asked: str, answered: str) -> None:
    assert written_like(parse(asked), asked) == answered
    assert parse(answered) == parse(asked)
