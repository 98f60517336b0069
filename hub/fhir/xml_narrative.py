"""The XHTML inside FHIR XML, taken out as the string that FHIR JSON has.

Rules: https://hl7.org/fhir/R4/narrative.html, /xml.html, /json.html (the div with its namespace)
A div that declares XHTML as its default namespace is kept byte for byte; one that uses a prefix, or a declaration
of an element around it, is written anew so that it stands alone. What it may contain is not asked here.
Refuses: elements and attributes of other namespaces.
"""

import re
from collections.abc import Callable
from typing import NoReturn
from xml.parsers.expat import XMLParserType
from xml.sax.saxutils import escape, quoteattr

XHTML = "http://www.w3.org/1999/xhtml"
_XML = "http://www.w3.org/XML/1998/namespace "
_END = re.compile(rb"</(?:[^\s<>:]+:)?div\s*>")


class Narrative:
    """Listens to the parser from the start of a div to its end."""

    __slots__ = ("_alone", "_body", "_depth", "_done", "_empty", "_parser", "_parts", "_refuse", "_start")

    def __init__(
        self,
        parser: XMLParserType,
        body: bytes,
        alone: bool,
        refuse: Callable[[str], NoReturn],
        done: Callable[[str], None],
    ):
        self._parser = parser
        self._body = body
        self._alone = alone  # the div declares its namespace itself, and no prefix has been met
        self._refuse = refuse
        self._done = done
        self._start = parser.CurrentByteIndex
        self._parts: list[str] = []
        self._depth = 0
        self._empty = False  # nothing came since the last start tag

    def listen(self, qualified: str, attributes: dict[str, str]) -> None:
        self._open(qualified, attributes)
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.CharacterDataHandler = self._text

    def _open(self, qualified: str, attributes: dict[str, str]) -> None:
        namespace, name, *prefix = qualified.split(" ")
        if namespace != XHTML:
            self._refuse("The narrative has an element that is not XHTML")
        self._alone = self._alone and not prefix
        named = {_attribute(key): value for key, value in attributes.items()}
        if any(" " in key for key in named):
            self._refuse("The narrative has an attribute that is not XHTML")
        declared = "" if self._depth else f' xmlns="{XHTML}"'
        written = "".join(f" {key}={quoteattr(value)}" for key, value in named.items())
        self._parts.append(f"<{name}{declared}{written}>")
        self._depth += 1
        self._empty = True

    def _close(self, qualified: str) -> None:
        if self._empty:
            self._parts[-1] = self._parts[-1][:-1] + "/>"
        else:
            self._parts.append(f"</{qualified.split(' ')[1]}>")
        self._empty = False
        self._depth -= 1
        if not self._depth:
            self._done(self._as_sent() if self._alone else "".join(self._parts))

    def _text(self, text: str) -> None:
        self._parts.append(escape(text))
        self._empty = False

    def _as_sent(self) -> str:
        at = self._parser.CurrentByteIndex
        end = _END.match(self._body, at)  # none where the div is one empty tag
        return self._body[self._start : end.end() if end else at].decode()


def _attribute(qualified: str) -> str:
    """`xml:lang` as it is written; a name of another namespace keeps its space."""
    if qualified.startswith(_XML):
        return "xml:" + qualified.split(" ")[1]
    return qualified
