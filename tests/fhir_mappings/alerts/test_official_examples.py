"""The guide's own messages are taken. They are in its package, which a stranger does not have: then this rests."""

import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conformance.validation import structure
from fhir_mappings.adt.facilities import Facilities
from fhir_mappings.adt.records import CWE, given
from fhir_mappings.alerts.notification_adt import adt_message
from hub.fhir import json
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, TABLES

PACKAGE = Path("/work/shared/packages/BUILT-hl7.fhir.us.davinci-alerts-1.1.0.tgz")
pytestmark = pytest.mark.skipif(not PACKAGE.is_file(), reason="the guide's package is not here")
ROW = {
    "facility": "HOLY",
    "name": "HOLY FAMILY HOSPITAL",
    "mrn_system": "http://example.org/fhir/mrn",
    "visit_system": "http://example.org",
    "time_zone": "America/New_York",
}
EXAMPLES = {
    "admit-notification-message-bundle-01": "A04",
    "admit-notification-message-bundle-02": "A04",
    "discharge-notification-message-bundle-01": "A03",
    "transfer-notification-message-bundle-01": "A02",
    "admit-notification-intermediate-transmit-bundle": "A04",
    "admit-notification-intermediate-translate-bundle": "A04",
}


@cache
def example(name: str) -> dict[str, Any]:
    with tarfile.open(PACKAGE) as package:
        found = package.extractfile(f"package/{name}.json")
        assert found is not None
        return json.read(found.read())


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_says_what_happened(name: str) -> None:
    found = adt_message(json.write(example(name)), Facilities.load([ROW]).of("HOLY"), CIN_SYSTEM, TABLES)
    assert found.event == EXAMPLES[name]
    assert [(one.id, one.type) for one in given(found.patient.identifiers) or ()] == [
        ("06e1f0dd-5fbe-4480-9bb4-6b54ec02d31b", "MR")
    ]
    names = given(found.patient.names) or ()
    assert [one.family for one in names] == ["Halvorson124"]
    assert (found.visit.location, found.event_facility[:1]) == (None, ("9941339100",))
    assert given(found.visit.patient_class) == CWE("E" if found.event == "A04" else "I")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_valid_by_the_base(name: str) -> None:
    assert structure.validate(example(name), "Bundle") == []
