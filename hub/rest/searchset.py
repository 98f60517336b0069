"""The Bundle of type searchset: links, total, matches, what they include, and what was left out.

Rules: https://hl7.org/fhir/R4/search.html#errors, #total, #conformance (the self link), http.html#paging
The self link lists what was used, with the position of this page; parameters that lenient handling left out are not
in it. There is no link to the previous page: a position says where a page ends, and what comes before it may have
changed since; a client that went on has that page already, and `first` begins anew.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from hub.fhir import json
from hub.fhir.summary import shape
from hub.problems import Issue, outcome
from hub.search.query import Query
from hub.store.inclusions import MOST
from hub.store.read import Stored

Pair = tuple[str, str]


def searchset(
    total: int | None,
    links: Sequence[dict[str, str]],
    entries: Sequence[dict[str, Any]],
    security: Sequence[dict[str, Any]] = (),
) -> bytes:
    bundle: dict[str, Any] = {"resourceType": "Bundle"}
    if security:
        bundle["meta"] = {"security": security}
    bundle["type"] = "searchset"
    if total is not None:
        bundle["total"] = total
    bundle["link"] = links
    if entries:
        bundle["entry"] = entries
    return json.write(bundle)


def links(where: str, query: Query, style: Sequence[Pair], following: str) -> list[dict[str, str]]:
    """self, and next where `following` is a cursor, and first where this is not the first page."""
    path = f"{where}?" + urlencode([*query.pairs, *style, ("_count", str(query.count))], quote_via=quote)
    here = f"{path}&_cursor={quote(query.cursor)}" if query.cursor else path
    found = [{"relation": "self", "url": here}]
    if query.cursor:
        found.append({"relation": "first", "url": path})
    if following:
        found.append({"relation": "next", "url": f"{path}&_cursor={quote(following)}"})
    return found


def match(base: str, query: Query, row: Stored) -> dict[str, Any]:
    return _entry(base, row, _shaped(query, row, query.elements), "match")


def include(base: str, query: Query, row: Stored) -> dict[str, Any]:
    """`_elements` does not apply to what is included. https://hl7.org/fhir/R4/search.html#elements"""
    return _entry(base, row, _shaped(query, row, ()), "include")


def is_shaped(query: Query) -> bool:
    return query.summary != "false" or bool(query.elements)


def _shaped(query: Query, row: Stored, elements: Sequence[str]) -> Any:
    """The stored bytes as they are, unless only a part of them is asked for."""
    if query.summary == "false" and not elements:
        return msgspec.Raw(row.body or b"null")
    return shape(json.stored(row.body or b"{}"), query.summary, elements)


def _entry(base: str, row: Stored, resource: Any, mode: str) -> dict[str, Any]:
    return {"fullUrl": f"{base}/{row.type}/{row.id}", "resource": resource, "search": {"mode": mode}}


def warnings(ignored: Iterable[str], bounded: bool) -> list[dict[str, Any]]:
    """Lenient handling names what it left out, and includes say where they were cut off."""
    issues = [Issue("not-supported", f"'{name[:64]}' was left out", name[:64], "warning") for name in ignored]
    if bounded:
        message = f"More than {MOST} resources, or too many levels, are included: the rest was left out"
        issues.append(Issue("too-costly", message, "_include", "warning"))
    return [{"resource": outcome(issues), "search": {"mode": "outcome"}}] if issues else []
