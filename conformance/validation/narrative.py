"""Narrative XHTML: safe to show in a browser, and well formed.

Rules: https://hl7.org/fhir/R4/narrative.html and its invariants txt-1 (elements and attributes), txt-2 (not empty)
Refuses: any element or attribute not named there (script, on*, form, iframe, object ...), a DOCTYPE, a processing
instruction, an entity, a link to javascript: or data:, an image from another host, CSS that loads or runs.
"""

import re
from typing import NoReturn
from xml.parsers import expat

XHTML = "http://www.w3.org/1999/xhtml"

_ELEMENT_NAMES = (
    "a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i "
    "img li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var"
)
_ATTRIBUTE_NAMES = (
    "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff "
    "charset cite class colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name "
    "nowrap rel rev rowspan rules scope shape span src start style summary tabindex title type valign value vspace "
    "width xml:lang xml:space"
)
_ELEMENTS = frozenset(_ELEMENT_NAMES.split())
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
_LINKS = frozenset(("href", "cite", "longdesc", "src"))
_LINK_SCHEMES = frozenset(("http", "https", "ftp", "mailto", "tel", "urn"))
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp|bmp);base64,")
_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]*):")
_IGNORED_IN_LINKS = re.compile(r"[\x00-\x20]+")  # a browser reads "java\nscript:" as one word
_CSS_URL = re.compile(r"url\s*\(\s*['\"]?([^'\")]*)")
_CSS = re.compile(r"expression\s*\(|javascript:|@import|behavior\s*:|-moz-binding|\\|/\*")


class Unsafe(Exception):
    """Why a narrative is refused; the text holds nothing of the narrative."""


def check(div: str) -> None:
    """Raises Unsafe for a narrative that may not be stored."""
    reader = _Reader()
    try:
        reader.parser.Parse(div, True)
    except expat.ExpatError:
        raise Unsafe("The narrative is not well-formed XHTML") from None
    if not reader.has_content:
        raise Unsafe("The narrative has neither text nor an image")


class _Reader:
    __slots__ = ("has_content", "parser")

    def __init__(self) -> None:
        self.has_content = False
        self.parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._root
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _refuse
        parser.ProcessingInstructionHandler = _refuse
        parser.XmlDeclHandler = _refuse

    def _root(self, name: str, attributes: dict[str, str]) -> None:
        if name != "div" or attributes.get("xmlns") != XHTML:
            raise Unsafe("The narrative is not a div in the XHTML namespace")
        self.parser.StartElementHandler = self._start
        self._start(name, attributes)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name not in _ELEMENTS:
            raise Unsafe("The narrative has an element that FHIR does not allow")
        if attributes:
            for attribute, value in attributes.items():
                _check_attribute(attribute, value)
            if name == "img" and "src" in attributes:
                self.has_content = True

    def _text(self, text: str) -> None:
        if not text.isspace():
            self.has_content = True


def _refuse(*_: object) -> NoReturn:
    raise Unsafe("The narrative has a DOCTYPE, an XML declaration or a processing instruction")


def _check_attribute(name: str, value: str) -> None:
    if name == "xmlns" and value == XHTML:
        return
    if name not in _ATTRIBUTES:
        raise Unsafe("The narrative has an attribute that FHIR does not allow")
    if name in _LINKS and not _is_safe_link(value, is_image=name == "src"):
        raise Unsafe("The narrative links to a script, or shows an image from elsewhere")
    if name == "style" and not _is_safe_style(value.lower()):
        raise Unsafe("The narrative has a style that loads or runs something")


def _is_safe_style(style: str) -> bool:
    return not _CSS.search(style) and all(_is_safe_link(url, is_image=True) for url in _CSS_URL.findall(style))


def _is_safe_link(value: str, is_image: bool) -> bool:
    link = _IGNORED_IN_LINKS.sub("", value).lower()
    scheme = _SCHEME.match(link)
    if is_image and link.replace("\\", "/").startswith("//"):
        return False
    if scheme is None:
        return True
    return bool(_IMAGE.match(link)) if is_image else scheme[1] in _LINK_SCHEMES
