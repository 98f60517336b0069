"""A client for the demo, with a key pair made on this machine: nothing secret is shipped."""

import json
import os
from pathlib import Path

from auth import clients
from auth.clients import Client
from auth.development_token import new_key, public_jwks
from hub import clock
from hub.store.engine import Database

CLIENT_ID = "demo-ehr"


def demo_client(database: Database, folder: Path) -> Path:
    """Register the client `demo-ehr` once; the file of its private key (readable by its owner only)."""
    path = folder / f"{CLIENT_ID}.private.jwk.json"
    with database.read() as connection:
        known = clients.find(connection, CLIENT_ID)
    if known and path.exists():
        return path
    key = new_key("ES384")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(key, file)
    keys = public_jwks(key)
    client = Client(CLIENT_ID, "Demo EHR", "ehr", "system/*.cruds", keys)
    if known:
        database.writing(lambda connection: clients.rotate(connection, CLIENT_ID, keys))
    else:
        database.writing(lambda connection: clients.add(connection, client, clock.now()))
    return path
