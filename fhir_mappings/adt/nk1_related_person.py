"""NK1 -> US Core RelatedPerson.

Rules: v2-to-FHIR IG 1.0.0, segment map NK1[RelatedPerson]; US Core 6.1.0 RelatedPerson; tables 0063, 0131
- Key: a hash of the patient's number and the contact's name under the feed's own system. NK1-1 is only a position
  in the message: with it, a reference to the daughter would mean the neighbour once the list is re-ordered.
  A corrected name is a new contact. A contact without a name has the position as its key.
- A contact that left the list of its visit becomes inactive; it is not deleted, others may refer to it.
- One without name and relationship is left out (us-core-14).
Refuses: relationship and role codes without a row (UnmappedCode).
"""

from collections.abc import Iterable, Iterator

from fhir_mappings.adt.datatypes import addresses, concept, contact_points, human_names, stable_key
from fhir_mappings.adt.person_fold import Listed
from fhir_mappings.adt.records import NextOfKin, given
from fhir_mappings.adt.rows import Context, Element, Row, filled, values

PERSON = (Row("names", "name", human_names, "NK1-2"), Row("addresses", "address", addresses, "NK1-4"))
RELATIONSHIPS = (
    Row("relationship", "0063", concept("0063"), "NK1-3"),
    Row("role", "0131", concept("0131"), "NK1-7"),
)
TELECOMS = (("home_phones", "NK1-5", "home"), ("business_phones", "NK1-6", "work"), ("telecoms", "NK1-40", None))


def related_persons(
    listed: Iterable[Listed[NextOfKin]], person: str, patient: Element, context: Context
) -> Iterator[tuple[str, Element]]:
    """(key, RelatedPerson) of each contact; `person` is the facility's number of the patient."""
    for each in listed:
        key = contact_key(person, each.item)
        found = related_person(each.item, key, each.stands, patient, context)
        if "name" in found or "relationship" in found:
            yield key, found


def related_person(contact: NextOfKin, key: str, active: bool, patient: Element, context: Context) -> Element:
    relationships = values(RELATIONSHIPS, contact, context)
    return filled(
        {
            "resourceType": "RelatedPerson",
            "meta": context.facility.meta,
            "identifier": [{"system": related_person_system(context), "value": key}],
            "active": active,
            "patient": patient,
            "relationship": list(relationships.values()),
            **values(PERSON, contact, context),
            "telecom": _telecom(contact, context),
        }
    )


def related_person_system(context: Context) -> str:
    return f"{context.facility.feed}:related-person"


def contact_key(person: str, contact: NextOfKin) -> str:
    names, set_id = given(contact.names), given(contact.set_id)
    if names and (names[0].family or names[0].given):
        name = names[0]
        return stable_key(person, name.family, name.given, name.middle, name.suffix)
    return stable_key(person, set_id.code if set_id else "")


def _telecom(contact: NextOfKin, context: Context) -> list[Element]:
    sent = (contact_points(given(getattr(contact, name)), context, where, use) for name, where, use in TELECOMS)
    return [point for several in sent for point in several]
