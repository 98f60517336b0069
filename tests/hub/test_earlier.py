"""Earlier versions of what says only by its targets whose it is: a Provenance, a Task with a focus alone, a Binary.
Who sees the resource now sees no version that was about somebody out of sight (hub.earlier)."""

from typing import Any

import pytest

from hub.store.engine import Database
from tests.hub.asking import Api, observation, patient
from tests.hub.sighted import api_of, caller, labelled, panel, to
from tests.hub.smallest import smallest

TOLD = "ZQ"  # stands in the first version alone


def provenance(target: str) -> dict[str, Any]:
    return smallest("Provenance", "x") | {"target": [{"reference": target}]}


def task(target: str) -> dict[str, Any]:
    made = {"resourceType": "Task", "id": "x", "status": "requested", "intent": "order"}
    return made | {"focus": {"reference": target}}


def binary(target: str) -> dict[str, Any]:
    made = {"resourceType": "Binary", "id": "x", "contentType": "application/x-test"}
    return made | {"securityContext": {"reference": target}}


NOTES = {"Provenance": provenance, "Task": task, "Binary": binary}
EXITS = ["/{kind}/x/_history/1", "/{kind}/x/_history", "/{kind}/_history", "/_history?_count=50"]


@pytest.fixture(params=NOTES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def county(swept: Database) -> Api:
    api = api_of(swept, {"harbor": caller()})
    api.have(*(patient(each) for each in ("seen", "too", "stranger")), panel("seen", "too"))
    for each in ("seen", "too", "stranger"):
        api.have(observation(f"of-{each}", subject=to("Patient", each)))
    return api


def moved(api: Api, kind: str, before: str, after: str) -> None:
    """A version about one record, and one about another."""
    api.have(NOTES[kind](before) | {"language": TOLD})
    api.have(NOTES[kind](after))


def leaves(api: Api, kind: str, exit: str) -> bool:
    answer = api.get(exit.format(kind=kind), Accept="application/fhir+json")
    assert answer.status_code in (200, 404)
    return TOLD in answer.text


@pytest.mark.parametrize("exit", EXITS)
def test_what_was_about_a_stranger_does_not_leave(county: Api, kind: str, exit: str) -> None:
    moved(county, kind, "Observation/of-stranger", "Observation/of-seen")
    assert county.as_("harbor").get(f"/{kind}/x").status_code == 200
    assert not leaves(county.as_("harbor"), kind, exit)
    assert leaves(county, kind, exit)


@pytest.mark.parametrize("exit", EXITS)
def test_what_was_about_another_whom_one_sees_leaves(county: Api, kind: str, exit: str) -> None:
    moved(county, kind, "Observation/of-too", "Observation/of-seen")
    assert leaves(county.as_("harbor"), kind, exit)


@pytest.mark.parametrize("exit", EXITS)
def test_what_was_about_the_same_leaves(county: Api, kind: str, exit: str) -> None:
    moved(county, kind, "Observation/of-seen", "Observation/of-seen")
    assert leaves(county.as_("harbor"), kind, exit)


def test_what_was_about_a_record_that_was_guarded_since_does_not_leave(county: Api, kind: str) -> None:
    county.have(observation("former", subject=to("Patient", "seen")))
    moved(county, kind, "Observation/former", "Observation/of-seen")
    path = f"/{kind}/x/_history/1"
    county.have(observation("former", subject=to("Patient", "seen"), meta=labelled("PSYTHPN")))
    assert county.as_("harbor").get(f"/{kind}/x").status_code == 200
    assert not leaves(county.as_("harbor"), kind, path)


def test_what_was_about_nothing_that_is_here_does_not_leave(county: Api, kind: str) -> None:
    county.have(NOTES[kind]("Observation/nowhere") | {"language": TOLD})
    county.have(NOTES[kind]("Observation/of-seen"))
    assert not leaves(county.as_("harbor"), kind, f"/{kind}/x/_history/1")


@pytest.mark.parametrize("kind", ["Task", "Binary"])
def test_what_was_about_nobody_known_does_not_leave(county: Api, kind: str) -> None:
    """Who wrote it alone saw it then."""
    first = {name: value for name, value in NOTES[kind]("").items() if name not in ("focus", "securityContext")}
    county.have(first | {"language": TOLD})
    county.have(NOTES[kind]("Observation/of-seen"))
    assert county.as_("harbor").get(f"/{kind}/x").status_code == 200
    assert not leaves(county.as_("harbor"), kind, f"/{kind}/x/_history/1")


def test_it_leaves_for_whose_own_it_is(county: Api) -> None:
    first = {name: value for name, value in task("").items() if name not in ("focus", "id")}
    made = county.as_("harbor").post("/Task", first | {"language": TOLD})
    assert made.status_code == 201, made.text
    path = f"/Task/{made.json['id']}"
    now = task("Observation/of-seen") | {"id": made.json["id"]}
    assert county.as_("harbor").put(path, now).status_code == 200
    assert leaves(county.as_("harbor"), "Task", f"{path}/_history/1")
