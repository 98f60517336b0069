"""A guarded Consent that ended is told to whom it opened itself, and to nobody else; what it opened is closed."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub.access import Access
from hub.fhir import json
from hub.notifications.fan_out import FanOut
from hub.notifications.looking import Looking
from hub.notifications.topics import CONSENT_REVOKED
from hub.rights.facts import client_number
from hub.rights.labels import HIV, SUD_BITS
from hub.sight import OWNED, PANEL, PURPOSES
from tests.hub.asking import Api
from tests.hub.consenting import complete, consent, provision
from tests.hub.notifications.conftest import BASE, SmallHub
from tests.hub.sighted import EVERYTHING, HARBOR, api_of, caller, day, labelled, panel

OWNER = "client-lantern"
SPAN = {"start": day(-20), "end": day(20)}


@dataclass
class Clinic:
    """`client-lantern` sees the patient `seen`, and records of substance use by consent only."""

    hub: SmallHub
    callers: dict[str, Access]
    api: Api

    def agrees(self, *inner: dict[str, Any], to: str = "Organization/harbor", **changes: Any) -> None:
        parts = {"id": "c1", "dateTime": day(-9), "patient": _seen(), "performer": [_seen()]} | changes
        what = complete(*inner, to=(to,), period=SPAN)
        self.write(consent(what, "part2-named-recipient", **parts))

    def write(self, resource: dict[str, Any]) -> None:
        self.hub.put(resource, Access.system("a test", "Organization/county"))
        self.hub.wait(milliseconds=5)
        self.hub.drive()

    def told(self) -> list[dict[str, Any]]:
        """What the notices carry."""
        bundles = [got.bundle for got in self.hub.receiver.received if got.parameters["type"] != "handshake"]
        return [entry["resource"] for one in bundles for entry in one["entry"][1:] if "resource" in entry]

    def kept(self) -> list[dict[str, Any]]:
        """What `$events` tells."""
        answer = self.api.get("/Subscription/sub-1/$events?content=full-resource")
        return [entry["resource"] for entry in answer.json["entry"][1:] if "resource" in entry]


def _seen() -> dict[str, str]:
    return {"reference": "Patient/seen"}


@pytest.fixture
def clinic(hub: SmallHub) -> Clinic:
    mine = {"own": 0, "holders": (HARBOR, client_number(OWNER)), "kinds": PANEL | OWNED}
    callers = {OWNER: caller(OWNER, **mine, guarded=HIV | SUD_BITS)}
    look = Looking(hub.database, callers.get, BASE)
    hub.handlers |= replace(hub.deliveries, look=look).handlers()
    hub.handlers["event"] = FanOut(hub.database, look, BASE, hub.now)
    made = Clinic(hub, callers, api_of(hub.database, callers, now=hub.now).as_(OWNER))
    made.write({"resourceType": "Patient", "id": "seen"})
    made.write(panel("seen"))
    hub.subscribe(topic=CONSENT_REVOKED, content="full-resource", filters=("Consent?patient=Patient/seen",))
    return made


def test_who_could_see_it_is_told_that_it_ended_and_no_more(clinic: Clinic) -> None:
    clinic.write({"resourceType": "Observation", "id": "o1", "subject": _seen(), "meta": labelled("42CFRPart2")})
    clinic.agrees(organization=[{"reference": "Organization/county"}])
    assert clinic.api.get("/Consent/c1").status_code == 200
    assert clinic.api.get("/Observation/o1").status_code == 200
    clinic.agrees(status="inactive", organization=[{"reference": "Organization/county"}])
    (told,) = clinic.told()
    assert (told["resourceType"], told["id"], told["status"]) == ("Consent", "c1", "inactive")
    assert told.keys() == {"resourceType", "id", "meta", "status", "patient", "organization"}
    assert clinic.kept() == [told]
    assert clinic.api.get("/Consent/c1").status_code == 404
    assert clinic.api.get("/Observation/o1").status_code == 404


def test_a_deleted_one_is_told_too(clinic: Clinic) -> None:
    clinic.agrees()
    clinic.hub.delete("Consent", "c1")
    clinic.hub.wait(milliseconds=5)
    clinic.hub.drive()
    assert clinic.hub.receiver.numbers == ["1"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"to": "Organization/elsewhere"}, id="another recipient"),
        pytest.param({"dateTime": day(5)}, id="not yet in force"),
        pytest.param({"performer": [{"reference": "RelatedPerson/x"}]}, id="signed by a proxy"),
        pytest.param({"patient": {"reference": "Patient/stranger"}}, id="a patient of others"),
        pytest.param({"meta": labelled("HIV")}, id="another label closes it"),
    ],
)
def test_who_could_not_see_it_is_told_nothing(clinic: Clinic, changes: dict[str, Any]) -> None:
    clinic.agrees(**changes)
    clinic.agrees(**changes | {"status": "inactive"})
    assert clinic.hub.receiver.numbers == clinic.kept() == []


def test_an_exception_inside_it_closes_its_end_too(clinic: Clinic) -> None:
    inner = provision("deny", to=("Organization/harbor",), marked="42CFRPart2")
    clinic.agrees(inner)
    clinic.agrees(inner, status="inactive")
    assert clinic.hub.receiver.numbers == []


def test_for_another_purpose_it_opened_nothing(clinic: Clinic) -> None:
    clinic.agrees()
    mine = clinic.callers[OWNER]
    clinic.callers[OWNER] = replace(mine, sight=replace(mine.sight, purposes=PURPOSES["HPAYMT"]))
    clinic.agrees(status="inactive")
    assert clinic.hub.receiver.numbers == []


def test_a_newer_denial_closes_its_end(clinic: Clinic) -> None:
    clinic.agrees()
    denial = provision("deny", to=("Organization/harbor",), marked="42CFRPart2")
    parts = {"id": "c2", "dateTime": day(-1), "patient": _seen(), "performer": [_seen()]}
    clinic.write(consent(denial, **parts))
    clinic.agrees(status="inactive")
    assert clinic.hub.receiver.numbers == clinic.kept() == []


def test_who_lost_the_relation_or_the_right_meanwhile_is_not_told(clinic: Clinic) -> None:
    clinic.agrees()
    clinic.hub.receiver.status = 503
    clinic.agrees(status="inactive")
    assert clinic.hub.receiver.numbers == ["1"]
    clinic.hub.receiver.received.clear()
    clinic.hub.receiver.status = 200
    clinic.write(panel())
    clinic.hub.wait(minutes=5)
    clinic.hub.drive()
    assert clinic.hub.receiver.received == []
    assert clinic.kept() == []
    clinic.write(panel("seen"))
    assert len(clinic.kept()) == 1
    clinic.callers[OWNER] = replace(
        clinic.callers[OWNER], grants=frozenset(g for g in EVERYTHING if g[1] == "s") | {("Subscription", "r")}
    )
    assert clinic.kept() == []


def test_an_id_only_notice_names_it_and_an_empty_one_does_not(clinic: Clinic) -> None:
    clinic.hub.subscribe("sub-2", topic=CONSENT_REVOKED, content="id-only")
    clinic.hub.subscribe("sub-3", topic=CONSENT_REVOKED, content="empty")
    clinic.agrees()
    clinic.agrees(status="inactive")
    notices = [got for got in clinic.hub.receiver.received if got.parameters["type"] != "handshake"]
    assert len(notices) == 3
    said = {got.bundle["id"]: b"Consent/c1" in got.body for got in notices}
    assert sorted(said.values()) == [False, True, True]
    assert all(b"provision" not in got.body for got in notices)
    assert json.read(notices[0].body)["type"] == "history"


def test_one_that_counts_again_is_told_of_its_end_by_the_version_that_ended(clinic: Clinic) -> None:
    clinic.agrees()
    clinic.agrees(status="inactive")
    clinic.agrees()
    assert len(clinic.told()) == len(clinic.kept()) == 1
