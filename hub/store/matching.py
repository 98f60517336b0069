"""Which resources match a query, as a statement: either a driver finds them, or each resource is asked in turn.

The databases cannot know how many resources a hash or a chain finds, and guess badly (docs/architecture, "its
trap"). So where a query follows references, what might drive is counted first, up to FEW: the smallest kind of
condition that finds fewer drives, and the others are asked of what it finds. Where none does, the first one drives
if it finds fewer than MANY; otherwise matches are plenty, and a page is full after a short walk.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from hub.search.chains import Condition, Some
from hub.search.criterion import Criterion
from hub.search.parameters import IN_COLUMNS
from hub.search.query import Query
from hub.sight import Sight
from hub.store import panel
from hub.store.chains import UNBOUNDED, among, clause, cost, rids, spoken
from hub.store.criteria import in_column, lone_key
from hub.store.exact import settled
from hub.store.read import SELECTIVE
from hub.store.sight import named, seen
from hub.store.tables import index_token, resource

FEW = 1000
MANY = 3000  # past that, a walk meets matches often enough


def matching(connection: Connection, query: Query, ordered: bool = False) -> Select[Any]:
    """Current resources that the index says match; `ordered` where an index of the resources gives the order."""
    asked = settled(connection, query)
    chosen = driver(connection, asked, ordered)
    if (chosen is None or cost(chosen) > SELECTIVE) and panel.is_small(connection, asked.sight):
        types = (asked.type,) if asked.type else asked.types
        return walked(asked).where(of_types(asked), resource.c.rid.in_(panel.rids(asked.sight, types)))
    return driven(asked, chosen, joins=connection.dialect.name == "postgresql")


def driver(connection: Connection, query: Query, ordered: bool) -> Condition | None:
    """The condition that finds the resources; None where each resource of the types is asked."""
    found = sorted((c for c in conditions_of(query) if drives(c)), key=cost)
    if not found or not (query.conditions or ordered):
        return found[0] if found else None
    for each in found:
        if cost(each) <= SELECTIVE or finds_fewer(connection, rids(each, query.sight), FEW, query.sight):
            return each
    return found[0] if finds_fewer(connection, rids(found[0], query.sight), MANY, query.sight) else None


def finds_fewer(connection: Connection, found: Select[Any], most: int, sight: Sight) -> bool:
    some = found.limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(some), named(sight)).scalar_one()) < most


def conditions_of(query: Query) -> Sequence[Condition]:
    return (*query.criteria, *query.conditions)


def drives(condition: Condition) -> bool:
    if isinstance(condition, Criterion) and condition.parameter.code in IN_COLUMNS:
        return False
    return cost(condition) < UNBOUNDED


def walked(query: Query) -> Select[Any]:
    """The same for who joins an index that gives the resources of the type in an order."""
    statement = select(resource.c.rid).where(resource.c.deleted.is_(False), seen(resource, query.sight))
    return statement.where(*(_asked(each, query.sight) for each in conditions_of(query)))


def driven(query: Query, chosen: Condition | None, joins: bool = False) -> Select[Any]:
    """An index key holds the type, so where one drives, the type is not asked again: asking would tempt SQLite to
    walk the whole type in order. `joins`: a key that drives by itself is joined. PostgreSQL before 16 cannot know
    that it finds a resource once where its table is in parts: as `rid IN (…)` all is read to count a few."""
    statement = select(resource.c.rid).where(resource.c.deleted.is_(False), seen(resource, query.sight))
    if chosen is None:
        statement = statement.where(of_types(query))
    elif joins and (key := lone_key(chosen)) is not None and query.type:
        statement = statement.join(index_token, index_token.c.rid == resource.c.rid)
        statement = statement.where(index_token.c.hash == key)
    else:
        statement = statement.where(among(resource.c.rid, chosen, query.sight))
        if not query.type:
            # asked of what the driver found; as an expression, so that no index of types is walked for it
            statement = statement.where(spoken(resource.c.type).in_(query.types))
    return statement.where(*(_asked(each, query.sight) for each in conditions_of(query) if each is not chosen))


def of_types(query: Query) -> ColumnElement[bool]:
    return resource.c.type == query.type if query.type else resource.c.type.in_(query.types)


def _asked(condition: Condition, sight: Sight) -> ColumnElement[bool]:
    if isinstance(condition, Criterion) and condition.parameter.code in IN_COLUMNS:
        return in_column(condition)
    if isinstance(condition, Some) and not condition.conditions:
        return resource.c.rid.is_(None)
    return clause(condition, resource.c.rid, sight)
