"""A subject that refers to what is not there waits for it: an Organization of the directory, a row of another file.

Rules: docs/feeds.md "What waits"; https://hl7.org/fhir/R4/http.html#trules (conditional references).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir.bundles import Entry
from hub.store.conditions import candidates, query_of

KIND = "feed-reference"


def first_missing(connection: Connection, access: Access, entries: Sequence[Entry], base: str) -> str | None:
    """The first conditional reference of these that finds nothing in the store."""
    names = dict.fromkeys(name for entry in entries for name in _conditional(entry.resource))
    return next((name for name in names if not _finds(connection, access, name, base)), None)


def is_there(connection: Connection, awaited: str, base: str) -> bool:
    """For hub.inbox.waits."""
    return _finds(connection, Access.system("what waits for a reference"), awaited, base)


def _finds(connection: Connection, access: Access, name: str, base: str) -> bool:
    kind, _, condition = name.partition("?")
    return bool(candidates(connection, access, query_of(kind, condition, base), (), base))


def _conditional(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("reference")
        if isinstance(reference, str) and "?" in reference and ":" not in reference.partition("?")[0]:
            yield reference
        for value in node.values():
            yield from _conditional(value)
    elif isinstance(node, list):
        for value in node:
            yield from _conditional(value)
