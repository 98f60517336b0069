"""Lines -> values that a schema holds for good, or rejects with line and column.

Rules: docs/files.md. A marshmallow schema is applied column by column, with a memory of the texts that a column had
before: most columns repeat a few. Then the schema's own rules about several columns (`@validates_schema`).
`required` says that the file must have the column, `allow_none` that its cell may be empty; a column that is not
required may be missing, and empty. Empty cells are left out of the values. Values are what JSON holds: dates as ISO
text, decimals as they were written.
Refuses: files without a required column (whole), and cells by the codes of hub.feeds.reject_codes. No reject
repeats a value. Unknown columns are warned of, and kept under `_more` where the caller asks for them.
"""

import copy
import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from marshmallow.decorators import VALIDATES_SCHEMA

from adapters.files.cells import Day, Moment, Refused
from adapters.files.lines import Line
from hub.feeds.records import WARNING, Reject

Values = dict[str, Any]
MORE = "_more"
REMEMBERED = 5_000  # texts of a column
BROKEN_CELLS = frozenset(("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"))
_SIGNS = re.compile(r"[^a-z0-9]")
OF_VALIDATORS: Mapping[type[validate.Validator], str] = {
    validate.Length: "LENGTH",
    validate.OneOf: "CODE",
    validate.NoneOf: "CODE",
    validate.Equal: "CODE",
    validate.ContainsOnly: "CODE",
    validate.Regexp: "IDENTIFIER",
}
OF_FIELDS = (fields.DateTime, fields.Date, fields.Time, Day, Moment)
WHAT = {
    "REQUIRED": "The cell must not be empty.",
    "DATE": "Write a date of the calendar as yyyy-mm-dd, or as the layout says.",
    "TYPE": "The cell holds another kind of value than this column has.",
    "LENGTH": "The cell is too long or too short.",
    "CODE": "The cell holds no code of this column's list.",
    "IDENTIFIER": "The cell does not have the form that this column's values have.",
    "HEADER_MISSING": "The file must have this column.",
    "HEADER_UNKNOWN": "The column is not known and was not used.",
}


@dataclass(slots=True)
class _Column:
    """A column of the schema. `seen`: text -> (Python value, JSON value), or the Refused of it."""

    name: str
    kind: fields.Field[Any]
    codes: Mapping[str, str] | None = None
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def may_be_empty(self) -> bool:
        return self.kind.allow_none or not self.kind.required

    def of(self, text: str) -> Any:
        """What the memory has for this text, or what the field makes of it."""
        made = self._made(text)
        if len(self.seen) < REMEMBERED:
            self.seen[text] = made
        return made

    def _made(self, text: str) -> Any:
        if text in BROKEN_CELLS:
            return Refused("TYPE", "The cell holds a spreadsheet's error.")
        if self.codes is not None:
            if (mapped := self.codes.get(text.casefold())) is None:
                return Refused("CODE", WHAT["CODE"])
            text = mapped
        try:
            value = self.kind.deserialize(text)
        except ValidationError as error:
            return _refused(self.kind, text, error)
        return value, _json(value)


class Columns:
    """The columns of one kind of table. `aliases`: further names of columns -> the schema's own; a name fits
    however its letters, blanks and signs are written. `codes`: column -> the sender's words -> the schema's
    codes. `dates`: forms of dates that this layout has. `more` keeps unknown columns under `_more`."""

    def __init__(
        self,
        schema: type[Schema],
        aliases: Mapping[str, str] | None = None,
        *,
        codes: Mapping[str, Mapping[str, str]] | None = None,
        dates: Sequence[str] = (),
        more: bool = False,
    ):
        self.schema = schema()
        self.more = more
        self._columns = {
            found.data_key or name: _Column(name, found, _folded((codes or {}).get(found.data_key or name)))
            for name, found in self.schema.load_fields.items()
        }
        self._known = {key: key for key in self._columns}
        self._known |= {plain(alias): name for alias, name in (aliases or {}).items()}
        self._known |= {plain(key): key for key in self._columns}
        self._rules = tuple(_rules(self.schema))
        self._plans: dict[tuple[str, ...], _Plan] = {}
        _allow(self.schema.load_fields.values(), dates)

    def header(self, names: Sequence[str]) -> list[Reject]:
        """What the header misses, and what in it is not known; for Look.expects."""
        plan = self._plan(tuple(names))
        missing = [key for key, column in self._columns.items() if column.kind.required and key not in plan.found]
        unknown = () if missing else plan.unknown  # a file without a header: these would be a person's data
        return [
            *(Reject("HEADER_MISSING", 1, key, WHAT["HEADER_MISSING"], whole=True) for key in missing),
            *(Reject("HEADER_REPEATED", 1, key, "Two columns are this one.", whole=True) for key in plan.twice),
            *(Reject("HEADER_UNKNOWN", 1, name, WHAT["HEADER_UNKNOWN"], severity=WARNING) for name in unknown),
        ]

    def knows(self, names: Sequence[str]) -> bool:
        """Does this row look like the header: does it name all that the file must have? For Look.is_header."""
        found = self._plan(tuple(" ".join(name.split()) for name in names)).found
        required = [key for key, column in self._columns.items() if column.kind.required]
        return bool(found) and all(key in found for key in required)

    def row(self, line: Line) -> Values | list[Reject]:
        """The values of the line, or all that is wrong with it."""
        plan = self._plan(tuple(line.cells))
        python: Values = {}
        values: Values = {}
        rejects: list[Reject] = []
        for name, column in plan.columns:
            text = line.cells[name].strip()
            if not text:
                if not column.may_be_empty:
                    rejects.append(_reject(Refused("REQUIRED", WHAT["REQUIRED"]), line, name))
                continue
            made = column.seen.get(text) or column.of(text)
            if isinstance(made, Refused):
                rejects.append(_reject(made, line, name))
            else:
                python[column.name], values[column.name] = made
        if rejects or (rejects := self._broken(python, line, plan)):
            return rejects
        if self.more and plan.unknown:
            values[MORE] = {name: line.cells[name] for name in plan.unknown if line.cells[name]}
        return values

    def rows(self, lines: Iterable[Line | Reject]) -> Iterator[tuple[Line, Values] | Reject]:
        """Each line with its values; rejects, of the reader too, as they come."""
        for line in lines:
            made = line if isinstance(line, Reject) else self.row(line)
            if isinstance(made, list):
                yield from made
            elif isinstance(made, dict):
                yield line, made  # type: ignore[misc]
            else:
                yield made

    def _broken(self, python: Values, line: Line, plan: "_Plan") -> list[Reject]:
        found: list[Reject] = []
        for rule in self._rules:
            try:
                rule(python, partial=False, many=False, unknown="exclude")
            except ValidationError as error:
                found.append(_of_rule(error, line, plan))
        return found

    def _plan(self, names: tuple[str, ...]) -> "_Plan":
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plans[names] = _Plan(names, self._known, self._columns)
        return plan


class _Plan:
    """Which columns stand under the names of a header."""

    def __init__(self, names: Sequence[str], known: Mapping[str, str], columns: Mapping[str, _Column]):
        keys = {name: known.get(name) or known.get(plain(name)) for name in names}
        self.columns = [(name, columns[key]) for name, key in keys.items() if key]
        self.unknown = [name for name, key in keys.items() if not key]
        self.found: dict[str, str] = {}
        self.twice: list[str] = []
        for name, key in keys.items():
            if key and self.found.setdefault(key, name) != name:
                self.twice.append(name)

    def name_of(self, key: str) -> str:
        return self.found.get(key, key)


def plain(name: str) -> str:
    """A column's name without what senders write differently."""
    return _SIGNS.sub("", name.lower())


def _folded(codes: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if codes is None else {word.strip().casefold(): code for word, code in codes.items()}


def _allow(found: Iterable[fields.Field[Any]], dates: Sequence[str]) -> None:
    for one in found:
        if isinstance(one, Day | Moment):
            one.formats = (*one.formats, *dates)


def _rules(schema: Schema) -> Iterator[Callable[..., None]]:
    return (getattr(schema, name) for name, *_ in schema._hooks[VALIDATES_SCHEMA])


def _refused(found: fields.Field[Any], text: str, error: ValidationError) -> Refused:
    """The reject's code: that of the field where the text is none of its kind, else of the validator that
    refused."""
    if isinstance(error, Refused):
        return error
    bare = copy.copy(found)
    bare.validators = []
    try:
        value = bare.deserialize(text)
    except ValidationError:
        return _of("DATE" if isinstance(found, OF_FIELDS) else "TYPE")
    for validator in found.validators:
        try:
            validator(value)
        except Refused as refused:
            return refused
        except ValidationError:
            return _of(OF_VALIDATORS.get(type(validator), "TYPE"))  # type: ignore[arg-type]
    return _of("TYPE")


def _of(code: str) -> Refused:
    return Refused(code, WHAT[code])


def _json(value: Any) -> Any:
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _reject(refused: Refused, line: Line, column: str) -> Reject:
    return Reject(refused.code, line.number, column, refused.what)


def _of_rule(error: ValidationError, line: Line, plan: _Plan) -> Reject:
    column = plan.name_of(error.field_name) if error.field_name != "_schema" else ""
    if isinstance(error, Refused):
        return Reject(error.code, line.number, column, error.what)
    return Reject("TYPE", line.number, column, "; ".join(str(message) for message in error.messages))
