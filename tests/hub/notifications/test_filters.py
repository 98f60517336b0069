"""What narrows a topic: pure."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.clock import micros
from hub.notifications.filters import conditions, holds
from hub.notifications.rosters import Roster
from hub.notifications.topics import ADMISSION, TOPICS
from tests.hub.notifications.conftest import encounter

NOW = micros(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))
NOBODY: frozenset[str] = frozenset()


def told(text: str, panels: frozenset[str] = NOBODY) -> bool:
    return holds(conditions(TOPICS[ADMISSION], text), encounter(), panels)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Encounter?patient=Patient/pat-1", True),
        ("Encounter?patient=pat-1", True),
        ("Encounter?patient=Patient/pat-0,Patient/pat-1", True),
        ("Encounter?patient=Patient/pat-2", False),
        ("Encounter?subject=Patient/pat-1", True),
        ("Encounter?subject=Group/pat-1", False),
        ("Encounter?class=IMP", True),
        ("Encounter?class=EMER,IMP", True),
        ("Encounter?class=http://terminology.hl7.org/CodeSystem/v3-ActCode|IMP", True),
        ("Encounter?class=http://other.example|IMP", False),
        ("Encounter?class=EMER", False),
        ("Encounter?class=IMP&patient=Patient/pat-2", False),
        ("Encounter?class=EMER&patient=Patient/pat-1", False),
        ("Encounter?panel=Group/a", False),
    ],
)
def test_filters_narrow(text: str, expected: bool) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Encounter?panel=Group/a", True),
        ("Encounter?panel=Group/b,Group/a", True),
        ("Encounter?panel=Group/b", False),
        ("Encounter?panel=Group/a&panel=Group/b", False),
        ("Encounter?panel=Group/a&class=EMER", False),
    ],
)
def test_panels_narrow(text: str, expected: bool) -> None:
    assert told(text, frozenset(["a"])) == expected


def group(*members: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"resourceType": "Group", "id": "panel-1", "member": list(members), **changes}


def member(patient: str = "Patient/pat-1", **changes: Any) -> dict[str, Any]:
    return {"entity": {"reference": patient}, **changes}


@pytest.mark.parametrize(
    ("panel", "expected"),
    [
        (group(member("Patient/pat-0"), member()), True),
        (group(member(inactive=False)), True),
        (group(member(), active=True), True),
        (group(member(period={})), True),
        (group(member(period={"start": "2026-11-22"})), True),
        (group(member(period={"end": "2026-11-22"})), True),
        (group(member(period={"start": "2026-01-01", "end": "2027"})), True),
        (group(member(period={"end": "2026-11-22T08:00:01Z"})), True),
        (group(member(period={"end": "2020-01-01"}), member()), True),
        (group(), False),
        (group(member("Patient/pat-0")), False),
        (group(member("Device/pat-1")), False),
        (group(member(inactive=True)), False),
        (group(member(), active=False), False),
        (group(member(period={"end": "2026-11-21"})), False),
        (group(member(period={"end": "2026-11-22T07:59:59Z"})), False),
        (group(member(period={"start": "2026-11-23"})), False),
        (group(member(inactive=True, period={"end": "2027"})), False),
        (group({"entity": {"display": "nobody in particular"}}), False),
    ],
)
def test_a_panel_has_the_members_that_are_active_now(panel: dict[str, Any], expected: bool) -> None:
    assert Roster(panel).holds("pat-1", NOW) == expected
