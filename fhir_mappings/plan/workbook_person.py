"""The rows of a member -> the person as the plan's or provider's table says it.

Rules: docs/plan-workbooks.md; US Core 6.1.0 Patient
- Who it is: the CIN, and the plan's record number (MRN) in the plan's own system.
- Of several rows the newest reporting period says it, of one period the last authorization.
- A provider's words of a person change only that provider's own record; the plan's, where its feed says `owner`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_mappings.plan.member_patient import cin_system
from fhir_mappings.plan.workbook_elements import Element, filled
from fhir_mappings.plan.workbook_keys import Values
from fhir_mappings.plan.x12_elements import typed_identifier
from hub.feeds.records import Feed, Kept, Said, Subject

# fact -> system, use
TELECOMS: Mapping[str, tuple[str, str]] = {
    "phone": ("phone", ""),
    "home_phone": ("phone", "home"),
    "email": ("email", ""),
}


def mrn_system(feed: Feed) -> str:
    """Of the plan's record numbers: two feeds of one plan say it alike."""
    return str(feed.options.get("mrn_system") or f"{feed.system}/mrn")


def said(subject: Subject) -> Said | None:
    """The member; None of panels and care managers."""
    if not subject.key.startswith("member/"):
        return None
    values = newest(subject).values
    feed = subject.feed
    numbers = {cin_system(feed): "cin", mrn_system(feed): "mrn"}
    own = bool(feed.options.get("owner", False))
    return Said(f"{feed.kind}/{subject.key}", patient(values, feed), numbers, shared=True, owner=own)


def newest(subject: Subject) -> Kept:
    """The row that says who the member is now; one that was taken back only where there is no other."""
    return max(subject.rows, key=lambda row: (not row.deleted, *when(row.values), row.key))


def when(values: Values) -> tuple[str, str, str]:
    """By what the rows of a member are put in order."""
    reported = values.get("production_date") or str(values.get("reporting_period", "")).rpartition("/")[2]
    return reported, values.get("decision_date", ""), values.get("authorization_start", "")


def patient(values: Values, feed: Feed) -> Element:
    return filled(
        {
            "resourceType": "Patient",
            "identifier": list(identifiers(values, feed)),
            "name": [*_names(values)],
            "telecom": [*_telecoms(values)],
            "gender": values.get("gender"),
            "birthDate": values.get("birth_date"),
            "address": [*_addresses(values, feed)],
            "contact": [*_contacts(values)],
        }
    )


def identifiers(values: Values, feed: Feed) -> Iterator[Element]:
    if values.get("cin"):
        yield typed_identifier("MA", cin_system(feed), values["cin"])
    if values.get("mrn"):
        yield typed_identifier("MR", mrn_system(feed), values["mrn"])


def _names(values: Values) -> Iterator[Element]:
    given = [values["first_name"]] if values.get("first_name") else []
    if values.get("last_name") or given:
        yield filled({"use": "official", "family": values.get("last_name"), "given": given})
    elif values.get("client_name"):
        yield {"use": "usual", "text": values["client_name"]}


def _telecoms(values: Values) -> Iterator[Element]:
    for fact, (system, use) in TELECOMS.items():
        if values.get(fact):
            yield filled({"system": system, "value": values[fact], "use": use})


def _addresses(values: Values, feed: Feed) -> Iterator[Element]:
    for kind, more in (("residential", {"use": "home"}), ("mailing", {"type": "postal"})):
        told = _address(values, kind)
        if told:
            county = values.get("county") if kind == "residential" else None
            yield filled({**more, **told, "district": county})


def _address(values: Values, kind: str) -> dict[str, Any]:
    line = [values[f"{kind}_address"]] if values.get(f"{kind}_address") else []
    return filled(
        {
            "line": line,
            "city": values.get(f"{kind}_city"),
            "state": values.get(f"{kind}_state"),
            "postalCode": values.get(f"{kind}_zip"),
        }
    )


def _contacts(values: Values) -> Iterator[Element]:
    telecom = [
        {"system": system, "value": values[fact]}
        for fact, system in (("contact_phone", "phone"), ("contact_email", "email"))
        if values.get(fact)
    ]
    name = values.get("contact_name")
    if name or telecom:
        relation = [{"text": values["contact_relation"]}] if values.get("contact_relation") else []
        yield filled({"relationship": relation, "name": {"text": name} if name else {}, "telecom": telecom})
