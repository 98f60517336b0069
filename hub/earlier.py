"""Whether an earlier version may leave: who sees a resource sees what it was, as far as that is about whom it is
about now, or about others whom the caller may see, too.

Rules: docs/access.md. What says whose it is only by what it is about (hub.inheriting) was about whom its former
targets are about. A former target that is out of sight, or is not there, makes the version nobody's who asks: it
would tell of the target.
Nobody knows whether what is closed now was open for those others.
"""

from typing import Any

from sqlalchemy import Connection, select

from hub.fhir import json
from hub.inheriting import whose
from hub.rights.facts import OWN_PEOPLE, Facts, facts_of
from hub.sight import NOBODY, SEVERAL, UNKNOWN, Sight
from hub.store.merges import Survivors
from hub.store.read import Stored
from hub.store.sight import related
from hub.store.tables import index_about


def is_theirs(connection: Connection, sight: Sight, row: Stored, base: str) -> bool:
    """Whether who sees the resource sees this version of it."""
    if row.body is None or sight.all_patients:
        return True
    content: dict[str, Any] = json.stored(row.body)
    if row.type in OWN_PEOPLE or (row.type == "Patient" and "link" not in content):
        return True
    was = Survivors(connection).facts(facts_of({**content, "id": row.id}, base))
    if was.patient == UNKNOWN and not (was.patients or was.inherits):
        return row.patient == UNKNOWN or bool(sight.own and row.source == sight.own)
    former = _former(connection, sight, row, was)
    if former is None:
        return False
    others = (set(was.patients) or {was.patient}) - {NOBODY, UNKNOWN, row.patient}
    if not (others or former - {NOBODY, row.patient}):
        return True
    is_closed = bool(max(row.labels, 0) & (sight.guarded | sight.never)) and row.patient != SEVERAL
    return not is_closed and related(connection, sight, others) == others


def _former(connection: Connection, sight: Sight, row: Stored, was: Facts) -> frozenset[int] | None:
    """Whose the targets are that it has no more; None where one of them is not seen."""
    if not was.inherits:
        return frozenset()
    targets = select(index_about.c.target).where(index_about.c.rid == row.rid)
    gone = was.inherits - set(connection.execute(targets).scalars())
    seen = whose(connection, gone, sight, lock=False)
    return frozenset(each.patient for each in seen.values()) if seen.keys() == gone else None
