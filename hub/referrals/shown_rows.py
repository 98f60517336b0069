"""What of a referral may leave to whoever was asked: its Task, its request, who it is for, who asks.

Rules: docs/access.md: all of it passes hub.leaving with the reader's Access, never the hub's own. Without the Task
nothing leaves.
"""

from sqlalchemy import Connection

from hub import leaving
from hub.access import Access
from hub.fhir import json
from hub.referrals.terms import Resource, local
from hub.store import read
from hub.store.read import Stored

NAMED = ("Organization", "Practitioner", "PractitionerRole", "Patient", "RelatedPerson")


def shown_rows(connection: Connection, access: Access, task: str, base: str) -> list[Stored]:
    """The Task first; none where it may not leave. `task` is an id."""
    found = _row(connection, access, f"Task/{task}", base)
    if found is None:
        return []
    content = json.stored(found.body or b"{}")
    named = (
        local(content.get("focus"), base, "ServiceRequest"),
        local(content.get("for"), base, "Patient"),
        local(content.get("requester"), base, *NAMED),
    )
    others = (_row(connection, access, one, base) for one in dict.fromkeys(named) if one)
    return [found, *filter(None, others)]


def contents(rows: list[Stored]) -> dict[str, Resource]:
    """By reference, in their order."""
    return {f"{one.type}/{one.id}": json.stored(one.body or b"{}") for one in rows}


def _row(connection: Connection, access: Access, reference: str, base: str) -> Stored | None:
    kind, _, identity = reference.partition("/")
    found = read.current(connection, access, kind, identity) if access.may("read", kind) else None
    return leaving.one(connection, access, found, base) if found and found.body else None
