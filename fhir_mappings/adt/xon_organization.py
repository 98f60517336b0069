"""XON and the facility itself -> references to US Core Organizations, and the Organizations.

Rules: v2-to-FHIR IG 1.0.0, data type map XON[Organization]; US Core 6.1.0 Organization (active, name)
The key is the NPI, else a code or name under the feed's own system.
Refuses: nothing.
"""

from fhir_mappings.adt.datatypes import stable_key
from fhir_mappings.adt.records import XON
from fhir_mappings.adt.rows import Context, Element
from hub.fhir.npi import NPI_OID, is_npi, npi_identifier


def facility_organization(context: Context) -> Element:
    """The facility that sends."""
    facility = context.facility
    npi = npi_identifier(facility.npi) if facility.npi else None
    key = npi or {"system": _system(context), "value": facility.code}
    return context.directory.refer(_resource(facility.name, key), facility.name, npi)


def organization(sent: XON, context: Context) -> Element:
    """A practice or employer; one without a name is left out."""
    if not sent.name:
        return {}
    declared = "NPI" in (sent.authority, sent.type) or sent.authority == NPI_OID
    npi = npi_identifier(sent.id) if declared and is_npi(sent.id) else None
    own = sent.id if sent.id and not declared else stable_key(sent.name)
    key = npi or {"system": f"{_system(context)}:{context.facility.code}", "value": own}
    return context.directory.refer(_resource(sent.name, key), sent.name, npi)


def _system(context: Context) -> str:
    return f"{context.facility.feed}:organization"


def _resource(name: str, key: Element) -> Element:
    return {"resourceType": "Organization", "identifier": [key], "active": True, "name": name}
