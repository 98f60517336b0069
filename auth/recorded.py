"""What happens at /auth is recorded before its answer leaves; and who was given what, with its own transaction.

Rules: docs/audit.md; BALP IHE.IUA.71 for tokens, DICOM's security events for the rest (hub.audit.interactions)
What the web does is a note of the request (`note`), which `Told` writes when the answer is ready. Changes of
clients, people, keys and broken glass go along with their transaction (`changed`), whoever makes them.
Refuses: to let an answer leave that cannot be recorded. Never kept: passwords, codes, tokens, secrets, what was
typed to find a patient, logins that are no account's.
"""

import getpass
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Response, g, has_app_context, has_request_context, request
from sqlalchemy import Connection

from hub import clock
from hub.audit import store
from hub.audit.record import Record, Release, encoded
from hub.audit.recorder import Recorder
from hub.problems import Problem
from hub.rest.app import request_id
from hub.rest.peers import Peers
from hub.search.edges import address

# method and path -> what it is, even if nothing is noted
KINDS: Mapping[tuple[str, str], str] = {
    ("POST", "/auth/token"): "token",
    ("POST", "/auth/revoke"): "revocation",
    ("POST", "/auth/introspect"): "introspection",
    ("POST", "/auth/register"): "registration",
    ("POST", "/auth/sign-in"): "sign-in",
    ("GET", "/auth/oidc/callback"): "sign-in",
    ("POST", "/auth/sign-out"): "sign-out",
    ("POST", "/auth/patient"): "patient-picker",
    ("POST", "/auth/decision"): "authorization",
    ("POST", "/auth/apps"): "revocation",
    ("POST", "/auth/launch"): "launch",
}


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a request. `patients` were shown; `own`: to a person whose own they are. `status` counts
    where the HTTP status says less."""

    interaction: str = ""
    client: str = ""
    user: str = ""
    role: str = ""
    patients: tuple[str, ...] = ()
    own: bool = False
    status: int = 0
    detail: str = ""


def note(**known: Any) -> None:
    """Remember this of the request that is being answered; outside of one there is nothing to remember."""
    if has_app_context():
        g.audit_note = replace(g.get("audit_note", Note()), **known)


@dataclass(frozen=True, slots=True)
class Told:
    """For Flask's after_request. `failed` is the answer where nothing can be recorded."""

    recorder: Recorder
    peers: Peers
    failed: Callable[[Problem], Response]

    def __call__(self, response: Response) -> Response:
        told: Note = g.get("audit_note", Note())
        interaction = told.interaction or KINDS.get((request.method, request.path), "")
        if not interaction:
            return response
        try:
            self.recorder.journal.append(encoded(self._record(interaction, told, response.status_code)))
        except Problem as problem:
            return self.failed(problem)
        return response

    def _record(self, interaction: str, told: Note, status: int) -> Record:
        return Record(
            clock.micros(self.recorder.now()),
            interaction,
            told.status or status,
            method=request.method,
            query=f"{request.path}?{told.detail}" if told.detail else request.path,
            client=told.client,
            user=told.user,
            role=told.role,
            request=request_id(request.environ),
            network=self.peers.of(request.environ),
            releases=_releases(told.patients),
            count=len(told.patients),
            own=told.own,
        )


def changed(
    connection: Connection, interaction: str, what: str, client: str = "", user: str = "", patient: str = ""
) -> None:
    """Record a change in its own transaction. `what` says which: words and ids of clients, accounts and keys."""
    web = has_request_context()
    record = Record(
        clock.micros(clock.now()),
        interaction,
        200,
        type="Patient" if patient else "",
        id=patient,
        method=request.method if web else "hub",
        query=what,
        client=client or ("" if web else "hub"),
        user=user or ("" if web else _operator()),
        request=request_id(request.environ) if web else "",
        releases=_releases((patient,) if patient else ()),
    )
    store.pend(connection, record)


def told(values: Mapping[str, Any]) -> str:
    """Which columns a change is of; the value only where it is yes or no: others may be secrets."""
    words = (f"{name}={value}".lower() if isinstance(value, bool) else name for name, value in values.items())
    return " ".join(words)


def _operator() -> str:
    """Who runs the command, as the machine knows them."""
    try:
        return f"os/{getpass.getuser()}"
    except (OSError, KeyError):
        return f"os/{os.getuid()}"


def _releases(patients: Sequence[str]) -> tuple[Release, ...]:
    return tuple(Release(number) for number in sorted({address("Patient", patient) for patient in patients}))
