"""Pages of a sorted search. A resource keeps the place that it had at the moment of the first page.

So whatever others write meanwhile, a resource that matches throughout stands on exactly one page: docs/adr/0009.
Up to FEW matches are sorted here, by any keys. More (than LITTLE) are read in the order of one index, by one key
(_lastUpdated, _id, a date, text or number), those that changed since the first page put in where they stood.
Refuses: other sorts of more than FEW matches (`too-costly`); a page behind which more than MOST_CHANGED matches
changed (`expired`): search again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import merge
from itertools import islice
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, literal, select, tuple_

from hub.access import Access
from hub.fhir import json
from hub.problems import Problem
from hub.search.criterion import criterion
from hub.search.hashes import key as hash_key
from hub.search.query import Query
from hub.search.sorting import Down, SortKey, place, value_of
from hub.store import keyed
from hub.store.chains import clause, cost
from hub.store.exact import settled
from hub.store.matching import driven, finds_fewer, matching, walked
from hub.store.moment import Moment, Version, changed, now, read, versions
from hub.store.read import SELECTIVE, Stored, keys_of, position
from hub.store.read import page as unsorted
from hub.store.sight import Shape, named, seen, shape_of
from hub.store.tables import index_date, index_number, index_string, index_token, resource

FEW = 2000
LITTLE = 200  # where an index has the order, reading more than this costs more than walking it
MOST_CHANGED = 2000
INDEXES = {
    "date": (index_date, (index_date.c.low, index_date.c.high)),
    "string": (index_string, (index_string.c.value,)),
    "number": (index_number, (index_number.c.low, index_number.c.high)),
    "quantity": (index_number, (index_number.c.low, index_number.c.high)),
}
FORMS = {"quantity": ("v",)}  # the number, whatever its unit
COLUMNS = {"_lastUpdated": resource.c.last_updated, "_id": resource.c.id}

Place = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """`following` is the position of the next page; empty where this is the last one."""

    rows: list[Stored]
    following: list[int]


def page_of(connection: Connection, access: Access, query: Query, after: Sequence[int], count: int) -> Page:
    """A page of any query. `after` is empty for the first one, or what the page before gave as `following`."""
    asked = query.granted(access)
    if asked.sort:
        return sorted_page(connection, asked, after, count)
    rows = unsorted(connection, access, asked, after, count + 1)
    return Page(rows[:count], position(rows[count - 1]) if len(rows) > count > 0 else [])


def sorted_page(connection: Connection, query: Query, after: Sequence[int], count: int) -> Page:
    """`after` is empty for the first page, or what a page before gave as `following`."""
    walk = _Walk(connection, query, after)
    found = list(islice(walk.places(count + 1), count + 1))
    rows = [row for _, row in found[:count]]
    more = len(found) > count > 0
    return Page(rows, [rows[-1].rid, *walk.moment.numbers] if more else [])


class _Walk:
    """One page's way through the matches."""

    def __init__(self, connection: Connection, query: Query, after: Sequence[int]):
        self._connection = connection
        self._query = settled(connection, query)
        self._keys = query.sort
        self._first = not after
        self.moment = Moment(tuple(after[1:])) if after else Moment(())
        self._bound = self._place_of(after[0]) if after else None

    def places(self, wanted: int) -> Iterator[tuple[Place, Stored]]:
        only = self._keys[0] if len(self._keys) == 1 else None
        indexed = only is not None and only.parameter.type in INDEXES
        if only is None or only.code not in COLUMNS:
            few = self._few(LITTLE if indexed else FEW)
            if few is not None:
                yield from few
                return
        if only is None or not (only.code in COLUMNS or indexed):
            message = f"More than {FEW} resources match; narrow the search, or sort by one date, text or number"
            raise Problem("too-costly", message, "_sort")
        if self._first and only.code in COLUMNS:
            yield from self._at_once(only, wanted)
            return
        if not self.moment.numbers:
            self._set_moment(self._connection.execute(select(self._now())).scalar_one())
        yield from self._all(only, wanted)

    def _all(self, only: SortKey, wanted: int) -> Iterator[tuple[Place, Stored]]:
        """What changed is read last: what changes while the other rows are read is found twice, at one place."""
        unchanged = list(islice(self._unchanged(only, wanted), wanted))
        seen: set[int] = set()
        for at, row in merge(unchanged, self._changed(), key=lambda found: found[0]):
            if row.rid not in seen:
                seen.add(row.rid)
                yield at, row

    # few matches: sorted here

    def _few(self, most: int) -> list[tuple[Place, Stored]] | None:
        statement = matching(self._connection, self._query)
        keys = keys_of(self._query)
        # the rows of a lone key are the matches; asked as `rid IN (…)`, SQLite gathers all of them to count a few
        is_whole = len(keys) == 1 and self._query.sight.everything
        counted = select(index_token.c.rid).where(index_token.c.hash == keys[0]) if is_whole else statement
        if not finds_fewer(self._connection, counted, most + 1, self._query.sight):
            return None
        rows = self._read(statement)
        earlier = self._earlier(rows)
        found = sorted(((self._place(row, earlier), row) for row, _ in rows), key=lambda pair: pair[0])
        return [pair for pair in found if self._behind(pair[0])]

    def _read(self, statement: Select[Any]) -> list[tuple[Stored, bool]]:
        """The rows, and whether each changed since the moment; the first page's statement tells the moment."""
        if self.moment.numbers:
            extra = changed(self._connection, self.moment).label("changed")
        else:
            extra = self._now()
        rows = self._asked(statement.with_only_columns(*keyed.COLUMNS, extra)).all()
        if not self.moment.numbers:
            self._set_moment(rows[0][-1] if rows else None)
            return [(Stored(*row[:-1]), False) for row in rows]
        return [(Stored(*row[:-1]), bool(row[-1])) for row in rows]

    def _asked(self, statement: Select[Any], values: Mapping[str, Any] = MappingProxyType({})) -> Any:
        return self._connection.execute(statement, named(self._query.sight, **values))

    def _now(self) -> Any:
        return now(self._connection.dialect.name, [self._query.type] if self._query.type else self._query.types)

    def _set_moment(self, told: Any) -> None:
        if told is not None and not self.moment.numbers:  # without a row there is no next page
            self.moment = read(self._connection, told)

    def _earlier(self, rows: Sequence[tuple[Stored, bool]]) -> Mapping[int, Version]:
        return versions(self._connection, self.moment, (row.rid for row, is_changed in rows if is_changed))

    def _place(self, row: Stored, earlier: Mapping[int, Version]) -> Place:
        stood: Any = earlier.get(row.rid, row)
        content = json.stored(stood.body) if stood.body is not None else {"id": row.id}
        return place(self._keys, content, stood.last_updated, row.rid)

    def _place_of(self, rid: int) -> Place:
        """Where a resource stood at the moment, whether it matches still or not."""
        rows = self._read(select(resource.c.rid).where(resource.c.rid == rid, seen(resource, self._query.sight)))
        if not rows:
            raise Problem("expired", "What the last page ended with is gone; search again", "_cursor")
        return self._place(rows[0][0], self._earlier(rows))

    def _behind(self, found: Place) -> bool:
        return self._bound is None or self._bound < found

    # many matches: those that did not change in the order of an index, and those that did

    def _changed(self) -> Iterator[tuple[Place, Stored]]:
        if self._keys[0].code == "_id":
            return
        candidates = matching(self._connection, self._query, ordered=True)
        statement = candidates.where(changed(self._connection, self.moment))
        rows = self._read(statement.limit(MOST_CHANGED + 1))
        if len(rows) > MOST_CHANGED:
            raise Problem("expired", "Too much changed since the first page; search again", "_cursor")
        earlier = self._earlier(rows)
        found = sorted(((self._place(row, earlier), row) for row, _ in rows), key=lambda pair: pair[0])
        yield from (pair for pair in found if self._behind(pair[0]))

    def _unchanged(self, key: SortKey, wanted: int) -> Iterator[tuple[Place, Stored]]:
        bound = self._bound
        if bound is None or not bound[0]:
            yield from self._valued(key, bound, wanted)
            bound = None
        if key.code not in COLUMNS:
            yield from self._valueless(key, bound, wanted)

    def _at_once(self, key: SortKey, wanted: int) -> Iterator[tuple[Place, Stored]]:
        """The first page in the order of a column: one statement, which tells the moment, too."""
        keys = keys_of(self._query)
        kind, sight = self._connection.dialect.name, self._query.sight
        if keys and key.code == "_lastUpdated" and min(map(cost, self._query.criteria)) <= SELECTIVE:
            prepared: Any = _by_time(len(keys), key.descending, kind, None if sight.everything else shape_of(sight))
            values: dict[str, Any] = dict(keyed.parameters(keys, (), wanted))
            if kind != "postgresql":
                values["type"] = self._query.type
        else:
            prepared = self._ordered(key)[0].with_only_columns(*keyed.COLUMNS, self._now()).limit(wanted)
            values = {}
        for row in self._asked(prepared, values):
            self._set_moment(row[-1])
            yield (False, None, row.rid), Stored(*row[:-1])

    def _valued(self, key: SortKey, bound: Place | None, wanted: int) -> Iterator[tuple[Place, Stored]]:
        statement, columns, rid = self._ordered(key)
        while True:
            page = statement if bound is None else statement.where(_beyond(key, columns, rid, bound))
            rows = self._rows(page.limit(wanted), columns)
            for value, row in rows:
                at = (False, Down(value) if key.descending else value, Down(row.rid) if key.descending else row.rid)
                bound = at
                if self._decides(key, value, row):
                    yield at, row
            if len(rows) < wanted:
                return

    def _ordered(self, key: SortKey) -> tuple[Select[Any], Any, Any]:
        query = self._query
        if key.code in COLUMNS:
            columns: tuple[Any, ...] = (COLUMNS[key.code],)
            rid = resource.c.rid
            statement = matching(self._connection, query, ordered=True)
        else:
            table, columns = INDEXES[key.parameter.type]
            rid = table.c.rid
            name = hash_key(key.parameter.base, key.parameter.code, *FORMS.get(key.parameter.type, ()))
            statement = walked(query).join(table, and_(table.c.param == name, rid == resource.c.rid))
        order = (each.desc() if key.descending else each.asc() for each in (*columns, rid))
        return self._still(key, statement).order_by(*order), columns, rid

    def _still(self, key: SortKey, statement: Select[Any]) -> Select[Any]:
        if key.code == "_id" or not self.moment.numbers:
            return statement
        return statement.where(~changed(self._connection, self.moment))

    def _rows(self, statement: Select[Any], columns: Sequence[Any]) -> list[tuple[Any, Stored]]:
        """The values by which the rows are ordered, and the rows."""
        size = len(keyed.COLUMNS)
        values = (each.label(f"value{number}") for number, each in enumerate(columns))
        rows = self._asked(statement.with_only_columns(*keyed.COLUMNS, *values))
        return [(tuple(row[size:]), Stored(*row[:size])) for row in rows]

    def _decides(self, key: SortKey, value: Any, row: Stored) -> bool:
        """Of several values of a resource only one is its place."""
        if key.code in COLUMNS:
            return True
        return bool(value_of(key, json.stored(row.body or b"{}"), row.last_updated) == value)

    def _valueless(self, key: SortKey, bound: Place | None, wanted: int) -> Iterator[tuple[Place, Stored]]:
        lacks = criterion(key.parameter.base, f"{key.parameter.shown}:missing", "true")
        statement = self._still(key, driven(self._query, None)).where(
            clause(lacks, resource.c.rid, self._query.sight)
        )
        statement = statement.order_by(resource.c.rid.desc() if key.descending else resource.c.rid.asc())
        last = None if bound is None else bound[2].value if key.descending else bound[2]
        while True:
            page = statement
            if last is not None:
                page = page.where(resource.c.rid < last if key.descending else resource.c.rid > last)
            rows = self._rows(page.limit(wanted), ())
            for _, row in rows:
                last = row.rid
                yield (True, None, Down(row.rid) if key.descending else row.rid), row
            if len(rows) < wanted:
                return


@lru_cache(maxsize=256)
def _by_time(keys: int, descending: bool, kind: str, shape: Shape | None) -> Select[Any]:
    """`shape` of the caller's Sight; None for who sees everything."""
    order = (resource.c.last_updated, resource.c.rid)
    ordered = [column.desc() if descending else column.asc() for column in order]
    columns = (*keyed.COLUMNS, now(kind, [bindparam("type", type_=resource.c.type.type)]))
    found = keyed.having(keys, shape)
    return found.with_only_columns(*columns).order_by(*ordered).limit(bindparam("limit"))


def _beyond(key: SortKey, columns: Sequence[Any], rid: Any, bound: Place) -> ColumnElement[bool]:
    value, last = (bound[1].value, bound[2].value) if key.descending else (bound[1], bound[2])
    ends = (literal(each, column.type) for each, column in zip((*value, last), (*columns, rid), strict=True))
    here, there = tuple_(*columns, rid), tuple_(*ends)
    return here < there if key.descending else here > there
