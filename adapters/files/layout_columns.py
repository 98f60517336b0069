"""A layout as a marshmallow schema: what its columns may hold, column by column.

Rules: docs/plan-workbooks.md. Codes stay as the sender wrote them: what they mean is asked when the row becomes
FHIR, so that a row of the layout which comes later counts for what was read before.
CIN: eight digits and a letter. Dates: the layout's forms, and serials of a spreadsheet (days since 1899-12-30).
Refuses: by the codes of hub.feeds.reject_codes.
"""

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, fields, validate, validates_schema

from adapters.files.cells import Day, Refused
from adapters.files.columns import Columns
from adapters.files.layouts import Column, Layout

CIN = re.compile(r"\d{8}[A-Z]", re.ASCII)
NPI = re.compile(r"\d{10}", re.ASCII)
SERIAL = re.compile(r"[2-7]\d{4}(\.0+)?", re.ASCII)  # 1954 to 2119
EPOCH = datetime.date(1899, 12, 30)
TRUE, FALSE = frozenset(("1", "y", "yes", "true")), frozenset(("0", "n", "no", "false"))
_TIME = re.compile(r"[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$", re.ASCII)
_MINUTES = re.compile(r"(?:(\d{1,3}) h )?(\d{1,4}) min(?:ute)?s?", re.ASCII)


class SheetDay(Day):
    """A date; of a moment its day."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime.date:
        text = _TIME.sub("", str(value))
        if SERIAL.fullmatch(text):
            text = (EPOCH + datetime.timedelta(days=int(text.partition(".")[0]))).isoformat()
        return super()._deserialize(text, attr, data, **kwargs)


class Between(fields.Field[str]):
    """Two dates -> yyyy-mm-dd/yyyy-mm-dd; what is none stays as it is where the column is open."""

    def __init__(self, layout: Layout, is_open: bool, **options: Any):
        super().__init__(**options)
        self.sign, self.is_open = layout.between, is_open
        self.day = SheetDay(formats=layout.dates, future=True)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        start, _, end = str(value).partition(self.sign)
        try:
            days = [self.day.deserialize(one.strip()).isoformat() for one in (start, end)]
        except Refused:
            if self.is_open:
                return str(value)
            raise
        if days[0] > days[1]:
            raise Refused("DATE", "The period ends before it starts.")
        return "/".join(days)


class Flag(fields.Field[bool]):
    """Yes or no, as spreadsheets and people write it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        text = str(value).lower()
        if text not in TRUE | FALSE:
            raise Refused("TYPE", "Write 1 or 0.")
        return text in TRUE


class Count(fields.Field[int]):
    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Refused("TYPE", "Write a whole number.")
        return int(text)


class Minutes(fields.Field[int]):
    """`1 h 15 mins`, `40 mins`; a bare number only where the layout says that it is minutes."""

    def __init__(self, unit: str, **options: Any):
        super().__init__(**options)
        self.unit = unit

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        text = str(value).strip().lower()
        if self.unit == "minutes" and text.isascii() and text.isdigit() and len(text) < 5:
            return int(text)
        if (found := _MINUTES.fullmatch(text)) is None:
            raise Refused("TYPE", "Write the time as 40 mins, or as 1 h 15 mins.")
        return 60 * int(found[1] or 0) + int(found[2])


class Number(fields.String):
    """An identifier: without blanks, and in capitals."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        return "".join(str(super()._deserialize(value, attr, data, **kwargs)).split()).upper()


def _field(layout: Layout, column: Column, options: Mapping[str, Any]) -> fields.Field[Any]:
    short = validate.Length(max=column.longest)
    made: Mapping[str, Callable[[], fields.Field[Any]]] = {
        "text": lambda: fields.String(validate=short, **options),
        "code": lambda: fields.String(validate=validate.Length(max=100), **options),
        "date": lambda: SheetDay(formats=layout.dates, future=True, **options),
        "past": lambda: SheetDay(formats=layout.dates, **options),
        "period": lambda: Between(layout, column.open, **options),
        "integer": lambda: Count(**options),
        "flag": lambda: Flag(**options),
        "minutes": lambda: Minutes(column.unit, **options),
        "cin": lambda: Number(validate=validate.Regexp(rf"{CIN.pattern}\Z"), **options),
        "npi": lambda: Number(validate=validate.Regexp(rf"{NPI.pattern}\Z"), **options),
    }
    return made[column.type]()


def schema_of(layout: Layout) -> type[Schema]:
    """A schema whose attributes are the layout's facts."""
    made: dict[str, Any] = {}
    for column in layout.columns:
        needed = {"required": column.required, "allow_none": not column.required, "data_key": column.header}
        made[column.fact] = _field(layout, column, needed)
    if layout.one_of:
        made["one_of"] = validates_schema(_one_of(layout))
    return type(f"Layout_{layout.name}", (Schema,), made)


def _one_of(layout: Layout) -> Callable[..., None]:
    headers = [column.header for column in layout.columns if column.fact in layout.one_of]

    def check(schema: Schema, values: Mapping[str, Any], **kwargs: Any) -> None:
        if not any(values.get(fact) for fact in layout.one_of):
            raise Refused("REQUIRED", "The row needs one of these: " + ", ".join(headers))

    return check


def columns_of(layout: Layout) -> Columns:
    aliases = {alias: column.header for column in layout.columns for alias in column.aliases}
    return Columns(schema_of(layout), aliases, more=True)
