"""The engine of the row tables: one row takes one source field to one FHIR element. It knows no segment.

A rule that needs two fields is a named function of its mapping, not a condition here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.directory import Directory
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.records import Delete

Element = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What every conversion may look at besides the value. `directory` is of one bundle: it gathers what the
    conversions refer to."""

    facility: Facility
    tables: CodeTables
    cin_system: str
    zone: ZoneInfo
    directory: Directory

    @classmethod
    def of(cls, facility: Facility, tables: CodeTables, cin_system: str) -> "Context":
        return cls(facility, tables, cin_system, facility.zone, Directory(facility))


@dataclass(frozen=True, slots=True)
class Row:
    """`source` is a field of the record, `target` a FHIR element, `where` the place for errors."""

    source: str
    target: str
    convert: Callable[[Any, Context, str], Any]
    where: str


def changes(rows: Iterable[Row], record: Any, context: Context) -> Element:
    """Element -> new value. None means: the sender deleted it. Elements of which nothing was said are absent."""
    found: Element = {}
    for row in rows:
        value = getattr(record, row.source)
        if value is not None:
            deleted = isinstance(value, Delete)
            found[row.target] = None if deleted else row.convert(value, context, row.where)
    return found


def values(rows: Iterable[Row], record: Any, context: Context) -> Element:
    """The elements that have a value."""
    return filled(changes(rows, record, context))


def filled(element: Element) -> Element:
    """The element without empty members: FHIR has neither nulls nor empty lists."""
    return {key: value for key, value in element.items() if value or value == 0}  # 0 and false are values
