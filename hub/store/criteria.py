"""A Criterion as SQL: which rows of the search index answer it.

The same question as hub.search.match asks of a resource itself.
"""

from typing import Any

from sqlalchemy import and_, or_, select

from hub.search.criterion import Criterion, DateValue, ReferenceValue, TextValue, TokenValue, Value
from hub.search.hashes import key
from hub.search.index import MAX_STRING
from hub.search.parameters import IN_COLUMNS
from hub.search.values import plain
from hub.store.tables import index_date, index_string, index_token, resource

LAST_CHARACTER = "\U0010ffff"

_COSTS = {"identifier": 0, "patient": 1, "subject": 1}


def cost(criterion: Criterion) -> int:
    if criterion.parameter.code in IN_COLUMNS:
        return 0 if criterion.parameter.code == "_id" else 9
    by_type = {"reference": 2, "uri": 3, "string": 4, "token": 5, "date": 6}
    return _COSTS.get(criterion.parameter.code, by_type[criterion.parameter.type])


def in_column(criterion: Criterion) -> Any:
    if criterion.parameter.code == "_id":
        return resource.c.id.in_([v.code for v in criterion.values if isinstance(v, TokenValue)])
    moments = (v for v in criterion.values if isinstance(v, DateValue))
    return or_(*(_range(v, resource.c.last_updated, resource.c.last_updated + 1) for v in moments))


def rids(criterion: Criterion) -> Any:
    name = (criterion.parameter.base, criterion.parameter.code)
    match criterion.parameter.type:
        case "date":
            ranges = (v for v in criterion.values if isinstance(v, DateValue))
            wanted = or_(*(_range(v, index_date.c.low, index_date.c.high) for v in ranges))
            return select(index_date.c.rid).where(index_date.c.param == key(*name), wanted)
        case "string":
            texts = (v for v in criterion.values if isinstance(v, TextValue))
            found = or_(*(_text(plain(v.text)[:MAX_STRING], criterion.modifier) for v in texts))
            return select(index_string.c.rid).where(index_string.c.param == key(*name), found)
    return select(index_token.c.rid).where(index_token.c.hash.in_([value_key(name, v) for v in criterion.values]))


def _text(wanted: str, modifier: str) -> Any:
    if modifier == "contains":
        return index_string.c.value.contains(wanted, autoescape=True)
    return and_(index_string.c.value >= wanted, index_string.c.value < wanted + LAST_CHARACTER)


def value_key(name: tuple[str, str], value: Value) -> int:
    match value:
        case TokenValue(None, code):
            return key(*name, "c", code)
        case TokenValue("", code):
            return key(*name, "nc", code)
        case TokenValue(system, ""):
            return key(*name, "s", str(system))
        case TokenValue(system, code):
            return key(*name, "sc", str(system), code)
        case ReferenceValue(_, address, True):
            return key(*name, "u", address)
        case ReferenceValue(None, identity):
            return key(*name, "i", identity)
        case ReferenceValue(target, identity):
            return key(*name, "r", str(target), identity)
        case TextValue(text):
            return key(*name, "u", text)
    raise AssertionError(value)


def _range(value: DateValue, low: Any, high: Any) -> Any:
    """The prefix's condition, as in hub.search.match.PREFIX."""
    within = and_(low >= value.low, high <= value.high)
    match value.prefix:
        case "eq":
            return within
        case "ne":
            return ~within
        case "gt":
            return high > value.high
        case "lt":
            return low < value.low
        case "ge":
            return or_(high > value.high, within)
        case "le":
            return or_(low < value.low, within)
        case "sa":
            return low >= value.high
    return high <= value.low
