"""Facts -> the cells of a layout: what layout_columns reads, written.

Rules: docs/plan-workbooks.md "Out". Dates in the layout's form, codes by its tables, unknown columns under their
own header behind the others. A fact that the layout has no word for stays empty and is told: nothing is made up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from adapters.files.columns import MORE
from adapters.files.layouts import Column, Layout

Facts = Mapping[str, Any]


@dataclass(slots=True)
class Written:
    """Header and rows. `gaps`: `column: what it has no word for`, each once."""

    header: list[str]
    rows: list[list[Any]] = field(default_factory=list)
    gaps: set[str] = field(default_factory=set)


def written(layout: Layout, every: Iterable[Facts]) -> Written:
    """The table of these facts."""
    facts = list(every)
    columns = [one for one in layout.columns if one.written]
    more = list(dict.fromkeys(name for one in facts for name in one.get(MORE, ())))
    made = Written([one.header for one in columns] + more)
    for one in facts:
        own = [cell(layout, column, one, made.gaps) for column in columns]
        made.rows.append([*own, *(one.get(MORE, {}).get(name) for name in more)])
    return made


def cell(layout: Layout, column: Column, facts: Facts, gaps: set[str]) -> Any:
    """The cell of a fact: text, a whole number, or None."""
    value = facts.get(column.fact)
    if value is None and column.open:
        return facts.get(f"{column.fact}_text")
    if value is None or value == "":
        return None
    try:
        return _WRITE.get(column.type, _text)(layout, column, value)
    except _NoWord:
        gaps.add(
            f"{column.header}: {value}" if column.type == "code" else f"{column.header}: a value that does not fit"
        )
        return None


class _NoWord(Exception):
    """The layout cannot say it."""


def _text(layout: Layout, column: Column, value: Any) -> Any:
    text = str(value)
    if column.type != "text" and text != text.strip():
        raise _NoWord
    return text


def _day(layout: Layout, column: Column, value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).strftime(layout.writes_date)
    except ValueError:
        raise _NoWord from None


def _period(layout: Layout, column: Column, value: Any) -> str:
    start, between, end = str(value).partition("/")
    if column.open and not (between and _is_day(start) and _is_day(end)):
        return str(value)
    return layout.between.join(_day(layout, column, one) for one in (start, end))


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _code(layout: Layout, column: Column, value: Any) -> Any:
    said = layout.says(column, str(value))
    if said is not None:
        return int(said) if said.isdigit() and said == str(int(said)) else said
    if column.open:
        return str(value)
    raise _NoWord


def _flag(layout: Layout, column: Column, value: Any) -> Any:
    said = layout.yes if value else layout.no
    return int(said) if said in ("0", "1") else said


def _minutes(layout: Layout, column: Column, value: Any) -> Any:
    if column.unit == "minutes":
        return int(value)
    hours, minutes = divmod(int(value), 60)
    return f"{hours} h {minutes} mins" if hours else f"{minutes} mins"


_WRITE: Mapping[str, Any] = {
    "date": _day,
    "past": _day,
    "period": _period,
    "code": _code,
    "flag": _flag,
    "minutes": _minutes,
    "integer": lambda layout, column, value: int(value),
}


def placed(layout: Layout, header: Sequence[str]) -> Iterator[tuple[int, Column]]:
    """The columns of a header that is there already, with their places from 1."""
    fitting = layout.fitting(name for name in header if name)
    for place, name in enumerate(header, 1):
        if name in fitting and header.index(name) == place - 1:
            yield place, fitting[name]
