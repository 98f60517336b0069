"""Conditions as SQL, in two forms: `rids` finds the resources that answer, `clause` asks it of one at hand.

A reference is followed by its address (hub.search.edges): from the resource that is referred to, the key of
index_token is computed; from the one that refers, index_reference gives the addresses it points at, and the key
says which parameter does. Either way each step is one look-up in an index, on SQLite and PostgreSQL.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, ColumnElement, and_, false, func, literal, or_, select, true, union_all
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from hub.search.chains import Chain, Condition, Every, Has, Keys, Not, Overlap, Rows, Some, Text
from hub.search.criterion import Criterion
from hub.search.edges import pointing
from hub.search.hashes import key
from hub.search.index import MAX_STRING
from hub.search.parameters import IN_COLUMNS, Parameter
from hub.search.query import EVERY
from hub.sight import Sight
from hub.store import criteria
from hub.store.criteria import probe
from hub.store.sight import seen
from hub.store.tables import index_date, index_reference, index_string, index_token, resource

UNBOUNDED = 20  # what cannot drive a search


class xor(FunctionElement[int]):  # noqa: N801 - reads as SQL
    """Exclusive or of two 64-bit numbers."""

    type = BigInteger()
    inherit_cache = True
    name = "xor"


@compiles(xor, "postgresql")
def _xor_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    one, other = element.clauses
    return f"({compiler.process(one, **kw)} # {compiler.process(other, **kw)})"


@compiles(xor, "sqlite")
def _xor_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    # the bits of one or the other but not of both; a difference that cannot overflow
    one, other = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(({one} | {other}) - ({one} & {other}))"


class found_first(FunctionElement[bool]):  # noqa: N801 - reads as SQL
    """A row number is among those that a chain or its like finds. PostgreSQL takes a chain's estimate, a hundred
    thousand rows for two, for a reason to walk all resources beside it; an array is found first, whatever it
    expects."""

    type = Boolean()
    inherit_cache = True
    name = "found_first"

    def self_group(self, against: Any = None) -> Any:
        """As it is: SQLite has no booleans, and no index for `rid IN (…) = 1`."""
        return self


@compiles(found_first, "postgresql")
def _array(element: Any, compiler: Any, **kw: Any) -> str:
    rid, found = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{rid} = ANY (ARRAY{found})"


@compiles(found_first, "sqlite")
def _among(element: Any, compiler: Any, **kw: Any) -> str:
    rid, found = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{rid} IN {found}"


def cost(condition: Condition) -> int:
    """How many resources answer, by rule of thumb: the smallest one is tried first as the driver."""
    match condition:
        case Criterion():
            return UNBOUNDED if condition.denies else criteria.cost(condition)
        case Chain(_, steps):
            return max((cost(step) for _, step in steps), default=0) + 1
        case Has(_, _, inner):
            return cost(inner) + 1
        case Every(conditions):
            return min(cost(each) for each in conditions)
        case Some(conditions):
            return max((cost(each) for each in conditions), default=0)
        case Keys():
            return 1
        case Rows():
            return 0
        case Text():
            return 4 if condition.operator in ("eq", "sw") else 8
        case Overlap():
            return 6
    return UNBOUNDED


def rids(condition: Condition, sight: Sight) -> Any:
    """A selection of the row numbers of every resource that answers; some may come twice. What the way there leads
    over is there for the caller; the resources at its beginning, the statement around it asks."""
    match condition:
        case Criterion():
            return criteria.rids(condition)
        case Chain(parameter, steps):
            return _union([_pointing_at(parameter, step, sight) for _, step in steps])
        case Has(of, parameter, inner):
            return _pointed_at(of, parameter, _there(inner, sight), sight)
        case Every(conditions):
            first, *others = sorted(conditions, key=cost)
            found = rids(first, sight).subquery()
            return select(found.c.rid).where(*(clause(other, found.c.rid, sight) for other in others))
        case Some(conditions):
            return _union([rids(each, sight) for each in _together(conditions)])
        case Keys(keys):
            return select(index_token.c.rid).where(index_token.c.hash.in_(sorted(keys)))
        case Text():
            return select(index_string.c.rid).where(_text(condition))
        case Overlap():
            return select(index_date.c.rid).where(_overlap(condition))
        case Rows(found):
            return select(resource.c.rid).where(resource.c.rid.in_(found)).correlate(None)
    return _live(condition.type).where(~clause(condition.condition, resource.c.rid, sight))


def among(rid: Any, condition: Condition, sight: Sight) -> ColumnElement[bool]:
    """Whether `rid` is one of those that `rids` finds."""
    found = rids(condition, sight)
    return rid.in_(found) if isinstance(condition, Criterion) else found_first(rid, found.scalar_subquery())


def clause(condition: Condition, rid: Any, sight: Sight) -> ColumnElement[bool]:
    """The same of the resource whose row number is `rid`, a column of the statement around it."""
    match condition:
        case Criterion():
            return _clause_of_criterion(condition, rid)
        case Chain(parameter, steps):
            return or_(false(), *(_points_at(parameter, step, rid, sight) for _, step in steps))
        case Has(_, parameter, inner):
            return _is_pointed_at(parameter, inner, rid, sight)
        case Every(conditions):
            return and_(*(clause(each, rid, sight) for each in conditions))
        case Some(conditions):
            return or_(false(), *(clause(each, rid, sight) for each in _together(conditions)))
        case Not(of, inner):
            return and_(_itself(rid, lambda table: _is_of(table, of)), ~clause(inner, rid, sight))
        case Rows(numbers):
            return rid.in_(numbers)  # type: ignore[no-any-return]
    found = rids(condition, sight).subquery()
    return probe(select(found.c.rid).where(found.c.rid == rid).correlate_except(found))


def _together(conditions: Sequence[Condition]) -> Iterator[Condition]:
    """The same alternatives, all keys as one."""
    keys: set[int] = set()
    for each in conditions:
        if isinstance(each, Criterion) and criteria.is_keyed(each) and not each.denies:
            keys.update(criteria.value_key(name, value) for name in each.parameter.names for value in each.values)
        else:
            yield each
    if keys:
        yield Keys(frozenset(keys))


def _union(found: list[Any]) -> Any:
    if not found:
        return select(resource.c.rid).where(false()).correlate(None)
    return found[0] if len(found) == 1 else select(union_all(*found).subquery().c.rid)


def _live(resource_type: str) -> Any:
    found = select(resource.c.rid).where(resource.c.type == resource_type, resource.c.deleted.is_(False))
    return found.correlate(None)


def _clause_of_criterion(criterion: Criterion, rid: Any) -> ColumnElement[bool]:
    of = criterion.parameter.base
    if criterion.parameter.code in IN_COLUMNS:
        return _itself(rid, lambda table: and_(_is_of(table, of), criteria.in_column(criterion, table)))
    if criterion.denies:  # no key says the type
        return and_(_itself(rid, lambda table: _is_of(table, of)), criteria.clause(criterion, rid))
    return criteria.clause(criterion, rid)


def _is_of(table: Any, of: str) -> ColumnElement[bool]:
    return true() if of == EVERY else table.c.type == of


def _itself(rid: Any, where: Callable[[Any], ColumnElement[bool]]) -> ColumnElement[bool]:
    """A condition on the resource's own row."""
    if rid is resource.c.rid:
        return where(resource)
    table = resource.alias()
    return probe(select(table.c.rid).where(table.c.rid == rid, where(table)).correlate_except(table))


def spoken(column: Any) -> Any:
    """A column as an expression: it is asked of what was found, and no index is walked for it."""
    return column + literal("")


def _half(parameter: Parameter) -> Any:
    return literal(pointing(parameter), BigInteger)


def _pointing_at(parameter: Parameter, step: Condition, sight: Sight) -> Any:
    """Who refers to the resources that answer."""
    target, token = resource.alias(), index_token.alias()
    refers = token.c.hash == xor(_half(parameter), target.c.address)
    return (
        select(token.c.rid)
        .select_from(target.join(token, refers))
        .where(among(target.c.rid, step, sight), target.c.deleted.is_(False), seen(target, sight))
    )


def _there(inner: Condition, sight: Sight) -> Any:
    """What `rids` finds, as far as it is there for the caller: a reference tells as much as what it stands in."""
    found = rids(inner, sight)
    if sight.everything:
        return found
    source, which = resource.alias(), found.subquery()
    return select(source.c.rid).where(source.c.rid.in_(select(which.c.rid)), seen(source, sight))


def _pointed_at(of: str, parameter: Parameter, found: Any, sight: Sight) -> Any:
    """Who is referred to by the resources found."""
    source = found.distinct().subquery()
    target, edge, token = resource.alias(), index_reference.alias(), index_token.alias()
    refers = select(token.c.rid).where(
        token.c.hash == xor(_half(parameter), edge.c.target), token.c.rid == edge.c.rid
    )
    return (
        select(target.c.rid)
        .select_from(source.join(edge, edge.c.rid == source.c.rid).join(target, target.c.address == edge.c.target))
        .where(spoken(target.c.type) == of, target.c.deleted.is_(False), seen(target, sight))
        .where(probe(refers.correlate(edge)))
    )


def _points_at(parameter: Parameter, step: Condition, rid: Any, sight: Sight) -> ColumnElement[bool]:
    target, edge, token = resource.alias(), index_reference.alias(), index_token.alias()
    refers = select(token.c.rid).where(
        token.c.hash == xor(_half(parameter), edge.c.target), token.c.rid == edge.c.rid
    )
    found = (
        select(target.c.rid)
        .select_from(edge.join(target, target.c.address == edge.c.target))
        .where(edge.c.rid == rid, target.c.deleted.is_(False))
        .where(probe(refers.correlate(edge)), clause(step, target.c.rid, sight), seen(target, sight))
    )
    return probe(found.correlate_except(target, edge))


def _is_pointed_at(parameter: Parameter, inner: Condition, rid: Any, sight: Sight) -> ColumnElement[bool]:
    target, token, source = resource.alias(), index_token.alias(), resource.alias()
    found = (
        select(token.c.rid)
        .select_from(target.join(token, token.c.hash == xor(_half(parameter), target.c.address)))
        .where(target.c.rid == rid, clause(inner, token.c.rid, sight))
    )
    if not sight.everything:
        found = found.join(source, source.c.rid == token.c.rid).where(seen(source, sight))
    return probe(found.correlate_except(target, token, source))


def _text(condition: Text) -> ColumnElement[bool]:
    value, wanted = index_string.c.value, condition.text  # it is shorter than MAX_STRING (hub.search.texts.kept)
    name = index_string.c.param == key(condition.parameter.base, condition.parameter.code)
    match condition.operator:
        case "eq":
            return and_(name, value == wanted)
        case "co":
            return and_(name, value.contains(wanted, autoescape=True))
        case "ew":
            # what is as long as the index keeps a text may have been cut: nobody knows its end
            return and_(name, value.endswith(wanted, autoescape=True), func.length(value) < MAX_STRING)
    return and_(name, value >= wanted, value < wanted + criteria.LAST_CHARACTER)


def _overlap(condition: Overlap) -> ColumnElement[bool]:
    name = index_date.c.param == key(condition.parameter.base, condition.parameter.code)
    return and_(name, index_date.c.low < condition.high, index_date.c.high > condition.low)
