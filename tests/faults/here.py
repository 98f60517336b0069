"""A whole hub in this process, put together by the front door: its API, its MLLP listener, its worker turn by turn.

For a process of its own (tests.faults.sweep): the front door keeps its parts as long as the process lives.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, update
from werkzeug.test import TestResponse

from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from auth import clients
from auth.client_words import Client
from auth.development_token import new_key, public_jwks
from auth.tokens import token_hash
from hub import clock
from hub.feeds import taking
from hub.store import tables
from hub.store.engine import Database
from hub.store.tables_bulk import bulk_job
from tests.flows import stories
from tests.flows.hub_process import free_port

WHO, TOKEN = "everybody", "everybody".ljust(43, "x")
FEED = "sample-county"
FEEDS = '[feeds.{name}]\nkind = "county"\nfolder = {{ path = "{path}", quiet_seconds = 0 }}\n'
ROUNDS = 200  # of the worker until nothing is left to do; a line of notices takes one each


@dataclass
class Here:
    """`beside` is the database without what fails."""

    folder: Path
    beside: Database
    app: Any
    worker: Any
    files: Any
    listener: Any
    mllp_port: int
    key: dict[str, Any]
    base: str

    @property
    def journals(self) -> Path:
        return self.folder / "audit"

    @property
    def drop(self) -> Path:
        return self.folder / "drop"

    def ask(self, method: str, path: str, **parts: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/fhir+json"}
        headers |= parts.pop("headers", {})
        found: TestResponse = self.app.test_client().open(path, method=method, headers=headers, **parts)
        return found

    def says(self, message: str) -> bool:
        """Whether a hospital's message is acknowledged."""
        try:
            return acknowledged(send("127.0.0.1", self.mllp_port, message.encode(), timeout=30))[0] == "AA"
        except NoAcknowledgment:
            return False

    def works(self) -> None:
        """The worker, until nothing is left that is due. What a lane raises costs it that turn, as in a process."""
        for _ in range(ROUNDS):
            if not any(list(self._turns())):
                return
        raise AssertionError("the worker finds no end")

    def _turns(self) -> Iterator[bool]:
        worker = self.worker
        local = worker._events_lane, worker._work_lane
        lanes = (worker._messages_lane, *local, worker._deliveries_lane, worker.files, worker.bulk)
        for lane in (lambda: self.files.places.look(FEED) and False, *lanes):
            done = False
            with suppress(Exception):
                done = bool(lane())
            yield done

    def lets_time_pass(self) -> None:
        """All leases are over, and all waits."""
        self.beside.writing(_released)

    def close(self) -> None:
        self.listener.stop(2)
        self.beside.close()


def _released(connection: Connection) -> None:
    connection.execute(update(tables.inbox).where(tables.inbox.c.state == "received").values(due=0))
    connection.execute(update(tables.outbox).where(tables.outbox.c.state == "waiting").values(due=0))
    taking.release(connection)
    connection.execute(update(bulk_job).values(due=0, lease=0))


def made(folder: Path, url: str, beside: str, receiver: str, loud: bool = False) -> Here:
    """`url` is the database as the hub has it, `beside` the same without what fails. Migrates it."""
    drop, mllp_port = folder / "drop", free_port()
    (drop / "in").mkdir(parents=True)
    (folder / "facilities.csv").write_text(stories.FACILITIES)
    (folder / "feeds.toml").write_text(FEEDS.format(name=FEED, path=drop))
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        del os.environ[name]
    os.environ |= {
        "HUB_DATA_DIR": str(folder),
        "HUB_DATABASE_URL": url,
        "HUB_MLLP_PORT": str(mllp_port),
        "HUB_WEBHOOK_HOSTS": receiver,
        "HUB_FEEDS_FILE": str(folder / "feeds.toml"),
        "HUB_RATE_PER_SECOND": "0",
        "HUB_LOG_LEVEL": "error",
    }
    from adapters.files.assembly import FileWork
    from hub.front.parts import begin_log, database, loading, settings
    from hub.front.web import make_app
    from hub.front.working import make_listener, make_worker
    from hub.store.migrate import migrate

    begin_log()
    logging.disable(logging.NOTSET if loud else logging.ERROR)  # each fault is one of ours
    migrate(database())
    key, found = new_key("ES384"), Database(beside)
    let_in(found, key)
    listener = make_listener()
    listener.start()
    files = FileWork.of(loading(), settings())
    return Here(folder, found, make_app(), make_worker(), files, listener, mllp_port, key, settings().fhir_base)


def let_in(database: Database, key: dict[str, Any]) -> None:
    """A client that may do everything, with a token for a day."""
    now = clock.now()
    row = {"hash": token_hash(TOKEN), "client": WHO, "scopes": "system/*.cruds", "issued": clock.micros(now)}
    with database.write() as connection:
        clients.add(connection, Client(WHO, WHO, "custodian", "system/*.cruds", public_jwks(key)), now)
        connection.execute(tables.token.insert().values(row | {"expires": row["issued"] + 86_400_000_000}))
