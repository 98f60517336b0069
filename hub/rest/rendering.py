"""How an answer is written: format, white space, compression. And how a compressed body is opened.

Rules: https://hl7.org/fhir/R4/http.html#parameters (`_format` overrides Accept, `_pretty`), RFC 9110 section 8.4
JSON that is stored as bytes leaves as these bytes, unless another format or `_pretty` is asked for.
Compressed is only what the client asks for. BREACH (a secret and an attacker's text in one compressed body) wants a
browser that sends credentials by itself: this API takes bearer tokens alone, and no body holds a token.
Refuses: an unknown `_format` (406), `_pretty` other than true and false (400), encodings other than gzip (415), a
body that inflates past the limit (413; never more than the limit is held), gzip that is cut off or damaged (400).
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from hub.problems import Problem
from hub.rest.formats import JSON, MEMORY, ONE_OF, Format, accepted, media_type, named

FORM = "application/x-www-form-urlencoded"
RENDERING = ("_format", "_pretty")
SMALLEST = 1024  # bytes worth compressing
LEVEL = 3
FAST = 1  # where there is much to do
GZIP = 16 + zlib.MAX_WBITS

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Style:
    """How this client wants its answer. `asked` are the parameters that said so, for the links of a Bundle."""

    format: Format = JSON
    pretty: bool = False
    asked: tuple[tuple[str, str], ...] = ()

    def written(self, body: bytes) -> bytes:
        """A JSON body in this style."""
        return self.format.write(body, self.pretty) if self.pretty or self.format is not JSON else body


PLAIN = Style()


def style_of(accept: str, pairs: Pairs) -> Style:
    """The style that Accept, `_format` and `_pretty` ask for. Raises Problem (`accept`, `value`)."""
    asked = tuple(pair for pair in pairs if pair[0] in RENDERING)
    values = dict(reversed(asked))  # the first of each counts
    text = values.get("_format")
    found = accepted(accept) if text is None else named(text)
    if found is None:
        where = "Accept" if text is None else "_format"
        raise Problem("accept", f"This server writes {ONE_OF} of FHIR 4.0", where)
    if not asked:
        return PLAIN if found is JSON else Style(found)
    pretty = values.get("_pretty", "false").strip().lower()
    if pretty not in ("true", "false"):
        raise Problem("value", "_pretty is true or false", "_pretty")
    return Style(found, pretty == "true", asked)


def is_form(content_type: str) -> bool:
    return media_type(content_type) == FORM


def mentions(text: str) -> bool:
    """The URL's query, or a form, may name a rendering parameter (also with an escaped `_`)."""
    return "_format" in text or "_pretty" in text or "%5f" in text.lower()


def without(query: str) -> str:
    """A query without the rendering parameters; all else stays as it was written."""
    return "&".join(part for part in query.split("&") if not _renders(part))


def _renders(part: str) -> bool:
    return any(name in RENDERING for name, _ in parse_qsl(part, keep_blank_values=True))


def merged(style: Style, accept: str, form: str) -> Style:
    """The style where a form names rendering parameters, too; the URL's count first."""
    return style_of(accept, (*style.asked, *parse_qsl(form, keep_blank_values=True)))


def wants_gzip(accept_encoding: str) -> bool:
    return bool(accept_encoding) and len(accept_encoding) <= MEMORY and _wants_gzip(accept_encoding)


@lru_cache(maxsize=256)
def _wants_gzip(accept_encoding: str) -> bool:
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameter = part.partition(";")
        try:
            weights[name.strip()] = float(parameter.partition("=")[2] or "1")
        except ValueError:
            weights[name.strip()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def compressed(body: bytes) -> bytes:
    packer = zlib.compressobj(LEVEL, wbits=GZIP)
    return packer.compress(body) + packer.flush()


def compressed_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same of what is long, as it comes."""
    packer = zlib.compressobj(FAST, wbits=GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def opened(body: bytes, encoding: str, most: int) -> bytes:
    """A request's body without its Content-Encoding. Raises Problem (`media-type`, `too-long`, `structure`)."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflated(body, most)
    raise Problem("media-type", "Content-Encoding is gzip, or none", "Content-Encoding")


def _inflated(body: bytes, most: int) -> bytes:
    opener = zlib.decompressobj(GZIP)
    try:
        found = opener.decompress(body, most + 1)
    except zlib.error:
        raise Problem("structure", "The body is not gzip", "Content-Encoding") from None
    if len(found) > most:
        raise Problem("too-long", f"The body inflates to more than {most} bytes")
    if not opener.eof or opener.unused_data:
        raise Problem("structure", "The gzip body is cut off, or something follows it", "Content-Encoding")
    return found


class WsgiHeaders(Mapping[str, str]):
    """A request's headers by lower-case name, looked up in the WSGI environ when they are asked for."""

    __slots__ = ("_environ",)

    def __init__(self, environ: dict[str, Any]):
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_variable(name)]
        return value

    def get(self, name: str, default: Any = None) -> Any:
        return self._environ.get(_variable(name), default)

    def __contains__(self, name: object) -> bool:
        return _variable(str(name)) in self._environ

    def __iter__(self) -> Any:
        names = (key[5:] if key.startswith("HTTP_") else key for key in self._environ if _is_header(key))
        return (name.replace("_", "-").lower() for name in names)

    def __len__(self) -> int:
        return sum(map(_is_header, self._environ))


def _is_header(variable: str) -> bool:
    return variable.startswith("HTTP_") or variable in ("CONTENT_TYPE", "CONTENT_LENGTH")


@lru_cache(maxsize=64)
def _variable(name: str) -> str:
    variable = name.upper().replace("-", "_")
    return variable if variable in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{variable}"
