"""Asking the hub over its REST API in tests: a client with small verbs, invented resources, what a refusal is."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from auth import clients
from auth.development_token import public_jwks
from auth.guard import Guard
from auth.tokens import token_hash
from conformance.capability_statement import capability_statement
from conformance.operations import engines
from conformance.packages.catalog import Catalog
from conformance.profiles.terms import LibraryCodes
from conformance.profiles.validate import Validator
from conformance.terminology.load import library
from conformance.terminology_capabilities import terminology_capabilities
from conformance.validation import structure
from hub import clock
from hub.access import Access
from hub.bulk.desk import Desk
from hub.operations.call import Engines
from hub.operations.terminology import by_url
from hub.problems import Issue
from hub.rest import beside, bulk_jobs
from hub.rest.app import create_app
from hub.rest.hub import Hub
from hub.rest.limits import NO_LIMITS, Throttle
from hub.search.query import Limits
from hub.sight import ALL
from hub.store import tables, tables_identity, tables_notices, tables_subscriptions
from hub.store.engine import Database
from hub.transactions import Transactions, Validate

BASE = "https://hub.example/fhir"
MRN = "https://hospital.invalid/mrn"
MAX_BODY = 3 * 2**20
MAX_ENTRIES = 20
FHIR_JSON = "application/fhir+json"
SECRET = b"a secret of the tests, 32 long!!"
WRITTEN = (
    tables.resource,
    tables.history,
    tables.index_token,
    tables.index_date,
    tables.index_number,
    tables.index_string,
    tables.index_reference,
    tables.index_patient,
    tables.index_relation,
    tables.index_consent,
    tables.outbox,
    tables.idempotency,
    tables_identity.source_person,
    tables_identity.identity_key,
    tables_identity.identity_event,
    tables_identity.identity_rewrite,
    tables_identity.identity_absorbed,
    tables_identity.identity_pair,
    tables_identity.identity_attempt,
    tables_notices.notice_event,
    tables_notices.notice_told,
    tables_subscriptions.subscription_event,
    tables_subscriptions.notice_attempt,
    tables_subscriptions.socket_token,
)

# name of the client -> its scopes
CLIENTS = {
    "all": "system/*.cruds",
    "other": "system/*.cruds",
    "patients": "system/Patient.cruds",
    "tasks": "system/Task.rs system/Patient.r system/Observation.s",
    "chart": "system/Patient.rs system/Observation.rs system/Condition.r system/Practitioner.r",
    "reader": "system/*.r",
    "searcher": "system/*.s",
    "creator": "system/*.c",
    "updater": "system/*.u",
    "deleter": "system/*.d",
    "auditor": "system/*.rs",
}
ROLES = {"auditor": "auditor"}  # the others are custodians


def token_of(name: str) -> str:
    """43 characters of base64url, as a token has."""
    return f"test-token-{name}".ljust(43, "x")


def register(database: Database, key: dict[str, Any]) -> None:
    """The clients above, each with a token that is good for an hour."""
    now = clock.now()
    issued = clock.micros(now)
    with database.write() as connection:
        for name, scopes in CLIENTS.items():
            role = ROLES.get(name, "custodian")
            clients.add(connection, clients.Client(name, name, role, scopes, public_jwks(key)), now)
            row = {"hash": token_hash(token_of(name)), "client": name, "scopes": scopes, "issued": issued}
            connection.execute(tables.token.insert().values(row | {"expires": issued + 3_600_000_000}))


def validator(resource: dict[str, Any], expected: str, conditional: bool, _: str = "") -> list[Issue]:
    return structure.validate(resource, expected, conditional_references=conditional)


@cache
def operation_engines(database: Database) -> Engines:
    """$validate and the terminology operations as the front door has them, without packages."""
    stored = by_url(database, BASE)
    terms = cache(lambda: library(clients=stored))
    validates = cache(lambda: Validator(Catalog(), LibraryCodes(terms())))
    made = engines(validates, terms, lambda: terminology_capabilities(BASE, "0", "2026-01-01T00:00:00Z"))
    return replace(made, sight_of=lambda client: ALL if client in CLIENTS else None)


def scoped(database: Database) -> Callable[[dict[str, Any]], Access]:
    """Who asks, with its token's scopes and the hub's own sight: who may see what is tested elsewhere."""
    guard = Guard(database)
    return lambda environ: replace(guard.access_of(environ), sight=ALL)


def app_of(
    database: Database,
    now: clock.Clock = clock.now,
    validate: Validate = validator,
    origins: tuple[str, ...] = (),
    throttle: Throttle = NO_LIMITS,
    guard: Callable[[dict[str, Any]], Access] | None = None,
    desk: Desk | None = None,
    websocket_url: str = "",
    messages: Any = None,
    **options: Any,
) -> Flask:
    """The hub's application as the front door puts it together."""
    hub = Hub(
        database=database,
        transactions=Transactions(database, validate, lambda changes: (), BASE, now, **options),
        base=BASE,
        secret=SECRET,
        limits=Limits(page=10, most=50, base=BASE),
        cursor_seconds=600,
        most_entries=MAX_ENTRIES,
        capabilities=lambda: capability_statement(
            BASE, "https://hub.example/auth/token", "0", "2026-01-01T00:00:00Z"
        ),
        guard=guard or scoped(database),
        shell=lambda bundle: structure.validate_bundle_shell(bundle, conditional_references=True),
        now=now,
        engines=replace(operation_engines(database), bulk=desk, websocket_url=websocket_url, messages=messages),
    )
    app = create_app(hub, MAX_BODY, origins=origins, throttle=throttle)
    for door in bulk_jobs.doors(desk) if desk else ():
        beside.add(app, hub, throttle, door)
    return app


@dataclass(frozen=True)
class Api:
    """One client of the hub. Paths stand below the FHIR base; bodies are JSON values, or bytes sent as they are."""

    app: Flask
    database: Database
    who: str = "all"

    def as_(self, who: str) -> "Api":
        return replace(self, who=who)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {token_of(self.who)}"}
        if body is not None:
            sent["Content-Type"] = FHIR_JSON
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.app.test_client().open(
            f"/fhir{path}", method=method, data=data, headers={n: v for n, v in sent.items() if v}
        )

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.ask("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.ask("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.ask("DELETE", path, **headers)

    def form(self, path: str, form: str, **headers: str) -> TestResponse:
        return self.ask("POST", path, form.encode(), Content_Type="application/x-www-form-urlencoded", **headers)

    def bundle(self, kind: str, *entries: dict[str, Any], **headers: str) -> TestResponse:
        return self.post("", {"resourceType": "Bundle", "type": kind, "entry": list(entries)}, **headers)

    def have(self, *resources: dict[str, Any]) -> None:
        """Store these, each under its own id."""
        for resource in resources:
            answer = self.put(f"/{resource['resourceType']}/{resource['id']}", resource)
            assert answer.status_code in (200, 201), answer.text

    def found(self, path: str) -> list[str]:
        """The ids a search finds, in its order."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return [e["resource"]["id"] for e in answer.json.get("entry", []) if e["search"]["mode"] == "match"]

    def counts(self) -> dict[str, int]:
        return counts(self.database)


def counts(database: Database) -> dict[str, int]:
    """Rows of every table that a commit writes."""
    with database.read() as connection:
        return {t.name: connection.execute(select(func.count()).select_from(t)).scalar_one() for t in WRITTEN}


def refused(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The issue of an answer that refuses, in FHIR's words and no others."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.content_type == f"{FHIR_JSON}; charset=utf-8"
    body: dict[str, Any] = json.loads(answer.data)
    assert body["resourceType"] == "OperationOutcome"
    issue: dict[str, Any] = body["issue"][0]
    assert (issue["severity"], issue["code"]) == ("error", code), body
    assert issue["diagnostics"]
    assert "Traceback" not in answer.text
    return issue


def patient(identity: str = "", **parts: Any) -> dict[str, Any]:
    return {"resourceType": "Patient"} | ({"id": identity} if identity else {}) | parts


def observation(identity: str = "", **parts: Any) -> dict[str, Any]:
    base = {"resourceType": "Observation", "status": "final", "code": {"text": "invented"}}
    return base | ({"id": identity} if identity else {}) | parts


def mrn(value: str) -> list[dict[str, str]]:
    return [{"system": MRN, "value": value}]


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """An entry of a Bundle; `full_url` goes beside the request, all else into it."""
    made: dict[str, Any] = {"fullUrl": parts.pop("full_url")} if "full_url" in parts else {}
    if resource is not None:
        made["resource"] = resource
    return made | {"request": {"method": method, "url": url, **parts}}
