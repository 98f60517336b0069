"""The searchset Bundle of an operation: its entries leave as the bytes that are stored.

Rules: https://hl7.org/fhir/R4/bundle.html#searchset
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from hub.fhir import json
from hub.leaving import leaving
from hub.operations.call import Call
from hub.problems import Issue, outcome
from hub.search.cursor import seal, unseal
from hub.store.read import Stored

CURSOR = "_cursor"


def bundle(
    call: Call,
    total: int | None,
    following: int | None,
    matches: Iterable[Stored],
    includes: Iterable[Stored],
    notes: Sequence[Issue],
) -> bytes:
    """`following` is the row number behind which the next page begins; None: this is the last one."""
    matches = list(matches)
    left = leaving(call.connection, call.access, [*matches, *includes], call.base)
    first = {row.rid for row in matches}
    made: dict[str, Any] = {"resourceType": "Bundle"}
    if security := left.security():
        made["meta"] = {"security": security}
    made["type"] = "searchset"
    if total is not None:
        made["total"] = total
    made["link"] = _links(call, following)
    call.released.extend(left.rows)
    entries = [_entry(call.base, row, "match" if row.rid in first else "include") for row in left.rows]
    entries += left.notices()
    issues = [Issue("not-supported", f"'{name}' was left out", name, "warning") for name in call.ignored]
    issues += notes
    if issues:
        entries.append({"resource": outcome(issues), "search": {"mode": "outcome"}})
    if entries:
        made["entry"] = entries
    return json.write(made)


def after(call: Call) -> int | None:
    """The row number behind which this page begins; None on the first one. Raises Problem."""
    if CURSOR not in call.given:
        return None
    now = int(call.now().timestamp())
    (found,) = unseal(call.secret, call.given[CURSOR], call.access.who, _identity(call), now)
    return found


def _links(call: Call, following: int | None) -> list[dict[str, str]]:
    here = {CURSOR: call.given[CURSOR]} if CURSOR in call.given else {}
    found = [{"relation": "self", "url": _url(call, here)}]
    if here:
        found.append({"relation": "first", "url": _url(call, {})})
    if following is not None:
        expires = int(call.now().timestamp()) + call.cursor_seconds
        cursor = seal(call.secret, call.access.who, _identity(call), [following], expires)
        found.append({"relation": "next", "url": _url(call, {CURSOR: cursor})})
    return found


def _path(call: Call) -> str:
    return "/".join(filter(None, (call.base, call.type, call.id, f"${call.operation}")))


def _pairs(call: Call) -> list[tuple[str, str]]:
    """The parameters that were used, wherever they stood."""
    found = []
    for name, value in call.given.items():
        for one in value if isinstance(value, list) else [value]:
            if name != CURSOR:
                found.append((name, _text(one)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):  # a Coding
        return "|".join(filter(None, (value.get("system"), value["code"])))
    return str(value)


def _url(call: Call, more: dict[str, str]) -> str:
    query = urlencode([*_pairs(call), *call.style, *more.items()], quote_via=quote)
    return f"{_path(call)}?{query}" if query else _path(call)


def _identity(call: Call) -> str:
    return f"{_path(call)}?{urlencode([pair for pair in _pairs(call) if pair[0] != '_count'])}"


def _entry(base: str, row: Stored, mode: str) -> dict[str, Any]:
    resource = msgspec.Raw(row.body or b"null")
    return {"fullUrl": f"{base}/{row.type}/{row.id}", "resource": resource, "search": {"mode": mode}}
