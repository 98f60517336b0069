"""PL -> a reference to a US Core Location, and the Locations it lies in.

Rules: v2-to-FHIR IG 1.0.0, data type map PL[Location]: the finest level is referred to, each is part of the next
coarser one. Keys are the codes of the place under the feed's own system.
Refuses: nothing; a place of the facility's name alone is no place in it.
"""

from dataclasses import replace

from fhir_mappings.adt.records import PL
from fhir_mappings.adt.rows import Context, Element, filled
from fhir_mappings.adt.xon_organization import facility_organization

PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
ROOM, BED = ("ro", "Room"), ("bd", "Bed")


def location(place: PL, context: Context) -> Element:
    """A reference to the bed, else the room, else the unit."""
    found: Element = {}
    for level, kind in _levels(place):
        found = context.directory.refer(_resource(level, kind, found, context), place_name(level))
    return found or filled({"display": place_name(place)})


def place_name(place: PL) -> str:
    """The bed as people say it: point of care, room-bed."""
    bed = "-".join(part for part in (place.room, place.bed) if part)
    return " ".join(part for part in (place.point_of_care, bed) if part) or place.facility


def _levels(place: PL) -> list[tuple[PL, tuple[str, str] | None]]:
    """The unit, the room and the bed, as far as they are named."""
    unit, room = replace(place, room="", bed=""), replace(place, bed="")
    levels = ((unit, place.point_of_care, None), (room, place.room, ROOM), (place, place.bed, BED))
    return [(level, kind) for level, said, kind in levels if said]


def _resource(place: PL, kind: tuple[str, str] | None, part_of: Element, context: Context) -> Element:
    coding = {"system": PHYSICAL, "code": kind[0], "display": kind[1]} if kind else None
    return filled(
        {
            "resourceType": "Location",
            "identifier": [{"system": f"{context.facility.feed}:location", "value": _key(place, context)}],
            "mode": "instance",
            "name": place_name(place),
            "physicalType": {"coding": [coding]} if coding else None,
            "managingOrganization": facility_organization(context),
            "partOf": part_of,
        }
    )


def _key(place: PL, context: Context) -> str:
    """The codes with ^ between them, as PL.is_same compares them: some messages say less of the same place."""
    facility = "" if place.facility == context.facility.code else place.facility
    more = () if place.point_of_care else (place.building, place.floor)
    return "^".join((place.point_of_care, place.room, place.bed, facility, *more)).rstrip("^")
