"""XCN -> a reference to a US Core Practitioner, and the Practitioner.

Rules: v2-to-FHIR IG 1.0.0, data type map XCN[Practitioner]; US Core 6.1.0 Practitioner (identifier and family name)
- The key is the NPI where the sender says it is one and its check digit is right, else the sender's own number.
  A number that is called an NPI and is none is not believed.
- Who has a name or a number only is named in the reference and not written.
Refuses: nothing.
"""

from fhir_mappings.adt.records import XCN
from fhir_mappings.adt.rows import Context, Element, filled
from hub.fhir.npi import NPI_OID, is_npi, npi_identifier
from hub.fhir.systems import US_NPI

_NPI_AUTHORITIES = ("NPI", NPI_OID)


def practitioner(doctor: XCN, context: Context) -> Element:
    """A reference that names the practitioner and carries the NPI when the sender says it is one."""
    key = _key(doctor, context)
    display = " ".join(part for part in (doctor.prefix, doctor.given, doctor.family) if part)
    npi = key if key and key["system"] == US_NPI else None
    if key and doctor.family:
        return context.directory.refer(_resource(doctor, key), display, npi)
    return filled({"type": "Practitioner", "identifier": npi, "display": display}) if npi or display else {}


def _resource(doctor: XCN, key: Element) -> Element:
    name = {"family": doctor.family, "given": [doctor.given] if doctor.given else []}
    name["prefix"] = [doctor.prefix] if doctor.prefix else []
    return {"resourceType": "Practitioner", "identifier": [key], "active": True, "name": [filled(name)]}


def _key(doctor: XCN, context: Context) -> Element | None:
    if doctor.type == "NPI" or doctor.authority in _NPI_AUTHORITIES:
        return npi_identifier(doctor.id) if is_npi(doctor.id) else None
    number = f"{doctor.authority}|{doctor.id}" if doctor.authority else doctor.id
    return {"system": f"{context.facility.feed}:practitioner", "value": number} if doctor.id else None
