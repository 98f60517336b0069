"""A client for the demo, with a key pair made on this machine: nothing secret is shipped."""

from pathlib import Path

from auth import clients
from auth.clients import Client
from auth.commands import write_private
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
    write_private(path, key)
    keys = public_jwks(key)
    client = Client(CLIENT_ID, "Demo county", "custodian", "system/*.cruds", keys)
    if known:
        database.writing(lambda connection: clients.rotate(connection, CLIENT_ID, keys))
    else:
        database.writing(lambda connection: clients.add(connection, client, clock.now()))
    return path
