"""AuditEvents over HTTP: read and search, for whose role reads them; they are written by nobody but the hub.

Functions in the shape of hub.rest's interactions, so that routes serve them for the type AuditEvent. What waits is
moved to the chain first: whoever looks sees what was done a moment ago, too. Looking is recorded like all else.
"""

from urllib.parse import quote, urlencode

from sqlalchemy import Connection

from hub.access import Access
from hub.audit import asked as search_of
from hub.audit import find
from hub.audit.asked import Wanted
from hub.audit.balp import Place
from hub.fhir import json
from hub.problems import Problem
from hub.rest.asked import Answer, Asked
from hub.rest.hub import Hub
from hub.rest.search import with_form
from hub.search.cursor import seal, unseal

TYPE = "AuditEvent"
CACHE_FOREVER = 'W/"1"'


def read(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """200, or 404."""
    access.require("read", TYPE)
    asked.check_id()
    asked.no_parameters()
    place = Place.of(asked.id)
    _catch_up(hub)
    found = find.one(connection, hub.base, place) if place else None
    if found is None:
        raise Problem("not-found", "There is no such resource")
    return Answer(200, json.write(found), {"ETag": CACHE_FOREVER})


def search(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A searchset Bundle; also by POST _search."""
    access.require("search-type", TYPE)
    wanted = search_of.wanted(_pairs(asked), hub.limits)
    after = _after(hub, access, wanted)
    _catch_up(hub)
    bundle: dict[str, object] = {"resourceType": "Bundle", "type": "searchset"}
    if wanted.total:
        bundle["total"] = find.total(connection, hub.base, wanted)
    page = find.page(connection, hub.base, wanted, after) if wanted.count else find.Found([])
    bundle["link"] = _links(hub, asked, access, wanted, page.following)
    if page.events:
        bundle["entry"] = [
            {"fullUrl": f"{hub.base}/{TYPE}/{event['id']}", "resource": event, "search": {"mode": "match"}}
            for event in page.events
        ]
    return Answer(200, json.write(bundle))


SERVED = {"read": read, "search-type": search}


def refuse(interaction: str) -> Problem:
    """What the hub does not do with AuditEvents: it alone writes them, and never changes them."""
    return Problem("method", f"AuditEvent does not take {interaction}: the hub writes it", headers={"Allow": "GET"})


def _pairs(asked: Asked) -> list[tuple[str, str]]:
    return list(with_form(asked).pairs if asked.method == "POST" else asked.pairs)


def _catch_up(hub: Hub) -> None:
    if hub.audit is not None:
        hub.audit.catch_up()


def _identity(wanted: Wanted) -> str:
    return f"{TYPE}?{urlencode(wanted.pairs)}"


def _after(hub: Hub, access: Access, wanted: Wanted) -> find.Position | None:
    if not wanted.cursor:
        return None
    now = int(hub.now().timestamp())
    at, seq, place = unseal(hub.secret, wanted.cursor, access.who, _identity(wanted), now)
    return at, seq, place


def _links(
    hub: Hub, asked: Asked, access: Access, wanted: Wanted, following: find.Position | None
) -> list[dict[str, str]]:
    pairs = [*wanted.pairs, *asked.style.asked, ("_count", str(wanted.count))]
    path = f"{hub.base}/{TYPE}?{urlencode(pairs, quote_via=quote)}"
    here = f"{path}&_cursor={quote(wanted.cursor)}" if wanted.cursor else path
    links = [{"relation": "self", "url": here}]
    if wanted.cursor:
        links.append({"relation": "first", "url": path})
    if following is not None:
        expires = int(hub.now().timestamp()) + hub.cursor_seconds
        cursor = seal(hub.secret, access.who, _identity(wanted), list(following), expires)
        links.append({"relation": "next", "url": f"{path}&_cursor={quote(cursor)}"})
    return links
