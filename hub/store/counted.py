"""What the stored resources were counted for when they were written: the index rows of who may see what."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table, select

from hub.search.index import IndexRows
from hub.store.tables import index_about, index_consent, index_patient, index_relation


def counted(connection: Connection, rids: Sequence[int]) -> dict[int, IndexRows]:
    """The rows of rights of these resources, nothing else."""
    found = {rid: IndexRows() for rid in rids}
    for part, (table, columns) in _TABLES.items():
        asked = select(table.c.rid, *(table.c[name] for name in columns)).where(table.c.rid.in_(list(found)))
        for rid, *values in connection.execute(asked):
            getattr(found[rid], part).add(values[0] if len(columns) == 1 else tuple(values))
    return found


_TABLES: Mapping[str, tuple[Table, tuple[str, ...]]] = {
    "patients": (index_patient, ("patient",)),
    "about": (index_about, ("target",)),
    "relations": (index_relation, ("patient", "holder", "kind", "low", "high")),
    "consents": (
        index_consent,
        (
            *("patient", "recipient", "place", "permit", "labels", "purposes", "low", "high", "signed", "depth"),
            *("proxy", "medi_cal"),
        ),
    ),
}
