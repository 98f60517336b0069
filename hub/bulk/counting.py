"""What the files of an export hold for their reader now: how many lines, and with which labels.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status (`count` is the number of
resources in the file); 42 CFR 2.32. A file is made when it is downloaded (docs/adr/0019): what it holds is asked of
the same predicate when its manifest is, not when it was chosen.
Ceiling: what changes between the manifest and the download is in the download alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from hub.access import Access
from hub.bulk import files
from hub.bulk.exporting import may_have
from hub.bulk.files import DELETED, OUTPUT, File
from hub.rights.facts import ABOUT
from hub.rights.labels import SUD_BITS
from hub.store import chosen
from hub.store.engine import Database
from hub.told_labels import told


@dataclass(frozen=True, slots=True)
class Told:
    """A file of an export. `has_sud`: something of substance use is in it."""

    number: int
    kind: str
    type: str
    counted: int
    has_sud: bool = False


def as_of_now(database: Database, access: Access, job: str, listed: Sequence[File]) -> list[Told]:
    """The files of an export, without those that nothing is in."""
    found = []
    for file in listed:
        now = Told(file.number, file.kind, file.type, 0)
        for number in range(file.parts):
            now = database.reading(lambda connection: _with_part(connection, access, job, now, number))  # noqa: B023
        if now.counted:
            found.append(now)
    return found


def _with_part(connection: Connection, access: Access, job: str, file: Told, number: int) -> Told:
    versions = dict(files.unpacked(files.part(connection, job, file.number, number) or b""))
    rids = list(versions)
    if file.kind == DELETED:
        rows = chosen.briefs(connection, access.sight, rids)
        gone = [row for row in rows if row.deleted and row.version == versions[row.rid]]
        return replace(file, counted=file.counted + sum(may_have(access, row.type) for row in gone))
    if not may_have(access, file.type):
        return file
    counted = file.counted + chosen.counted(connection, access.sight, rids)
    is_known = file.has_sud or file.kind != OUTPUT
    return replace(file, counted=counted, has_sud=is_known or _has_sud(connection, access, rids))


def _has_sud(connection: Connection, access: Access, rids: Sequence[int]) -> bool:
    rows = chosen.labelled(connection, access.sight, rids, SUD_BITS)
    notes = [row.rid for row in rows if row.type in ABOUT]
    less = told(connection, access, chosen.whole(connection, access.sight, notes).values()) if notes else {}
    return any(less.get(row.rid, row.labels) & SUD_BITS for row in rows)
