"""Attempts of outreach: what each says, and what a client has to say."""

from typing import Any

import pytest

from hub.ecm.attempts import Attempt, attempt_of
from hub.ecm.terms import PARTICIPATION_MODE, STAFF, STAFF_EXTENSION, TIME_EXTENSION
from hub.fhir.systems import ACT_CODE
from hub.problems import Problem
from hub.transactions import single
from tests.hub.ecm.world import ECM, OTHER, SYSTEM, World, message, method, to, visit

UCUM = "http://unitsofmeasure.org"


def medium(*codes: str) -> dict[str, Any]:
    return {"extension": [], "medium": [{"coding": [{"system": PARTICIPATION_MODE, "code": c}]} for c in codes]}


def acted(code: str) -> dict[str, Any]:
    return {"class": {"system": ACT_CODE, "code": code}}


def took(value: float, code: str, system: str = UCUM) -> dict[str, Any]:
    return {"value": value, "code": code, "system": system}


@pytest.mark.parametrize(
    ("resource", "met"),
    [
        (visit(), True),
        (visit(status="in-progress"), True),
        (message(), False),
        (message(status="completed"), False),
        (message(status="unknown"), None),
        (message(status="in-progress"), None),
    ],
)
def test_whether_somebody_was_met_is_the_type_and_the_status(resource: dict[str, Any], met: bool | None) -> None:
    found = attempt_of(resource)
    assert found is not None
    assert found.met is met


@pytest.mark.parametrize(
    "resource",
    [
        visit(status="planned"),
        visit(status="cancelled"),
        visit(status="entered-in-error"),
        message(status="preparation"),
        message(status="entered-in-error"),
        visit(type=[{"text": "A visit"}]),
        message(category=[]),
        {"resourceType": "Task", "status": "completed"},
    ],
)
def test_what_is_no_attempt(resource: dict[str, Any]) -> None:
    assert attempt_of(resource) is None


@pytest.mark.parametrize(
    ("resource", "word"),
    [
        (visit(), "in-person"),
        (visit(**acted("HH")), "in-person"),
        (visit(**acted("VR")), ""),  # a telephone, or a screen
        (visit(**acted("VR"), **method("telephonic")), "telephonic"),
        (message(**medium("PHONE")), "telephonic"),
        (message(**medium("EMAILWRIT")), "electronic"),
        (message(**medium("EMAILWRIT", "ONLINEWRIT")), "electronic"),
        (message(**medium("MAILWRIT")), ""),  # a letter is none of the three
        (message(**medium("VIDEOCONF")), ""),
        (message(**medium("PHONE", "EMAILWRIT")), ""),
        (message(**medium()), ""),
        (message(**method("by-drone")), "by-drone"),
    ],
)
def test_a_method_is_said_or_leaves_no_choice(resource: dict[str, Any], word: str) -> None:
    found = attempt_of(resource)
    assert found is not None
    assert found.method == word


@pytest.mark.parametrize(
    ("length", "minutes"),
    [
        (took(40, "min"), 40),
        (took(1.5, "h"), 90),
        (took(90, "s"), 2),
        (took(1, "d"), None),
        (took(4, "min", "x"), None),
    ],
)
def test_time_is_told_in_minutes(length: dict[str, Any], minutes: int | None) -> None:
    by_message = message(extension=[{"url": TIME_EXTENSION, "valueDuration": length}])
    assert [found.minutes for one in (visit(length=length), by_message) if (found := attempt_of(one))] == [
        minutes
    ] * 2


def test_all_that_an_attempt_says() -> None:
    staff = {"url": STAFF_EXTENSION, "valueCoding": {"system": STAFF, "code": "clinical"}}
    said = visit(length=took(30, "min"), extension=[staff], period={"start": "2026-07-01T23:30:00-07:00"})
    assert attempt_of(said) == Attempt("2026-07-01", "in-person", True, 30, "clinical", "Organization/ecm")


@pytest.mark.parametrize(
    ("resource", "where"),
    [
        (message(**medium("MAILWRIT")), "Communication.extension"),
        (visit(**acted("VR")), "Encounter.extension"),
        (message(**method("by-drone")), "Communication.extension"),
        (message(sent="2026-07"), "Communication.sent"),
        (message(sent="2026-07-07"), "Communication.sent"),
        (visit(period={"start": "2026-07-09"}), "Encounter.period"),
        (message(sender=to("Practitioner", "lead")), "Communication.sender"),
        (message(sender=to("Organization", "other")), "Communication.sender"),
        (visit(serviceProvider=to("Organization", "other")), "Encounter.serviceProvider"),
        (visit(length=took(1, "d")), "Encounter.length"),
        (
            visit(extension=[{"url": STAFF_EXTENSION, "valueCoding": {"system": STAFF, "code": "a robot"}}]),
            "Encounter.extension",
        ),
    ],
)
def test_a_client_says_when_how_and_for_whom(world: World, resource: dict[str, Any], where: str) -> None:
    with pytest.raises(Problem) as error:
        world.post(ECM, resource)
    assert (error.value.status, [one.where for one in error.value.issues]) == (422, [where])
    world.post(SYSTEM, resource)  # a file says what it knows


def test_what_one_provider_did_another_does_not_change(world: World) -> None:
    made = world.post(ECM, message())
    theirs = {**world.read("Communication", made), "sender": to("Organization", "other")}
    with pytest.raises(Problem) as error:
        world.put(OTHER, theirs)
    assert error.value.status == 422
    with pytest.raises(Problem):
        world.writes.commit([single("DELETE", "Communication", id=made)], OTHER)
    world.put(ECM, {**world.read("Communication", made), "status": "entered-in-error"})


def test_other_encounters_and_communications_keep_no_such_rule(world: World) -> None:
    world.post(OTHER, visit(type=[{"text": "A visit"}], **acted("VR")))
    world.post(OTHER, message(category=[{"text": "A letter"}], **medium("MAILWRIT")))
