"""The message channel: a stay's events as Da Vinci Alerts messages, sent to a real receiver."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from adapters.alerts.assembly import notices_out
from conformance.packages.catalog import Catalog
from conformance.profiles.terms import LibraryCodes
from conformance.profiles.validate import Validator
from conformance.terminology.load import library
from conformance.validation import structure
from fhir_mappings.alerts.events import NOTIFICATION_EVENT, V2_EVENT
from fhir_mappings.alerts.message import notification
from hub.access import Access
from hub.notifications.messages import Messages
from hub.notifications.subscriptions import Served, issues
from hub.notifications.topics import ADMISSION, CANCEL, DISCHARGE, TRANSFER
from hub.settings import read_settings
from hub.sight import ALL
from tests.hub.notifications.conftest import BASE, CLIENT, Received, SmallHub, wanted

FOLDER = Path("/work/shared/packages")
PACKAGES = [FOLDER / name for name in ("BUILT-hl7.fhir.us.davinci-alerts-1.1.0.tgz", "hl7.fhir.us.core-6.1.0.tgz")]
here = pytest.mark.skipif(not all(one.is_file() for one in PACKAGES), reason="the guide's package is not here")
ALERTS = "http://hl7.org/fhir/us/davinci-alerts/StructureDefinition/"
NPI = "http://hl7.org/fhir/sid/us-npi"
FINISHED = {
    "status": "finished",
    "period": {"start": "2026-11-22T08:15:00-08:00", "end": "2026-11-23T10:00:00-08:00"},
}
ELSEWHERE = {"location": [{"location": {"reference": "Location/icu"}, "status": "active"}]}


def stay(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": "enc-1",
        "identifier": [{"system": "https://smc.example/id/visit", "value": "V1"}],
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "type": [{"text": "Inpatient stay"}],
        "subject": {"reference": "Patient/pat-1"},
        "participant": [
            {"individual": {"reference": "Practitioner/doc", "display": "Dr. Birch"}},
            {"individual": {"type": "Practitioner", "display": "Nobody's number"}},
        ],
        "period": {"start": "2026-11-22T08:15:00-08:00"},
        "diagnosis": [{"condition": {"reference": f"Condition/{name}"}} for name in ("pain", "gone")],
        "location": [{"location": {"reference": "Location/4w"}, "status": "active"}],
        "serviceProvider": {"reference": "Organization/smc", "display": "Sample Hospital"},
        **more,
    }


OTHERS: tuple[dict[str, Any], ...] = (
    {
        "resourceType": "Patient",
        "id": "pat-1",
        "identifier": [{"system": "https://smc.example/id/mrn", "value": "1"}],
        "name": [{"family": "Testperson-Alder", "given": ["Robin"]}],
        "gender": "female",
        "birthDate": "1980-02-15",
        "link": [{"other": {"reference": "Patient/pat-2"}, "type": "seealso"}],
    },
    {"resourceType": "Patient", "id": "pat-2", "name": [{"family": "Another"}]},
    {
        "resourceType": "Condition",
        "id": "pain",
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-category",
                        "code": "encounter-diagnosis",
                    }
                ]
            }
        ],
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "R07.9"}],
            "text": "Chest pain",
        },
        "subject": {"reference": "Patient/pat-1"},
        "encounter": {"reference": "Encounter/enc-1"},
    },
    {
        "resourceType": "Practitioner",
        "id": "doc",
        "identifier": [{"system": NPI, "value": "1234567893"}],
        "name": [{"family": "Testdoctor-Birch", "given": ["Pat"]}],
    },
    {
        "resourceType": "Organization",
        "id": "smc",
        "identifier": [{"system": NPI, "value": "1234567893"}],
        "active": True,
        "name": "Sample Hospital SMC",
    },
    {"resourceType": "Location", "id": "4w", "name": "4W"},
    {"resourceType": "Location", "id": "icu", "name": "ICU"},
)


class Hub(SmallHub):
    """It sends messages, too. What is in `unseen` (Type/id) the client may not see."""

    unseen: frozenset[str] = frozenset()

    def begin(self) -> None:
        settings = read_settings({"HUB_BASE_URL": BASE.removesuffix("/fhir")})
        messages = Messages(self.database, self.access_of, BASE, notices_out(settings))
        self.deliveries = replace(self.deliveries, messages=messages)
        self.handlers |= self.deliveries.handlers()
        for resource in OTHERS:
            self.put(resource)

    def access_of(self, client: str) -> Access | None:
        hidden = {name.partition("/")[0] for name in self.unseen}
        letters = frozenset((kind, "r") for kind in ("Encounter", *(r["resourceType"] for r in OTHERS)))
        return Access(
            client, frozenset((kind, one) for kind, one in letters if kind not in hidden), "plan", sight=ALL
        )

    def told(self) -> list[Received]:
        return self.receiver.received

    def message(self) -> dict[str, Any]:
        (got,) = self.told()
        return got.bundle


@pytest.fixture
def hub(hub: SmallHub) -> Iterator[Hub]:
    made = Hub(hub.database, hub.receiver)
    made.begin()
    return made


def subscribed(hub: Hub, topic: str, **more: Any) -> None:
    hub.subscribe(topic=topic, channel="message", content="full-resource", **more)
    assert hub.get("Subscription", "sub-1")["status"] == "active"
    assert hub.told() == []  # a message greets nobody


def happened(hub: Hub, topic: str) -> None:
    changes: dict[str, list[dict[str, Any]]] = {
        ADMISSION: [{}],
        DISCHARGE: [FINISHED],
        TRANSFER: [{}, ELSEWHERE],
        CANCEL: [{}, {"status": "entered-in-error"}],
    }
    for change in changes[topic]:
        hub.put(stay(**change))
        hub.wait(seconds=1)
    hub.drive()


def by_type(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}


CODES = {
    ADMISSION: (NOTIFICATION_EVENT, "notification-admit"),
    DISCHARGE: (NOTIFICATION_EVENT, "notification-discharge"),
    TRANSFER: (NOTIFICATION_EVENT, "notification-transfer"),
    CANCEL: (V2_EVENT, "A11"),
}


@pytest.mark.parametrize("topic", CODES)
def test_each_topic_of_a_stay_is_a_message_with_its_event(hub: Hub, topic: str) -> None:
    subscribed(hub, topic)
    happened(hub, topic)
    bundle = hub.message()
    header = bundle["entry"][0]["resource"]
    assert (bundle["type"], header["resourceType"]) == ("message", "MessageHeader")
    assert (header["eventCoding"]["system"], header["eventCoding"]["code"]) == CODES[topic]
    assert header["focus"] == [{"reference": f"{BASE}/Encounter/enc-1"}]
    assert header["responsible"] == {"reference": f"{BASE}/Organization/smc"}
    assert header["source"]["endpoint"] == BASE
    assert structure.validate(bundle, "Bundle") == []


def test_a_discharge_that_is_taken_back_is_one(hub: Hub) -> None:
    subscribed(hub, CANCEL)
    hub.put(stay(**FINISHED))
    hub.wait(seconds=1)
    hub.put(stay())
    hub.drive()
    assert by_type(hub.message())["MessageHeader"]["eventCoding"]["code"] == "A13"


def test_all_that_it_refers_to_is_in_it(hub: Hub) -> None:
    subscribed(hub, ADMISSION)
    happened(hub, ADMISSION)
    bundle = hub.message()
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    names = sorted(url.removeprefix(f"{BASE}/") for url in urls if url.startswith(BASE))
    assert names == [
        *("Condition/pain", "Encounter/enc-1", "Location/4w", "Organization/smc", "Patient/pat-1"),
        "Practitioner/doc",
    ]
    for reference in _references(bundle):
        assert reference in urls or f"{BASE}/{reference}" in urls, reference
    encounter = by_type(bundle)["Encounter"]
    assert [row["condition"]["reference"] for row in encounter["diagnosis"]] == ["Condition/pain"]
    assert [row["individual"]["reference"] for row in encounter["participant"]] == ["Practitioner/doc"]
    assert "link" not in by_type(bundle)["Patient"]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _references(each)


@cache
def validator() -> Validator:
    catalog = Catalog.of_files(PACKAGES)
    return Validator(catalog, LibraryCodes(library(catalog)))


@here
@pytest.mark.parametrize("topic", CODES)
def test_the_message_holds_the_guides_profiles(hub: Hub, topic: str) -> None:
    subscribed(hub, topic)
    happened(hub, topic)
    bundle = hub.message()
    found = validator().validate(bundle, f"{ALERTS}notifications-bundle")
    assert [f"{one.where}: {one.message}" for one in found if one.severity in ("error", "fatal")] == []
    for kind, name in (("Encounter", "adt-notification-encounter"), ("Condition", "adt-notification-condition")):
        resource = by_type(bundle)[kind]
        assert f"{ALERTS}{name}" in resource["meta"]["profile"]
        faults = [one for one in validator().validate(resource, f"{ALERTS}{name}") if one.severity == "error"]
        assert [f"{one.where}: {one.message}" for one in faults] == []


@here
def test_the_profiles_are_there() -> None:
    """Else everything would hold them."""
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": []}
    assert [one for one in validator().validate(bundle, f"{ALERTS}notifications-bundle") if one.severity == "error"]


def test_what_the_client_may_not_see_is_left_out(hub: Hub) -> None:
    subscribed(hub, ADMISSION)
    hub.unseen = frozenset(("Condition", "Practitioner"))
    happened(hub, ADMISSION)
    bundle = hub.message()
    assert not {"Condition", "Practitioner"} & by_type(bundle).keys()
    assert not {"diagnosis", "participant"} & by_type(bundle)["Encounter"].keys()
    assert not any(name.startswith(("Condition/", "Practitioner/")) for name in _references(bundle))


def test_without_the_patient_nothing_is_told(hub: Hub) -> None:
    subscribed(hub, ADMISSION)
    hub.unseen = frozenset(("Patient",))
    happened(hub, ADMISSION)
    assert hub.told() == []
    assert [row.reason for row in hub.rows("done")] == ["The owner may not see this (any more)"]


def test_a_client_that_was_disabled_is_told_nothing(hub: Hub) -> None:
    subscribed(hub, ADMISSION)
    hub.put(stay())
    hub.drive("event")
    hub.denied.add(CLIENT.who)
    hub.drive()
    assert hub.told() == []


def test_each_try_is_the_same_message(hub: Hub) -> None:
    subscribed(hub, ADMISSION)
    hub.receiver.answers = [503, 503, 202]
    happened(hub, ADMISSION)
    for _ in range(2):
        hub.wait(minutes=1)
        hub.drive()
    bodies = {got.body for got in hub.told()}
    assert (len(hub.told()), len(bodies)) == (3, 1)
    assert hub.rows("done")[-1].attempts == 3


def test_all_that_leaves_is_recorded_before_it_does(hub: Hub) -> None:
    recorded: list[str] = []

    def tell(asked: Any, owner: str, event: Any) -> None:
        assert hub.told() == []
        recorded.append(f"{event.type}/{event.id}" if event else "")

    hub.deliveries = replace(hub.deliveries, tell=tell)
    hub.handlers |= hub.deliveries.handlers()
    subscribed(hub, ADMISSION)
    happened(hub, ADMISSION)
    held = [entry["fullUrl"].removeprefix(f"{BASE}/") for entry in hub.message()["entry"][1:]]
    assert sorted(recorded) == sorted(held)


def test_header_lines_and_signature_go_along(hub: Hub) -> None:
    subscribed(hub, ADMISSION, header=("Authorization: Bearer invented",))
    happened(hub, ADMISSION)
    (got,) = hub.told()
    assert got.headers["authorization"] == "Bearer invented"
    assert got.headers["content-type"] == "application/fhir+json"


GOOD = {"topic": ADMISSION, "channel": "message", "content": "full-resource"}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"topic": "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Task"}, "criteria"),
        ({"content": "id-only"}, "channel.payload.extension"),
        ({"content": "empty"}, "channel.payload.extension"),
        ({"most": 5}, "channel.extension"),
        ({"heartbeat": 60}, "channel.extension"),
        ({"endpoint": "http://receiver.example.org/$process-message"}, "channel.endpoint"),
        ({"endpoint": "https://127.0.0.1/$process-message"}, "channel.endpoint"),
    ],
)
def test_what_no_message_can_tell_is_refused(change: dict[str, Any], where: str) -> None:
    asked = {"endpoint": "https://receiver.example.org/fhir/$process-message"} | GOOD
    assert issues(wanted(**asked), Served()) == []
    found = issues(wanted(**(asked | change)), Served())
    assert [(one.kind, one.where) for one in found] == [("business-rule", f"Subscription.{where}")]


def test_without_a_builder_nothing_is_sent(hub: Hub) -> None:
    subscribed(hub, ADMISSION)
    hub.deliveries = replace(hub.deliveries, messages=None)
    hub.handlers |= hub.deliveries.handlers()
    happened(hub, ADMISSION)
    assert hub.told() == []


def test_another_hub_could_take_it(hub: Hub) -> None:
    subscribed(hub, ADMISSION)
    happened(hub, ADMISSION)
    told = notification(hub.message())
    assert (told.event, told.encounter["id"], told.patient["id"]) == ("A01", "enc-1", "pat-1")
    assert [one["id"] for one in told.entries.of_type("Condition")] == ["pain"]
