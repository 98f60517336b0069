"""read and vread. https://hl7.org/fhir/R4/http.html#read, #vread, conditional read #cread

Conditions are weighed as RFC 9110 section 13.2.2 says: If-None-Match first, and If-Modified-Since only without it.
"""

from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime

from sqlalchemy import Connection

from hub import leaving
from hub.access import Access
from hub.fhir import json
from hub.problems import Problem
from hub.rest.asked import Answer, Asked, version_headers
from hub.rest.hub import Hub
from hub.store import read as store
from hub.store.read import Stored

READ_SUMMARIES = ("false", "true", "text", "data")  # a count is of a search


def read(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """200, 304 (If-None-Match, If-Modified-Since), 404, or 410 where it was deleted."""
    asked.check_id()
    part = _part(asked)
    found = store.current(connection, access, asked.type, asked.id)
    return part(_answer(asked, found and leaving.one(connection, access, found, hub.base)))


def vread(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """As read, of one version."""
    asked.check_id()
    part = _part(asked)
    if asked.version is None:  # no number
        raise Problem("not-found", "There is no such version")
    found = store.version(connection, access, asked.type, asked.id, asked.version)
    return part(_answer(asked, found and leaving.one(connection, access, found, hub.base)))


def _part(asked: Asked) -> Callable[[Answer], Answer]:
    """What leaves of the answer, as `_summary` and `_elements` want it. Raises Problem."""
    if not asked.pairs:
        return lambda answer: answer
    from hub.fhir import summary  # the table of elements is not read where nobody asks for a part

    known = tuple(pair for pair in asked.pairs if pair[0] in ("_summary", "_elements"))
    replace(asked, pairs=[pair for pair in asked.pairs if pair not in known]).no_parameters()
    values = dict(known)
    if len(values) < len(known):
        raise Problem("value", "_summary and _elements are given once", "_summary")
    kind = values.get("_summary", "false")
    if kind not in READ_SUMMARIES:
        raise Problem("value", f"_summary of a read is one of {' '.join(READ_SUMMARIES)}", "_summary")
    elements = summary.names(values["_elements"], [asked.type]) if "_elements" in values else []
    summary.go_together(kind, elements)

    def shaped(answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        return replace(answer, body=json.write(summary.shape(json.stored(answer.body), kind, elements)))

    return shaped


def _has_it(asked: Asked, found: Stored, etag: str) -> bool:
    """The client has this version already."""
    named = asked.headers.get("if-none-match")
    if named:
        return _names(named, etag)
    since = asked.headers.get("if-modified-since")
    return bool(since) and _unchanged(str(since), found)


def _names(sent: str, etag: str) -> bool:
    """The client named this version, weakly compared (RFC 9110 section 13.1.2)."""
    named = [tag.strip().removeprefix("W/") for tag in sent.split(",")]
    return etag.removeprefix("W/") in named or "*" in named


def _unchanged(since: str, found: Stored) -> bool:
    """Not changed after this second. What is no HTTP date is left out, as RFC 9110 section 13.1.3 wants it."""
    try:
        moment = parsedate_to_datetime(since)
        return moment.tzinfo is not None and found.last_updated // 1_000_000 <= moment.timestamp()
    except (ValueError, OverflowError):
        return False


def _answer(asked: Asked, found: Stored | None) -> Answer:
    if found is None:
        raise Problem("not-found", "There is no such resource")
    headers = version_headers(found)
    if found.body is None:
        raise Problem("deleted", "The resource was deleted", headers={"ETag": headers["ETag"]})
    if _has_it(asked, found, headers["ETag"]):
        return Answer(304, b"", headers, (found,))
    return Answer(200, found.body, headers, (found,))
