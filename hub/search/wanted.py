"""The values of a criterion, each in the form that index and resource are compared in.

`form` of a token, reference, uri or unit is the end of its index key (hub.search.index makes the same ones).
"""

from dataclasses import dataclass
from typing import TypeAlias


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
class IdentifierValue:
    """`:identifier`: the identifier inside a reference."""

    token: TokenValue


@dataclass(frozen=True, slots=True)
class TypedIdentifierValue:
    """`:of-type`: an identifier by its type's system and code, and its value."""

    system: str
    code: str
    value: str


@dataclass(frozen=True, slots=True)
class MimeValue:
    """`:below` of a MIME type: the type (`text`), or the type and its subtype, whatever its parameters are."""

    type: str


@dataclass(frozen=True, slots=True)
class DateValue:
    prefix: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class NumberValue:
    """`low` and `high` are one number where the prefix takes the number as it stands."""

    prefix: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class QuantityValue:
    """`system` is None for any system; `code` is empty for any unit."""

    number: NumberValue
    system: str | None
    code: str


@dataclass(frozen=True, slots=True)
class TextValue:
    text: str


@dataclass(frozen=True, slots=True)
class MissingValue:
    missing: bool


@dataclass(frozen=True, slots=True)
class NearValue:
    """Points of the unit sphere no farther from (x, y, z) than `chord`."""

    x: float
    y: float
    z: float
    chord: float


@dataclass(frozen=True, slots=True)
class CompositeValue:
    """The first component is a token; the others have the types that the parameter says."""

    first: TokenValue
    rest: "tuple[Value, ...]"


Value: TypeAlias = (
    TokenValue
    | ReferenceValue
    | IdentifierValue
    | TypedIdentifierValue
    | MimeValue
    | DateValue
    | NumberValue
    | QuantityValue
    | TextValue
    | MissingValue
    | NearValue
    | CompositeValue
)

Form = tuple[str, ...]


def token_form(value: TokenValue) -> Form:
    match value:
        case TokenValue(None, code):
            return "c", code
        case TokenValue("", code):
            return "nc", code
        case TokenValue(system, ""):
            return "s", str(system)
    return "sc", str(value.system), value.code


def reference_form(value: ReferenceValue) -> Form:
    if value.address:
        return "u", value.value
    return ("i", value.value) if value.type is None else ("r", value.type, value.value)


def unit_form(value: QuantityValue) -> Form:
    if not value.code:
        return ("v",)
    return ("c", value.code) if value.system is None else ("sc", value.system, value.code)
