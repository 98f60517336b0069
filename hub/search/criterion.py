"""One parameter of a search URL as a Criterion: its modifier is known to its type, its values parse.

Rules: https://hl7.org/fhir/R4/search.html#modifiers and hub.search.parsing
Refuses: unknown parameters and modifiers (`not-supported`), values that do not parse (`value`), more than MAX_OR
alternatives, or that mean more than MAX_VALUES values (`too-costly`), what is too long (hub.search.texts).
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from hub.problems import Problem
from hub.search import custom
from hub.search.parameters import IN_COLUMNS, NOT_SERVED, Parameter, parameters_of
from hub.search.parsing import PREFIXES as PREFIXES
from hub.search.parsing import Asked, targets, values
from hub.search.terms import NoTerms, Terms
from hub.search.texts import alternatives, entered
from hub.search.wanted import CompositeValue as CompositeValue
from hub.search.wanted import DateValue as DateValue
from hub.search.wanted import IdentifierValue as IdentifierValue
from hub.search.wanted import MimeValue as MimeValue
from hub.search.wanted import MissingValue as MissingValue
from hub.search.wanted import NearValue as NearValue
from hub.search.wanted import NumberValue as NumberValue
from hub.search.wanted import QuantityValue as QuantityValue
from hub.search.wanted import ReferenceValue as ReferenceValue
from hub.search.wanted import TextValue as TextValue
from hub.search.wanted import TokenValue as TokenValue
from hub.search.wanted import TypedIdentifierValue as TypedIdentifierValue
from hub.search.wanted import Value as Value

MAX_OR = 500
MAX_VALUES = 10_000  # one alternative may mean many: a value set's codes, all URIs above another
# `:missing` goes with every type. `:above` and `:below` of a reference need a hierarchy of resources, which no
# parameter of R4 defines; they are refused.
MODIFIERS = {
    "string": ("exact", "contains"),
    "token": ("not", "text", "in", "not-in", "above", "below"),
    "uri": ("above", "below"),
    "reference": ("identifier",),
}
DENYING = ("not", "not-in")  # what does not have any of the values; also what has no value
NO_TERMS: Terms = NoTerms()


@dataclass(frozen=True, slots=True)
class Criterion:
    """One parameter of the URL; its values are alternatives."""

    parameter: Parameter
    modifier: str
    values: tuple[Value, ...]

    @property
    def denies(self) -> bool:
        """Whether it asks for what is not there: no index row tells that, the absence of rows does."""
        if self.modifier == "missing":
            # rows tell the rarer thing: that a usual parameter is missing, or that another one is there
            return self.values[0] == MissingValue(not self.parameter.usual)
        return self.modifier in DENYING


def criterion(resource_type: str, name: str, text: str, base: str = "", terms: Terms = NO_TERMS) -> Criterion:
    """One `name[:modifier]=value[,value…]` of a URL."""
    entered(text, name)
    code, _, modifier = name.partition(":")
    parameter = parameters_of(resource_type).get(code)
    if parameter is None:
        raise _unknown(resource_type, code)
    _check_modifier(parameter, modifier)
    parts = alternatives(text, code)
    if len(parts) > MAX_OR:
        raise Problem("too-costly", f"'{code}' takes at most {MAX_OR} alternatives", code)
    if not parts or (modifier == "missing" and len(parts) > 1):
        raise Problem("value", f"'{code}' has {'several values' if parts else 'no value'}", code)
    asked = Asked(parameter, parameter.type, modifier, base, terms)
    meant = list(islice((value for part in parts for value in values(asked, part)), MAX_VALUES + 1))
    if len(meant) > MAX_VALUES:
        raise Problem("too-costly", f"'{code}' means more than {MAX_VALUES} values", code)
    return Criterion(parameter, modifier, tuple(dict.fromkeys(meant)))


def _unknown(resource_type: str, code: str) -> Problem:
    why = NOT_SERVED.get(code) or custom.why_not(resource_type, code)
    because = f": {why}" if why else ""
    return Problem("not-supported", f"{resource_type} is not searched by '{code[:64]}' here{because}", code[:64])


def _check_modifier(parameter: Parameter, modifier: str) -> None:
    if modifier and modifier not in modifiers(parameter):
        raise Problem(
            "not-supported",
            f"'{parameter.shown}' does not take the modifier ':{modifier[:64]}'",
            parameter.shown,
        )


def modifiers(parameter: Parameter) -> Collection[str]:
    """The modifiers that a parameter takes."""
    if parameter.code in IN_COLUMNS:
        return ("missing", "not") if parameter.type == "token" else ("missing",)
    found = {"missing", *MODIFIERS.get(parameter.type, ())}
    if parameter.type == "reference":
        found.update(targets(parameter))
    if parameter.type == "token" and parameter.code.endswith("identifier"):
        found.add("of-type")
    return found
