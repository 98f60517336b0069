"""References inside a resource, and making them literal.

Rules: https://hl7.org/fhir/R4/http.html#trules: references, and uri values that equal a fullUrl of the Bundle.
A uri that equals an http fullUrl stays: it may be the canonical URL of what is stored, and must not be lost.
"""

from collections.abc import Callable, Mapping
from typing import Any

Resolve = Callable[[str], str]


def rewrite(node: Any, resolve: Resolve, addresses: Mapping[str, str]) -> Any:
    """A copy of a node in which every Reference.reference went through `resolve`, and every other string that
    is a `urn:` fullUrl of the Bundle became the address behind it. Contained references (`#x`) stay, and so
    does `value`: an Identifier's value is a string, not a URI, even where it reads like one."""
    if isinstance(node, dict):
        return {name: _member(name, value, resolve, addresses) for name, value in node.items()}
    if isinstance(node, list):
        return [rewrite(child, resolve, addresses) for child in node]
    if isinstance(node, str) and node.startswith("urn:"):
        return addresses.get(node, node)
    return node


def _member(name: str, value: Any, resolve: Resolve, addresses: Mapping[str, str]) -> Any:
    if name == "reference" and isinstance(value, str):
        return value if value.startswith("#") else resolve(value)
    if name == "value" and isinstance(value, str):
        return value
    return rewrite(value, resolve, addresses)
