"""`:exact` behind a chain: the index knows neither case nor accents, so the resources themselves are looked at.

A criterion of the searched resource itself is checked by whoever shows it (hub.rest.search); what a chain leads to
is not shown, so it is settled before the search.
Refuses: more than MOST resources to look at (`too-costly`).
"""

from dataclasses import replace

from sqlalchemy import Connection, select

from hub.fhir import json
from hub.problems import Problem
from hub.search.chains import Chain, Condition, Every, Has, Not, Rows, Some
from hub.search.criterion import Criterion
from hub.search.match import matches
from hub.search.query import Query
from hub.sight import Sight
from hub.store.criteria import rids
from hub.store.sight import named, seen
from hub.store.tables import resource

MOST = 1000


def settled(connection: Connection, query: Query) -> Query:
    """The query with the rows that answer in place of each `:exact` of its conditions."""
    if not query.conditions:
        return query
    return replace(query, conditions=tuple(_settled(connection, each, query.sight) for each in query.conditions))


def _settled(connection: Connection, condition: Condition, sight: Sight) -> Condition:
    match condition:
        case Criterion(modifier="exact"):
            return _rows(connection, condition, sight)
        case Chain(_, steps):
            return replace(
                condition, steps=tuple((target, _settled(connection, step, sight)) for target, step in steps)
            )
        case Has(_, _, inner) | Not(_, inner):
            return replace(condition, condition=_settled(connection, inner, sight))
        case Every(conditions) | Some(conditions):
            return replace(condition, conditions=tuple(_settled(connection, each, sight) for each in conditions))
    return condition


def _rows(connection: Connection, criterion: Criterion, sight: Sight) -> Rows:
    found = select(resource.c.rid, resource.c.body).where(
        resource.c.deleted.is_(False), resource.c.rid.in_(rids(criterion)), seen(resource, sight)
    )
    rows = connection.execute(found.limit(MOST + 1), named(sight)).all()
    if len(rows) > MOST:
        message = f"More than {MOST} resources have that text in another case; leave :exact away, or narrow"
        raise Problem("too-costly", message, criterion.parameter.code)
    return Rows(tuple(row.rid for row in rows if matches((criterion,), json.stored(row.body))))
