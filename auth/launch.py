"""EHR launches: what an EHR has open when it starts an app, under a value that means nothing to anyone else.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/app-launch.html#launch-app-ehr-launch and
https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#fhir-context
A value is good for one code, for a few minutes, for one app and, if the EHR says so, for one person.
Refuses (LaunchError): apps without a launch address, contexts of another shape, patients and encounters that the
EHR itself may not see, or that do not belong together.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Connection, insert, select, update

from auth.clients import Client
from auth.tokens import SECOND, new_token, token_hash
from hub.access import Access
from hub.clock import micros
from hub.fhir import json
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.store import read
from hub.store.tables_auth import launch_context

MOST_CONTEXTS = 20
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}")
ROLES = frozenset(("launch",))  # those of SMART itself; others are absolute URIs
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")


class LaunchError(Exception):
    """There is no such launch to be made; the text is a sentence for who asked."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is open in the EHR. `user` is the id of an account, or empty: whoever signs in. `context` is the rest of
    what the app is told, in SMART's words."""

    patient: str = ""
    encounter: str = ""
    user: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """What the token answer says."""
        named = {"patient": self.patient, "encounter": self.encounter}
        return {**{name: value for name, value in named.items() if value}, **self.context}


def create(connection: Connection, client: Client, launch: Launch, now: datetime, seconds: int) -> str:
    """Keep a launch; its value. Raises LaunchError."""
    if not client.launch_uri or not client.usable(now):
        raise LaunchError("The app has no launch address, or is switched off")
    check(launch)
    value, at = new_token(), micros(now)
    row = {
        "hash": token_hash(value),
        "client": client.id,
        "user_id": launch.user,
        "patient": launch.patient,
        "encounter": launch.encounter,
        "context": msgspec.json.encode(launch.context).decode(),
        "created": at,
        "expires": at + seconds * SECOND,
    }
    connection.execute(insert(launch_context).values(row))
    return value


def find(connection: Connection, client: Client, value: str, now: datetime) -> Launch | None:
    """The launch of a value: not used, not over, and this client's."""
    if not _VALUE.fullmatch(value):
        return None
    table = launch_context
    is_it = (table.c.hash == token_hash(value), table.c.client == client.id, table.c.used == 0)
    row = connection.execute(select(table).where(*is_it, table.c.expires > micros(now))).first()
    return Launch(row.patient, row.encounter, row.user_id, msgspec.json.decode(row.context)) if row else None


def use(connection: Connection, value: str, now: datetime) -> bool:
    """Mark a launch as used; False where it was used meanwhile."""
    table = launch_context
    fresh = update(table).where(table.c.hash == token_hash(value), table.c.used == 0)
    return connection.execute(fresh.values(used=micros(now))).rowcount == 1


def url(client: Client, fhir_base: str, value: str) -> str:
    """Where the EHR sends the browser."""
    separator = "&" if "?" in client.launch_uri else "?"
    return f"{client.launch_uri}{separator}{urlencode({'iss': fhir_base, 'launch': value})}"


def check(launch: Launch) -> None:
    """Raises LaunchError where a part has another shape."""
    for name, value in (("patient", launch.patient), ("encounter", launch.encounter)):
        if value and not _ID.fullmatch(value):
            raise LaunchError(f"{name} is the id of a resource")
    if launch.encounter and not launch.patient:
        raise LaunchError("An encounter needs its patient")
    for name, value in launch.context.items():
        if name not in CONTEXT or not CONTEXT[name](value):
            raise LaunchError("The context holds what SMART does not know, or in another shape")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable()


def _are_contexts(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) <= MOST_CONTEXTS and all(map(_is_context, value))


def _is_context(value: Any) -> bool:
    if not isinstance(value, Mapping) or not set(value) <= {"reference", "canonical", "identifier", "type", "role"}:
        return False
    if not {"reference", "canonical", "identifier"} & set(value):
        return False
    texts = all(_is_text(text) for name, text in value.items() if name != "identifier")
    if not texts or not isinstance(value.get("identifier", {}), Mapping):
        return False
    return _is_role(value.get("role", "launch")) and _is_other(value.get("reference"))


def _is_role(role: str) -> bool:
    return role in ROLES or _ABSOLUTE.fullmatch(role) is not None


def _is_other(reference: str | None) -> bool:
    """The patient and the encounter have places of their own."""
    found = _REFERENCE.fullmatch(reference) if reference else None
    if not reference:
        return reference is None
    return bool(found) and found[1] in resource_types() - {"Patient", "Encounter"}  # type: ignore[index]


CONTEXT = {
    "fhirContext": _are_contexts,
    "intent": _is_text,
    "need_patient_banner": lambda value: isinstance(value, bool),
    "tenant": _is_text,
}


def require_visible(connection: Connection, access: Access, launch: Launch) -> None:
    """Raises LaunchError unless the caller itself may see what is to be open. Missing and hidden are one."""
    for resource_type, identity in (("Patient", launch.patient), ("Encounter", launch.encounter)):
        content = content_of(connection, access, resource_type, identity) if identity else None
        if identity and content is None:
            raise LaunchError(f"There is no such {resource_type}")
        if content and resource_type == "Encounter":
            subject = content.get("subject") or {}
            if subject.get("reference", "").rpartition("Patient/")[2] != launch.patient:
                raise LaunchError("There is no such Encounter")


def content_of(connection: Connection, access: Access, resource_type: str, identity: str) -> dict[str, Any] | None:
    """A resource as the caller sees it; None where there is none for them."""
    if not _ID.fullmatch(identity):
        return None
    try:
        found = read.current(connection, access, resource_type, identity)
    except Problem as problem:
        if problem.status in (401, 403, 404, 410):
            return None
        raise
    return json.stored(found.body) if found and found.body is not None else None
