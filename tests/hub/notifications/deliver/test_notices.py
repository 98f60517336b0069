"""What a notice says, and to whom it is signed."""

import json as plain_json

import pytest
from fhir.resources.R4B.bundle import Bundle
from standardwebhooks import WebhookVerificationError

from hub.access import Access
from hub.notifications.subscriptions import BACKPORT
from hub.store.engine import Database
from tests.hub.notifications.conftest import BASE, CLIENT, SECRET, Received, Receiver, SmallHub, encounter, wanted
from tests.hub.notifications.deliver.conftest import notices, verified

PARAMETERS = BACKPORT + "backport-subscription-status-r4"


def test_a_notice_is_told_once_on_either_database(database: Database, receiver: Receiver) -> None:
    hub = SmallHub(database, receiver)
    hub.subscribe(content="full-resource")
    hub.admit()
    hub.drive()
    hub.wait(hours=1)
    hub.drive()
    assert [got.parameters["type"] for got in receiver.received] == ["handshake", "event-notification"]
    assert [row.key for row in hub.rows("done")] == ["sub-1|1"]


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
def test_a_notice_says_what_its_subscription_asked_for(hub: SmallHub, content: str) -> None:
    hub.subscribe(content=content)
    hub.admit()
    hub.drive()
    (got,) = notices(hub)
    bundle = got.bundle
    assert Bundle.model_validate(plain_json.loads(got.body)).type == "history"
    status, *rest = bundle["entry"]
    assert status["resource"]["meta"]["profile"] == [PARAMETERS]
    assert status["fullUrl"] == f"urn:uuid:{status['resource']['id']}"
    event = {part["name"]: part for part in status["resource"]["parameter"][-1]["part"]}
    assert event["event-number"]["valueString"] == "1"
    assert event["timestamp"]["valueInstant"] == hub.get("Encounter", "enc-1")["meta"]["lastUpdated"]
    assert ("focus" in event) == (content != "empty")
    if content == "empty":
        assert rest == []
        assert b"enc-1" not in got.body
        return
    assert event["focus"]["valueReference"] == {"reference": f"{BASE}/Encounter/enc-1"}
    (focus,) = rest
    assert focus["fullUrl"] == f"{BASE}/Encounter/enc-1"
    assert focus["request"] == {"method": "POST", "url": "Encounter"}
    assert focus["response"] == {"status": "201"}
    assert ("resource" in focus) == (content == "full-resource")
    assert (b"pat-1" in got.body) == (content == "full-resource")


def test_a_full_notice_holds_the_version_of_the_event_not_a_later_one(hub: SmallHub) -> None:
    hub.put(encounter(status="planned"))
    hub.subscribe(content="full-resource")
    hub.wait(seconds=1)
    hub.admit()
    hub.put(encounter(status="finished"))
    hub.delete("Encounter", "enc-1")
    hub.wait(seconds=1)
    hub.drive()
    (got,) = notices(hub)
    focus = got.bundle["entry"][1]
    assert (focus["resource"]["status"], focus["resource"]["meta"]["versionId"]) == ("in-progress", "2")
    assert focus["request"] == {"method": "PUT", "url": "Encounter/enc-1"}
    assert focus["response"] == {"status": "200"}


def test_every_notice_is_signed_with_its_owners_secret(hub: SmallHub) -> None:
    hub.secrets["client-harbor"] = "whsec_" + "b" * 32
    hub.put(wanted(hub.receiver.url), Access("client-harbor", CLIENT.grants, sight=CLIENT.sight))
    hub.admit()
    hub.drive()
    hub.admit("enc-2")
    hub.drive()
    for got in hub.receiver.received:
        verified(got, hub.secrets["client-harbor"])
        with pytest.raises(WebhookVerificationError):
            verified(got, SECRET)
        with pytest.raises(WebhookVerificationError):
            verified(Received(got.path, got.headers, got.body + b" "), hub.secrets["client-harbor"])
    assert len({got.headers["webhook-id"] for got in hub.receiver.received}) == 3


def test_who_changes_a_subscription_owns_it_and_is_asked_for(hub: SmallHub) -> None:
    hub.secrets["client-harbor"] = "whsec_" + "b" * 32
    hub.subscribe()
    hub.put(wanted(hub.receiver.url, content="empty"), Access("client-harbor", CLIENT.grants, sight=CLIENT.sight))
    hub.wait(seconds=1)
    hub.drive()
    hub.admit()
    hub.drive()
    assert {owner for owner, _ in hub.asked} == {"client-harbor"}
    verified(notices(hub)[0], hub.secrets["client-harbor"])
