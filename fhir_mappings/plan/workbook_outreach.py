"""A row with an outreach attempt -> Encounter where there was contact, Communication where there was none.

Rules: docs/plan-workbooks.md "Outreach"; https://hl7.org/fhir/R4/encounter.html (an interaction between patient and
provider); https://hl7.org/fhir/R4/communication.html
- An attempt that reached nobody is no interaction: a Communication `not-done`. Where the file does not say whether
  it did, the Communication is `unknown`: nobody counts it as contact.
- By whom (clinical staff or not), and what FHIR's words are too few for, stand in extensions.
"""

from collections.abc import Iterator

from fhir_mappings.plan.workbook_elements import Element, coding, concept, filled, own_identifier, provider
from fhir_mappings.plan.workbook_keys import Values
from fhir_mappings.plan.workbook_terms import (
    METHOD,
    METHOD_EXTENSION,
    METHODS,
    NULL_FLAVOR,
    OUTREACH,
    PARTICIPATION_MODE,
    REPORTED,
    STAFF,
    STAFF_EXTENSION,
    TIME_EXTENSION,
    UCUM,
)
from hub.feeds.records import Feed, Kept, Resource, Subject
from hub.fhir.systems import ACT_CODE


def attempts(subject: Subject, patient: str) -> Iterator[Resource]:
    for row in subject.rows:
        if row.values.get("outreach_date"):
            yield attempt(row, patient, subject.feed)


def attempt(row: Kept, patient: str, feed: Feed) -> Resource:
    contact = row.values.get("outreach_successful") is True
    return (_encounter if contact else _communication)(row, patient, feed)


def _encounter(row: Kept, patient: str, feed: Feed) -> Resource:
    values = row.values
    method = METHODS.get(values.get("outreach_method", ""))
    day = values["outreach_date"]
    return filled(
        {
            "resourceType": "Encounter",
            "extension": [*_method(values), *_staff(values)],
            "identifier": [own_identifier(feed, "outreach", feed.kind, row.key)],
            "status": "entered-in-error" if row.deleted else "finished",
            "class": coding(ACT_CODE, method[1]) if method else coding(NULL_FLAVOR, "UNK"),
            "type": [concept(REPORTED, *OUTREACH)],
            "subject": {"reference": patient},
            "period": {"start": day, "end": day},
            "length": _length(values),
            "serviceProvider": provider(values, feed, is_sender=True),
        }
    )


def _communication(row: Kept, patient: str, feed: Feed) -> Resource:
    values = row.values
    method = METHODS.get(values.get("outreach_method", ""))
    is_known = "outreach_successful" in values
    status = "entered-in-error" if row.deleted else "not-done" if is_known else "unknown"
    return filled(
        {
            "resourceType": "Communication",
            "extension": [*_staff(values), *_time(values), *_method(values)],
            "identifier": [own_identifier(feed, "outreach-attempt", feed.kind, row.key)],
            "status": status,
            "statusReason": {"text": "The member was not reached"} if is_known else {},
            "category": [concept(REPORTED, *OUTREACH)],
            "medium": [concept(PARTICIPATION_MODE, method[0])] if method else [],
            "subject": {"reference": patient},
            "sent": values["outreach_date"],
            "sender": provider(values, feed, is_sender=True),
            "note": _notes(values),
        }
    )


def _notes(values: Values) -> list[Element]:
    facts = ("contact_reason", "contact_outcome", "outreach_time")
    return [{"text": str(values[fact])} for fact in facts if values.get(fact)]


def _method(values: Values) -> list[Element]:
    """Encounter.class has one word for telephone and screen, and `medium` none for a word of a local layout."""
    word = values.get("outreach_method")
    return [{"url": METHOD_EXTENSION, "valueCoding": {"system": METHOD, "code": word}}] if word else []


def _staff(values: Values) -> list[Element]:
    word = values.get("provider_type")
    return [{"url": STAFF_EXTENSION, "valueCoding": {"system": STAFF, "code": word}}] if word else []


def _time(values: Values) -> list[Element]:
    length = _length(values)
    return [{"url": TIME_EXTENSION, "valueDuration": length}] if length else []


def _length(values: Values) -> Element:
    minutes = values.get("outreach_minutes")
    return {"value": minutes, "unit": "min", "system": UCUM, "code": "min"} if minutes is not None else {}
