"""ValueSet/$expand: the codes of a value set, flat, each once, in the order of its compose.

Rules: https://hl7.org/fhir/R4/valueset-operation-expand.html
A value set over a code system of which only a part is here is expanded as far as it is known, and marked
`valueset-unclosed`. Refuses: a value set that is not here (404), one whose codes cannot all be listed (422,
naming what is not here), more than MAX_CODES (`too-costly`), displays in another language.
"""

import uuid
from typing import Any

from conformance.terminology.library import Library
from conformance.terminology.value_sets import Codes, Entry, Unknown
from hub import clock
from hub.problems import Problem

Resource = dict[str, Any]

MAX_CODES = 10_000
UNCLOSED = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"


def expand(
    library: Library,
    *,
    url: str | None = None,
    value_set: Resource | None = None,
    version: str | None = None,
    filter_: str | None = None,
    offset: int = 0,
    count: int | None = None,
    active_only: bool = False,
    include_designations: bool = False,
    include_definition: bool = False,
    exclude_not_for_ui: bool = False,
) -> Resource:
    """The ValueSet with its expansion. `exclude_not_for_ui` leaves out codes that are only for grouping."""
    if offset < 0 or (count is not None and count < 0):
        raise Problem("value", "offset and count are whole numbers from 0", "offset")
    codes = chosen(library, url, value_set, version)
    found = [
        entry
        for entry in listed(codes)
        if not (active_only and entry.inactive) and not (exclude_not_for_ui and entry.abstract)
    ]
    if filter_:
        found = [entry for entry in found if _fits(entry, filter_.casefold())]
    page = found[offset:] if count is None else found[offset : offset + count]
    asked = [
        ("filter", "valueString", filter_),
        ("offset", "valueInteger", offset),
        ("count", "valueInteger", count),
    ]
    expansion = {
        "identifier": f"urn:uuid:{uuid.uuid4()}",
        "timestamp": clock.instant(clock.micros(clock.now())),
        "total": len(found),
        "offset": offset,
        "parameter": [
            {"name": "excludeNested", "valueBoolean": True},
            {"name": "activeOnly", "valueBoolean": active_only},
            *({"name": name, kind: value} for name, kind, value in asked if value),
            *({"name": "version", "valueUri": f"{s}|{v}"} for s, v in dict(codes.versions()).items()),
        ],
        "contains": [_contained(entry, include_designations) for entry in page],
    }
    if not codes.closed:
        expansion = {"extension": [{"url": UNCLOSED, "valueBoolean": True}], **expansion}
    return _about(library, codes, url, value_set, include_definition) | {"expansion": _full(expansion)}


def chosen(library: Library, url: str | None, value_set: Resource | None, version: str | None = None) -> Codes:
    """The value set that an operation is asked about. Raises Problem."""
    if (url is None) == (value_set is None):
        raise Problem("required", "Exactly one of url and valueSet is to be given", "url")
    if value_set is not None:
        return library.codes_in(value_set)
    canonical = f"{url}|{version}" if version and "|" not in (url or "") else url or ""
    found = library.codes(canonical)
    if found is None:
        raise Problem("not-found", f"The value set is not here: {canonical[:200]}", "url")
    return found


def listed(codes: Codes, most: int = MAX_CODES) -> list[Entry]:
    """All codes. Raises Problem where they are not known or too many."""
    found: list[Entry] = []
    try:
        for entry in codes.entries():
            if len(found) == most:
                raise Problem("too-costly", f"The value set has more than {most} codes", "ValueSet.expansion")
            found.append(entry)
    except Unknown as unknown:
        raise Problem("processing", f"The value set cannot be expanded: {unknown}", "ValueSet.compose") from None
    return found


def _fits(entry: Entry, text: str) -> bool:
    """https://hl7.org/fhir/R4/valueset-operation-expand.html: the text filter is for people who choose a code."""
    return text in entry.display.casefold() or text in entry.code.casefold()


def _contained(entry: Entry, designations: bool) -> Resource:
    found: Resource = {"system": entry.system, "code": entry.code}
    if entry.abstract:
        found["abstract"] = True
    if entry.inactive:
        found["inactive"] = True
    if entry.display:
        found["display"] = entry.display
    words = (*entry.designations, *(entry.concept.designations if entry.concept else ()))
    if designations and words:
        found["designation"] = list(words)
    return found


def _about(
    library: Library, codes: Codes, url: str | None, value_set: Resource | None, definition: bool
) -> Resource:
    about = {"resourceType": "ValueSet", **codes.resource}
    about.setdefault("status", "unknown")
    if definition:
        whole = value_set or library.value_set(url or "") or {}
        about |= {"compose": whole["compose"]} if "compose" in whole else {}
    return about


def _full(expansion: Resource) -> Resource:
    """FHIR has no empty lists."""
    return {key: value for key, value in expansion.items() if value != []}
