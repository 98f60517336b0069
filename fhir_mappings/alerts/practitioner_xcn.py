"""US Core Practitioner -> XCN.

Rules: v2-to-FHIR IG 1.0.0, data type map XCN[Practitioner], read backwards: the NPI where there is one, else a name
alone. Numbers of other systems are not taken: nobody could tell whose they are.
Refuses: nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_mappings.adt.records import XCN
from fhir_mappings.alerts.references import Entries
from hub.fhir.systems import US_NPI

Resource = Mapping[str, Any]


def xcn(reference: Any, entries: Entries) -> XCN | None:
    """Whom a reference means, also by a role; None where nobody is named."""
    found = entries.find(reference, "Practitioner", "PractitionerRole")
    if found is not None and found.get("resourceType") == "PractitionerRole":
        found = entries.find(found.get("practitioner"), "Practitioner")
    if found is None:
        return None
    name: Resource = next(iter(found.get("name", ())), {})
    given, prefix = (str(next(iter(name.get(part, ())), "")) for part in ("given", "prefix"))
    family, npi = str(name.get("family") or name.get("text") or ""), next(npis(found), "")
    if not family and not npi:
        return None
    return XCN(npi, family, given, prefix, "NPI" if npi else "", "NPI" if npi else "")


def npis(resource: Resource) -> Iterator[str]:
    for one in resource.get("identifier", ()):
        if one.get("system") == US_NPI and one.get("value"):
            yield str(one["value"])
