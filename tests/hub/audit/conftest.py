"""A hub that records: its API as several callers, and what its audit says then."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from conformance.capability_statement import capability_statement
from conformance.validation import structure
from hub import clock
from hub.access import Access
from hub.audit import store, verify
from hub.audit.journal import Journal
from hub.audit.record import Record, decoded
from hub.audit.recorder import About, Recorder
from hub.problems import Problem
from hub.rest.app import create_app
from hub.rest.hub import Hub
from hub.search.edges import address
from hub.search.query import Limits
from hub.sight import ALL, PURPOSES
from hub.store.engine import Database
from hub.store.tables_audit import audit
from hub.transactions import Transactions
from tests.hub.asking import BASE, FHIR_JSON, SECRET, operation_engines, validator

EVERY = frozenset(("*", letter) for letter in "cruds")
TYPES = ("Patient", "Observation", "Group", "Task", "Encounter")
CLINICAL = frozenset((name, letter) for name in TYPES for letter in "cruds")
TREATING = replace(ALL, purposes=PURPOSES["TREAT"])
MEMBER = replace(ALL, self_only=True, patient=address("Patient", "ann"))
SOURCE = "Organization/s"
CALLERS = {
    "ehr": Access("ehr", CLINICAL, "ecm", sight=TREATING, user="dr-doe"),
    "source": Access(
        "source", CLINICAL, "ehr", sight=replace(ALL, own=address("Organization", "s")), source=SOURCE
    ),
    "backend": Access("backend", CLINICAL, "ehr", sight=ALL),
    "auditor": Access("auditor", frozenset({("AuditEvent", "r"), ("AuditEvent", "s")}), "auditor", sight=ALL),
    "member": Access("member", frozenset({("Patient", "r"), ("Observation", "s")}), "member", sight=MEMBER),
    "bob": Access(
        "bob", frozenset({("Patient", "r")}), "member", sight=replace(MEMBER, patient=address("Patient", "bob"))
    ),
}


def guard(environ: dict[str, Any]) -> Access:
    """The token is the caller's name."""
    name = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    if name not in CALLERS:
        raise Problem("login", "There is no such token")
    return CALLERS[name]


@dataclass(frozen=True)
class Audited:
    """The API, and the audit behind it."""

    app: Flask
    database: Database
    recorder: Recorder
    transactions: Transactions
    who: str = "ehr"

    def as_(self, who: str) -> "Audited":
        return replace(self, who=who)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.who}", "X-Request-Id": "request-1"}
        if body is not None:
            sent["Content-Type"] = FHIR_JSON
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        client = self.app.test_client()
        return client.open(
            f"/fhir{path}", method=method, data=data, headers=sent, environ_base={"REMOTE_ADDR": "192.0.2.7"}
        )

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, **headers)

    def records(self) -> list[Record]:
        """All that was recorded, in order; the chain is sound."""
        store.move_all(self.database, self.recorder.journal.folder)
        with self.database.read() as connection:
            assert not verify.verify(connection).wrong
            rows = connection.execute(audit.select().order_by(audit.c.seq)).all()
        return [decoded(row.record) for row in rows]

    def new(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[TestResponse, list[Record]]:
        """The answer to a request, and what was recorded of it."""
        before = len(self.records())
        answer = self.ask(method, path, body, **headers)
        return answer, self.records()[before:]

    def events(self, query: str = "") -> list[dict[str, Any]]:
        """The AuditEvents that an auditor finds."""
        answer = self.as_("auditor").get(f"/AuditEvent?_count=50{query and '&'}{query}")
        assert answer.status_code == 200, answer.text
        return [entry["resource"] for entry in answer.json.get("entry", ())]


def hub_of(database: Database, folder: Path) -> Audited:
    recorder = Recorder(database, Journal(folder))
    transactions = Transactions(
        database,
        validator,
        lambda changes: (),
        BASE,
        audit=lambda entries, access: recorder.along(About(""), entries, access),
    )
    hub = Hub(
        database=database,
        transactions=transactions,
        base=BASE,
        secret=SECRET,
        limits=Limits(page=10, most=50, base=BASE),
        cursor_seconds=600,
        most_entries=20,
        capabilities=lambda: capability_statement(
            BASE, "https://hub.example/auth/token", "0", "2026-01-01T00:00:00Z"
        ),
        guard=guard,
        shell=lambda bundle: structure.validate_bundle_shell(bundle, conditional_references=True),
        now=clock.now,
        engines=operation_engines(database),
        audit=recorder,
    )
    return Audited(create_app(hub, 2**20), database, recorder, transactions)


@pytest.fixture
def audited(database: Database, tmp_path: Path) -> Iterator[Audited]:
    """An empty hub that records."""
    made = hub_of(database, tmp_path / "audit")
    yield made
    made.recorder.journal.close()
