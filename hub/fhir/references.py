"""References inside a resource, and making them literal: by the type of each element, not by what reads alike.

Rules: https://hl7.org/fhir/R4/http.html#trules (references; elements of type uri, url, oid and uuid; links of
the narrative; not canonicals), https://hl7.org/fhir/R4/bundle.html#references (those of a stored Bundle lead to
its own entries and stay)
A uri that equals an http fullUrl stays: it may be the canonical URL of what is stored, and must not be lost. So
does a `system`: it names a namespace, whatever else has the same name.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from html import escape, unescape
from operator import is_
from typing import Any

from hub.fhir.elements import RESOURCE, Element, elements_of

Resolve = Callable[[str], str]
NAMES = ("urn:uuid:", "urn:oid:")  # of something that must stand in the same Bundle

_URI, _REFERENCE, _NARRATIVE = "uri", "reference", "div"  # what is not looked into, but replaced
_URIS = frozenset({"uri", "url", "oid", "uuid"})
# `<` cannot stand inside an attribute: each try ends at the next one
_LINK = re.compile(r"""<(?:a|img)\s(?:[^<>"']|"[^"<]*"|'[^'<]*')*>""")
_ATTRIBUTE = re.compile(r"""(\s)([^\s=<>"'/]+)(\s*=\s*)("[^"]*"|'[^']*')""")


def comparable(uri: str) -> str:
    """A `urn:uuid:` or `urn:oid:` in small letters: case says nothing there. https://www.rfc-editor.org/rfc/rfc8141"""
    if uri[3:4] != ":":
        return uri
    small = uri.lower()
    return small if small.startswith(NAMES) else uri


def rewrite(resource: Any, resolve: Resolve, addresses: Mapping[str, str]) -> Any:
    """The resource, in which every Reference.reference went through `resolve`, and every other link that is a
    fullUrl of the Bundle became the address behind it (`addresses`, by what is `comparable`). Contained references
    (`#x`) stay. The one that is given is not changed; what is the same in both is in both."""
    return _node(resource, RESOURCE, resolve, addresses)


def _node(node: Any, holder: str, resolve: Resolve, addresses: Mapping[str, str]) -> Any:
    if node.__class__ is list:
        made = [_node(child, holder, resolve, addresses) for child in node]
        return node if all(map(is_, made, node)) else made
    if node.__class__ is not dict:
        return node
    steps = _steps(node.get("resourceType", "") if holder == RESOURCE else holder)
    changed: dict[str, Any] = {}
    for name, value in node.items():
        if (step := steps.get(name)) and (new := _member(value, step, resolve, addresses)) is not value:
            changed[name] = new
    return {**node, **changed} if changed else node


def _member(value: Any, step: str, resolve: Resolve, addresses: Mapping[str, str]) -> Any:
    if step is _URI:
        return _uri(value, addresses)
    if step is _REFERENCE:
        return resolve(value) if isinstance(value, str) and value[:1] != "#" else value
    if step is _NARRATIVE:
        return _div(value, addresses)
    return _node(value, step, resolve, addresses)


def _uri(value: Any, addresses: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_uri(child, addresses) for child in value]
    if isinstance(value, str) and value[3:4] == ":":  # of all URIs only those of `urn:` are replaced
        return addresses.get(comparable(value), value)
    return value


def _div(div: Any, addresses: Mapping[str, str]) -> Any:
    """A narrative, its links that are fullUrls replaced."""
    if not addresses or not isinstance(div, str):
        return div

    def attribute(found: re.Match[str]) -> str:
        before, name, sign, value = found.groups()
        address = addresses.get(comparable(unescape(value[1:-1]))) if name in ("href", "src") else None
        return found[0] if address is None else f'{before}{name}{sign}"{escape(address)}"'

    return _LINK.sub(lambda link: _ATTRIBUTE.sub(attribute, link[0]), div)


@cache
def _steps(holder: str) -> Mapping[str, str]:
    """What is to be done with the members of a holder, by name: a holder to look into, or what is replaced. All
    others have nothing to do with links."""
    if holder == "Bundle.entry":
        return {}
    return {name: step for element in elements_of(holder).values() for name, step in _of(holder, element)}


def _of(holder: str, element: Element) -> Iterator[tuple[str, str]]:
    name = element.name
    if not element.primitive:
        yield name, element.type
        return
    yield f"_{name}", "Element"
    if holder == "Reference" and name == "reference":
        yield name, _REFERENCE
    elif element.type == "xhtml":
        yield name, _NARRATIVE
    elif element.type in _URIS and name != "system":
        yield name, _URI
