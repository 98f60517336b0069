"""A member row of a plan's list -> ECM enrolment (EpisodeOfCare), CareTeam, Coverage; the panel's rows -> Group.

Rules: docs/plan-workbooks.md; US Core 6.1.0 CareTeam, Coverage; Da Vinci ATR 2.1 Group
(https://hl7.org/fhir/us/davinci-atr/StructureDefinition-atr-group.html: member.period, member.inactive)
- The list says who is assigned: the episode is `planned` until the provider enrols the member (hub.ecm), and
  until the list takes the member back (`finished`), whatever day its period ends on; a status column of a local
  layout says otherwise. A list that comes again undoes nothing (hub.ecm.rule).
- Nobody leaves a Group: who is gone is `inactive`, and the hub's rights follow that (docs/access.md).
- The Group names its members by the plan's numbers: it waits until all of them are known.
"""

from collections.abc import Iterator, Sequence

from fhir_mappings.plan.member_patient import cin_system
from fhir_mappings.plan.workbook_elements import (
    Element,
    concept,
    filled,
    lead,
    organization,
    own_identifier,
    period,
    plan,
    provider,
)
from fhir_mappings.plan.workbook_keys import Values
from fhir_mappings.plan.workbook_observed import observed
from fhir_mappings.plan.workbook_person import mrn_system, newest
from fhir_mappings.plan.workbook_terms import (
    DISCONTINUATION,
    DISCONTINUATION_EXTENSION,
    DISCONTINUATIONS,
    ECM,
    ENGAGEMENT,
    ENGAGEMENT_EXTENSION,
    ENGAGEMENTS,
)
from fhir_mappings.plan.x12_elements import typed_identifier
from hub.feeds.records import Feed, Kept, Resource, Subject
from hub.fhir.conditional import reference
from hub.fhir.systems import LEAD_CARE_MANAGER, SUBSCRIBER_RELATIONSHIP

MEDI_CAL = concept("https://nahdo.org/sopt", "2", "MEDICAID", "Medi-Cal")
LIST_STATUS = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/ext-attributionListStatus"


def resources(subject: Subject, patient: str) -> Sequence[Resource]:
    if subject.key.startswith("lead/"):
        return [practitioner(row, subject.feed) for row in subject.rows]
    if subject.key.startswith("panel/"):
        return [group(subject)]
    row = newest(subject)
    feed = subject.feed
    return [*_assigned(row, patient, feed), coverage(row, patient, feed), *observed(row, patient, feed)]


def _assigned(row: Kept, patient: str, feed: Feed) -> Iterator[Resource]:
    yield episode(row, patient, feed)
    if team := care_team(row, patient, feed):
        yield team


def practitioner(row: Kept, feed: Feed) -> Resource:
    """A lead care manager, by name only: the files have no number of theirs."""
    told = (("phone", "lead_phone"), ("email", "lead_email"))
    return filled(
        {
            "resourceType": "Practitioner",
            "identifier": [own_identifier(feed, "care-manager", row.key)],
            "active": not row.deleted,
            "name": [{"text": row.values.get("lead_name") or "Lead care manager"}],
            "telecom": [
                {"system": system, "value": row.values[fact], "use": "work"}
                for system, fact in told
                if row.values.get(fact)
            ],
        }
    )


def authorization(feed: Feed, number: object) -> list[Element]:
    """The plan's number, under the same system in all files that name it."""
    system = str(feed.options.get("authorization_system") or f"{feed.system}/authorization")
    return [{"system": system, "value": str(number)}] if number else []


def span(values: Values) -> Element:
    return period(
        values.get("start") or values.get("authorization_start"),
        values.get("end") or values.get("authorization_end"),
    )


def episode(row: Kept, patient: str, feed: Feed, is_sender: bool = False) -> Resource:
    """The member's enrolment in ECM with one provider. `is_sender`: the provider itself says it."""
    values = row.values
    word = values.get("status", "")
    status = "finished" if row.deleted else ENGAGEMENTS[word][0] if word else "active" if is_sender else "planned"
    number = values.get("authorization_number")
    return filled(
        {
            "resourceType": "EpisodeOfCare",
            "extension": [*_engagement(word), *_discontinued(values)],
            "identifier": [_own(feed, "ecm-enrollment", values), *authorization(feed, number)],
            "status": status,
            "type": [ECM],
            "patient": {"reference": patient},
            "managingOrganization": provider(values, feed, is_sender),
            "period": span(values),
            "careManager": lead(values, feed),
        }
    )


def _own(feed: Feed, noun: str, values: Values) -> Element:
    """One a member and provider: two providers' enrolments are two."""
    return own_identifier(feed, noun, feed.kind, str(values.get("cin") or values.get("mrn")), _whose(values, feed))


def _whose(values: Values, feed: Feed) -> str:
    return str(values.get("provider_npi") or feed.options.get("provider") or feed.organization)


def _engagement(word: str) -> list[Element]:
    """How far it is, for which EpisodeOfCare.status has fewer words."""
    if not word:
        return []
    display = ENGAGEMENTS[word][1]
    return [{"url": ENGAGEMENT_EXTENSION, "valueCoding": {"system": ENGAGEMENT, "code": word, "display": display}}]


def _discontinued(values: Values) -> list[Element]:
    word, text = values.get("discontinuation_code", ""), values.get("discontinuation_reason", "")
    if not (word or text):
        return []
    reason = concept(DISCONTINUATION, word, DISCONTINUATIONS.get(word, ""), text)
    return [{"url": DISCONTINUATION_EXTENSION, "valueCodeableConcept": reason}]


def care_team(row: Kept, patient: str, feed: Feed, is_sender: bool = False) -> Resource | None:
    """None where nobody is said to be in it."""
    values = row.values
    manager, house = lead(values, feed), provider(values, feed, is_sender)
    if not manager and not house:
        return None
    roles: tuple[tuple[Element, Element, Element], ...] = (
        (concept(*LEAD_CARE_MANAGER, text="ECM lead care manager"), manager, house),
        ({"text": "ECM provider"}, house, {}),
    )
    over = row.deleted or values.get("status") == "discontinued"
    return filled(
        {
            "resourceType": "CareTeam",
            "identifier": [_own(feed, "care-team", values)],
            "status": "inactive" if over else "active",
            "name": "ECM care team",
            "subject": {"reference": patient},
            "period": span(values),
            "participant": [
                filled({"role": [role], "member": who, "onBehalfOf": of}) for role, who, of in roles if who
            ],
            "managingOrganization": [house] if house else [],
        }
    )


def coverage(row: Kept, patient: str, feed: Feed) -> Resource:
    """Medi-Cal with this plan, as far as the list says it: without dates, for the list has none of them."""
    values = row.values
    cin, mrn = str(values.get("cin", "")), str(values.get("mrn", ""))
    number = typed_identifier("MB", cin_system(feed), cin) if cin else typed_identifier("MB", mrn_system(feed), mrn)
    return filled(
        {
            "resourceType": "Coverage",
            "identifier": [own_identifier(feed, "coverage", feed.kind, cin or mrn), number],
            "status": "cancelled" if row.deleted else "active",
            "type": MEDI_CAL,
            "subscriberId": cin or mrn,
            "beneficiary": {"reference": patient},
            "relationship": concept(SUBSCRIBER_RELATIONSHIP, "self"),
            "payor": [plan(feed, values)],
        }
    )


def group(subject: Subject) -> Resource:
    """The panel of one provider: all whom the plan ever assigned to it, who is gone as inactive."""
    feed, named = subject.feed, subject.key.removeprefix("panel/")
    members = [_member(row, feed) for row in subject.rows]
    name = next((str(row.values["provider_name"]) for row in subject.rows if row.values.get("provider_name")), "")
    number = typed_identifier("NPI", "http://hl7.org/fhir/sid/us-npi", named) if named.isdigit() else {}
    return filled(
        {
            "resourceType": "Group",
            "extension": [{"url": LIST_STATUS, "valueCode": "open"}],
            "identifier": [own_identifier(feed, "panel", named), *([number] if number else [])],
            "active": True,
            "type": "person",
            "actual": True,
            "name": f"ECM panel of {name or named}",
            "quantity": sum(not one.get("inactive") for one in members),
            "managingEntity": organization(named),
            "member": members,
        }
    )


def _member(row: Kept, feed: Feed) -> Element:
    values = row.values
    known = (cin_system(feed), values["cin"]) if values.get("cin") else (mrn_system(feed), values["mrn"])
    return filled({"entity": reference("Patient", *known), "period": span(values), "inactive": row.deleted})
