"""A consent row of a county -> Consent, in the form that docs/consent.md reads.

Rules: https://hl7.org/fhir/R4/consent.html; 42 CFR 2.31(a); docs/consent.md; docs/county-bh.md "Consents".
- A permit for one recipient: an organization of the directory by its NPI, or a class of recipients. A name alone is
  kept as text and opens nothing: nobody can tell who that is.
- `discloser` other than `general` is an actor of role CST: by what is restricted to one discloser the hub opens
  nothing, for it does not tell sources apart.
- What the row does not describe, and its form does not either, is not opened.
- A representative's signature is written as one, without a RelatedPerson: it opens nothing.
- Revoked: inactive, with recipients as text, so that nothing can keep a revocation waiting. A revocation form is
  active: it denies. Taken back: entered-in-error.
"""

from fhir_mappings.county_bh.elements import Element, concept, filled, organization
from hub.feeds.records import Feed, Kept, Resource, Subject
from hub.fhir.systems import ACT_CODE, ACT_REASON, LOINC, US_NPI

KIND = "consent"
FORM = "urn:calaim-fhir-hub:consent-form:"
RECIPIENT_CLASS = "urn:calaim-fhir-hub:recipient-class"
EXPIRES_ON_EVENT = "urn:calaim-fhir-hub:consent-expires-on-event"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
TPO, NAMED, REVOCATION = "part2-tpo", "part2-named-recipient", "ascmi-revocation"
FORMS = (TPO, NAMED, "ascmi-ab133", "ascmi-non-ab133", REVOCATION)
WITHHOLDS = frozenset((REVOCATION,))
SELF_DESCRIBING = frozenset((TPO, NAMED))  # without labels they are about substance use (docs/consent.md)
NOT_DESCRIBED = {"text": "Not described"}  # a permit for what nobody knows opens nothing
GENERAL = "general"  # of `discloser`: such as "my treating providers"


def consent_about(subject: Subject) -> str | None:
    """The client number of whoever signed."""
    return next((str(row.values["county_client_number"]) for row in subject.rows), None)


def consent_resources(subject: Subject, patient: str) -> list[Resource]:
    return [_consent(row, subject.feed, patient) for row in subject.rows if row.kind == KIND]


def consent_identifier(feed: Feed, number: str) -> Element:
    """The county's own number: a status record names its consent by it."""
    return {"system": f"{feed.system}/consent", "value": number}


def _consent(row: Kept, feed: Feed, patient: str) -> Element:
    said = {name: row.values.get(name) or "" for name in row.values}
    is_in_force = not row.deleted and not said.get("revoked_on")
    return filled(
        {
            "resourceType": "Consent",
            "identifier": [consent_identifier(feed, said["consent_id"])],
            "status": "entered-in-error" if row.deleted else "active" if is_in_force else "inactive",
            "scope": concept(SCOPE, "patient-privacy"),
            "category": [concept(ACT_CODE, "IDSCL"), concept(LOINC, "59284-0")],
            "patient": {"reference": patient},
            "dateTime": said["signed_on"],
            "performer": [{"reference": patient} if said["signer"] == "patient" else {"display": "Representative"}],
            "organization": [{"reference": feed.organization}] if feed.organization else [],
            "policy": [{"uri": FORM + said["form"]}],
            "provision": _provision(said, is_in_force),
        }
    )


def _provision(said: Element, is_in_force: bool) -> Element:
    denies = said["form"] in WITHHOLDS
    event = said.get("expires_on_event")
    ends = {"end": said.get("revoked_on") or said.get("expires_on")}
    return filled(
        {
            "extension": [{"url": EXPIRES_ON_EVENT, "valueString": event}] if event else [],
            "type": "deny" if denies else "permit",
            "period": filled({"start": said["signed_on"], **ends}),
            "actor": [*_recipients(said, is_in_force), *_disclosers(said)],
            "code": [] if denies or _is_described(said) else [NOT_DESCRIBED],
            "securityLabel": [{"system": ACT_CODE, "code": code} for code in said.get("information") or ()],
            "purpose": [{"system": ACT_REASON, "code": code} for code in said.get("purpose") or ()],
        }
    )


def _is_described(said: Element) -> bool:
    return bool(said.get("information")) or said["form"] in SELF_DESCRIBING


def _recipients(said: Element, is_in_force: bool) -> list[Element]:
    npi, group, name = (said.get(f"recipient_{each}") for each in ("npi", "class", "name"))
    if npi:
        found = organization(npi) if is_in_force else {"identifier": {"system": US_NPI, "value": npi}}
        return [_actor("IRCP", filled({**(found or {}), "display": name}))]
    if group:
        return [
            _actor("IRCP", filled({"identifier": {"system": RECIPIENT_CLASS, "value": group}, "display": name}))
        ]
    return [_actor("IRCP", {"display": name})] if name else []


def _disclosers(said: Element) -> list[Element]:
    discloser = said.get("discloser") or GENERAL
    return [] if discloser.casefold() == GENERAL else [_actor("CST", {"display": discloser})]


def _actor(role: str, reference: Element) -> Element:
    return {"role": concept(PARTICIPATION, role), "reference": reference}
