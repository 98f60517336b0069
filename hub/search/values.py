"""What a node says to a search: tokens, references, dates as ranges, strings as they are compared.

Rules: https://hl7.org/fhir/R4/search.html#token, #reference, #date, #string
Dates become half-open ranges [low, high) of microseconds since 1970, UTC; a dateTime without offset cannot
occur (validation refuses it), a date is a day in UTC. An open Period ends at FOREVER or starts at NEVER.
"""

import calendar
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.clock import MICROSECOND, micros

NEVER, FOREVER = -(2**62), 2**62

# https://hl7.org/fhir/R4/valueset-contact-point-system.html: a ContactPoint's system is not a token's system
CONTACT_SYSTEMS = frozenset(["phone", "fax", "email", "pager", "url", "sms", "other"])

_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?\Z",
    re.ASCII,
)
_VERSIONED = re.compile(r"/_history/[^/]+$")
_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})\Z")

# Bundle's parameters `composition` and `message` select the first resource inside, and mean a reference to it
IN_BUNDLES = ("Composition", "MessageHeader")

Token = tuple[str | None, str]  # system, code
Reference = tuple[str | None, str]  # type, id; or None, an absolute or logical address


def tokens(node: Any) -> Iterator[Token]:
    """(system, code) of a CodeableConcept, Coding, Identifier, ContactPoint, code, boolean or string."""
    if isinstance(node, bool):
        yield None, "true" if node else "false"
    elif isinstance(node, str):
        yield None, node
    elif isinstance(node, dict):
        yield from _complex_tokens(node)


def _complex_tokens(node: dict[str, Any]) -> Iterator[Token]:
    if "coding" in node:
        for coding in node["coding"]:
            if "code" in coding:
                yield coding.get("system"), coding["code"]
    elif "code" in node:
        yield node.get("system"), node["code"]
    elif "value" in node:
        system = node.get("system")
        yield (None if system in CONTACT_SYSTEMS else system), str(node["value"])


def typed_identifiers(node: Any) -> Iterator[tuple[str, str, str]]:
    """(system of the type, code of the type, value) of an Identifier, once for each coding of its type."""
    if isinstance(node, dict) and "type" in node and isinstance(value := node.get("value"), str):
        kind = node["type"]
        for coding in kind.get("coding", ()) if isinstance(kind, dict) else ():
            if "code" in coding:
                yield coding.get("system", ""), coding["code"], value


def identifiers(node: Any) -> Iterator[Token]:
    """The identifier inside a Reference."""
    if isinstance(node, dict) and isinstance(identifier := node.get("identifier"), dict):
        yield from tokens(identifier)


def words(node: Any) -> Iterator[str]:
    """CodeableConcept.text, Coding.display and Identifier.type.text: what `:text` looks at."""
    if isinstance(node, dict):
        kind = node.get("type")
        found = [node.get("text"), node.get("display"), kind.get("text") if isinstance(kind, dict) else None]
        found += [coding.get("display") for coding in node.get("coding", ())]
        yield from (text for text in found if isinstance(text, str))


def mime_types(code: str) -> tuple[str, ...]:
    """`text/plain; charset=utf-8` is below `text` and below `text/plain`. RFC 2045, 5.1: without case"""
    whole = code.partition(";")[0].strip().lower()
    return (whole.partition("/")[0], whole) if "/" in whole else (whole,)


URI_BOUNDARIES = "/|#"  # of a path, of a canonical's version, of a fragment


def uris_above(uri: str) -> list[str]:
    """The URI and every URI that it stands below: cut at the boundaries of its path, with and without the slash."""
    after = uri.find("//") + 2 if "//" in uri else len(uri)
    cuts = [place for place in range(after, len(uri)) if uri[place] in URI_BOUNDARIES]
    return [uri, *(uri[:place] for place in cuts), *(uri[: place + 1] for place in cuts if uri[place] == "/")]


def references(node: Any, base: str = "") -> Iterator[Reference]:
    """(type, id) of a reference to a resource here; (None, address) of a canonical or an address elsewhere."""
    if isinstance(node, dict):
        if node.get("resourceType") in IN_BUNDLES and "id" in node:
            yield node["resourceType"], node["id"]
        node = node.get("reference")
    if isinstance(node, str) and node and not node.startswith("#"):
        yield reference_of(node, base)


def reference_of(text: str, base: str = "") -> Reference:
    """A reference's text as (type, id) or (None, address); the version is left off."""
    text = _VERSIONED.sub("", text)
    if base and text.startswith(f"{base}/"):
        text = text[len(base) + 1 :]
    if found := _RELATIVE.match(text):
        return found[1], found[2]
    return None, text


def date_range(text: str) -> tuple[int, int] | None:
    """The microseconds that a FHIR date, dateTime or instant covers, by its precision; None if it is none."""
    found = _DATE.match(text)
    if found is None:
        return None
    try:
        low = _start(found)
    except ValueError:
        return None
    # numbers, not datetimes: the year 9999 has an end, too
    return low, low + _width(found) // MICROSECOND


def _start(found: re.Match[str]) -> int:
    whole = {name: int(found[name] or least) for name, least in (("year", 1), ("month", 1), ("day", 1))}
    clock = {name: int(found[name] or 0) for name in ("hour", "minute", "second")}
    fraction = int((found["fraction"] or "0").ljust(6, "0")[:6])
    start = datetime(**whole, **clock, microsecond=fraction, tzinfo=UTC)
    return micros(start) - _offset(found["zone"]) // MICROSECOND


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta(0)
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return -size if zone[0] == "-" else size


def _width(found: re.Match[str]) -> timedelta:
    if found["fraction"]:
        return timedelta(microseconds=10 ** max(0, 6 - len(found["fraction"])))
    for name, width in (
        ("second", timedelta(seconds=1)),
        ("minute", timedelta(minutes=1)),
        ("day", timedelta(days=1)),
    ):
        if found[name]:
            return width
    year = int(found["year"])
    if found["month"]:
        return timedelta(days=calendar.monthrange(year, int(found["month"]))[1])
    return timedelta(days=366 if calendar.isleap(year) else 365)


def dates(node: Any) -> Iterator[tuple[int, int]]:
    """Ranges of a date, dateTime, instant, Period or Timing."""
    if isinstance(node, str):
        if (found := date_range(node)) is not None:
            yield found
    elif isinstance(node, dict):
        if "event" in node or "repeat" in node:
            yield from _timing(node)
        elif "start" in node or "end" in node:
            yield _period(node)


def _period(node: dict[str, Any]) -> tuple[int, int]:
    start = date_range(node["start"]) if "start" in node else None
    end = date_range(node["end"]) if "end" in node else None
    return start[0] if start else NEVER, end[1] if end else FOREVER


def _timing(node: dict[str, Any]) -> Iterator[tuple[int, int]]:
    events = [found for text in node.get("event", ()) if (found := date_range(text))]
    if events:
        yield min(low for low, _ in events), max(high for _, high in events)
    bounds = node.get("repeat", {}).get("boundsPeriod")
    if bounds:
        yield _period(bounds)


def strings(node: Any) -> Iterator[str]:
    """The texts of a string, HumanName or Address, as they are written."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key in (
            "text",
            "family",
            "given",
            "prefix",
            "suffix",
            "line",
            "city",
            "district",
            "state",
            "postalCode",
            "country",
        ):
            value = node.get(key)
            for text in value if isinstance(value, list) else (value,):
                if isinstance(text, str):
                    yield text


def plain(text: str) -> str:
    """A text as string search compares it: no case, no accents, single spaces and none at the ends."""
    if text.isascii():  # most are, and this is ten times as fast
        return " ".join(text.lower().split())
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return " ".join("".join(c for c in flat if not unicodedata.combining(c)).split())
