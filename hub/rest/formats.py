"""The formats that resources travel in, as one table, and which of them a request speaks and wants.

Rules: https://hl7.org/fhir/R4/http.html#mime-type, #parameters (`_format`), #version-parameter (`fhirVersion`);
RFC 9110 section 12.5.1 (q-values: the most specific range that fits a media type gives its weight).
Where two formats weigh the same, the one named more exactly is written, then the earlier of the table.
Refuses: other media types, other FHIR versions, other character sets than UTF-8 (415 to read, 406 to write).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from hub.fhir import json
from hub.problems import Problem

FHIR_VERSION = "4.0"
CHARSETS = ("utf-8", "utf8", "us-ascii")
MEMORY = 512  # characters of a header that are remembered with its answer; clients send short ones


@dataclass(frozen=True, slots=True)
class Format:
    """`name` is its short `_format`, `mime` what is written; `write` turns the JSON that is stored into it."""

    name: str
    mime: str
    others: tuple[str, ...]
    read: Callable[[bytes], dict[str, Any]]
    write: Callable[[bytes, bool], bytes]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.mime, *self.others)


def _json(body: bytes, pretty: bool) -> bytes:
    return msgspec.json.format(body, indent=2) if pretty else body


def _read_xml(body: bytes) -> dict[str, Any]:
    from hub.fhir import xml  # loaded by the first client that speaks XML

    return xml.read(body)


def _xml(body: bytes, pretty: bool) -> bytes:
    from hub.fhir import xml

    return xml.write(json.stored(body), pretty)


JSON = Format("json", "application/fhir+json", ("application/json", "text/json"), json.read, _json)
XML = Format("xml", "application/fhir+xml", ("application/xml", "text/xml"), _read_xml, _xml)
FORMATS = (JSON, XML)
ONE_OF = " or ".join(row.mime for row in FORMATS)


@dataclass(frozen=True, slots=True)
class Range:
    """One entry of an Accept header, or a Content-Type: its type, FHIR version and weight."""

    kind: str
    version: str
    charset: str
    weight: float

    def fits(self, mime: str) -> int:
        """How exactly this names a media type: 0 not at all, 1 `*/*`, 2 `type/*`, 3 itself."""
        if self.version != FHIR_VERSION:
            return 0
        wide = self.kind == f"{mime.partition('/')[0]}/*"
        return 3 if self.kind == mime else 2 if wide else 1 if self.kind == "*/*" else 0


def media_type(content_type: str) -> str:
    """The type that a Content-Type names, without its parameters; it has no case (RFC 9110 section 8.3.1)."""
    return content_type.partition(";")[0].strip().lower()


def _range(text: str) -> Range:
    kind, *parts = (part.strip().lower() for part in text.split(";"))
    named = {name.strip(): value.strip().strip('"') for name, _, value in (part.partition("=") for part in parts)}
    try:
        weight = float(named.get("q", "1"))
    except ValueError:
        weight = 0.0
    return Range(kind, named.get("fhirversion", FHIR_VERSION), named.get("charset", "utf-8"), weight)


def accepted(accept: str) -> Format | None:
    """The format an Accept header weighs highest; None where it takes none of ours."""
    return (_accepted if len(accept) <= MEMORY else _accepted.__wrapped__)(accept)


@lru_cache(maxsize=256)
def _accepted(accept: str) -> Format | None:
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    if not ranges:
        return JSON
    best = max(FORMATS, key=lambda row: _rank(row, ranges))
    return best if _rank(best, ranges)[0] > 0 else None


def _rank(row: Format, ranges: list[Range]) -> tuple[float, int]:
    """Weight and exactness of a format; what is said of the media type that we write counts most."""
    exact, *others = [_weight(mime, ranges) for mime in row.names]
    return exact if exact[1] == 3 else max(exact, *others)


def _weight(mime: str, ranges: list[Range]) -> tuple[float, int]:
    fit, weight = max(((each.fits(mime), each.weight) for each in ranges), default=(0, 0.0))
    return (weight, fit) if fit else (0.0, 0)


def named(text: str) -> Format | None:
    """The format that `_format` names, by its short name or media type."""
    wanted = _range(text.replace(" ", "+"))  # a `+` that was not escaped arrives as a space
    if wanted.version != FHIR_VERSION:
        return None
    return next((row for row in FORMATS if wanted.kind == row.name or wanted.kind in row.names), None)


def sent(content_type: str) -> Format:
    """The format of a body by its Content-Type. Raises Problem `media-type` (415)."""
    found = (_sent if len(content_type) <= MEMORY else _sent.__wrapped__)(content_type)
    if found is None:
        raise Problem("media-type", f"Send {ONE_OF} of FHIR {FHIR_VERSION} in UTF-8", "Content-Type")
    return found


@lru_cache(maxsize=256)
def _sent(content_type: str) -> Format | None:
    told = _range(content_type)
    if told.version != FHIR_VERSION or told.charset not in CHARSETS:
        return None
    return next((row for row in FORMATS if told.kind in row.names), None)
