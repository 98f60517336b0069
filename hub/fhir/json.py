"""FHIR JSON in and out. Decimals keep their digits (72.50 stays 72.50); nothing is silently dropped.

Rules: https://hl7.org/fhir/R4/json.html and RFC 8259
Refuses: duplicate keys, NaN and Infinity, a lone surrogate, bytes that are not UTF-8, a byte order mark,
nesting deeper than 64, integers past 64 bits, anything but one JSON object or list (all of kind `structure` or
`value`).
"""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from hub.problems import Problem

MAX_DEPTH = 64
MAX_DIGITS = 20  # of an integer: 64 bits have at most 19
MAX_EXPONENT = 300  # of a decimal: 1e400 fits no number that a client computes with

Resource = dict[str, Any]

_PAST_ALL = Decimal(f"1e{MAX_EXPONENT + 1}")
_encoder = msgspec.json.Encoder(decimal_format="number")
_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted")


def _object(pairs: list[tuple[str, Any]]) -> Resource:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Problem("structure", "A JSON object has the same key twice")
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS or not -(2**63) <= int(text) < 2**63:
        raise Problem("value", "A JSON integer is past 64 bits")
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent past what Decimal can hold
        value = _PAST_ALL
    if abs(value.adjusted()) > MAX_EXPONENT:
        raise Problem("value", "A JSON decimal is too large or too small")
    return value


def _constant(text: str) -> Any:
    raise Problem("structure", f"{text} is not JSON")


def number(text: str) -> int | Decimal:
    """The number which these characters are in JSON, with its digits. Raises Problem(`value`) past the limits."""
    return _integer(text) if text.lstrip("-").isdigit() else _decimal(text)


_decoder = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_decimal,
    parse_int=_integer,
    parse_constant=_constant,
    strict=False,
)


def read(body: bytes) -> Resource:
    """The JSON object in these bytes. Raises Problem(`structure` | `value`)."""
    found = _read(body)
    if not isinstance(found, dict):
        raise Problem("structure", "The body is not a JSON object")
    return found


def read_list(body: bytes) -> list[Any]:
    """The JSON array in these bytes (a JSON Patch). Raises Problem(`structure` | `value`)."""
    found = _read(body)
    if not isinstance(found, list):
        raise Problem("structure", "The body is not a JSON array")
    return found


def _read(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        found = _decoder.decode(text)
    except UnicodeDecodeError:
        raise Problem("structure", "The body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Problem("structure", f"The body is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Problem("structure", f"The body is nested deeper than {MAX_DEPTH}") from None
    if "\\u" in text:
        _refuse_lone_surrogates(found)
    if isinstance(found, dict | list):
        _refuse_deep(found, 1)
    return found


def _refuse_lone_surrogates(found: Any) -> None:
    try:
        write(found)
    except UnicodeEncodeError:
        raise Problem("structure", "A string holds half of a surrogate pair") from None


def _refuse_deep(node: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Problem("structure", f"The body is nested deeper than {MAX_DEPTH}")
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            _refuse_deep(child, depth + 1)


def write(resource: Any) -> bytes:
    """Compact UTF-8 JSON; the order of keys is kept."""
    return _encoder.encode(resource)


def canonical(resource: Any) -> bytes:
    """The same bytes for the same content: keys sorted, digits kept."""
    return _sorted.encode(resource)


def stored(body: bytes) -> Resource:
    """A resource that this hub wrote itself: no checks, decimals kept."""
    return _stored.decode(body)


def stored_list(body: bytes) -> list[Any]:
    """The same of a list."""
    return _stored_list.decode(body)


_stored = msgspec.json.Decoder(dict, float_hook=Decimal)
_stored_list = msgspec.json.Decoder(list, float_hook=Decimal)


def strings(node: Any) -> Iterator[str]:
    """Every string value below a node (not the keys)."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for child in node.values():
            yield from strings(child)
    elif isinstance(node, list):
        for child in node:
            yield from strings(child)
