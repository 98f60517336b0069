"""A row of an authorization file -> the Community Support that the plan authorized: ServiceRequest and its Task.

Rules: docs/plan-workbooks.md "Authorizations"; US Core 6.1.0 ServiceRequest; Gravity SDOH Clinical Care, Task for
Referral Management
(https://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition-SDOHCC-TaskForReferralManagement.html)
- Which support: the row's word, else HCPCS with modifier, else what the feed says (`community_support`): the
  observed columns do not name it. Nobody says it: the request says that it is not named.
- The request is `active` until the plan takes the row back (`revoked`; the Task `cancelled`).
Refuses (Unmapped): a support, or a pair of code and modifier, without a row.
"""

from collections.abc import Mapping, Sequence

from fhir_mappings.plan import x12_tables
from fhir_mappings.plan.workbook_assignment import authorization, coverage
from fhir_mappings.plan.workbook_elements import Element, concept, filled, own_identifier, period, plan, provider
from fhir_mappings.plan.workbook_keys import Values
from fhir_mappings.plan.workbook_person import newest
from fhir_mappings.plan.workbook_terms import DECISION_EXTENSION
from hub.feeds.records import Feed, Kept, Resource, Subject, Unmapped
from hub.fhir.conditional import reference
from hub.fhir.systems import COMMUNITY_SUPPORT, HCPCS, TASK_CODE

UNNAMED = {"text": "Community Support (the file does not name it)"}
CATEGORY = {"text": "Community Supports"}


def resources(subject: Subject, patient: str) -> Sequence[Resource]:
    feed = subject.feed
    made = [coverage(newest(subject), patient, feed)]
    for row in subject.rows:
        made += [request(row, patient, feed), task(row, patient, feed)]
    return made


def request(row: Kept, patient: str, feed: Feed) -> Resource:
    values = row.values
    number = values.get("authorization_number")
    house = provider(values, feed)
    return filled(
        {
            "resourceType": "ServiceRequest",
            "extension": _decided(values),
            "identifier": [own(feed, row), *authorization(feed, number)],
            "status": "revoked" if row.deleted else "active",
            "intent": "order",
            "category": [CATEGORY],
            "code": _code(values, feed),
            "orderDetail": _modifier(values),
            "subject": {"reference": patient},
            "occurrencePeriod": period(values.get("authorization_start"), values.get("authorization_end")),
            "authoredOn": values.get("request_received"),
            "requester": _referrer(values),
            "performer": [house] if house else [],
            "insurance": [_insurance(values, feed)],
        }
    )


def own(feed: Feed, row: Kept) -> Element:
    return own_identifier(feed, "authorized-service", feed.kind, row.key)


def _insurance(values: Values, feed: Feed) -> Element:
    """See workbook_assignment.coverage."""
    found = own_identifier(feed, "coverage", feed.kind, str(values.get("cin") or values.get("mrn")))
    return reference("Coverage", found["system"], found["value"])


def _decided(values: Values) -> list[Element]:
    day = values.get("decision_date")
    return [{"url": DECISION_EXTENSION, "valueDate": day}] if day else []


def _code(values: Values, feed: Feed) -> Element:
    row = _support(values, feed)
    if row is None:
        return UNNAMED
    code = concept(COMMUNITY_SUPPORT, row["service"], row["display"], row["display"])
    if values.get("hcpcs"):
        code["coding"].append({"system": HCPCS, "code": values["hcpcs"].upper()})
    return code


def _modifier(values: Values) -> list[Element]:
    return [concept(HCPCS, values["modifier"].upper())] if values.get("modifier") else []


def _support(values: Values, feed: Feed) -> Mapping[str, str] | None:
    """The row of the table of Community Supports."""
    table = x12_tables.rows(feed, "x12_services")
    named = values.get("community_support") or feed.options.get("community_support")
    if named:
        found = [row for rows in table.values() for row in rows if row["service"] == named]
        if not found:
            raise Unmapped("x12_services", str(named), "community_support")
        return found[0]
    code, modifier = values.get("hcpcs", "").upper(), values.get("modifier", "").upper()
    if not code:
        return None
    pair = table.get((code, modifier))
    if not pair:
        raise Unmapped("x12_services", f"{code} {modifier}".strip(), "hcpcs")
    return pair[0]


def _referrer(values: Values) -> Element:
    names = [str(values[fact]) for fact in ("referrer_name", "referring_organization") if values.get(fact)]
    return {"display": ", ".join(names)} if names else {}


def task(row: Kept, patient: str, feed: Feed) -> Resource:
    """The support's provider is asked to deliver it."""
    values, focus = row.values, own(feed, row)
    return filled(
        {
            "resourceType": "Task",
            "identifier": [own_identifier(feed, "authorized-service-task", feed.kind, row.key)],
            "status": "cancelled" if row.deleted else "requested",
            "intent": "order",
            "code": concept(TASK_CODE, "fulfill"),
            "focus": reference("ServiceRequest", focus["system"], focus["value"]),
            "for": {"reference": patient},
            "authoredOn": values.get("decision_date"),
            "requester": plan(feed, values),
            "owner": provider(values, feed),
            "restriction": filled(
                {"period": period(values.get("authorization_start"), values.get("authorization_end"))}
            ),
        }
    )
