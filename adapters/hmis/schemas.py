"""A marshmallow schema for each file and version of the export, made from the table of columns.

Rules: HMIS CSV: dates yyyy-mm-dd, moments yyyy-mm-dd hh:mm:ss. Exports in the wild write others (02-07-2023
12:00:00): American forms with a year of four digits are read, and the reader warns. In a hashed export the names
and the SSN hold digests, which are longer than the columns.
Refuses: a text where a whole number stands (TYPE), a code that its list does not have (CODE), what is too long
(LENGTH), no date (DATE), an empty cell that must not be (REQUIRED).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from marshmallow import Schema, fields, validate

from adapters.files.cells import Day, Moment, Refused
from adapters.hmis.columns import DATE, MOMENT, NUMBER, Column, columns
from fhir_mappings.hmis.code_lists import LISTS

HASHED = frozenset(("FirstName", "MiddleName", "LastName", "SSN"))
DAYS = ("%m-%d-%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d", "%Y-%m-%d %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S")
MOMENTS = (*DAYS, "%m-%d-%Y %H:%M", "%m/%d/%Y %H:%M", "%Y-%m-%dT%H:%M:%SZ")
PAST = frozenset(("DOB",))
TOO_LARGE = 12  # digits


class Whole(fields.Field[str]):
    """A whole number or a code, as its digits without leading zeros."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = str(value)
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > TOO_LARGE:
            raise Refused("TYPE", "Write a whole number.")
        return str(int(text))


@cache
def schema(file: str, version: str, hashed: bool = False) -> type[Schema]:
    """The schema of one file."""
    made = {column.name: _field(column, hashed) for column in columns(file, version)}
    return Schema.from_dict(made, name=f"{file}{version}")


def _field(column: Column, hashed: bool) -> fields.Field[Any]:
    options: dict[str, Any] = {"required": column.required, "allow_none": not column.required}
    if column.type == DATE:
        return Day(formats=DAYS, future=column.name not in PAST, **options)
    if column.type == MOMENT:
        return Moment(formats=MOMENTS, future=True, **options)
    if column.type == NUMBER:
        listed = LISTS.get(column.codes)
        return Whole(validate=[validate.OneOf(list(listed))] if listed else [], **options)
    return fields.String(validate=_length(column, hashed), **options)


def _length(column: Column, hashed: bool) -> list[validate.Validator]:
    is_free = not column.length or (hashed and column.name in HASHED)
    listed = LISTS.get(column.codes)
    codes: list[validate.Validator] = [validate.OneOf(list(listed))] if listed else []
    return [*codes, *([] if is_free else [validate.Length(max=column.length)])]
