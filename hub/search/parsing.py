"""The text of a search value as what it means, for each type of parameter and each modifier.

Rules: https://hl7.org/fhir/R4/search.html#ptypes, #prefix, #modifiers, #escaping
One text may mean several values: `:in` is every code of a value set, `uri:above` every URI above.
Refuses: values that do not parse (`value`), value sets and codes that the hub's terminology does not know
(`not-supported`), value sets of more than MAX_CODES codes (`too-costly`), texts too long (hub.search.texts).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from hub import clock
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.search import merged
from hub.search.index import MIME_CODES
from hub.search.numbers import around, chord, point, searched
from hub.search.parameters import Parameter
from hub.search.terms import Code, Terms
from hub.search.texts import kept, split, unescape
from hub.search.values import date_range, plain, reference_of, uris_above
from hub.search.wanted import (
    CompositeValue,
    DateValue,
    IdentifierValue,
    MimeValue,
    MissingValue,
    NearValue,
    NumberValue,
    QuantityValue,
    ReferenceValue,
    TextValue,
    TokenValue,
    TypedIdentifierValue,
    Value,
)

MAX_CODES = 5_000
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
DEFAULT_NEAR = "50"  # km, where a search says no distance


@dataclass(frozen=True, slots=True)
class Asked:
    """What a value's meaning depends on besides its text. `type` is the parameter's, or a component's."""

    parameter: Parameter
    type: str
    modifier: str
    base: str
    terms: Terms

    def wrong(self, takes: str) -> Problem:
        return Problem("value", f"'{self.parameter.shown}' takes {takes}", self.parameter.shown)


def targets(parameter: Parameter) -> Collection[str]:
    """The types a reference may point at."""
    return resource_types() if parameter.targets == ("Resource",) else parameter.targets


def values(asked: Asked, text: str) -> Iterator[Value]:
    """What one alternative of a criterion means."""
    by_modifier = _BY_MODIFIER.get((asked.type, asked.modifier)) or _BY_MODIFIER.get(("", asked.modifier))
    if by_modifier:
        yield from by_modifier(asked, text)
    else:
        yield _BY_TYPE[asked.type](asked, text)


def _missing(asked: Asked, text: str) -> Iterator[Value]:
    if text not in ("true", "false"):
        raise asked.wrong("true or false with ':missing'")
    yield MissingValue(text == "true")


def _text(asked: Asked, text: str) -> TextValue:
    """A text as string search compares it; with `:exact` the resource itself decides, whatever the index knows."""
    found = unescape(text)
    if asked.modifier != "exact":
        kept(plain(found), asked.parameter.shown)
    return TextValue(found)


def _texts(asked: Asked, text: str) -> Iterator[Value]:
    yield _text(asked, text)


def _uri(_: Asked, text: str) -> TextValue:
    return TextValue(unescape(text))


def _below(asked: Asked, text: str) -> Iterator[Value]:
    yield TextValue(kept(unescape(text), asked.parameter.shown))


def _token(asked: Asked, text: str) -> TokenValue:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) > 2 or not any(parts):
        raise asked.wrong("code, system|code, |code or system|")
    return TokenValue(None, parts[0]) if len(parts) == 1 else TokenValue(parts[0] or _none(asked), parts[1])


def _none(asked: Asked) -> str | None:
    """How `no system` is asked for; where there never is one, it is not asked for."""
    return None if asked.parameter.systemless else ""


def _of_type(asked: Asked, text: str) -> Iterator[Value]:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise asked.wrong("system|code|value with ':of-type'")
    yield TypedIdentifierValue(*parts)


def _value_set(asked: Asked, text: str) -> Iterator[Value]:
    url = unescape(text)
    return _coded(asked, asked.terms.members(url), "a value set that this hub knows")


def _hierarchy(asked: Asked, text: str) -> Iterator[Value]:
    if asked.modifier == "below" and asked.parameter.code in MIME_CODES and "|" not in text:
        return iter((MimeValue(unescape(text).partition(";")[0].strip().lower()),))
    token = _token(asked, text)
    if not token.system or not token.code:
        raise asked.wrong(f"system|code with ':{asked.modifier}'")
    related = asked.terms.below if asked.modifier == "below" else asked.terms.above
    return _coded(asked, related(token.system, token.code), "a code whose hierarchy this hub knows")


def _coded(asked: Asked, codes: Collection[Code] | None, known: str) -> Iterator[Value]:
    """Each code with its system, and alone: an element of type `code` has no system of its own."""
    code = asked.parameter.code
    if codes is None:
        raise Problem("not-supported", f"'{code}:{asked.modifier}' takes {known}", code)
    if len(codes) > MAX_CODES:
        raise Problem("too-costly", f"'{code}:{asked.modifier}' takes at most {MAX_CODES} codes", code)
    return (TokenValue(system, one) for coded in codes for system, one in (coded, (_none(asked), coded[1])))


def _reference(asked: Asked, text: str) -> ReferenceValue:
    """Of a Patient who was merged, the one who that is now."""
    found = _referred(asked, text)
    is_own_link = (asked.parameter.base, asked.parameter.code) == merged.LINK
    if found.address or found.type not in ("Patient", None) or is_own_link:
        return found
    member = merged.member_of(found.value)
    return found if member == found.value else replace(found, value=member)


def _referred(asked: Asked, text: str) -> ReferenceValue:
    parameter, modifier = asked.parameter, asked.modifier
    target, value = reference_of(unescape(text), asked.base)
    if target is None and re.fullmatch(r"[A-Za-z0-9.\-]{1,64}", value):
        # one possible target makes `patient=123` as exact as `patient=Patient/123`
        possible = targets(parameter)
        only = next(iter(possible)) if len(possible) == 1 else None
        return ReferenceValue("Patient" if parameter.code == "patient" else modifier or only, value)
    if modifier and target not in (None, modifier):
        raise asked.wrong(f"a reference to {modifier} with ':{modifier}'")
    return ReferenceValue(target, value, address=target is None)


def _identifier(asked: Asked, text: str) -> Iterator[Value]:
    yield IdentifierValue(_token(asked, text))


def _above(_: Asked, text: str) -> Iterator[Value]:
    return map(TextValue, uris_above(unescape(text)))


def _prefixed(text: str) -> tuple[str, str]:
    return (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)


def _date(asked: Asked, text: str) -> DateValue:
    prefix, rest = _prefixed(text)
    # a `+` of an offset arrives as a space where the client did not escape it
    found = date_range(rest.replace(" ", "+"))
    if prefix not in PREFIXES or found is None:
        raise asked.wrong(f"a date, with a prefix of {' '.join(PREFIXES)}")
    low, high = found
    if prefix == "ap":  # 10 % of the time between then and now
        gap = abs(clock.micros(clock.now()) - low) // 10
        low, high = low - gap, high + gap
    return DateValue(prefix, low, high)


def _number(asked: Asked, text: str) -> NumberValue:
    prefix, rest = _prefixed(text)
    # the `+` of an exponent arrives as a space where the client did not escape it
    found = searched(rest.replace(" ", "+"))
    if prefix not in PREFIXES or found is None:
        raise asked.wrong(f"a number, with a prefix of {' '.join(PREFIXES)}")
    number, digits = found
    low, high = {"eq": digits, "ne": digits, "ap": around(number)}.get(prefix, (number, number))
    return NumberValue(prefix, low, high)


def _quantity(asked: Asked, text: str) -> QuantityValue:
    parts = [unescape(part) for part in split(text, "|")]
    if len(parts) == 1:
        return QuantityValue(_number(asked, parts[0]), None, "")
    if len(parts) != 3 or not parts[2]:
        raise asked.wrong("number, number|system|code or number||code")
    return QuantityValue(_number(asked, parts[0]), parts[1] or None, parts[2])


def _near(asked: Asked, text: str) -> NearValue:
    parts = [unescape(part) for part in split(text, "|")]
    if not 2 <= len(parts) <= 4:
        raise asked.wrong("latitude|longitude|distance|unit")
    latitude, longitude = _plain(asked, parts[0]), _plain(asked, parts[1])
    distance = _plain(asked, (parts[2:3] or [""])[0] or DEFAULT_NEAR)
    line = chord(distance, (parts[3:] or [""])[0] or "km")
    if line is None or abs(latitude) > 90 or abs(longitude) > 180 or distance < 0:
        raise asked.wrong("a position on Earth and a distance in km, m, [mi_i] or [mi_us]")
    return NearValue(*point(latitude, longitude), line)


def _plain(asked: Asked, text: str) -> float:
    found = searched(text)
    if found is None:
        raise asked.wrong("numbers in latitude|longitude|distance|unit")
    return found[0]


def _composite(asked: Asked, text: str) -> CompositeValue:
    components, parts = asked.parameter.components, split(text, "$")
    if len(parts) != len(components) or not all(parts):
        raise asked.wrong(f"{'$'.join(component.type for component in components)}")
    first, *rest = (
        _BY_TYPE[component.type](Asked(asked.parameter, component.type, "", asked.base, asked.terms), part)
        for component, part in zip(components, parts, strict=True)
    )
    if not isinstance(first, TokenValue) or not first.code:
        raise asked.wrong("a code in its first part")
    return CompositeValue(first, tuple(rest))


_BY_TYPE: Mapping[str, Callable[[Asked, str], Value]] = {
    "token": _token,
    "reference": _reference,
    "date": _date,
    "string": _text,
    "uri": _uri,
    "number": _number,
    "quantity": _quantity,
    "composite": _composite,
    "special": _near,
}
_BY_MODIFIER: Mapping[tuple[str, str], Callable[[Asked, str], Iterator[Value]]] = {
    ("", "missing"): _missing,
    ("token", "text"): _texts,
    ("token", "of-type"): _of_type,
    ("token", "in"): _value_set,
    ("token", "not-in"): _value_set,
    ("token", "above"): _hierarchy,
    ("token", "below"): _hierarchy,
    ("reference", "identifier"): _identifier,
    ("uri", "above"): _above,
    ("uri", "below"): _below,
}
