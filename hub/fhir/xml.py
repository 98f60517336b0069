"""FHIR XML in and out, as the same Python dict that FHIR JSON is read to (hub.fhir.json).

Rules: https://hl7.org/fhir/R4/xml.html. The order and the nature of elements come from hub.fhir.elements.
Reading is in hub.fhir.xml_reading, which says what is refused. In writing, `resource` is one that this hub took in
or made: an unknown property is our own fault (KeyError). A narrative is written as it is stored: it was found to
be well-formed XHTML, without entities, when it came. XML 1.0 has no way to say a control character or U+FFFE:
where a message or a string has one, U+FFFD stands in its place.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from hub.fhir.elements import RESOURCE, Element, elements_of
from hub.fhir.json import Resource
from hub.fhir.xml_reading import FHIR, Reader

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_ESCAPED = re.compile(r'[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]')


def read(body: bytes) -> Resource:
    """The resource in these bytes. Raises Problem(`structure` | `value`)."""
    return Reader(body).resource()


def write(resource: Mapping[str, Any], pretty: bool = False) -> bytes:
    """UTF-8 with an XML declaration; elements in their official order. `pretty` puts each on a line of its own."""
    writer = _Writer(pretty)
    writer.resource(resource, f' xmlns="{FHIR}"')
    return (DECLARATION + "".join(writer.parts) + ("\n" if pretty else "")).encode()


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[0], "\ufffd"), text)


def _text(value: Any) -> str:
    """A primitive value as XML has it."""
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class _Writer:
    __slots__ = ("depth", "parts", "pretty")

    def __init__(self, pretty: bool):
        self.parts: list[str] = []
        self.pretty = pretty
        self.depth = 0

    def resource(self, node: Mapping[str, Any], namespace: str = "") -> None:
        kind = node["resourceType"]
        members = {name: value for name, value in node.items() if name != "resourceType"}
        self._element(kind, namespace, members, elements_of(kind))

    def _element(self, name: str, attributes: str, node: Mapping[str, Any], known: Mapping[str, Element]) -> None:
        """One element whose content is the members of `node`."""
        inside = []
        for element in _in_order(node, known):
            if element.attribute:
                attributes += f' {element.name}="{_text(node[element.name])}"'
            else:
                inside.append(element)
        if not inside:
            self._line(f"<{name}{attributes}/>")
            return
        self._line(f"<{name}{attributes}>")
        self.depth += 1
        for element in inside:
            self._member(element, node)
        self.depth -= 1
        self._line(f"</{name}>")

    def _member(self, element: Element, node: Mapping[str, Any]) -> None:
        """All that the node has of one element: one XML element for each item of a list."""
        if element.primitive:
            for value, beside in _primitives(node, element.name):
                self._primitive(element, value, beside)
            return
        found = node[element.name]
        for item in found if isinstance(found, list) else (found,):
            if element.type == RESOURCE:
                self._container(element.name, item)
            else:
                self._element(element.name, "", item, elements_of(element.type))

    def _primitive(self, element: Element, value: Any, beside: Mapping[str, Any] | None) -> None:
        if element.type == "xhtml":
            self._line(value)
            return
        attributes = "" if value is None else f' value="{_text(value)}"'
        if beside:
            self._element(element.name, attributes, beside, elements_of("Element"))
        else:
            self._line(f"<{element.name}{attributes}/>")

    def _container(self, name: str, resource: Mapping[str, Any]) -> None:
        self._line(f"<{name}>")
        self.depth += 1
        self.resource(resource)
        self.depth -= 1
        self._line(f"</{name}>")

    def _line(self, text: str) -> None:
        if self.pretty:
            self.parts.append("\n" + "  " * self.depth)
        self.parts.append(text)


def _in_order(node: Mapping[str, Any], known: Mapping[str, Element]) -> list[Element]:
    found = {name: known[name] for name in (name.removeprefix("_") for name in node)}
    return sorted(found.values(), key=_order)


def _order(element: Element) -> int:
    return element.order


def _primitives(node: Mapping[str, Any], name: str) -> Iterator[tuple[Any, Any]]:
    """Each value with what is beside it; one of the two may be None."""
    value, beside = node.get(name), node.get(f"_{name}")
    if isinstance(value, list) or isinstance(beside, list):
        return zip_longest(value or (), beside or ())
    return iter(((value, beside),))
