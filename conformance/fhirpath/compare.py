"""Equality and order of FHIRPath values that are plain JSON.

Rules: https://hl7.org/fhirpath/N1/#equality, #comparison; quantities compare in one unit only
"""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

Nodes = list[Any]

_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d.*)?)?)?\Z")
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def same(left: Any, right: Any) -> bool:
    """Whether two nodes are equal, all the way down."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def equal(left: Nodes, right: Nodes) -> bool | None:
    """`=`: nothing when one side is empty."""
    if not left or not right:
        return None
    return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))


def equivalent(left: Nodes, right: Nodes) -> bool:
    """`~`: case and spaces of strings do not count, nor does the order of a collection."""
    if len(left) != len(right):
        return False
    return all(any(_alike(a, b) for b in right) for a in left)


def _alike(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return " ".join(left.lower().split()) == " ".join(right.lower().split())
    return same(left, right)


def distinct(items: Nodes) -> Nodes:
    found: Nodes = []
    for item in items:
        if not any(same(item, other) for other in found):
            found.append(item)
    return found


def ordered(name: str, left: Nodes, right: Nodes) -> bool | None:
    """`<` and its like; None where one is empty or the precisions leave it open."""
    if len(left) != 1 or len(right) != 1:
        return None
    first, second = _comparable(left[0], right[0])
    if first is None or second is None:
        return None
    try:
        return _ORDER[name](first, second)
    except TypeError:
        return None


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    if isinstance(left, dict) and isinstance(right, dict):
        one_unit = all(left.get(name) == right.get(name) for name in ("system", "code", "unit"))
        return (left.get("value"), right.get("value")) if one_unit else (None, None)
    if isinstance(left, str) and isinstance(right, str) and _DATE.match(left) and _DATE.match(right):
        return _dates(left, right)
    return left, right


def _dates(left: str, right: str) -> tuple[Any, Any]:
    if "T" in left and "T" in right:
        return _moment(left), _moment(right)
    size = min(len(left), len(right), 10)
    if len(left) == len(right) or left[:size] != right[:size]:
        return left[:size], right[:size]
    return None, None


def _moment(text: str) -> Any:
    try:
        found = datetime.fromisoformat(text.replace(":60", ":59"))
    except ValueError:
        return None
    return found.timestamp()


def reckoned(name: str, left: Nodes, right: Nodes) -> Nodes:
    """Arithmetic on two numbers; `+` joins two strings."""
    if not left or not right:
        return []
    first, second = left[0], right[0]
    if isinstance(first, str) or isinstance(second, str):
        return [first + second] if name == "+" and isinstance(first, str) and isinstance(second, str) else []
    return _ARITHMETIC[name](Decimal(str(first)), Decimal(str(second)))


_ARITHMETIC: Mapping[str, Callable[[Decimal, Decimal], Nodes]] = {
    "+": lambda a, b: [a + b],
    "-": lambda a, b: [a - b],
    "*": lambda a, b: [a * b],
    "/": lambda a, b: [a / b] if b else [],
    "div": lambda a, b: [int(a / b)] if b else [],
    "mod": lambda a, b: [a % b] if b else [],
}
