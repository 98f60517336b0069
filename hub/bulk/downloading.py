"""A file as its reader may see it now: what was chosen is read, asked about once more, and written line by line.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---success-2 (NDJSON of one type, the versions of
the transactionTime); docs/access.md: consent, relations and labels count at the moment at which a line leaves
(hub.leaving), not at the one at which it was chosen. Lines leave as the bytes that are stored, unless something of
them is withheld, or asked for in part; addresses of Binaries are whole ones (#attachments).
Leaves out: what is not there for the reader any more, what was deleted since, versions that are kept no more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.bulk.exporting import may_have
from hub.bulk.files import Chosen
from hub.bulk.wanted import Wanted
from hub.fhir import json, summary
from hub.leaving import leaving
from hub.store import chosen
from hub.store.read import Stored

LINES = 1000  # read and sent at once
BINARY = b'"url":"Binary/'


def portions(found: Chosen) -> Iterator[Chosen]:
    for start in range(0, len(found), LINES):
        yield found[start : start + LINES]


def resources(
    connection: Connection, access: Access, wanted: Wanted, found: Chosen, base: str
) -> tuple[list[Stored], bytes]:
    """The versions that leave, and their lines."""
    rows = [row for row in _versions(connection, access, found) if may_have(access, row.type)]
    left = leaving(connection, access, rows, base).rows
    return left, b"".join(_line(row, wanted.names_of(row.type), base) for row in left)


def _line(row: Stored, names: Sequence[str], base: str) -> bytes:
    # no text inside a string looks like that: its quotes are escaped (hub.fhir.json.write)
    body = (row.body or b"{}").replace(BINARY, b'"url":"%s/Binary/' % base.encode())
    if names:
        body = json.write(summary.shape(json.stored(body), "false", names))
    return body + b"\n"


def _versions(connection: Connection, access: Access, found: Chosen) -> list[Stored]:
    """What was chosen, in its order."""
    now = chosen.whole(connection, access.sight, [rid for rid, _ in found])
    there = [(rid, version) for rid, version in found if rid in now and not now[rid].deleted]
    older = [(rid, version) for rid, version in there if now[rid].version != version]
    earlier = chosen.earlier(connection, older)
    rows: list[Stored] = []
    for rid, version in there:
        row = now[rid]
        if row.version == version:
            rows.append(row)
        elif kept := earlier.get((rid, version)):
            at, body = kept
            rows.append(replace(row, version=version, last_updated=at, body=body, is_earlier=True))
    return rows


def deletions(connection: Connection, access: Access, found: Chosen) -> tuple[list[Stored], bytes]:
    """A Bundle a line for each resource that is deleted and stays so."""
    rows = chosen.whole(connection, access.sight, [rid for rid, _ in found])
    gone = [rows[rid] for rid, version in found if rid in rows and rows[rid].version == version]
    left = [row for row in gone if row.deleted and may_have(access, row.type)]
    return left, b"".join(json.write(_deletion(row)) + b"\n" for row in left)


def _deletion(row: Stored) -> dict[str, Any]:
    request = {"method": "DELETE", "url": f"{row.type}/{row.id}"}
    return {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": request}]}
