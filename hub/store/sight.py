"""THE predicate: which resources are there for a caller, as one piece of SQL that every read path carries.

Rules: docs/access.md; hub.sight says what each number means. What is not known is not there: a resource whose
patient, label or consent nobody knows is hidden, and hidden is answered like missing.
`seen` is for SQLAlchemy's statements, `condition` for the driver's own. Both are made from one text, so they
cannot differ. The text depends on the shape of a Sight only; all numbers are parameters. Those of `seen` have fixed
names and no values, so that nothing is built for a caller: `named` gives the values at the execution, and a
statement that was not given them fails.
Time is asked of the clock at each execution: a relation or a consent that ended a second ago counts no more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import BigInteger, BindParameter, Boolean, ColumnElement, Connection, String, bindparam, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from hub import clock
from hub.rights.labels import ALL_BITS
from hub.sight import COVERAGE, GRANTED, OWNED, PROXY, SEVERAL, UNKNOWN, Sight
from hub.store.engine import driver, mark
from hub.store.tables import resource

HOLDERS, RECIPIENTS = 4, 6  # how many numbers a statement has room for

# {rid} {type} {patient} {labels} {source} are columns of the resource at hand, the other names are parameters
_HOLDS = (
    "EXISTS (SELECT 1 FROM index_relation x WHERE x.patient = %(of)s AND x.holder IN ({holder0}, {holder1},"
    " {holder2}, {holder3}) AND (x.kind & {kinds}) <> 0 AND x.low <= {now} AND x.high > {now})"
)
_GLASS_IS_BROKEN = (
    "EXISTS (SELECT 1 FROM index_relation g WHERE g.patient = {patient} AND g.holder IN ({holder0}, {holder1},"
    f" {{holder2}}, {{holder3}}) AND g.kind = {GRANTED} AND g.low <= {{now}} AND g.high > {{now}})"
)
_SEVERAL = (
    f"({{patient}} = {SEVERAL} AND NOT EXISTS (SELECT 1 FROM index_patient q WHERE q.rid = {{rid}}"
    " AND NOT (%(one)s)))"
)
_OWN_UNKNOWN = f"({{patient}} = {UNKNOWN} AND {{source}} = {{own}})"
_RECIPIENTS = ", ".join(f"{{recipient{number}}}" for number in range(RECIPIENTS))
_DENIED = (
    "EXISTS (SELECT 1 FROM index_consent d WHERE d.patient = {patient} AND d.recipient IN (" + _RECIPIENTS + ")"
    " AND NOT d.permit AND (d.labels & b.bit) <> 0 AND d.low <= {now} AND d.high > {now} AND (d.signed > c.signed"
    " OR (d.signed = c.signed AND (d.rid <> c.rid OR d.depth >= c.depth))))"
)
_PERMITTED = (
    "EXISTS (SELECT 1 FROM index_consent c WHERE c.patient = {patient} AND c.recipient IN (" + _RECIPIENTS + ")"
    " AND c.permit AND (c.labels & b.bit) <> 0 AND (c.purposes & {purposes}) <> 0"
    " AND c.low <= {now} AND c.high > {now}"
    " AND (c.proxy = 0 OR EXISTS (SELECT 1 FROM index_relation y WHERE y.patient = {patient} AND y.holder = c.proxy"
    f" AND y.kind = {PROXY} AND y.low <= {{now}} AND y.high > {{now}}))"
    " AND (NOT c.medi_cal OR EXISTS (SELECT 1 FROM index_relation m WHERE m.patient = {patient}"
    f" AND m.kind = {COVERAGE} AND m.low <= {{now}} AND m.high > {{now}}))"
    " AND NOT " + _DENIED + ")"
)
_ROWS = ", ".join(f"({1 << place})" for place in range(ALL_BITS.bit_length()) if ALL_BITS >> place & 1)
_BITS = f"SELECT column1 AS bit FROM (VALUES {_ROWS}) AS v"  # both databases call the only column of VALUES so
_RELEASED = (
    "(({labels} & {never}) = 0 AND NOT EXISTS (SELECT 1 FROM (" + _BITS + ") AS b"
    " WHERE ({labels} & {guarded} & b.bit) <> 0 AND NOT " + _PERMITTED + "))"
)

Shape = tuple[bool, bool, bool, bool, bool, tuple[tuple[str, int], ...]]
COLUMNS = ("rid", "type", "patient", "labels", "source")
OWN = "sight_"  # how the names of the predicate's own parameters begin


def shape_of(sight: Sight) -> Shape:
    """What the text of the predicate depends on."""
    narrowed = tuple((name, len(keys)) for name, keys in sorted(sight.narrowed.items()))
    is_guarded = bool(sight.guarded | sight.never)
    return (sight.all_patients, sight.self_only, bool(sight.patient), bool(sight.own), is_guarded, narrowed)


@cache
def text_of(shape: Shape) -> str:
    """The predicate with {names} in place of columns and parameters."""
    all_patients, self_only, launched, own, is_guarded, narrowed = shape
    parts = [] if all_patients else [_patients(self_only, launched, own)]
    if all_patients and launched:
        parts.append(f"{_related('{patient}', True, True)}")
    if is_guarded:
        mine = ["{source} = {own}"] if own else []
        broken = f"(({{labels}} & {{never}}) = 0 AND {_GLASS_IS_BROKEN})"
        parts.append("(" + " OR ".join(["({labels} & {hidden}) = 0", *mine, broken, _RELEASED]) + ")")
    for place, (_, count) in enumerate(narrowed):
        keys = ", ".join(f"{{key{place}_{number}}}" for number in range(count))
        found = f"EXISTS (SELECT 1 FROM index_token n WHERE n.hash IN ({keys}) AND n.rid = {{rid}})"
        parts.append(f"({{type}} <> {{narrowed{place}}} OR {found})")
    return "(" + " AND ".join(parts or ["1 = 1"]) + ")"


def _patients(self_only: bool, launched: bool, own: bool) -> str:
    # whose it is nobody can tell: a launch is about one patient, and shows none of it
    unknown = [_OWN_UNKNOWN] if own and not launched else []
    several = _SEVERAL % {"one": _related("q.patient", self_only, launched)}
    alternatives = ["{patient} = 0", *unknown, _related("{patient}", self_only, launched), several]
    return "(" + " OR ".join(alternatives) + ")"


def _related(of: str, self_only: bool, launched: bool) -> str:
    itself = [f"{of} = {{launch}}"] if launched else []
    if self_only:
        return itself[0] if itself else "1 = 0"
    return "(" + " AND ".join([*itself, _HOLDS % {"of": of}]) + ")"


def values_of(sight: Sight) -> dict[str, Any]:
    """Every parameter of the predicate, now."""
    return {**_kept(sight)[1], "now": clock.micros(clock.now())}


# the numbers of the last Sights. One lives as long as its token is known (auth.guard); it stays here with its
# numbers, so that no other one has its place in memory meanwhile
_known: dict[int, tuple[Sight, dict[str, Any]]] = {}
MOST_KNOWN = 256


def _kept(sight: Sight) -> tuple[Sight, dict[str, Any]]:
    known = _known.get(id(sight))
    if known is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        known = _known[id(sight)] = sight, _numbers(sight)
    return known


def _numbers(sight: Sight) -> dict[str, Any]:
    """Every parameter but the time."""
    holders = (*sight.holders, *[0] * HOLDERS)
    recipients = (*sight.recipients, *[0] * RECIPIENTS)
    if len(sight.holders) > HOLDERS or len(sight.recipients) > RECIPIENTS:
        raise ValueError("A Sight has more holders or recipients than its predicate has room for")
    found: dict[str, Any] = {f"holder{place}": holders[place] for place in range(HOLDERS)}
    found |= {f"recipient{place}": recipients[place] for place in range(RECIPIENTS)}
    found |= {
        "kinds": sight.kinds | OWNED | GRANTED,
        "launch": sight.patient,
        "own": sight.own,
        "purposes": sight.purposes,
        "guarded": sight.guarded,
        "never": sight.never,
        "hidden": sight.guarded | sight.never,
    }
    for place, (name, keys) in enumerate(sorted(sight.narrowed.items())):
        found[f"narrowed{place}"] = name
        found |= {f"key{place}_{number}": value for number, value in enumerate(sorted(keys))}
    return found


class _seen(FunctionElement[bool]):  # noqa: N801 - reads as SQL
    """The predicate in a statement of SQLAlchemy: its clauses are the columns, there is a subclass for each shape,
    so that compiled statements are told apart."""

    type = Boolean()
    inherit_cache = True
    name = "seen"

    def self_group(self, against: Any = None) -> Any:
        return self


@lru_cache(maxsize=256)
def _class(shape: Shape) -> type[_seen]:
    class made(_seen):  # noqa: N801 - reads as SQL
        inherit_cache = True

    names = dict.fromkeys(name for name in _names(text_of(shape)) if name not in COLUMNS)

    @compiles(made)
    def _compiled(element: Any, compiler: Any, **kw: Any) -> str:
        columns = zip(COLUMNS, element.clauses, strict=True)
        pieces = {name: compiler.process(each, **kw) for name, each in columns}
        pieces |= {name: compiler.process(_parameter(name), **kw) for name in names}
        return text_of(shape).format(**pieces)

    return made


@cache
def _parameter(name: str) -> BindParameter[Any]:
    kind = String() if name.startswith("narrowed") else BigInteger()
    return bindparam(f"{OWN}{name}", type_=kind, required=True)


def seen(table: Any, sight: Sight) -> ColumnElement[bool]:
    """Whether the resource at hand is there for the caller; `table` is hub.store.tables.resource or an alias. The
    statement is executed with what `named` gives."""
    if sight.everything:
        return true()
    return itself(shape_of(sight)) if table is resource else _seen_of(table, shape_of(sight))


def _seen_of(table: Any, shape: Shape) -> _seen:
    return _class(shape)(*(table.c[name] for name in COLUMNS))


@lru_cache(maxsize=256)
def itself(shape: Shape) -> ColumnElement[bool]:
    """`seen` of the table of resources, for whoever has a Sight of this shape."""
    return _seen_of(resource, shape)


def named(sight: Sight, **others: Any) -> dict[str, Any]:
    """The values that a statement with `seen` is executed with, now, beside its own."""
    if sight.everything:
        return others
    return {f"{OWN}{name}": value for name, value in values_of(sight).items()} | others


@lru_cache(maxsize=256)
def _written(shape: Shape, alias: str, mark: str) -> tuple[str, tuple[str, ...]]:
    pieces: Mapping[str, str] = {name: f"{alias}.{name}" for name in COLUMNS}
    text, names = _marked(text_of(shape), mark, pieces)
    return f" AND {text}", names


def _marked(text: str, mark: str, pieces: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The text with a mark for each parameter, and the names of the values to give. PostgreSQL wants each once."""
    names = tuple(name for name in _names(text) if name not in pieces)
    return text.format_map(_Marks(pieces, mark)), tuple(dict.fromkeys(names)) if mark == "%s" else names


def _names(text: str) -> Iterator[str]:
    """The names in a text, in order, as often as they stand there."""
    return (part.partition("}")[0] for part in text.split("{")[1:])


class _Marks(dict[str, str]):
    def __init__(self, pieces: Mapping[str, str], mark: str):
        super().__init__(pieces)
        self._mark = mark

    def __missing__(self, name: str) -> str:
        return f"%({name})s" if self._mark == "%s" else self._mark


def condition(connection: Connection, sight: Sight, alias: str) -> tuple[str, Sequence[Any]]:
    """` AND …` for the end of a WHERE of the driver's own statement, and its values in their order."""
    if sight.everything:
        return "", ()
    text, names = _written(shape_of(sight), alias, mark(connection))
    values = values_of(sight)
    return text, tuple(values[name] for name in names)


@lru_cache(maxsize=64)
def _covering(shape: Shape, mark: str) -> tuple[str, tuple[str, ...]]:
    _, self_only, launched, *_ = shape
    # PostgreSQL takes a comparison of two parameters for one of texts, unless it is told
    of = "CAST({of} AS bigint)"
    return _marked(f"SELECT 1 WHERE {_related(of, self_only, launched)}", mark, {})


def covers(connection: Connection, sight: Sight, patients: Iterable[int]) -> bool:
    """Whether a relation covers all these patients now: asked of what is about to be written."""
    wanted = set(patients)
    return related(connection, sight, wanted) == wanted


def related(connection: Connection, sight: Sight, patients: Iterable[int]) -> set[int]:
    """Those of these patients to whom the caller has a relation now."""
    if sight.everything or sight.all_patients:
        return set(patients)
    text, names = _covering(shape_of(sight), mark(connection))
    values = values_of(sight)
    found: set[int] = set()
    for patient in patients:
        values["of"] = patient
        if driver(connection).execute(text, tuple(values[name] for name in names)).fetchall():
            found.add(patient)
    return found


def glass_is_broken(connection: Connection, sight: Sight, patient: int) -> bool:
    """Whether somebody opened this patient's record to the caller by name, for now (42 CFR 2.51)."""
    text, names = _marked("SELECT 1 WHERE " + _GLASS_IS_BROKEN, mark(connection), {})
    values = values_of(sight) | {"patient": patient}
    return bool(driver(connection).execute(text, tuple(values[name] for name in names)).fetchall())
