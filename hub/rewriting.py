"""What a merge may do that no client may: it moves what was said of one Patient to another one, and counts nothing
that was not counted before.

Rules: docs/identity.md, docs/access.md: a client's own relations do not count; that the hub itself rewrites the
resource that says them must not make them count.
"""

from collections.abc import Collection
from dataclasses import dataclass

from hub.rights.relations import Relation


@dataclass(frozen=True, slots=True)
class Rewriting:
    """`moves`: pairs of addresses, from whom to whom. `uncounted`: (row number, relation) of relations that did not
    count when they were moved the other way."""

    moves: frozenset[tuple[int, int]]
    uncounted: frozenset[tuple[int, Relation]] = frozenset()

    def relations(self, rid: int, made: Collection[Relation], before: Collection[Relation]) -> set[Relation]:
        """Those of the relations that a resource brings which it had, or had for whom they are moved from."""
        return {row for row in made if (rid, row) not in self.uncounted and self._was_there(row, before)}

    def _was_there(self, row: Relation, before: Collection[Relation]) -> bool:
        return row in before or any(
            (source, *row[1:]) in before for source, target in self.moves if target == row[0]
        )
