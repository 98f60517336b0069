"""Columns that no layout names, as a partner's own rows said them last, for a file that is written anew for it.

Rules: docs/plan-workbooks.md "Out". Nobody here knows what they mean, so no label guards them: they go back to
whose feed brought them (its organization, or one of its `clients`), and to nobody else.
Refuses nothing; others get the file without them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from adapters.files.columns import MORE
from fhir_mappings.plan.workbook_keys import member_key
from fhir_mappings.plan.workbook_person import newest
from hub.access import Access
from hub.feeds import kept
from hub.feeds.partners import is_theirs
from hub.feeds.records import Feed, Kept, Subject

CHUNK = 500
Facts = dict[str, Any]


def with_more(connection: Connection, access: Access, feed: Feed, rows: Sequence[Facts]) -> list[Facts]:
    """The rows, each with what else its member's newest row of this feed said."""
    if not is_theirs(access, feed):
        return list(rows)
    keys = sorted({member_key(one) for one in rows if one.get("cin") or one.get("mrn")})
    found = dict(_more(connection, feed, keys))
    return [one | _of(one, found) for one in rows]


def _of(facts: Facts, found: Mapping[str, Mapping[str, Any]]) -> Facts:
    more = found.get(member_key(facts)) if facts.get("cin") or facts.get("mrn") else None
    return {MORE: more} if more else {}


def _more(connection: Connection, feed: Feed, keys: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for start in range(0, len(keys), CHUNK):
        for held in kept.subjects(connection, feed, keys[start : start + CHUNK]):
            rows = [row for row in held.subject.of(feed.kind) if row.values.get(MORE)]
            if rows:
                yield held.subject.key, _said(feed, held.subject.key, rows)


def _said(feed: Feed, key: str, rows: Sequence[Kept]) -> Mapping[str, Any]:
    said: Mapping[str, Any] = newest(Subject(feed, key, rows)).values[MORE]
    return said
