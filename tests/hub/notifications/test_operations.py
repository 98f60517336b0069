"""$status and $events: how a Subscription stands and what it was told, for whoever may see it now."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub import clock
from hub.access import Access
from hub.notifications import assembly, attempts, binding
from hub.notifications.attempts import Attempt
from hub.notifications.fan_out import FanOut
from hub.notifications.looking import Looking
from hub.operations import subscriptions as asking
from hub.rights.facts import client_number
from hub.settings import read_settings
from hub.sight import OWNED, PANEL
from hub.transactions import Transactions, single
from tests.hub.asking import Api, refused
from tests.hub.notifications.conftest import BASE, KEY, SmallHub, encounter, wanted
from tests.hub.sighted import EVERYTHING, HARBOR, api_of, caller, labelled, panel
from tests.hub.sighted_world import agreed

OWNER = "client-lantern"


@dataclass
class Harbor:
    """The small hub and its door; `client-lantern` sees the patient `seen`, and HIV of who agreed."""

    hub: SmallHub
    api: Api
    callers: dict[str, Access]

    def admit(self, identity: str, *codes: str) -> None:
        meta = {"meta": labelled(*codes)} if codes else {}
        self.hub.put(encounter(identity, "seen") | meta)
        self.hub.wait(milliseconds=5)
        self.hub.drive()

    def status(self, where: str = "/Subscription/sub-1") -> list[dict[str, Any]]:
        """The parameters of each status, by name."""
        path, _, query = where.partition("?")
        answer = self.api.get(f"{path}/$status?{query}")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.json["type"] == "searchset"
        return [_named(entry["resource"]) for entry in answer.json.get("entry", ())]

    def events(self, query: str = "") -> dict[str, Any]:
        answer = self.api.get(f"/Subscription/sub-1/$events{query}")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json


def _named(parameters: dict[str, Any]) -> dict[str, Any]:
    return {p["name"]: next((v for n, v in p.items() if n != "name"), None) for p in parameters["parameter"]}


def numbers(bundle: dict[str, Any]) -> list[int]:
    events = [p for p in bundle["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event"]
    return [int(part["valueString"]) for one in events for part in one["part"] if part["name"] == "event-number"]


@pytest.fixture
def harbor(hub: SmallHub) -> Harbor:
    holders = (HARBOR, client_number(OWNER))
    callers = {OWNER: caller(OWNER, own=0, holders=holders, kinds=PANEL | OWNED), "stranger": caller("stranger")}
    look = Looking(hub.database, callers.get, BASE)
    hub.handlers |= replace(hub.deliveries, look=look).handlers()
    hub.handlers["event"] = FanOut(hub.database, look, BASE, hub.now)
    hub.put({"resourceType": "Patient", "id": "seen"})
    hub.put(panel("seen"))
    hub.put(agreed("seen", "HIV"))
    hub.subscribe(content="id-only")
    api = api_of(hub.database, callers, websocket_url="wss://hub.example/ws", now=hub.now)
    return Harbor(hub, api.as_(OWNER), callers)


def test_status_says_how_many_events_there_were(harbor: Harbor) -> None:
    harbor.admit("enc-1")
    harbor.admit("enc-2")
    (found,) = harbor.status()
    assert found["subscription"] == {"reference": f"{BASE}/Subscription/sub-1"}
    assert (found["status"], found["type"]) == ("active", "query-status")
    assert found["events-since-subscription-start"] == "2"
    assert "error" not in found


def test_status_of_the_type_tells_of_all_that_the_caller_may_see(harbor: Harbor) -> None:
    harbor.hub.subscribe("sub-2", status="off")
    assert [found["status"] for found in harbor.status("/Subscription")] == ["active", "off"]
    assert [found["status"] for found in harbor.status("/Subscription?status=off")] == ["off"]
    assert [found["status"] for found in harbor.status("/Subscription?status=off&status=active")] == [
        "active",
        "off",
    ]
    (found,) = harbor.status("/Subscription?id=sub-2&id=sub-none")
    assert found["subscription"] == {"reference": f"{BASE}/Subscription/sub-2"}
    assert harbor.status("/Subscription?status=error") == []
    named = harbor.status("/Subscription/sub-1?id=sub-2&status=off")
    assert [found["subscription"]["reference"] for found in named] == [f"{BASE}/Subscription/sub-1"]


def test_somebody_elses_subscription_is_not_there(harbor: Harbor) -> None:
    harbor.admit("enc-1")
    stranger = harbor.api.as_("stranger")
    for operation in ("$status", "$events", "$get-ws-binding-token"):
        hidden, missing = (stranger.get(f"/Subscription/{name}/{operation}") for name in ("sub-1", "sub-0"))
        assert hidden.status_code == missing.status_code == 404
        assert hidden.json == missing.json
    assert stranger.get("/Subscription/$status").json["total"] == 0


def test_status_says_why_a_send_fails_and_goes_on_answering_in_error(harbor: Harbor) -> None:
    harbor.hub.receiver.status = 503
    harbor.admit("enc-1")
    (found,) = harbor.status()
    assert (found["status"], found["error"]) == ("active", {"text": "The receiver answered 503"})
    _in_error(harbor)
    (found,) = harbor.status()
    assert (found["status"], found["error"]) == ("error", {"text": "an invented fault"})
    harbor.admit("enc-2")
    (found,) = harbor.status()
    assert found["events-since-subscription-start"] == "2"


def _in_error(harbor: Harbor) -> None:
    own = Transactions(harbor.hub.database, lambda *_: [], lambda _: [], BASE, harbor.hub.now)
    asked = harbor.hub.get("Subscription", "sub-1") | {"status": "error", "error": "an invented fault"}
    own.commit([single("PUT", "Subscription", id="sub-1", resource=asked)], Access.system("a test"))
    sent = Attempt("sub-1", "handshake", 0, 0, 1, "sent")
    harbor.hub.database.writing(lambda connection: attempts.write(connection, sent))


def test_what_happens_while_a_subscription_is_in_error_is_counted_and_kept_and_not_sent(harbor: Harbor) -> None:
    _in_error(harbor)
    before = len(harbor.hub.receiver.received)
    harbor.admit("enc-1")
    assert len(harbor.hub.receiver.received) == before
    assert numbers(harbor.events()) == [1]
    harbor.hub.subscribe()
    harbor.admit("enc-2")
    assert harbor.hub.receiver.numbers[-1] == "2"


def test_events_tell_a_range_inclusive_of_both_ends(harbor: Harbor) -> None:
    for number in range(1, 5):
        harbor.admit(f"enc-{number}")
    assert numbers(harbor.events()) == [1, 2, 3, 4]
    found = harbor.events("?eventsSinceNumber=2&eventsUntilNumber=3")
    assert numbers(found) == [2, 3]
    assert (found["type"], _named(found["entry"][0]["resource"])["type"]) == ("history", "query-event")
    assert _named(found["entry"][0]["resource"])["events-since-subscription-start"] == "4"
    assert [entry["fullUrl"].rpartition("/")[2] for entry in found["entry"][1:]] == ["enc-2", "enc-3"]
    assert all("request" in entry and "response" in entry for entry in found["entry"])
    assert numbers(harbor.events("?eventsSinceNumber=9")) == []


@pytest.mark.parametrize(
    ("content", "focus", "resource"),
    [("empty", False, False), ("id-only", True, False), ("full-resource", True, True)],
)
def test_events_have_the_content_that_is_asked_for(
    harbor: Harbor, content: str, focus: bool, resource: bool
) -> None:
    harbor.admit("enc-1")
    found = harbor.events(f"?content={content}")
    assert ("enc-1" in str(found)) is focus
    assert [("resource" in entry) for entry in found["entry"][1:]] == ([resource] if focus else [])


@pytest.mark.parametrize("query", ["eventsSinceNumber=x", "eventsUntilNumber=-1", "content=all", "_count=2"])
def test_events_refuse_what_they_do_not_understand(harbor: Harbor, query: str) -> None:
    answer = harbor.api.get(f"/Subscription/sub-1/$events?{query}")
    assert answer.status_code == 400
    assert answer.json["resourceType"] == "OperationOutcome"


def test_events_ask_consent_anew(harbor: Harbor) -> None:
    harbor.admit("enc-hiv", "HIV")
    harbor.admit("enc-plain")
    assert numbers(harbor.events()) == [1, 2]
    harbor.hub.put(agreed("seen", "HIV", status="inactive"))
    found = harbor.events("?content=full-resource")
    assert numbers(found) == [2]
    assert "enc-hiv" not in str(found)
    harbor.hub.put(panel())
    assert numbers(harbor.events()) == []


def test_events_of_a_filter_by_panel_are_for_who_may_see_the_panel(harbor: Harbor) -> None:
    harbor.hub.subscribe("sub-1", filters=("Encounter?panel=Group/panel",))
    harbor.admit("enc-1")
    assert numbers(harbor.events()) == [1]
    grants = frozenset(pair for pair in EVERYTHING if pair[0] != "*")
    few = grants | {(kind, letter) for kind in ("Encounter", "Subscription") for letter in "rs"}
    harbor.callers[OWNER] = replace(harbor.callers[OWNER], grants=few)
    assert numbers(harbor.events()) == []


def test_a_binding_token_is_for_active_websockets_of_ones_own(harbor: Harbor) -> None:
    no = harbor.api.get("/Subscription/sub-1/$get-ws-binding-token")
    refused(no, 422, "processing")
    harbor.hub.put(wanted("", "sub-ws", channel="websocket"))
    harbor.hub.drive()
    found = _named(harbor.api.get("/Subscription/sub-ws/$get-ws-binding-token").json)
    assert (found["subscription"], found["websocket-url"]) == ("sub-ws", "wss://hub.example/ws")
    both = harbor.api.get("/Subscription/$get-ws-binding-token?id=sub-ws&id=sub-1").json
    assert [p["valueString"] for p in both["parameter"] if p["name"] == "subscription"] == ["sub-ws"]
    harbor.hub.put(wanted("", "sub-ws", channel="websocket", status="off"))
    refused(harbor.api.get("/Subscription/sub-ws/$get-ws-binding-token"), 422, "processing")


def test_a_narrow_token_asks_for_no_subscription_and_hears_none(harbor: Harbor) -> None:
    """What its client is told is decided by all that the client may see, without the token's person or scopes."""
    harbor.hub.put(wanted("", "sub-ws", channel="websocket"))
    harbor.hub.drive()
    whole = harbor.callers[OWNER]
    asked = {name: value for name, value in wanted("", channel="websocket").items() if name != "id"}
    bundle = {"resourceType": "Bundle", "type": "transaction"}
    entry = {"resource": asked, "request": {"method": "POST", "url": "Subscription"}}
    off = [{"op": "replace", "path": "/status", "value": "off"}]
    patching = {"Content_Type": "application/json-patch+json"}
    there = "/Subscription/sub-ws"
    for narrow in (
        replace(whole, narrow=True),
        replace(whole, narrow=True, sight=replace(whole.sight, all_patients=True)),
    ):
        harbor.callers[OWNER] = narrow
        for answer in (
            harbor.api.post("/Subscription", asked),
            harbor.api.post("", bundle | {"entry": [entry]}),
            harbor.api.put(there, wanted("", "sub-ws", channel="websocket")),
            harbor.api.ask("PATCH", there, json.dumps(off).encode(), **patching),
            harbor.api.get("/Subscription/sub-ws/$get-ws-binding-token"),
        ):
            told = refused(answer, 403, "forbidden")
            assert "client's own" in str(told)
    assert harbor.api.delete(there).status_code == 204
    harbor.callers[OWNER] = whole
    assert harbor.api.post("/Subscription", asked).status_code == 201


def test_a_binding_token_is_good_once_and_for_half_a_minute(hub: SmallHub) -> None:
    now = clock.micros(hub.now())
    made = binding.token(KEY, OWNER, ["sub-1"], now)

    def used(key: bytes, later: int) -> binding.Bound | None:
        return hub.database.writing(lambda c: binding.use(c, key, made.token, now + later))

    assert used(b"another key of the tests, so long", 0) is None
    assert used(KEY, binding.LASTS) is None
    assert used(KEY, 1) == binding.Bound(OWNER, ("sub-1",))
    assert used(KEY, 2) is None


def test_events_and_tries_are_kept_for_the_days_of_the_settings(harbor: Harbor) -> None:
    chosen = read_settings({"HUB_NOTICE_KEEP_DAYS": "2"})
    chores = assembly.chores(harbor.hub.database, chosen)
    harbor.admit("enc-1")
    harbor.hub.wait(days=1)
    harbor.admit("enc-2")
    for _, do in chores:
        do(clock.micros(harbor.hub.now()) + 86_400_000_000 + 1)
    assert numbers(harbor.events()) == [2]
    (status,) = harbor.status()
    assert status["events-since-subscription-start"] == "2"
    with harbor.hub.database.read() as connection:
        assert [one.first for one in attempts.listed(connection, "sub-1", 9)] == [2]


def test_events_that_are_hidden_now_do_not_hide_the_later_ones(
    harbor: Harbor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever asks on from the last number it was told would stand before an empty answer for ever."""
    monkeypatch.setattr(asking, "MOST_EVENTS", 2)
    for number in range(1, 6):
        harbor.admit(f"enc-{number}", *(("HIV",) if number < 4 else ()))
    harbor.hub.put(agreed("seen", "HIV", status="inactive"))
    assert numbers(harbor.events()) == [4, 5]
