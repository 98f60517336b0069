"""What leaves of an answer that was kept under an Idempotency-Key, when it is asked for once more.

Rules: docs/access.md. What was written is told again (status and headers); what it says, only as far as its writer
may see it now: each version is read anew, and shaped and labelled as a read of it would be (hub.leaving).
Refuses (leaves out): resources that are not there for the caller any more, and what is no version of a resource,
such as a search inside a batch: it may be asked again.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from hub import leaving
from hub.access import Access
from hub.fhir import json
from hub.rest.asked import Answer, Asked
from hub.store import read
from hub.store.read import Stored

TELLS_NOTHING = "OperationOutcome"


def replayed(connection: Connection, asked: Asked, access: Access, answer: Answer, base: str) -> Answer:
    """The kept answer as it may leave now."""
    if access.sight.everything or not answer.body:
        return answer
    kept = json.stored(answer.body)
    if asked.operation:
        return _of_operation(connection, asked, access, answer)
    if not asked.type:
        return _of_bundle(connection, access, answer, kept, base)
    if kept["resourceType"] == TELLS_NOTHING:
        return answer
    now = _now(connection, access, kept, base)
    return replace(answer, body=(now and now.body) or b"", released=[now] if now else ())


def _of_operation(connection: Connection, asked: Asked, access: Access, answer: Answer) -> Answer:
    """Those that change something tell the meta of one resource."""
    found = read.current(connection, _reading(access, asked.type), asked.type, asked.id)
    now = found and leaving.one(connection, access, found)
    return replace(answer, released=[now]) if now else replace(answer, body=b"")


def _of_bundle(connection: Connection, access: Access, answer: Answer, kept: Any, base: str) -> Answer:
    released: list[Stored] = []
    entries = [_entry(connection, access, entry, base, released) for entry in kept.get("entry", ())]
    whole = kept | ({"entry": entries} if entries else {})
    return replace(answer, body=json.write(whole), released=released)


def _entry(connection: Connection, access: Access, entry: Any, base: str, released: list[Stored]) -> Any:
    if "resource" not in entry:
        return entry
    now = _now(connection, access, entry["resource"], base)
    rest = {name: value for name, value in entry.items() if name != "resource"}
    if now is None or now.body is None:
        return rest
    released.append(now)
    return {"resource": json.stored(now.body)} | rest


def _now(connection: Connection, access: Access, kept: Any, base: str) -> Stored | None:
    """The version that was answered with, as it may leave now."""
    kind, identity = kept["resourceType"], kept.get("id")
    version = kept.get("meta", {}).get("versionId")
    if identity is None or version is None:
        return None
    found = read.version(connection, _reading(access, kind), kind, identity, int(version))
    return leaving.one(connection, access, found, base) if found else None


def _reading(access: Access, *types: str) -> Access:
    """The same sight. Who only may write is told what it wrote: so was it the first time."""
    return replace(access, grants=access.grants | {(name, "r") for name in types})
