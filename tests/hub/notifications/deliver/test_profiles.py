"""Every kind of Bundle and status holds the guide's own profiles, and so does the Subscription.

The guide's package is in the shared folder, which a stranger does not have: then this says so and rests.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conformance.packages.catalog import Catalog
from conformance.profiles.terms import LibraryCodes
from conformance.profiles.validate import Validator
from conformance.terminology.load import library
from hub.fhir import json
from hub.notifications.bundles import NOTIFICATION, STATUS
from hub.notifications.subscriptions import BACKPORT
from tests.hub.notifications.conftest import SmallHub
from tests.hub.notifications.deliver.test_channels import beat
from tests.hub.sighted import api_of

PACKAGE = Path("/work/shared/packages/BUILT-hl7.fhir.uv.subscriptions-backport-1.1.0.tgz")
here = pytest.mark.skipif(not PACKAGE.is_file(), reason="the guide's package is not here")


@cache
def validator() -> Validator:
    catalog = Catalog.of_files([PACKAGE])
    return Validator(catalog, LibraryCodes(library(catalog)))


def faults(resource: dict[str, Any], profile: str) -> list[str]:
    found = validator().validate(resource, profile)
    assert not any("No loaded package has the profile" in one.message for one in found if BACKPORT in one.message)
    return [f"{one.where}: {one.message}" for one in found if one.severity in ("error", "fatal")]


@here
def test_the_profiles_are_there() -> None:
    """Else everything would hold them."""
    assert faults({"resourceType": "Bundle", "type": "history", "entry": []}, NOTIFICATION) != []


@here
@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
def test_handshakes_notices_and_heartbeats_hold_the_profiles(hub: SmallHub, content: str) -> None:
    hub.subscribe(content=content, heartbeat=60, most=5)
    hub.admit()
    hub.drive()
    hub.wait(minutes=3)
    beat(hub)
    kinds = []
    for got in hub.receiver.received:
        kinds.append(got.parameters["type"])
        assert faults(got.bundle, NOTIFICATION) == []
        assert faults(got.bundle["entry"][0]["resource"], STATUS) == []
        assert got.bundle["entry"][0]["request"]["url"].endswith("/Subscription/sub-1/$status")
    assert kinds == ["handshake", "event-notification", "heartbeat"]


@here
def test_what_the_operations_answer_holds_the_profiles(hub: SmallHub) -> None:
    hub.subscribe(filters=("Encounter?class=IMP",))
    hub.admit()
    hub.drive()
    api = api_of(hub.database, {})
    events = json.read(api.get("/Subscription/sub-1/$events").data)
    assert faults(events, NOTIFICATION) == []
    for where in ("/Subscription/$status", "/Subscription/sub-1/$status"):
        (entry,) = json.read(api.get(where).data)["entry"]
        assert faults(entry["resource"], STATUS) == []
    asked = json.read(api.get("/Subscription/sub-1").data)
    assert faults(asked, f"{BACKPORT}backport-subscription") == []
    assert asked["status"] == "active"


def test_an_empty_notice_names_no_topic_and_the_others_do(hub: SmallHub) -> None:
    for number, content in enumerate(("empty", "id-only", "full-resource"), 1):
        hub.subscribe(f"sub-{number}", content=content)
    hub.admit()
    hub.drive()
    named = {
        got.parameters["subscription"]["reference"][-1]: "topic" in got.parameters for got in hub.receiver.received
    }
    assert named == {"1": False, "2": True, "3": True}
