"""Status records that name a consent which the hub does not have: nothing is released by it, the report says so.

Rules: docs/county-bh.md "Consents": a record is released by the Consents that are there, never by a number alone.
Load consents before the records that name them. The report names line and column, neither consent nor client.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from adapters.county_bh.status_rows import KIND
from fhir_mappings.county_bh.consent_row import consent_identifier
from hub.access import Access
from hub.feeds.records import WARNING, Feed, Reject
from hub.fhir import json
from hub.search.query import Limits, parse
from hub.search.texts import escaped
from hub.store import read
from hub.store.tables_feeds import feed_record as table

COLUMN = "consent_ref"
WHAT = "It names a consent that no file brought: nothing is released by it."


def lead_nowhere(connection: Connection, feed: Feed, seq: int) -> Iterator[Reject]:
    """A warning for each row of this file that names a consent of nobody."""
    known: dict[str, bool] = {}
    asked = select(table.c.body, table.c.line, table.c.part).where(
        table.c.feed == feed.name, table.c.kind == KIND, table.c.file == seq, ~table.c.deleted
    )
    for row in connection.execute(asked.order_by(table.c.line)):
        named = json.read(row.body).get(COLUMN)
        if not named:
            continue
        if named not in known:
            known[named] = _is_there(connection, feed, named)
        if not known[named]:
            yield Reject("REFERENCE", row.line, COLUMN, WHAT, row.part, WARNING)


def _is_there(connection: Connection, feed: Feed, number: str) -> bool:
    named = consent_identifier(feed, number)
    query = parse("Consent", [("identifier", f"{named['system']}|{escaped(number)}")], Limits())
    return bool(read.page(connection, Access.system("consent references"), query, (), 1))
