"""Inherited labels guard a note, and are told to whoever sees what it is about (hub.told_labels). Everybody else
gets the note as if that had never been."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from hub.access import Access
from hub.rights.labels import HIV, PART2, PSY, SUD
from hub.rights.part2 import NO_REDISCLOSURE, NOTICE
from hub.store.engine import Database
from hub.store.tables import resource
from tests.hub.asking import Api, entry, observation, patient
from tests.hub.sighted import api_of, caller, labelled, panel, to
from tests.hub.sighted_world import agreed
from tests.hub.smallest import smallest

Ask = Callable[[Api], Any]
NO_OBSERVATIONS = frozenset((kind, letter) for kind in ("Provenance", "Patient", "Task") for letter in "rsu")
ABOUT = {"subject": to("Patient", "seen")}

EXITS: dict[str, Ask] = {
    "read": lambda api: api.get("/Provenance/p"),
    "vread": lambda api: api.get("/Provenance/p/_history/1"),
    "history": lambda api: api.get("/Provenance/p/_history"),
    "history of the type": lambda api: api.get("/Provenance/_history"),
    "history of the system": lambda api: api.get("/_history"),
    "search": lambda api: api.get("/Provenance"),
    "search of a part": lambda api: api.get("/Provenance?_elements=target"),
    "search of all types": lambda api: api.get("/?_type=Provenance"),
    "revinclude": lambda api: api.get("/Patient?_revinclude=Provenance:target"),
    "GET in a batch": lambda api: api.bundle("batch", entry("GET", "Provenance/p")),
    "$meta": lambda api: api.get("/Provenance/p/$meta"),
}


@pytest.fixture
def sees() -> dict[str, Access]:
    free = {"guarded": 0, "never": 0}
    return {
        "reader": caller("reader", **free),
        "auditor": caller("auditor", NO_OBSERVATIONS, own=0, all_patients=True, **free),
        "narrow": caller("narrow", narrowed={"Observation": frozenset((4711,))}, **free),
        "harbor": caller(guarded=PART2 | SUD),
        "plan": caller("plan", NO_OBSERVATIONS, guarded=PART2 | SUD),
        "loader": caller("loader", all_patients=True, **free),
    }


@pytest.fixture
def county(swept: Database, sees: dict[str, Access]) -> Api:
    api = api_of(swept, sees)
    api.have(patient("seen"), panel("seen"))
    return api


def marked(identity: str, *codes: str) -> dict[str, Any]:
    return observation(identity, **ABOUT, meta=labelled(*codes))


def note(*targets: str, identity: str = "p") -> dict[str, Any]:
    about = [to(*target.split("/")) for target in ("Patient/seen", *targets)]
    return smallest("Provenance", identity) | {"target": about}


def codes(api: Api, path: str = "/Provenance/p") -> set[str]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    return {coding["code"] for coding in answer.json["meta"].get("security", ())}


def row_labels(api: Api, identity: str = "p", kind: str = "Provenance") -> int:
    with api.database.read() as connection:
        asked = select(resource.c.labels).where(resource.c.type == kind, resource.c.id == identity)
        return int(connection.execute(asked).scalar_one())


@pytest.mark.parametrize("ask", EXITS.values(), ids=EXITS)
@pytest.mark.parametrize("rises", [False, True], ids=["labelled before", "labelled later"])
def test_a_label_of_what_is_out_of_sight_is_told_by_no_exit(county: Api, ask: Ask, rises: bool) -> None:
    county.have(*([] if rises else [marked("o", "PSY")]), note("Observation/o"))
    if rises:
        county.have(marked("o", "PSY"))
    for name in ("auditor", "narrow"):
        answer = ask(county.as_(name))
        assert answer.status_code == 200, answer.text
        assert "versionId" in answer.text, "the note itself is there"
        assert "PSY" not in answer.text
        assert '"R"' not in answer.text
    assert "PSY" in ask(county.as_("reader")).text
    assert "PSY" in ask(county).text


def test_search_by_label_finds_what_a_resource_is_and_not_what_it_is_about(county: Api) -> None:
    county.have(marked("o", "PSY"), note("Observation/o"), note(identity="q") | {"meta": labelled("PSY")})
    for name in ("auditor", "reader"):
        found = county.as_(name).get("/Provenance?_security=PSY").json
        assert [each["resource"]["id"] for each in found["entry"]] == ["q"]


def test_what_is_there_and_what_never_was_look_alike(county: Api) -> None:
    county.have(marked("there", "PSY", "HIV"))
    answers = []
    for name in ("there", "never"):
        county.have(note(f"Observation/{name}", identity=name))
        answers.append(county.as_("auditor").get(f"/Provenance/{name}").json)
        answers[-1]["meta"].pop("lastUpdated")
    assert json.dumps(answers[0]).replace("there", "never") == json.dumps(answers[1])


def test_it_is_guarded_by_what_it_does_not_tell(county: Api, sees: dict[str, Access]) -> None:
    county.have(marked("o", "HIV"), note("Observation/o"))
    assert "HIV" not in codes(county.as_("auditor"))
    assert row_labels(county) & HIV
    sees["auditor"] = caller("auditor", NO_OBSERVATIONS, own=0, all_patients=True, guarded=HIV)
    assert county.as_("auditor").get("/Provenance/p").status_code == 404


def test_its_own_labels_are_told_to_everybody_and_others_beside_them(county: Api) -> None:
    county.have(marked("o", "PSY"), note("Observation/o") | {"meta": labelled("STD")})
    assert codes(county.as_("auditor")) == {"STD", "R"}
    assert codes(county.as_("reader")) == {"STD", "PSY", "R"}
    county.have(note("Observation/o"))
    assert codes(county.as_("auditor")) == {"STD", "R"}, "labels of its own never fall"


def test_of_several_targets_those_that_are_seen_tell(county: Api) -> None:
    county.have(marked("o", "PSY"), smallest("Task", "t") | {"for": to("Patient", "seen"), "meta": labelled("HIV")})
    county.have(note("Observation/o", "Task/t"))
    assert codes(county.as_("auditor")) == {"HIV", "R"}
    assert codes(county.as_("reader")) == {"HIV", "PSY", "R"}


def test_notes_on_notes_tell_no_more_than_those(county: Api) -> None:
    county.have(marked("o", "PSY"), smallest("Task", "t") | {"for": to("Patient", "seen"), "meta": labelled("HIV")})
    county.have(note("Observation/o", "Task/t", identity="first"))
    county.have(note("Provenance/first", identity="second"))
    county.have(note("Provenance/second", identity="p"))
    county.have(note("Observation/o", "Task/t", "Provenance/p", identity="first"))  # in a circle
    assert row_labels(county) == HIV | PSY
    assert codes(county.as_("auditor")) == {"HIV", "R"}
    assert codes(county.as_("reader")) == {"HIV", "PSY", "R"}


@pytest.mark.parametrize("name", ["loader", "all"])
def test_who_sends_back_what_it_was_shown_gives_no_labels(county: Api, name: str) -> None:
    county.have(marked("o", "PSY"), note("Observation/o") | {"meta": labelled("STD")})
    writer = county.as_(name)
    shown = writer.get("/Provenance/p")
    assert "PSY" in shown.text
    again = writer.put("/Provenance/p", shown.json)
    assert again.headers["ETag"] == 'W/"1"', "an update that changes nothing makes no version"
    changed = writer.put("/Provenance/p", shown.json | {"recorded": "2026-05-06T07:08:09Z"})
    assert changed.headers["ETag"] == 'W/"2"'
    assert "PSY" in writer.get("/Provenance/p").text
    assert codes(county.as_("auditor")) == {"STD", "R"}


def test_a_label_that_somebody_gives_is_its_own(county: Api) -> None:
    county.have(marked("o", "PSY"), note("Observation/o"))
    county.as_("loader").put("/Provenance/p", note("Observation/o") | {"meta": labelled("PSY")})
    assert codes(county.as_("auditor")) == {"PSY", "R"}


def test_deleted_and_made_again_it_has_its_own_labels_still(county: Api) -> None:
    county.have(marked("o", "PSY"), note("Observation/o") | {"meta": labelled("STD")})
    county.ask("DELETE", "/Provenance/p")
    history = county.as_("auditor").get("/Provenance/p/_history").text
    assert "STD" in history
    assert "PSY" not in history
    county.have(note("Observation/o"))
    assert codes(county.as_("auditor")) == {"STD", "R"}
    assert codes(county.as_("auditor"), "/Provenance/p/_history/1") == {"STD", "R"}


def test_an_earlier_version_tells_the_labels_that_its_resource_got_later(county: Api) -> None:
    county.have(marked("o", "PSY"), note("Observation/o"), note("Observation/o") | {"meta": labelled("STD")})
    assert codes(county.as_("auditor"), "/Provenance/p/_history/1") == {"STD", "R"}
    assert codes(county.as_("reader"), "/Provenance/p/_history/1") == {"STD", "PSY", "R"}


# 42 CFR Part 2


@pytest.fixture
def program(county: Api) -> Api:
    county.have(agreed("seen", "42CFRPart2", identity="yes"), marked("o", "42CFRPart2"), note("Observation/o"))
    return county


def test_who_sees_the_record_gets_its_provenance_with_the_notice_and_the_consent(program: Api) -> None:
    found = program.as_("harbor").get("/Provenance/p").text
    assert NO_REDISCLOSURE in found
    assert "Consent/yes" in found
    bundle = program.as_("harbor").get("/Provenance").json
    assert NOTICE in json.dumps(bundle)
    assert "42CFRPart2" in json.dumps(bundle["meta"])


def test_who_does_not_see_it_learns_nothing_of_a_program_or_a_consent(program: Api) -> None:
    """The Bundle, too, and beside a record of a program that is seen."""
    plan = program.as_("plan")
    program.have(smallest("Task", "t") | {"for": to("Patient", "seen"), "meta": labelled("PSY")})
    for path in ("/Provenance/p", "/Provenance", "/Provenance/_history", "/?_type=Provenance,Task"):
        answer = plan.get(path)
        assert "Provenance" in answer.text
        for word in ("42CFRPart2", "SUD", NO_REDISCLOSURE, "Consent/", "42 CFR"):
            assert word not in answer.text, (path, word)
