"""v2 data types -> FHIR data types.

Rules: v2-to-FHIR IG 1.0.0, data type maps XPN[HumanName], XAD[Address], XTN[ContactPoint], CX[Identifier]; tables
0190, 0200, 0201, 0202. Countries stay as they were sent.
Refuses: use and type codes without a row (UnmappedCode).
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from fhir_mappings.adt.codes import Target
from fhir_mappings.adt.dates import Dtm, fhir_date, fhir_date_time
from fhir_mappings.adt.records import CWE, CX, XAD, XPN, XTN
from fhir_mappings.adt.rows import Context, Element, filled

IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
UNKNOWN = Target(DATA_ABSENT, "unknown", "Unknown")  # US Core, general guidance: missing data


def identifier(type_code: str, system: str, value: str) -> Element:
    return filled(
        {"type": {"coding": [{"system": IDENTIFIER_TYPE, "code": type_code}]}, "system": system, "value": value}
    )


def human_names(names: Iterable[XPN], context: Context, where: str) -> list[Element]:
    found = (_human_name(name, context, where) for name in names)
    return [name for name in found if "family" in name or "given" in name]


def _human_name(name: XPN, context: Context, where: str) -> Element:
    return filled(
        {
            "use": _code("0200", name.type, context, where),
            "family": name.family,
            "given": [part for part in (name.given, name.middle) if part],
            "prefix": [name.prefix] if name.prefix else [],
            "suffix": [name.suffix] if name.suffix else [],
        }
    )


def addresses(sent: Iterable[XAD], context: Context, where: str) -> list[Element]:
    found = (_address(address, context, where) for address in sent)
    return [address for address in found if address.keys() - {"use", "type"}]


def _address(address: XAD, context: Context, where: str) -> Element:
    return filled(
        {
            "use": _code("0190-use", address.type, context, where),
            "type": _code("0190-type", address.type, context, where),
            "line": [line for line in address.lines if line],
            "city": address.city,
            "district": address.county,
            "state": address.state,
            "postalCode": address.postal_code,
            "country": address.country,
        }
    )


def contact_points(
    sent: Iterable[XTN] | None, context: Context, where: str, use: str | None = None
) -> list[Element]:
    """`use` holds for those that say nothing themselves: PID-14 is a business phone whatever XTN.2 leaves out."""
    found = (_contact_point(telecom, context, where, use) for telecom in sent or ())
    return [point for point in found if "value" in point]


def _contact_point(telecom: XTN, context: Context, where: str, use: str | None) -> Element:
    system = _code("0202-system", telecom.equipment, context, where)
    mobile = _code("0202-use", telecom.equipment, context, where)
    if telecom.email or telecom.use == "NET":
        return filled({"system": "email", "value": telecom.email or telecom.number, "use": use})
    said = _code("0201", telecom.use, context, where)
    return filled({"system": system or "phone", "value": telecom.number, "use": mobile or said or use})


def concept(table: str) -> Any:
    """A conversion of a CWE by a code table, for rows."""

    def convert(value: CWE, context: Context, where: str) -> Element:
        return context.tables.concept(table, value.code, where, value.text)

    return convert


def code(table: str) -> Any:
    """A conversion of a CWE to a FHIR code, for rows."""

    def convert(value: CWE, context: Context, where: str) -> str | None:
        return context.tables.code(table, value.code, where)

    return convert


def date(value: Dtm, context: Context, where: str) -> str:
    return fhir_date(value)


def date_time(value: Dtm, context: Context, where: str) -> str:
    return fhir_date_time(value, context.zone)


def first_id(identifiers: Iterable[CX] | None) -> str:
    return next((identifier.id for identifier in identifiers or () if identifier.id), "")


def stable_key(*parts: str) -> str:
    """One value for the same parts whatever their case and spacing; nothing of them can be read from it."""
    told = "\x1f".join(" ".join(part.casefold().split()) for part in parts)
    return sha256(told.encode()).hexdigest()[:32]


def _code(table: str, value: str, context: Context, where: str) -> str | None:
    return context.tables.code(table, value, where) if value else None
