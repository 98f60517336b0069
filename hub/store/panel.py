"""The few patients of a caller, as what finds the resources of a search.

A provider with fifty members among a hundred thousand must not walk everybody's open Tasks to find its own: where
its panel is small, its patients drive the search, and the conditions are asked of what they have.
What belongs to several patients, or to nobody known, is found beside it; the predicate decides about all of them.
"""

from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from hub.sight import NOBODY, OWNED, SEVERAL, UNKNOWN, Sight
from hub.store.tables import index_relation, resource

SMALL = 500  # patients


def _patients(sight: Sight) -> Select[Any]:
    kinds = index_relation.c.kind.op("&")(sight.kinds | OWNED) != 0
    return select(index_relation.c.patient).where(index_relation.c.holder.in_(sight.holders), kinds)


def is_small(connection: Connection, sight: Sight) -> bool:
    """Whether few rows relate the caller to patients; a launch is about one."""
    if sight.everything or sight.all_patients:
        return False
    if sight.patient:
        return True
    some = _patients(sight).limit(SMALL).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one()) < SMALL


def rids(sight: Sight, types: Any) -> Select[Any]:
    """The resources of these types that may be there for the caller, and some that are not."""
    every = resource.alias()
    nobodys = every.c.patient.in_((NOBODY, SEVERAL, UNKNOWN))
    mine = every.c.patient == sight.patient if sight.patient else every.c.patient.in_(_patients(sight))
    return select(every.c.rid).where(every.c.type.in_(types), or_(nobodys, mine))
