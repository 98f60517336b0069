"""history of a resource, of a type and of the whole system, newest first, in pages.

Rules: https://hl7.org/fhir/R4/http.html#history
Refuses: other parameters than `_since`, `_at`, `_count` and `_sort=-_lastUpdated`, one of them twice, and page
links that are not the client's own (hub.search.cursor). Of the system a client sees what its scopes cover.
A client that asks again `_since` its last visit goes back a few seconds: what took long to write on PostgreSQL may
show up with the time at which it was begun.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import etag
from hub.leaving import leaving
from hub.problems import Problem
from hub.rest.asked import Answer, Asked, instant_of
from hub.rest.hub import Hub
from hub.search.cursor import seal, unseal
from hub.search.values import FOREVER, NEVER, date_range
from hub.store import history as store
from hub.store.history import Wanted
from hub.store.read import Stored

PARAMETERS = ("_since", "_at", "_count", "_sort", "_cursor")
NEWEST_FIRST = "-_lastUpdated"

# A create makes the id itself, as a UUID of version 4, and an update takes the client's. An update that brings such
# a UUID and makes a resource is told as a create; to know better, each version would have to say how it was made.
_made_here = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z").match


def history_instance(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A Bundle of the versions of one resource; 404 where there never was one."""
    asked.check_id()
    page = _Page(hub, connection, asked, access)
    found = store.of_instance(connection, access, asked.type, asked.id, page.wanted, page.limit)
    if found is None:
        raise Problem("not-found", "There is no such resource")
    total, rows = found
    return page.answer(rows, total)


def history_type(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A Bundle of the versions of all resources of a type."""
    access.require("history-type", asked.type)
    page = _Page(hub, connection, asked, access)
    return page.answer(store.of_types(connection, access, "history-type", [asked.type], page.wanted, page.limit))


def history_system(hub: Hub, connection: Connection, asked: Asked, access: Access) -> Answer:
    """A Bundle of the versions of all resources that the client may see; 403 where it may see none."""
    if not store.may_see_any(access):
        access.require("history-system", "*")
    page = _Page(hub, connection, asked, access)
    shown = store.types_shown(connection, access)
    return page.answer(store.of_types(connection, access, "history-system", shown, page.wanted, page.limit))


class _Page:
    """What was asked of a history: which versions, how many, and the links that say so."""

    def __init__(self, hub: Hub, connection: Connection, asked: Asked, access: Access):
        self._hub = hub
        self._connection = connection
        self._access = access
        self._style = asked.style
        self._path = f"{hub.base}/{'/'.join(filter(None, (asked.type, asked.id, '_history')))}"
        values = _values(asked)
        cursor = values.pop("_cursor", "")
        if values.get("_sort", NEWEST_FIRST) != NEWEST_FIRST:
            raise Problem("not-supported", f"A history is sorted {NEWEST_FIRST}, and not otherwise", "_sort")
        self.count = _count(values.get("_count"), hub.limits.page, hub.limits.most)
        if "_count" in values:
            values["_count"] = str(self.count)
        self._values = values
        self.wanted = _wanted(values, self._after(cursor))

    @property
    def limit(self) -> int:
        """One more than the page holds tells whether there is a next one."""
        return self.count + 1 if self.count else 0

    def answer(self, found: Sequence[Stored], total: int | None = None) -> Answer:
        # what is left out here still counts for where the next page begins
        here = found[: self.count]
        left = leaving(self._connection, self._access, here, self._hub.base)
        shown = left.rows
        bundle: dict[str, Any] = {"resourceType": "Bundle"}
        if security := left.security():
            bundle["meta"] = {"security": security}
        bundle["type"] = "history"
        if total is not None:
            bundle["total"] = total
        bundle["link"] = [{"relation": "self", "url": self._url({})}]
        if len(found) > self.count and here:
            bundle["link"].append({"relation": "next", "url": self._url({"_cursor": self._cursor(here[-1])})})
        if shown:
            bundle["entry"] = [_entry(self._hub.base, version) for version in shown]
        return Answer(200, json.write(bundle), released=shown)

    def _url(self, more: dict[str, str]) -> str:
        query = urlencode([*self._values.items(), *more.items(), *self._style.asked], quote_via=quote)
        return f"{self._path}?{query}" if query else self._path

    @property
    def _identity(self) -> str:
        return f"{self._path}?{urlencode(self._values)}"

    def _cursor(self, last: Stored) -> str:
        expires = int(self._hub.now().timestamp()) + self._hub.cursor_seconds
        place = [last.last_updated, last.rid]
        return seal(self._hub.secret, self._access.who, self._identity, place, expires)

    def _after(self, cursor: str) -> tuple[int, int] | None:
        if not cursor:
            return None
        now = int(self._hub.now().timestamp())
        place, number = unseal(self._hub.secret, cursor, self._access.who, self._identity, now)
        return int(place), int(number)


def _values(asked: Asked) -> dict[str, str]:
    """The parameters that are known here, each once. Raises Problem."""
    found: dict[str, str] = {}
    for name, value in asked.pairs:
        if name in found:
            raise Problem("value", f"'{name}' is given twice", name)
        if name in PARAMETERS:
            found[name] = value
        elif not asked.lenient:
            raise Problem("not-supported", f"A history does not take '{name[:64]}'", name[:64])
    return found


def _wanted(values: dict[str, str], after: tuple[int, int] | None) -> Wanted:
    since, (at, until) = _period(values, "_since")[0], _period(values, "_at")
    place = {} if after is None else {"after": after}
    at_all = "_at" in values
    return Wanted(since, until if at_all else FOREVER, at if at_all else None, **place)


def _period(values: dict[str, str], name: str) -> tuple[int, int]:
    """The microseconds that a date, dateTime or instant covers. Raises Problem(`value`)."""
    if name not in values:
        return NEVER, FOREVER
    found = date_range(values[name].replace(" ", "+"))  # a `+` that was not escaped arrives as a space
    if found is None:
        raise Problem("value", f"{name} takes an instant or a date", name)
    return found


def _count(text: str | None, usual: int, most: int) -> int:
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit()):
        raise Problem("value", "_count is a number from 0", "_count")
    return min(int(text[:9]), most)


def _entry(base: str, version: Stored) -> dict[str, Any]:
    method = "DELETE" if version.deleted else _made_by(version)
    path = version.type if method == "POST" else f"{version.type}/{version.id}"
    status = "204" if version.deleted else "201" if version.version == 1 else "200"
    entry: dict[str, Any] = {"fullUrl": f"{base}/{version.type}/{version.id}"}
    if version.body is not None:
        entry["resource"] = msgspec.Raw(version.body)
    entry["request"] = {"method": method, "url": path}
    entry["response"] = {"status": status, "etag": etag(version.version), "lastModified": instant_of(version)}
    return entry


def _made_by(version: Stored) -> str:
    return "POST" if version.version == 1 and _made_here(version.id) else "PUT"
