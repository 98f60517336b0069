"""read and vread. https://hl7.org/fhir/R4/http.html#read, #vread, conditional read #cread"""

from sqlalchemy import Connection

from hub.access import Access
from hub.problems import Problem
from hub.rest.asked import Answer, Asked, version_headers
from hub.rest.hub import Hub
from hub.store import read as store
from hub.store.read import Stored

MAX_VERSION = 2**31 - 1  # what the column holds


def read(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """200, 304 (If-None-Match), 404, or 410 where it was deleted."""
    asked.check_id()
    asked.no_parameters()
    return _answer(asked, store.current(connection, access, asked.type, asked.id))


def vread(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """As read, of one version."""
    asked.check_id()
    asked.no_parameters()
    if asked.version is None or asked.version > MAX_VERSION:
        raise Problem("not-found", "There is no such version")
    return _answer(asked, store.version(connection, access, asked.type, asked.id, asked.version))


def _has_it(sent: str, etag: str) -> bool:
    """The client named this version, weakly compared (RFC 9110 section 13.1.2)."""
    named = [tag.strip().removeprefix("W/") for tag in sent.split(",")]
    return etag.removeprefix("W/") in named or "*" in named


def _answer(asked: Asked, found: Stored | None) -> Answer:
    if found is None:
        raise Problem("not-found", "There is no such resource")
    headers = version_headers(found)
    if found.body is None:
        raise Problem("deleted", "The resource was deleted", headers={"ETag": headers["ETag"]})
    if _has_it(asked.headers.get("if-none-match", ""), headers["ETag"]):
        return Answer(304, b"", headers)
    return Answer(200, found.body, headers)
