"""Handshakes and notices, sent to a real receiver.

On SQLite alone, for time's sake: the statements behind them run on both databases in test_fan_out.py (whose
subscriptions are made by real handshakes) and test_outbox.py; one notice is sent on both in test_notices.py.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from hub import outbox
from hub.store.engine import Database
from tests.hub.notifications.conftest import SECRET, Received, Receiver, SmallHub


@pytest.fixture
def hub(receiver: Receiver, migrated_sqlite: Path, tmp_path: Path) -> Iterator[SmallHub]:
    database = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}")
    yield SmallHub(database, receiver)
    database.close()


def verified(got: Received, secret: str = SECRET) -> Any:
    """What a receiver with the reference library reads; raises where the signature does not fit."""
    return Webhook(secret).verify(got.body, got.headers)


def notices(hub: SmallHub) -> list[Received]:
    return [got for got in hub.receiver.received if got.parameters["type"] == "event-notification"]


def status_of(hub: SmallHub, identity: str = "sub-1") -> str:
    return str(hub.get("Subscription", identity)["status"])


def first_notice(hub: SmallHub) -> outbox.Work:
    hub.drive("event")
    (work,) = hub.claim("notice")
    return work
