"""What a bundle names that is no record of a patient: practitioners, their roles, organizations, places.

Rules: https://hl7.org/fhir/R4/references.html#logical; US Core 6.1.0 Practitioner, PractitionerRole, Organization,
Location.
- Each is created once, by NPI where there is one, else under the feed's own system; what is there already is
  referred to and left as it is: others may know it better.
- A program under 42 CFR Part 2 writes nothing here: who works for it, and where, would tell of its patients. It
  names them in the reference alone.
Refuses: nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fhir_mappings.adt.facilities import Facility
from hub.fhir import json
from hub.fhir.conditional import created_once, full_url

Element = dict[str, Any]
TYPES = ("Practitioner", "PractitionerRole", "Organization", "Location")


class Directory:
    """Gathers, for one bundle, what is referred to."""

    def __init__(self, facility: Facility):
        self._facility = facility
        self._entries: dict[str, Element] = {}

    def refer(self, resource: Element, display: str, published: Element | None = None) -> Element:
        """A reference to the resource, whose first identifier makes it the only one; `published` is an identifier
        that others know it by, too. The resource becomes an entry."""
        kind, named = resource["resourceType"], {"identifier": published} if published else {}
        if self._facility.is_telling:
            return {"type": kind, **named, "display": display}
        system, value = (resource["identifier"][0][name] for name in ("system", "value"))
        url = full_url(system, kind, value)
        if url not in self._entries:
            self._entries[url] = created_once({**resource, "meta": self._facility.meta}, system, value, url)
        return {"reference": url, **named, "display": display}

    def entries(self) -> list[Element]:
        return list(self._entries.values())


def named_in(bundle: Element) -> list[Element]:
    """The directory's entries of a bundle."""
    return [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] in TYPES]


def with_known(bundle: Element, known: Mapping[str, str]) -> Element:
    """The bundle with references in place of entries that are there already: `known` is fullUrl -> reference. It
    spares the transaction the locks under which it would find the same."""
    left = [entry for entry in bundle["entry"] if entry.get("fullUrl") not in known]
    return {**bundle, "entry": _replaced(left, known)} if known else bundle


def _replaced(entries: list[Element], known: Mapping[str, str]) -> list[Element]:
    """In their JSON, where a fullUrl stands by itself between quotes: a walk takes three times as long."""
    text = json.write(entries)
    for url, reference in known.items():
        text = text.replace(f'"{url}"'.encode(), f'"{reference}"'.encode())
    found: list[Element] = json.stored_list(text)
    return found


def keys(entries: Iterable[Element]) -> list[tuple[str, str, str, str]]:
    """(type, system, value, fullUrl) of each entry."""
    return [
        (
            entry["resource"]["resourceType"],
            entry["resource"]["identifier"][0]["system"],
            entry["resource"]["identifier"][0]["value"],
            entry["fullUrl"],
        )
        for entry in entries
    ]
