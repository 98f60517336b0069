"""A Criterion as SQL: which rows of the search index answer it.

The same question as hub.search.match asks of a resource itself. `clause` is for any criterion; `rids` is the
statement to drive a search with. `:exact` finds what `plain` holds for the same: the resource decides about case.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select, true

from hub.search.criterion import (
    CompositeValue,
    Criterion,
    DateValue,
    IdentifierValue,
    MimeValue,
    MissingValue,
    NearValue,
    NumberValue,
    QuantityValue,
    ReferenceValue,
    TextValue,
    TokenValue,
    TypedIdentifierValue,
    Value,
)
from hub.search.edges import reference_key
from hub.search.hashes import key
from hub.search.index import MAX_STRING, Name, mark
from hub.search.match import below_prefixes
from hub.search.parameters import IN_COLUMNS
from hub.search.values import plain
from hub.search.wanted import reference_form, token_form, unit_form
from hub.store.tables import index_date, index_number, index_string, index_token, resource

LAST_CHARACTER = "\U0010ffff"

_COSTS = {"identifier": 0, "patient": 1, "subject": 1}
_COSTS_OF_TYPES = {
    "reference": 2,
    "uri": 3,
    "string": 4,
    "composite": 4,
    "special": 4,
    "token": 5,
    "date": 6,
    "number": 6,
    "quantity": 6,
}
_COSTS_OF_MODIFIERS = {"missing": 7, "contains": 7, "text": 4, "in": 6}
WHOLE_TYPE = 9  # everything of the type is walked

Condition = ColumnElement[bool]


def cost(criterion: Criterion) -> int:
    """How many rows it may find, roughly: the cheapest one drives."""
    if criterion.denies:
        return WHOLE_TYPE
    if criterion.parameter.code in IN_COLUMNS:
        return 0 if criterion.parameter.code == "_id" and not criterion.modifier else WHOLE_TYPE
    if criterion.modifier in _COSTS_OF_MODIFIERS:
        return _COSTS_OF_MODIFIERS[criterion.modifier]
    return _COSTS.get(criterion.parameter.code, _COSTS_OF_TYPES[criterion.parameter.type])


def is_keyed(criterion: Criterion) -> bool:
    """Whether one key of index_token answers it (hub.store.keyed)."""
    return (
        len(criterion.values) == 1
        and isinstance(criterion.values[0], TokenValue | ReferenceValue | TextValue)
        and criterion.parameter.type in ("token", "reference", "uri")
        and criterion.modifier not in ("not", "not-in", "text", "below")
        and criterion.parameter.code not in IN_COLUMNS
    )


def lone_key(condition: Any) -> int | None:
    """The key of index_token that answers a criterion by itself; None where there are several, or none."""
    if not isinstance(condition, Criterion) or condition.denies or not is_keyed(condition):
        return None
    (name, *others) = condition.parameter.names
    return None if others else value_key(name, condition.values[0])


def probe(found: Select[Any]) -> Condition:
    """EXISTS, asked of each row at hand: OFFSET 0 keeps PostgreSQL from making a join of it that reads all rows of
    a common value."""
    return exists(found.suffix_with("OFFSET 0", dialect="postgresql"))


def clause(criterion: Criterion, rid: Any) -> Condition:
    """THE condition that a criterion sets on the resource whose row number is `rid` (any column of a statement
    around it): an EXISTS, or a NOT EXISTS for the criteria that deny."""
    if criterion.parameter.code in IN_COLUMNS:
        return in_column(criterion) if rid is resource.c.rid else rid.in_(rids(criterion))
    rows = _rows(criterion).subquery()
    found = probe(select(rows.c.rid).where(rows.c.rid == rid).correlate_except(rows))
    return ~found if criterion.denies else found


def rids(criterion: Criterion) -> Select[tuple[int]]:
    """The row numbers of all that answer a criterion; of a type's current resources where it denies."""
    if criterion.parameter.code not in IN_COLUMNS and not criterion.denies:
        return _rows(criterion)
    every = resource.alias()
    in_columns = criterion.parameter.code in IN_COLUMNS
    return select(every.c.rid).where(
        every.c.type == criterion.parameter.base,
        every.c.deleted.is_(False),
        in_column(criterion, every) if in_columns else clause(criterion, every.c.rid),
    )


def in_column(criterion: Criterion, table: Any = resource) -> Condition:
    """The condition of `_id` and `_lastUpdated` on the resource table, or on an alias of it."""
    if criterion.modifier == "missing":  # every resource has both
        return true() if criterion.values[0] == MissingValue(False) else false()
    if criterion.parameter.code == "_id":
        identities = [v.code for v in criterion.values if isinstance(v, TokenValue)]
        found: Condition = table.c.id.in_(identities)
        return ~found if criterion.denies else found
    moments = (v for v in criterion.values if isinstance(v, DateValue))
    return _any(_dated(v, table.c.last_updated, table.c.last_updated + 1) for v in moments)


def value_key(name: Name, value: Value) -> int:
    """The one key of index_token that a value has, under the parameter (type, code)."""
    match value:
        case TokenValue():
            return key(*name, *token_form(value))
        case ReferenceValue(str(target), identity, False) if len(name) == 2:
            return reference_key((name[0], name[1]), target, identity)
        case ReferenceValue():
            return key(*name, *reference_form(value))
        case IdentifierValue(token):
            return key(*name, "id", *token_form(token))
        case TypedIdentifierValue(system, code, text):
            return key(*name, "ot", system, code, text)
        case MimeValue(text):
            return key(*name, "mt", text)
        case TextValue(text):
            return key(*name, "u", text)
    raise AssertionError(value)


def _rows(criterion: Criterion) -> Select[tuple[int]]:
    """The rows of the index which tell of a criterion's values (where it denies: of what it denies)."""
    parameter, modifier = criterion.parameter, criterion.modifier
    if modifier == "missing":
        return _keyed([mark(name) for name in parameter.names])
    if by_modifier := _TEXTS.get((parameter.type, modifier)):
        suffix, condition = by_modifier
        return _among(
            index_string, (condition((*n, *suffix), v) for n in parameter.names for v in criterion.values)
        )
    if parameter.type == "special":
        return _near(key(*parameter.names[0], "xy"), key(*parameter.names[0], "z"), criterion.values)
    if parameter.type == "composite":
        return _composite(criterion)
    return _simple(parameter.type, [(name, value) for name in parameter.names for value in criterion.values])


Asked = list[tuple[Name, Value]]


def _simple(kind: str, asked: Asked) -> Select[tuple[int]]:
    if kind not in _IN_TABLES:
        return _keyed([value_key(name, value) for name, value in asked])
    table, condition = _IN_TABLES[kind]
    return _among(table, (condition(name, value) for name, value in asked))


def _composite(criterion: Criterion) -> Select[tuple[int]]:
    asked: Asked = []
    for name in criterion.parameter.names:
        for value in criterion.values:
            if isinstance(value, CompositeValue):
                rest = value.rest[0] if len(value.rest) == 1 else CompositeValue(value.first, value.rest)
                asked.append(((*name, *token_form(value.first)), rest))
    return _simple(criterion.parameter.components[-1].type, asked)


def _keyed(keys: list[int]) -> Select[tuple[int]]:
    return select(index_token.c.rid).where(index_token.c.hash.in_(keys))


def _among(table: Any, conditions: Iterable[Condition]) -> Select[tuple[int]]:
    return select(table.c.rid).where(_any(conditions))


def _any(conditions: Iterable[Condition]) -> Condition:
    return or_(false(), *conditions)


def _string(name: Name, value: Any) -> Condition:
    return and_(index_string.c.param == key(*name), _starts(plain(value.text)[:MAX_STRING]))


def _string_exact(name: Name, value: Any) -> Condition:
    return and_(index_string.c.param == key(*name), index_string.c.value == plain(value.text)[:MAX_STRING])


def _string_contains(name: Name, value: Any) -> Condition:
    found = index_string.c.value.contains(plain(value.text)[:MAX_STRING], autoescape=True)
    return and_(index_string.c.param == key(*name), found)


def _uri_below(name: Name, value: Any) -> Condition:
    upper = value.text
    found = [_starts(prefix[:MAX_STRING]) for prefix in below_prefixes(upper)]
    return and_(index_string.c.param == key(*name), or_(index_string.c.value == upper[:MAX_STRING], *found))


def _starts(prefix: str) -> Condition:
    return and_(index_string.c.value >= prefix, index_string.c.value < prefix + LAST_CHARACTER)


def _date(name: Name, value: Any) -> Condition:
    return and_(index_date.c.param == key(*name), _dated(value, index_date.c.low, index_date.c.high))


def _quantity(name: Name, value: Any) -> Condition:
    assert isinstance(value, QuantityValue)
    param = index_number.c.param == key(*name, *unit_form(value))
    return and_(param, _numbered(value.number, index_number.c.low, index_number.c.high))


def _number(name: Name, value: Any) -> Condition:
    """A number; or a composite's second and third component, which are the two ends of a row."""
    low, high = index_number.c.low, index_number.c.high
    if isinstance(value, CompositeValue):
        start, end = (one for one in value.rest if isinstance(one, NumberValue))
        found = and_(_numbered(start, low, low), _numbered(end, high, high))
    else:
        found = _numbered(value, low, high)
    return and_(index_number.c.param == key(*name), found)


def _near(first: int, second: int, values: Iterable[Value]) -> Select[tuple[int]]:
    """Two rows hold a point: (x, y) and (z, z). The sums are those of hub.search.match.is_near."""
    level, up = index_number.alias(), index_number.alias()
    conditions = []
    for value in values:
        if isinstance(value, NearValue):
            x, y, z = level.c.low - value.x, level.c.high - value.y, up.c.low - value.z
            band = up.c.low.between(value.z - value.chord, value.z + value.chord)
            conditions.append(and_(band, x * x + y * y + z * z <= value.chord * value.chord))
    together = and_(up.c.param == second, level.c.param == first, level.c.rid == up.c.rid)
    return select(up.c.rid.label("rid")).where(together, _any(conditions))


_IN_TABLES: Mapping[str, tuple[Any, Callable[[Name, Any], Condition]]] = {
    "string": (index_string, _string),
    "date": (index_date, _date),
    "number": (index_number, _number),
    "quantity": (index_number, _quantity),
}
_TEXTS: Mapping[tuple[str, str], tuple[Name, Callable[[Name, Any], Condition]]] = {
    ("string", "exact"): ((), _string_exact),
    ("string", "contains"): ((), _string_contains),
    ("token", "text"): (("text",), _string),
    ("uri", "below"): (("below",), _uri_below),
}


def _dated(value: DateValue, low: Any, high: Any) -> Condition:
    """The prefix's condition, as in hub.search.match.PREFIX."""
    within = and_(low >= value.low, high <= value.high)
    conditions: Mapping[str, Callable[[], Any]] = {
        "eq": lambda: within,
        "ne": lambda: ~within,
        "gt": lambda: high > value.high,
        "lt": lambda: low < value.low,
        "ge": lambda: or_(high > value.high, within),
        "le": lambda: or_(low < value.low, within),
        "sa": lambda: low >= value.high,
        "eb": lambda: high <= value.low,
        "ap": lambda: and_(low < value.high, high > value.low),
    }
    return conditions[value.prefix]()  # type: ignore[no-any-return]


def _numbered(value: NumberValue, low: Any, high: Any) -> Condition:
    """The prefix's condition, as in hub.search.match.NUMBER_PREFIX."""
    within = and_(low >= value.low, high < value.high)
    conditions: Mapping[str, Callable[[], Any]] = {
        "eq": lambda: within,
        "ne": lambda: ~within,
        "gt": lambda: high > value.high,
        "lt": lambda: low < value.low,
        "ge": lambda: high >= value.high,
        "le": lambda: low <= value.low,
        "sa": lambda: low > value.high,
        "eb": lambda: high < value.low,
        "ap": lambda: and_(low <= value.high, high >= value.low),
    }
    return conditions[value.prefix]()  # type: ignore[no-any-return]
