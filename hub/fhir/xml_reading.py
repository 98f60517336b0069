"""FHIR XML to the dict that hub.fhir.json would read from the same resource in JSON.

Rules: https://hl7.org/fhir/R4/xml.html and XML 1.0. The parser (expat) opens no file and no connection; comments
and processing instructions are passed over; decimals keep their digits.
Refuses: a DOCTYPE (before any entity is expanded), anything but UTF-8, text between elements, other namespaces,
an element or attribute that R4 does not define here, one that is repeated or out of order, one that is empty,
nesting deeper than JSON's 64, and a number or boolean which is none (all kind `structure`, the last `value`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from xml.parsers import expat

from hub.fhir import json
from hub.fhir.elements import RESOURCE, Element, elements_of
from hub.fhir.types import resource_types
from hub.fhir.xml_narrative import XHTML, Narrative
from hub.problems import Problem

FHIR = "http://hl7.org/fhir"
_SCHEMA_LOCATION = "http://www.w3.org/2001/XMLSchema-instance schemaLocation"
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_BOOLEANS = {"true": True, "false": False}


class _NotOne(Exception):
    """The text is no value of its type."""


def _boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise _NotOne
    return _BOOLEANS[text]


def _number(pattern: re.Pattern[str]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        if not pattern.fullmatch(text):
            raise _NotOne
        return json.number(text.removeprefix("+"))

    return convert


_whole = _number(_INTEGER)
_CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "decimal": _number(_DECIMAL),
    "integer": _whole,
    "positiveInt": _whole,
    "unsignedInt": _whole,
}


class _Frame:
    """One open element. `element` is None for a resource; a container (`contained`) holds one in `value`."""

    __slots__ = ("beside", "depth", "element", "known", "label", "node", "order", "value")

    def __init__(self, label: str, element: Element | None, known: Mapping[str, Element], depth: int):
        self.label = label
        self.element = element
        self.known = known
        self.depth = depth  # of its object in JSON
        self.node: dict[str, Any] = {}
        self.value: Any = None
        self.order = -1  # of the last element read
        self.beside: list[str] = []  # names of repeated primitives which have something beside a value


class Reader:
    """Reads one document."""

    __slots__ = ("_body", "_declared", "_found", "_frames", "_parser")

    def __init__(self, body: bytes):
        self._body = body.removeprefix(b"\xef\xbb\xbf")
        self._frames: list[_Frame] = []
        self._found: json.Resource = {}
        self._declared: list[tuple[str | None, str]] = []
        self._parser = parser = expat.ParserCreate("utf-8", " ")
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._namespace
        self._listen()

    def resource(self) -> json.Resource:
        if b"\0" in self._body:  # in UTF-8 it can stand nowhere; in UTF-16, which expat would find out, it must
            self._refuse("The body is not XML in UTF-8")
        try:
            self._parser.Parse(self._body, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise Problem("structure", f"The body is not XML in UTF-8: {reason} in line {error.lineno}") from None
        finally:
            del self._parser  # it holds this reader, and so the body, until the next collection
        return self._found

    def _listen(self) -> None:
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def _refuse(self, message: str, kind: str = "structure") -> NoReturn:
        raise Problem(kind, message, ".".join(frame.label for frame in self._frames if frame.label))

    # what comes before the elements

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if version != "1.0" or (encoding or "utf-8").lower() != "utf-8":
            self._refuse("FHIR XML is XML 1.0 in UTF-8, and declared so")

    def _doctype(self, *_: object) -> NoReturn:
        self._refuse("FHIR XML has no DOCTYPE")

    def _namespace(self, prefix: str | None, uri: str) -> None:
        self._declared.append((prefix, uri))

    # elements

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.partition(" ")
        name = name.partition(" ")[0]
        if namespace == XHTML and self._frames:
            self._start_narrative(name, qualified, attributes)
        elif namespace != FHIR:
            self._refuse("An element is not in the namespace of FHIR")
        elif not self._frames:
            self._open_resource(name, attributes, name, 1)
        elif _is_container(self._frames[-1]):
            self._open_contained(name, attributes)
        else:
            self._open_member(self._member(name), attributes)
        self._declared.clear()

    def _open_resource(self, name: str, attributes: dict[str, str], label: str, depth: int) -> None:
        if name not in resource_types():
            self._refuse("There is no such resource type in FHIR R4")
        frame = _Frame(label, None, elements_of(name), depth)
        frame.node["resourceType"] = name
        self._frames.append(frame)
        self._take_attributes(frame, attributes)

    def _open_contained(self, name: str, attributes: dict[str, str]) -> None:
        container = self._frames[-1]
        if container.value is not None:
            self._refuse("An element holds more than one resource")
        self._open_resource(name, attributes, "", container.depth)

    def _member(self, name: str) -> Element:
        """What this child of the open element is."""
        frame = self._frames[-1]
        element = frame.known.get(name)
        if element is None or element.attribute or element.type == "xhtml":
            self._refuse("There is an element that FHIR R4 does not define here")
        if element.order < frame.order:
            self._refuse(f"'{name}' is not in the order of FHIR XML")
        if element.order == frame.order and not element.many:
            self._refuse(f"'{name}' is there twice")
        frame.order = element.order
        return element

    def _open_member(self, element: Element, attributes: dict[str, str]) -> None:
        parent = self._frames[-1]
        label = f"{element.name}[{len(parent.node.get(element.name, ()))}]" if element.many else element.name
        known = elements_of("Element" if element.primitive else element.type)
        frame = _Frame(label, element, known, parent.depth + (2 if element.many else 1))
        self._frames.append(frame)
        if frame.depth - element.primitive > json.MAX_DEPTH:  # a primitive is a member of the object around it
            self._refuse(f"The body is nested deeper than {json.MAX_DEPTH}")
        if element.primitive and "value" in attributes:
            frame.value = self._converted(element.type, attributes.pop("value"))
        self._take_attributes(frame, attributes)

    def _converted(self, code: str, text: str) -> Any:
        if not text:
            self._refuse("An attribute is empty")
        convert = _CONVERTERS.get(code)
        try:
            return convert(text) if convert else text
        except _NotOne:
            self._refuse(f"This is not of the type {code}", "value")
        except Problem as problem:
            self._refuse(problem.issues[0].message, problem.kind)

    def _take_attributes(self, frame: _Frame, attributes: dict[str, str]) -> None:
        for name, value in attributes.items():
            element = frame.known.get(name)
            if element is not None and element.attribute:
                frame.node[name] = self._converted("string", value)
            elif not name.startswith(_SCHEMA_LOCATION):  # a hint for editors, of no meaning here
                self._refuse("There is an attribute that FHIR R4 does not define here")

    def _end(self, _: str) -> None:
        frame = self._frames[-1]
        node = _finished(frame)
        if frame.element is not None and not node and frame.value is None:
            self._refuse("An element has neither a value nor content")
        self._frames.pop()
        if not self._frames:
            self._found = node
        elif frame.element is None:
            self._frames[-1].value = node
        elif frame.element.primitive:
            _add_primitive(self._frames[-1], frame.element, frame.value, node or None)
        else:
            _add(self._frames[-1].node, frame.element, frame.value if _is_container(frame) else node)

    def _text(self, text: str) -> None:
        if not text.isspace():
            self._refuse("There is text between elements")

    # the narrative

    def _start_narrative(self, name: str, qualified: str, attributes: dict[str, str]) -> None:
        frame = self._frames[-1]
        element = frame.known.get(name)
        if element is None or element.type != "xhtml":
            self._refuse("There is XHTML where FHIR R4 defines none")
        if name in frame.node:
            self._refuse(f"'{name}' is there twice")
        frame.order = element.order

        def done(div: str) -> None:
            frame.node[name] = div
            self._listen()

        parts = Narrative(self._parser, self._body, (None, XHTML) in self._declared, self._refuse, done)
        parts.listen(qualified, attributes)


def _is_container(frame: _Frame) -> bool:
    return frame.element is not None and frame.element.type == RESOURCE


def _add(node: dict[str, Any], element: Element, value: Any) -> None:
    if element.many:
        node.setdefault(element.name, []).append(value)
    else:
        node[element.name] = value


def _add_primitive(parent: _Frame, element: Element, value: Any, beside: Any) -> None:
    """`name` and `_name`; of repeated ones both lists are as long, with null where there is nothing."""
    node, sibling = parent.node, f"_{element.name}"
    if not element.many:
        if value is not None:
            node[element.name] = value
        if beside is not None:
            node[sibling] = beside
        return
    values = node.setdefault(element.name, [])
    values.append(value)
    if beside is not None and sibling not in node:
        node[sibling] = [None] * (len(values) - 1)
        parent.beside.append(element.name)
    if sibling in node:
        node[sibling].append(beside)


def _finished(frame: _Frame) -> dict[str, Any]:
    """The object in JSON: lists of nothing but null are left off, attributes stand where their elements would."""
    node = frame.node
    for name in frame.beside:
        if all(value is None for value in node[name]):
            del node[name]
    if {"url", "extension"} <= node.keys() and frame.known is elements_of("Extension"):
        node["url"] = node.pop("url")  # after the extensions: an extension has those or a value
    return node
