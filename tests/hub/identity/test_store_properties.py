"""Whatever is written between a merge and its end, and in whatever order merges are taken back: what was not
touched is as it was; and merges at the same moment make no circle."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.identity import former
from hub.identity.merge import sweep
from hub.identity.restoring import restored
from hub.problems import Problem
from hub.store.engine import Database
from tests.hub.asking import Api, observation
from tests.hub.identity_world import contents, county, merged, registry_of, rights, unmerged
from tests.hub.sighted import emptied, to

PEOPLE = ("ann", "anna", "bob")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), st.permutations(PEOPLE).map(lambda each: tuple(each[:2]))),
        st.tuples(st.just("unmerge"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("write"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("touch"), st.sampled_from(PEOPLE)),
    ),
    max_size=8,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_after_all_merges_are_taken_back_everything_is_as_it_was(swept: Database, steps: list[Any]) -> None:
    api = county(emptied(swept))
    registry = registry_of(api.database)
    before, seen = contents(api.database), rights(api.database)
    written: dict[str, str] = {}
    for number, (kind, who) in enumerate(steps):
        if kind == "merge":
            _tried(merged, registry, *who)
        elif kind == "unmerge":
            _tried(unmerged, registry, who)
        elif kind == "write":
            api.have(observation(f"w{number}", subject=to("Patient", who)))
            written[f"w{number}"] = who
        else:
            answer = api.ask("PATCH", f"/Observation/o-{who}", NOTE, Content_Type="application/json-patch+json")
            assert answer.status_code == 200
            written[f"o-{who}"] = who
    for who in PEOPLE * 2:
        _tried(unmerged, registry, who)
    now = contents(api.database)
    for identity, who in written.items():
        assert now[f"Observation/{identity}"][0]["subject"] == to("Patient", who), (identity, steps)
    same = {name for name in before if name.partition("/")[2] not in written}
    assert {name: now[name] for name in same} == {name: before[name] for name in same}, steps
    if not written:
        assert rights(api.database) == seen


NOTE = [{"op": "add", "path": "/note", "value": [{"text": "touched"}]}]


def _tried(work: Any, *given_: str) -> None:
    try:
        work(*given_)
    except Problem as problem:
        if problem.kind not in ("conflict", "not-found"):
            raise


def test_merges_at_the_same_moment_make_no_circle(swept: Database) -> None:
    api = county(swept)
    registry = registry_of(api.database)
    pairs = [("ann", "anna"), ("anna", "bob"), ("bob", "ann"), ("anna", "ann")]

    def work(pair: tuple[str, str]) -> str:
        try:
            return merged(registry, *pair).survivor
        except Problem as problem:
            if problem.kind not in ("conflict", "busy"):
                raise
            return ""

    with ThreadPoolExecutor(4) as pool:
        assert any(pool.map(work, pairs))
    with api.database.read() as connection:
        members = {former.member_of(connection, each) for each in PEOPLE}
        assert all(former.member_of(connection, each) == each for each in members)
    (member,) = members
    assert len(api.found(f"/Observation?subject=Patient/{member}")) == 3


def test_a_writer_that_did_not_know_of_the_merge_is_swept_up(swept: Database) -> None:
    api = county(swept)
    registry = registry_of(api.database)
    stray = observation("stray", subject=to("Patient", "anna"))
    api.have(stray)
    body = contents(api.database)["Observation/stray"]
    merged(registry, "ann", "anna")
    _as_if_unknown(api, "stray", "anna")
    assert "stray" not in api.found("/Observation?subject=Patient/ann")
    assert registry.decide(lambda desk: sweep(desk, "anna")) == 1
    assert "stray" in api.found("/Observation?subject=Patient/ann")
    assert registry.decide(lambda desk: sweep(desk, "anna")) == 0
    unmerged(registry, "anna")
    assert contents(api.database)["Observation/stray"] == body


def _as_if_unknown(api: Api, identity: str, who: str) -> None:
    """Another process wrote it in the moment of the merge: what it says is said of the former Patient."""
    from hub.members import Members

    was = Members.led
    Members.led = lambda self, contents_, held: list(contents_)  # type: ignore[method-assign]
    try:
        api.have(observation(identity, subject=to("Patient", who)))
    finally:
        Members.led = was  # type: ignore[method-assign]


NOW = {"/member/0/entity/reference": "Patient/b", "/member/1/entity/reference": "Patient/b"}
FIRST, SECOND = NOW


@pytest.mark.parametrize(
    ("now", "then", "before", "texts", "lost"),
    [
        (NOW, NOW, {SECOND: "Patient/a"}, {SECOND: "Patient/a"}, ()),
        ({}, {FIRST: "Patient/b"}, {FIRST: "Patient/a"}, {}, ()),
        ({SECOND: "Patient/b"}, {FIRST: "Patient/b"}, {FIRST: "Patient/a"}, {SECOND: "Patient/a"}, ()),
        ({FIRST: "Patient/b"}, NOW, {SECOND: "Patient/a"}, {}, (SECOND,)),
        (NOW, {FIRST: "Patient/b"}, {FIRST: "Patient/a"}, {}, (FIRST,)),
        ({"/for/reference": "Patient/b"}, {"/for/reference": "Patient/b"}, {}, {}, ()),
    ],
)
def test_what_others_edited_is_put_back_only_where_it_is_clear(
    now: Any, then: Any, before: Any, texts: Any, lost: Any
) -> None:
    found = restored(now, then, before)
    assert (found.texts, found.lost) == (texts, lost)
