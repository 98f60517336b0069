"""history of one resource, newest first. https://hl7.org/fhir/R4/http.html#history"""

from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import etag
from hub.problems import Problem
from hub.rest.asked import Answer, Asked, instant_of
from hub.rest.hub import Hub
from hub.store import read as store
from hub.store.read import Stored


def history_instance(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A Bundle of every version; 404 where there never was one."""
    asked.check_id()
    asked.no_parameters()
    found = store.versions(connection, access, asked.type, asked.id)
    if not found:
        raise Problem("not-found", "There is no such resource")
    bundle = {
        "resourceType": "Bundle",
        "type": "history",
        "total": len(found),
        "link": [{"relation": "self", "url": f"{hub.base}/{asked.type}/{asked.id}/_history"}],
        "entry": [_entry(hub.base, version) for version in found],
    }
    return Answer(200, json.write(bundle))


def _entry(base: str, version: Stored) -> dict[str, Any]:
    method = "DELETE" if version.deleted else "POST" if version.version == 1 else "PUT"
    path = version.type if method == "POST" else f"{version.type}/{version.id}"
    status = {"DELETE": "204", "POST": "201"}.get(method, "200")
    entry: dict[str, Any] = {"fullUrl": f"{base}/{version.type}/{version.id}"}
    if version.body is not None:
        entry["resource"] = msgspec.Raw(version.body)
    entry["request"] = {"method": method, "url": path}
    entry["response"] = {
        "status": status,
        "etag": etag(version.version),
        "lastModified": instant_of(version),
    }
    return entry
