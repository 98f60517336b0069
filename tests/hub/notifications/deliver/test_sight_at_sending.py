"""SEC-31: what a Subscription's owner may not see any more is not sent: neither the next event, nor what waits.

Asked of the store itself (hub.notifications.looking), with an access as it is at that moment.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from hub.access import Access
from hub.notifications.fan_out import FanOut
from hub.notifications.looking import Looking
from tests.hub.asking import BASE
from tests.hub.notifications.conftest import CLIENT, SmallHub, encounter
from tests.hub.notifications.deliver.conftest import notices
from tests.hub.sighted import caller, labelled, panel
from tests.hub.sighted_world import agreed

OWNER = "client-lantern"


@dataclass
class Lantern:
    """The hub, and what its client may do."""

    hub: SmallHub
    callers: dict[str, Access]

    def admit(self, identity: str, status: str = "in-progress") -> None:
        """An Encounter of the patient that is sensitive: it takes a relation and a consent to see it."""
        self.hub.put(encounter(identity, "seen", status) | {"meta": labelled("HIV")})


@pytest.fixture
def lantern(hub: SmallHub) -> Lantern:
    callers = {OWNER: caller(OWNER, own=0)}
    look = Looking(hub.database, callers.get, BASE)
    hub.handlers |= replace(hub.deliveries, look=look).handlers()
    hub.handlers["event"] = FanOut(hub.database, look, BASE, hub.now)
    hub.put({"resourceType": "Patient", "id": "seen"})
    hub.put(panel("seen"))
    hub.put(agreed("seen", "HIV"))
    hub.subscribe(content="full-resource")
    return Lantern(hub, callers)


def _unseen(lantern: Lantern) -> None:
    lantern.hub.put(panel(seen={"end": "2026-01-01"}))


def _revoked(lantern: Lantern) -> None:
    lantern.hub.put(agreed("seen", "HIV", status="inactive"))


def _cut(lantern: Lantern) -> None:
    grants = frozenset(pair for pair in CLIENT.grants if pair[0] != "*") | {("Patient", "r")}
    lantern.callers[OWNER] = replace(lantern.callers[OWNER], grants=grants)


def _disabled(lantern: Lantern) -> None:
    del lantern.callers[OWNER]


LOSSES: dict[str, Callable[[Lantern], None]] = {
    "the member leaves the panel": _unseen,
    "the consent is revoked": _revoked,
    "the scope is cut": _cut,
    "the client is disabled": _disabled,
}


def test_what_may_be_seen_is_sent(lantern: Lantern) -> None:
    """Else a hub that sends nothing would pass."""
    lantern.admit("enc-1")
    lantern.hub.drive()
    (got,) = notices(lantern.hub)
    assert b"enc-1" in got.body


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_the_next_event_is_not_sent(lantern: Lantern, lose: Callable[[Lantern], None]) -> None:
    lose(lantern)
    lantern.admit("enc-1")
    lantern.hub.drive()
    assert notices(lantern.hub) == []


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_what_is_counted_already_is_not_sent(lantern: Lantern, lose: Callable[[Lantern], None]) -> None:
    lantern.admit("enc-1")
    lantern.hub.drive("event")
    assert lantern.hub.rows("waiting")
    lose(lantern)
    lantern.hub.drive()
    assert notices(lantern.hub) == []


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_retry_that_waits_is_not_sent(lantern: Lantern, lose: Callable[[Lantern], None]) -> None:
    lantern.admit("enc-1")
    lantern.hub.receiver.answers = [500]
    lantern.hub.drive()
    assert len(notices(lantern.hub)) == 1
    lose(lantern)
    lantern.hub.wait(seconds=5)
    lantern.hub.drive()
    assert len(notices(lantern.hub)) == 1


def test_a_retry_is_sent_where_nothing_was_lost(lantern: Lantern) -> None:
    lantern.admit("enc-1")
    lantern.hub.receiver.answers = [500]
    lantern.hub.drive()
    lantern.hub.wait(seconds=5)
    lantern.hub.drive()
    assert len(notices(lantern.hub)) == 2
