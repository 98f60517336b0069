"""Laws of scopes: read and written they are the same, and never more is granted than was registered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.scopes import LETTERS, Scope, ScopeError, granted, grants, parse, written
from hub.access import Access

TYPES = ("Patient", "Task", "ServiceRequest", "CarePlan")
ELSEWHERE = "Observation"  # named by no scope: only a wildcard covers it

letters = st.sets(st.sampled_from(LETTERS), min_size=1).map(lambda some: "".join(c for c in LETTERS if c in some))
scope = st.builds(Scope, st.sampled_from(("*", *TYPES)), letters)
scope_lists = st.lists(scope, min_size=1, max_size=6).map(tuple)


def covered(scopes: tuple[Scope, ...]) -> set[tuple[str, str]]:
    """Every (type, letter) that these scopes let through, asked of each scope alone."""
    return {
        (resource, letter)
        for resource in (*TYPES, ELSEWHERE)
        for letter in LETTERS
        for one in scopes
        if letter in one.letters and one.resource in (resource, "*")
    }


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
    assert covered(given_or_nothing(requested, registered)) == covered(requested) & covered(registered)


@given(scope_lists, scope_lists)
def test_granting_again_changes_nothing(requested: tuple[Scope, ...], registered: tuple[Scope, ...]) -> None:
    once = given_or_nothing(requested, registered)
    if once:
        assert granted(once, registered) == once


@given(scope_lists)
def test_access_allows_what_the_scopes_cover_and_nothing_else(scopes: tuple[Scope, ...]) -> None:
    access = Access("ehr", grants(scopes))
    interaction = {"c": "create", "r": "read", "u": "update", "d": "delete", "s": "search-type"}
    allowed = {
        (resource, letter)
        for resource in (*TYPES, ELSEWHERE)
        for letter in LETTERS
        if access.may(interaction[letter], resource)
    }
    assert allowed == covered(scopes)


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
        ("patient/Patient.r", "not for a backend"),
        ("system/Task.r user/Patient.r", "Scope 2 is not for a backend"),
        ("system/Observation.rs?category=laboratory", "granular"),
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
        ("openid", "in that order"),
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
