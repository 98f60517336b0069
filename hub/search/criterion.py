"""One parameter of a search URL as a Criterion: its modifier is known to its type, its values parse.

Rules: https://hl7.org/fhir/R4/search.html#modifiers, #prefix, #escaping and the sections of each type
Refuses: unknown parameters, modifiers and prefixes (`not-supported`), values that do not parse (`value`),
more than MAX_OR alternatives (`too-costly`).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.search.parameters import IN_COLUMNS, Parameter, parameters_of
from hub.search.values import date_range, reference_of

MAX_OR = 500
MODIFIERS = {"string": ("exact", "contains"), "token": (), "uri": (), "date": ()}
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")


@dataclass(frozen=True, slots=True)
class TokenValue:
    """`system` is None for any system and empty for none; `code` is empty for any code of the system."""

    system: str | None
    code: str


@dataclass(frozen=True, slots=True)
class ReferenceValue:
    """`type` is None where only an id (or an address, see `address`) was given."""

    type: str | None
    value: str
    address: bool = False


@dataclass(frozen=True, slots=True)
class DateValue:
    prefix: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class TextValue:
    text: str


Value = TokenValue | ReferenceValue | DateValue | TextValue


@dataclass(frozen=True, slots=True)
class Criterion:
    """One parameter of the URL; its values are alternatives."""

    parameter: Parameter
    modifier: str
    values: tuple[Value, ...]


def criterion(resource_type: str, name: str, text: str, base: str = "") -> Criterion:
    """One `name[:modifier]=value[,value…]` of a URL."""
    if "\0" in text:
        raise Problem("value", f"The value of '{name[:64]}' holds a NUL character", name[:64])
    code, _, modifier = name.partition(":")
    parameter = parameters_of(resource_type).get(code)
    if parameter is None:
        raise Problem("not-supported", f"{resource_type} is not searched by '{code[:64]}' here", code[:64])
    _check_modifier(parameter, modifier)
    parts = split(text, ",")
    if len(parts) > MAX_OR:
        raise Problem("too-costly", f"'{code}' takes at most {MAX_OR} alternatives", code)
    values = tuple(_value(parameter, modifier, part, base) for part in parts if part)
    if not values:
        raise Problem("value", f"'{code}' has no value", code)
    return Criterion(parameter, modifier, values)


def _check_modifier(parameter: Parameter, modifier: str) -> None:
    allowed = _targets(parameter) if parameter.type == "reference" else MODIFIERS.get(parameter.type, ())
    if modifier and (modifier not in allowed or parameter.code in IN_COLUMNS):
        raise Problem(
            "not-supported",
            f"'{parameter.code}' does not take the modifier ':{modifier[:64]}'",
            parameter.code,
        )


def _targets(parameter: Parameter) -> Collection[str]:
    """The types a reference may point at."""
    return resource_types() if parameter.targets == ("Resource",) else parameter.targets


def split(text: str, separator: str) -> list[str]:
    r"""Parts between separators that are not escaped; the backslashes stay. In `a\\,b` the backslash is escaped."""
    parts = [""]
    for piece in re.findall(r"\\.|.", text, re.DOTALL):
        if piece == separator:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def unescape(text: str) -> str:
    r"""`\,` `\|` `\$` and `\\` as the characters they stand for. https://hl7.org/fhir/R4/search.html#escaping"""
    return re.sub(r"\\([,|$\\])", r"\1", text)


def _value(parameter: Parameter, modifier: str, text: str, base: str) -> Value:
    match parameter.type:
        case "token":
            return _token(parameter, text)
        case "reference":
            return _reference(parameter, modifier, unescape(text), base)
        case "date":
            return _date(parameter, text)
    return TextValue(unescape(text))


def _token(parameter: Parameter, text: str) -> TokenValue:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) > 2 or parts == ["", ""]:
        raise Problem("value", f"'{parameter.code}' takes code, system|code, |code or system|", parameter.code)
    return TokenValue(None, parts[0]) if len(parts) == 1 else TokenValue(parts[0], parts[1])


def _reference(parameter: Parameter, modifier: str, text: str, base: str) -> ReferenceValue:
    target, value = reference_of(text, base)
    if target is None and re.fullmatch(r"[A-Za-z0-9.\-]{1,64}", value):
        # one possible target makes `patient=123` as exact as `patient=Patient/123`
        targets = _targets(parameter)
        only = next(iter(targets)) if len(targets) == 1 else None
        return ReferenceValue("Patient" if parameter.code == "patient" else modifier or only, value)
    if modifier and target not in (None, modifier):
        raise Problem("value", f"'{parameter.code}:{modifier}' takes a reference to {modifier}", parameter.code)
    return ReferenceValue(target, value, address=target is None)


def _date(parameter: Parameter, text: str) -> DateValue:
    prefix, rest = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
    # a `+` of an offset arrives as a space where the client did not escape it
    found = date_range(rest.replace(" ", "+"))
    if prefix not in PREFIXES or found is None:
        raise Problem(
            "value", f"'{parameter.code}' takes a date, with a prefix of {' '.join(PREFIXES)}", parameter.code
        )
    return DateValue(prefix, *found)
