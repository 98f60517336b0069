"""Which token parameters look only at values that never have a code system: codes, booleans, texts, ContactPoints.

Rules: https://hl7.org/fhir/R4/search.html#token (`|code` asks for a code without a system), #contactpoint
What such a parameter finds by `code` it finds by `|code`, so that one index row does for both.
"""

import re
from collections.abc import Iterator

from hub.fhir.elements import elements_of

PLAIN = frozenset(("boolean", "code", "ContactPoint", "id", "string", "uri"))
_ASKS = re.compile(r"exists\(\)|!=")  # a branch that asks something is a boolean
_FILTER = re.compile(r"\.where\([^()]*(?:\(\))?[^()]*\)")
_CAST = re.compile(r" as (\w+)\)?$|\.as\((\w+)\)$|\.ofType\((\w+)\)$")


def are_never_there(expression: str) -> bool:
    """`expression`: as in r4_parameters.csv. A path that is not understood may lead to anything."""
    branches = expression.split(" | ")
    return bool(expression) and all(set(_types(branch)) <= PLAIN for branch in branches)


def _types(branch: str) -> Iterator[str]:
    """The data types that a path leads to; an empty one where it is not understood."""
    if _ASKS.search(branch):
        yield "boolean"
        return
    path = _FILTER.sub("", branch)
    if cast := _CAST.search(path):
        yield next(filter(None, cast.groups()))
        return
    base, *steps = path.strip("()").split(".")
    found = [base]
    for name in steps:
        found = [one.type for of in found for one in elements_of(of).values() if name in (one.name, one.choice)]
    yield from found or [""]
