"""The actors as clients of a hub, each with the token that its state says, and the hub's application to ask."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from flask import Flask
from sqlalchemy import Connection, insert

from auth.guard import Guard
from auth.notices import NoticeRights
from auth.tokens import token_hash
from conformance.validation import structure
from hub import clock
from hub.bulk import jobs
from hub.bulk.desk import Desk
from hub.bulk.exporting import Exporting
from hub.bulk.lane import BulkLane
from hub.rest import beside, bulk_jobs
from hub.rest.app import create_app
from hub.rest.hub import Hub
from hub.rest.limits import NO_LIMITS
from hub.search.query import Limits
from hub.store import tables, tables_auth
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.hub.asking import BASE, MAX_BODY, SECRET, operation_engines, validator
from tests.matrix.asker import Asker
from tests.matrix.canaries import identity
from tests.matrix.dimensions import ACTORS, Actor

HOUR = 3_600_000_000
PURPOSES = {"plan": "HPAYMT HOPERAT", "member": "PATRQT", "ilos-provider": "TREAT", "auditor": "HOPERAT"}


def application(database: Database, transactions: Transactions | None = None) -> Flask:
    """The hub as the front door puts it together, with large pages."""
    desk, lane = bulk(database)
    hub = Hub(
        database=database,
        transactions=transactions or Transactions(database, validator, lambda changes: (), BASE),
        base=BASE,
        secret=SECRET,
        limits=Limits(page=50, most=1000, base=BASE),
        cursor_seconds=600,
        most_entries=20,
        capabilities=lambda: {"resourceType": "CapabilityStatement"},
        guard=Guard(database).access_of,
        shell=lambda bundle: structure.validate_bundle_shell(bundle, conditional_references=True),
        engines=replace(operation_engines(database), member_matches=1_000_000, bulk=desk),
    )
    app = create_app(hub, MAX_BODY)
    for door in bulk_jobs.doors(desk):
        beside.add(app, hub, NO_LIMITS, door)
    app.extensions["bulk"] = lane
    return app


def bulk(database: Database) -> tuple[Desk, BulkLane]:
    """Where exports are asked for, and what does them when it is told to."""
    access_of = NoticeRights(database, SECRET).access_of
    exporting = Exporting(database, access_of, Limits(base=BASE), keep=HOUR)
    lane = BulkLane(database, {jobs.EXPORT: exporting}, keep=HOUR)
    return Desk(database, access_of, BASE, most=1_000_000, margin=0), lane


def register(database: Database, members: Iterable[int]) -> None:
    """The clients, and their tokens."""
    now = clock.micros(clock.now())
    with database.write() as connection:
        for actor in ACTORS:
            if actor.token not in ("none", "wrong-audience"):
                _client(connection, actor, now)
            if actor.token not in ("none", "wrong-audience", "revoked") and actor.policy != "member":
                _token(connection, actor, now, {})
            for member in members if actor.policy == "member" else ():
                _person(connection, member, now)
                _token(connection, actor, now, {"patient": identity("pat", member)}, member)


def _client(connection: Connection, actor: Actor, now: int) -> None:
    row = {
        "id": f"zw-{actor.name}",
        "name": f"Invented {actor.name}",
        "role": actor.role,
        "scopes": actor.scopes,
        "active": actor.token != "disabled",
        "created": now,
        "organization": "" if actor.role in ("member", "operator", "auditor") else actor.organization,
        "purposes": PURPOSES.get(actor.role, "TREAT"),
    }
    connection.execute(insert(tables.client).values(row))


def _person(connection: Connection, member: int, now: int) -> None:
    row = {
        "id": f"zw-{member}",
        "login": f"zw-{member}",
        "name": f"Invented member {member}",
        "password_hash": "",
        "fhir_user": f"Patient/{identity('pat', member)}",
        "roles": "member",
        "organization": "",
        "active": True,
        "created": now,
        "changed": now,
    }
    connection.execute(insert(tables_auth.user_account).values(row))


def _token(connection: Connection, actor: Actor, now: int, context: dict[str, Any], member: int = 0) -> None:
    row = {
        "hash": token_hash(secret(actor, member)),
        "client": f"zw-{actor.name}",
        "scopes": actor.scopes,
        "issued": now - 2 * HOUR,
        "expires": now - HOUR if actor.token == "expired" else now + HOUR,
        "context": json.dumps(context) if context else "",
        "user_id": f"zw-{member}" if member else "",
    }
    connection.execute(insert(tables.token).values(row))


def secret(actor: Actor, member: int = 0) -> str:
    """A token has 43 characters of base64url. One for another audience is a JWT of somebody else."""
    if actor.token == "wrong-audience":
        return "eyJhbGciOiJub25lIn0.eyJhdWQiOiJodHRwczovL2Vsc2V3aGVyZS5pbnZhbGlkIn0."
    return f"matrix-{actor.name}-{member}-".ljust(43, "x")


def askers(app: Flask, members: Iterable[int]) -> Iterator[Asker]:
    for actor in ACTORS:
        if actor.policy == "member":
            yield from (Asker(app, actor, secret(actor, member), member) for member in members)
        else:
            yield Asker(app, actor, None if actor.token == "none" else secret(actor))
