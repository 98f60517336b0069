"""POST [base]/$process-message over the hub's web application: who may send, what is kept, what is answered."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from adapters.adt.group_commit import into
from adapters.alerts.intake import Notifications
from auth.development_token import new_key
from conformance.validation import structure
from fhir_mappings.adt.facilities import Facilities
from hub.fhir import json
from hub.inbox.messages import Arrival
from hub.problems import Problem
from hub.store.engine import Database
from tests.adapters.adt.ward import Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, ROWS, SMC
from tests.fhir_mappings.alerts.factory import ACT, NPI, URLS, alert
from tests.hub.asking import BASE, app_of, refused, register, token_of

PATH = "/fhir/$process-message"
PAIRS = frozenset({("creator", "SMC"), ("reader", "SMC"), ("other", "NVH")})
OVER = {"status": "finished", "period": {"start": "2026-11-22T08:15:00-08:00", "end": "2026-11-23T10:00:00-08:00"}}
LATER = {"identity": "11111111-0000-4000-8000-000000000002", "at": "2026-11-23T10:01:00-08:00"}


@dataclass
class Sender:
    """A client that sends notifications. While it waits, the ward works."""

    ward: Ward
    works: bool = True
    who: str = "creator"
    pairs: frozenset[tuple[str, str]] = PAIRS
    app: Flask = field(init=False)

    def __post_init__(self) -> None:
        self.app = app_of(self.ward.database, messages=self.notifications())

    def notifications(self, **more: Any) -> Notifications:
        database, facilities = self.ward.database, Facilities.load(self.ward.rows)
        values: dict[str, Any] = {"accept": into(database), "seconds": 0.0 if not self.works else 10.0} | more
        return Notifications(
            database,
            bound=lambda: self.pairs,
            facilities=lambda: facilities,
            check=lambda sent, _: structure.validate(sent, "Bundle"),
            base=BASE,
            cin_system=CIN_SYSTEM,
            pause=lambda _: self.ward.works(),
            **values,
        )

    def post(self, body: dict[str, Any], query: str = "", who: str = "", **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {token_of(who or self.who)}", "Content-Type": "application/fhir+json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().post(PATH + query, data=json.write(body), headers=sent)


@pytest.fixture
def ward(database: Database) -> Ward:
    register(database, new_key("ES384"))
    return Ward(database, ROWS)


@pytest.fixture
def sender(ward: Ward) -> Sender:
    return Sender(ward)


def test_an_admission_is_written_and_answered_ok(sender: Sender) -> None:
    answer = sender.post(alert())
    assert answer.status_code == 200, answer.text
    found = json.read(answer.data)
    header = found["entry"][0]["resource"]
    assert (found["type"], header["resourceType"]) == ("message", "MessageHeader")
    assert header["response"] == {"identifier": alert()["entry"][0]["resource"]["id"], "code": "ok"}
    assert header["destination"] == [{"endpoint": "https://smc.example/fhir/$process-message"}]
    assert structure.validate(found, "Bundle") == []
    visit = sender.ward.one("Encounter")
    assert (visit["status"], visit["class"]["code"]) == ("in-progress", "IMP")
    assert visit["identifier"][0]["value"] == "V1000123"
    numbers = {one["system"]: one["value"] for one in sender.ward.one("Patient")["identifier"]}
    assert numbers == {SMC.mrn_system: "SMC0012345", CIN_SYSTEM: "91234567A"}
    assert "999-00-1234" not in str(sender.ward.one("Patient"))
    assert sender.ward.one("Condition")["code"]["coding"][0]["code"] == "R07.9"


def test_a_message_may_be_xml(sender: Sender) -> None:
    from hub.fhir import xml

    sent = {"Authorization": f"Bearer {token_of('creator')}", "Content-Type": "application/fhir+xml"}
    answer = sender.app.test_client().post(
        PATH, data=xml.write(json.stored(json.write(alert())), False), headers=sent
    )
    assert answer.status_code == 200, answer.text
    assert sender.post(alert()).status_code == 200  # the same, as JSON
    assert len(sender.ward.states()) == 1


def test_the_same_message_again_changes_nothing(sender: Sender) -> None:
    first = sender.post(alert())
    before = sender.ward.versions()
    again = sender.post(alert())
    assert (again.status_code, sender.ward.versions()) == (200, before)
    assert json.read(again.data)["id"] == json.read(first.data)["id"]
    assert len(sender.ward.states()) == 1


def test_another_message_under_a_used_id_is_a_conflict(sender: Sender) -> None:
    sender.post(alert())
    before = sender.ward.versions()
    refused(sender.post(alert(visit={"class": {"system": ACT, "code": "EMER"}})), 409, "conflict")
    assert sender.ward.versions() == before
    assert sorted(state for state, _, _ in sender.ward.states()) == ["processed", "refused"]


@pytest.mark.parametrize("first", ["fhir", "v2"])
def test_one_visit_told_in_both_formats_is_one_encounter(sender: Sender, first: str) -> None:
    sends: dict[str, Callable[[], object]] = {
        "fhir": lambda: sender.post(alert("notification-discharge", visit=OVER, **LATER)),
        "v2": lambda: sender.ward.sends(adt("A01", "1")),
    }
    for name in sorted(sends, key=lambda one: one != first):
        sends[name]()
    assert {state for state, _, _ in sender.ward.states()} == {"processed"}
    visit = sender.ward.one("Encounter")
    assert (visit["status"], visit["period"]["end"]) == ("finished", "2026-11-23T10:00:00-08:00")
    assert len(sender.ward.all("Patient")) == 1


@pytest.mark.parametrize("first", ["fhir", "v2"])
def test_the_same_admission_in_both_formats_is_in_one_place(sender: Sender, first: str) -> None:
    sends: dict[str, Callable[[], object]] = {
        "fhir": lambda: sender.post(alert()),
        "v2": lambda: sender.ward.sends(adt("A01", "1")),
    }
    for name in sorted(sends, key=lambda one: one != first):
        sends[name]()
    (row,) = sender.ward.one("Encounter")["location"]
    assert (row["location"]["display"], row["status"]) == ("4W 412-B", "active")


def test_who_does_not_wait_is_answered_at_once(sender: Sender) -> None:
    answer = sender.post(alert(), "?async=true")
    assert (answer.status_code, answer.data) == (202, b"")
    assert [state for state, _, _ in sender.ward.states()] == ["received"]
    sender.ward.works()
    assert sender.ward.one("Encounter")["status"] == "in-progress"


def test_a_sender_is_not_kept_waiting_for_long(ward: Ward) -> None:
    answer = Sender(ward, works=False).post(alert())
    assert (answer.status_code, answer.data) == (202, b"")
    assert [state for state, _, _ in ward.states()] == ["received"]


def test_a_code_without_a_row_is_in_the_hubs_custody(sender: Sender) -> None:
    answer = sender.post(alert(visit={"class": {"system": ACT, "code": "UNHEARDOF"}}))
    assert (answer.status_code, answer.data) == (202, b"")
    assert sender.ward.states() == [("unmapped", "PV1-2", "The code has no row in table 0004: UNHEARDOF")]


def test_a_cancel_of_nothing_waits(sender: Sender) -> None:
    assert sender.post(alert("A11", visit={"status": "cancelled"})).status_code == 202
    assert [state for state, _, _ in sender.ward.states()] == ["waiting"]


def test_a_date_that_is_none_is_refused(sender: Sender) -> None:
    refused(sender.post(alert(person={"birthDate": "0000-02"})), 400, "value")
    assert sender.ward.states() == []


@pytest.mark.parametrize("who", ["reader", "searcher", "updater"])
def test_a_client_without_the_scope_is_refused(sender: Sender, who: str) -> None:
    refused(sender.post(alert(), who=who), 403, "forbidden")
    assert sender.ward.states() == []


@pytest.mark.parametrize("who", ["all", "other"])
def test_a_client_speaks_for_its_own_facilities_only(ward: Ward, who: str) -> None:
    sender = Sender(ward, who=who, pairs=frozenset({("creator", "SMC"), ("other", "NVH")}))
    refused(sender.post(alert()), 403, "forbidden")
    assert ward.states() == []


def test_a_patient_of_another_organization_is_refused(sender: Sender) -> None:
    theirs = [{"system": "https://nvh.example/id/mrn", "value": "NVH1"}]
    refused(sender.post(alert(person={"identifier": theirs})), 422, "business-rule")
    assert sender.ward.states() == []


def _without(bundle: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in bundle.items() if name not in names}


def _entries(change: Callable[[list[Any]], list[Any]]) -> dict[str, Any]:
    sent = alert()
    return sent | {"entry": change(sent["entry"])}


BAD = {
    "a type that is no message": (alert() | {"type": "collection"}, 400, "invalid"),
    "no timestamp": (_without(alert(), "timestamp"), 400, "required"),
    "no id": (_without(alert(), "id"), 400, "required"),
    "no MessageHeader": (_entries(lambda held: held[1:]), 422, "invariant"),
    "no entry": (_without(alert(), "entry"), 422, "invariant"),
    "nothing but the header": (_entries(lambda held: held[:1]), 400, "required"),
    "a focus elsewhere": (alert(header={"focus": [{"reference": "Encounter/1"}]}), 422, "not-found"),
    "a focus of another type": (alert(header={"focus": [{"reference": URLS["patient"]}]}), 422, "business-rule"),
    "no focus": (alert(header={"focus": []}), 400, "structure"),
    "a response": (alert(header={"response": {"identifier": "x", "code": "ok"}}), 400, "invalid"),
    "an event of nobody": (alert("notification-invented"), 422, "business-rule"),
    "an event that is not taken": (alert("notification-pharmacy"), 422, "business-rule"),
    "a visit number of nobody": (alert(visit={"identifier": None}), 403, "forbidden"),
    "no patient": (alert(visit={"subject": {"reference": "Patient/1"}}), 422, "not-found"),
    "a code that FHIR does not have": (alert(visit={"status": "gone"}), 422, "code-invalid"),
    "no Bundle": ({"resourceType": "Patient"}, 400, "invalid"),
    "a Parameters without content": ({"resourceType": "Parameters"}, 400, "required"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_messages_are_refused_and_not_kept(sender: Sender, name: str) -> None:
    body, status, code = BAD[name]
    refused(sender.post(body), status, code)
    assert sender.ward.states() == []


def test_a_message_without_a_token_is_refused(sender: Sender) -> None:
    refused(sender.post(alert(), Authorization=""), 401, "login")


def test_too_much_is_refused(sender: Sender) -> None:
    refused(sender.post(alert(person={"text": {"status": "generated", "div": "x" * 4 * 2**20}})), 413, "too-long")


def test_other_methods_are_refused(sender: Sender) -> None:
    answer = sender.app.test_client().get(PATH, headers={"Authorization": f"Bearer {token_of('creator')}"})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_an_answer_to_elsewhere_and_a_second_key_are_refused(sender: Sender) -> None:
    refused(sender.post(alert(), "?response-url=https://smc.example/answers"), 400, "not-supported")
    refused(sender.post(alert(), Idempotency_Key="k1"), 400, "not-supported")
    assert sender.ward.states() == []


def test_no_entry_of_a_bundle_is_a_message(sender: Sender) -> None:
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [
        {"resource": alert(), "request": {"method": "POST", "url": "$process-message"}}]}  # fmt: skip
    answer = sender.app.test_client().post(
        "/fhir", json=batch, headers={"Authorization": f"Bearer {token_of('creator')}"}
    )
    assert sender.ward.states() == [], answer.text


def test_a_hub_without_senders_takes_no_messages(ward: Ward) -> None:
    sender = Sender(ward)
    sender.app = app_of(ward.database)
    refused(sender.post(alert()), 400, "not-supported")


def test_what_cannot_be_stored_is_to_be_sent_again(sender: Sender) -> None:
    def full(_: list[Arrival]) -> Any:
        raise OSError("disk")

    sender.app = app_of(sender.ward.database, messages=sender.notifications(accept=full))
    answer = sender.post(alert())
    refused(answer, 503, "transient")
    assert answer.headers["Retry-After"] == "5"


def test_of_facilities_with_one_system_the_npi_decides(database: Database) -> None:
    register(database, new_key("ES384"))
    twin = ROWS[0] | {"facility": "SMC2", "npi": "1999999984"}
    ward = Ward(database, [*ROWS, twin])
    both = frozenset({("creator", "SMC"), ("creator", "SMC2")})
    sender = Sender(ward, pairs=both)
    assert sender.post(alert()).status_code == 200
    refused(sender.post(alert(organization={"identifier": [{"system": NPI, "value": "1"}]})), 403, "forbidden")


@pytest.fixture
def program(database: Database) -> Iterator[Sender]:
    register(database, new_key("ES384"))
    rows = [row | {"part2": "yes"} if row["facility"] == "SMC" else row for row in ROWS]
    return Sender(Ward(database, rows))


def test_what_a_program_sends_is_labelled(program: Sender) -> None:
    assert program.post(alert()).status_code == 200
    for kind in ("Encounter", "Condition", "Patient"):
        codes = {one["code"] for one in program.ward.one(kind)["meta"]["security"]}
        assert "42CFRPart2" in codes, kind


def test_what_a_message_says_of_itself_is_labelled(sender: Sender) -> None:
    label = {"system": ACT, "code": "42CFRPart2"}
    assert sender.post(alert(visit={"meta": {"security": [label]}})).status_code == 200
    for kind in ("Encounter", "Condition", "Patient"):
        codes = {one["code"] for one in sender.ward.one(kind)["meta"]["security"]}
        assert "42CFRPart2" in codes, kind


def test_two_numbers_of_two_members_wait_for_a_person(sender: Sender) -> None:
    sender.ward.writes("Patient", identifier=[{"system": SMC.mrn_system, "value": "SMC0012345"}])
    sender.ward.writes("Patient", identifier=[{"system": CIN_SYSTEM, "value": "91234567A"}])
    assert sender.post(alert()).status_code == 202
    assert [state for state, _, _ in sender.ward.states()] == ["unmatched"]


def test_a_refusal_tells_nothing_of_the_person(sender: Sender) -> None:
    with pytest.raises(Problem) as caught:
        sender.notifications()(_access(), alert("notification-invented"), True)
    assert "Testperson" not in str(caught.value)
    assert "SMC0012345" not in str(caught.value)


def _access() -> Any:
    from hub.access import Access

    return replace(Access.system("test"), who="creator")
