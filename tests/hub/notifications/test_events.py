"""From changes to outbox rows."""

from typing import Any

import pytest

from hub.fhir import json
from hub.notifications.events import effects
from hub.notifications.topics import ADMISSION, CANCEL, DISCHARGE, TRANSFER
from hub.transactions import Change
from tests.hub.notifications.conftest import encounter, wanted


def change(before: dict[str, Any] | None, now: dict[str, Any] | None, kind: str = "Encounter") -> Change:
    return Change(kind, "x-1", 3, before, now, 1_000, "client-lantern")


def rows(one: Change) -> list[dict[str, Any]]:
    return [dict(row) for row in effects([one])]


def in_state(status: str | None) -> dict[str, Any] | None:
    return encounter(status=status) if status else None


@pytest.mark.parametrize(
    ("before", "now", "topics"),
    [
        (None, "in-progress", [ADMISSION]),
        (None, "arrived", [ADMISSION]),
        ("planned", "in-progress", [ADMISSION]),
        ("arrived", "in-progress", []),
        ("in-progress", "in-progress", []),
        ("onleave", "in-progress", []),
        (None, "planned", []),
        ("in-progress", "finished", [DISCHARGE]),
        (None, "finished", [DISCHARGE]),
        ("finished", "finished", []),
        ("planned", "cancelled", []),
        ("in-progress", "entered-in-error", [CANCEL]),
        ("in-progress", "cancelled", [CANCEL]),
        ("finished", "cancelled", [CANCEL]),
        ("finished", "in-progress", [CANCEL]),
        ("cancelled", "in-progress", [ADMISSION]),
        ("planned", "entered-in-error", []),
        ("in-progress", None, []),
    ],
)
def test_a_status_that_begins_or_ends_a_stay_is_an_event(
    before: str | None, now: str | None, topics: list[str]
) -> None:
    found = rows(change(in_state(before), in_state(now)))
    assert [json.stored(row["payload"])["topic"] for row in found] == topics


@pytest.mark.parametrize(
    ("before", "now", "topics"),
    [
        ("AMB", "IMP", [ADMISSION]),
        ("R", "IMP", [ADMISSION]),
        ("EMER", "IMP", [ADMISSION]),
        ("OBSENC", "ACUTE", [ADMISSION]),
        ("IMP", "ACUTE", []),
        ("IMP", "EMER", []),
        ("AMB", "HH", []),
        ("AMB", "R", []),
        ("IMP", "AMB", []),
    ],
)
def test_who_becomes_an_inpatient_is_admitted(before: str, now: str, topics: list[str]) -> None:
    stays = (encounter() | {"class": {"code": code}} for code in (before, now))
    assert [json.stored(row["payload"])["topic"] for row in rows(change(*stays))] == topics


@pytest.mark.parametrize(
    ("before", "now", "topics"),
    [
        (["ICU 1"], ["WARD 2"], [TRANSFER]),
        (["ICU 1"], ["ICU 1"], []),
        ([], ["ICU 1"], []),
        (["ICU 1"], [], []),
    ],
)
def test_another_place_is_a_transfer(before: list[str], now: list[str], topics: list[str]) -> None:
    gone = {"location": {"display": "ED 4"}, "status": "completed"}
    stays = (
        encounter() | {"location": [gone, *({"location": {"display": at}, "status": "active"} for at in places)]}
        for places in (before, now)
    )
    assert [json.stored(row["payload"])["topic"] for row in rows(change(*stays))] == topics


def test_nobody_is_told_of_a_clinic_visit_that_was_cancelled() -> None:
    visits = (encounter(status=status) | {"class": {"code": "AMB"}} for status in ("in-progress", "cancelled"))
    assert rows(change(*visits)) == []


def test_an_event_row_names_its_topic_resource_and_version_once() -> None:
    (row,) = rows(change(None, encounter()))
    assert row["kind"] == "event"
    assert row["key"] == f"{ADMISSION}|Encounter/x-1|3"
    assert row["line"] == "Encounter/x-1"
    assert row["due"] == row["created"] == 1_000
    expected = {"topic": ADMISSION, "type": "Encounter", "id": "x-1", "version": 3, "at": 1_000}
    assert json.stored(row["payload"]) == expected


def test_other_types_make_no_event() -> None:
    assert rows(change(None, {"resourceType": "Task", "status": "in-progress"}, "Task")) == []


def test_a_requested_subscription_makes_a_handshake_for_who_asked() -> None:
    (row,) = rows(change(None, wanted("https://receiver.example.org/"), "Subscription"))
    assert (row["kind"], row["key"], row["line"]) == ("handshake", "x-1|3", "x-1")
    assert json.stored(row["payload"]) == {"subscription": "x-1", "version": 3, "owner": "client-lantern"}


@pytest.mark.parametrize("status", ["off", "active", "error", None])
def test_a_subscription_in_another_status_makes_none(status: str | None) -> None:
    now = wanted("https://receiver.example.org/", status=status) if status else None
    assert rows(change(None, now, "Subscription")) == []
