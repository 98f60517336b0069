"""A coverage row of an 834 -> US Core Coverage: one health care plan of a member from a day on.

Rules: 005010X220A1 loop 2300; US Core 6.1.0 Coverage; docs/plan-834.md
- Status: by the table `x12_hcp_status`, dated: `01` is active, what else means what a deployment says. Without an
  HCP status (files of another shape) the maintenance code tells: 024 is cancelled.
- A period that ends before it begins never was: cancelled, and its end is left out. An open one of a member who was
  terminated (INS03 024), or whom the newest full file does not name, is cancelled, too.
- Aid codes, county, Medicare parts and HCP status are classes of a code system of the hub's own: R4 has none.
Refuses (Unmapped): an HCP status without a row, relationships without one.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from fhir_mappings.plan import x12_tables
from fhir_mappings.plan.member_patient import cin_system
from fhir_mappings.plan.x12_elements import (
    MEMBER_CLASS,
    RENEWAL_MONTH,
    Element,
    concept,
    filled,
    own_identifier,
    typed_identifier,
)
from hub.feeds.records import Feed, Kept, Unmapped
from hub.fhir.conditional import reference
from hub.fhir.systems import COVERAGE_CLASS, SUBSCRIBER_RELATIONSHIP

Values = Mapping[str, Any]
MEDI_CAL = concept("https://nahdo.org/sopt", "2", "MEDICAID", "Medi-Cal")
RELATIONSHIP = {"18": "self", "01": "spouse", "19": "child", "G8": "other"}  # INS02
TERMINATED = "024"


def coverage(row: Kept, member: Values, is_gone: bool, is_newest: bool, patient: str, feed: Feed) -> Element:
    """`is_gone`: the member is none any more."""
    values, status = row.values, _status(row, is_gone, feed)
    return filled(
        {
            "resourceType": "Coverage",
            "extension": _renewal(member) if is_newest else [],
            "identifier": [
                own_identifier(feed, "coverage", row.key),
                *_member_number(member, feed),
            ],
            "status": status,
            "type": MEDI_CAL if values.get("hcp_status") else {"text": values["hcp"]},
            "subscriberId": member.get("cin") or member.get("subscriber"),
            "beneficiary": {"reference": patient},
            "relationship": _relationship(member),
            "period": _period(values),
            "payor": [payor(values, feed)],
            "class": [*_classes(values)],
            "costToBeneficiary": [*_share_of_cost(values)],
        }
    )


def payor(values: Values, feed: Feed) -> Element:
    found = own_identifier(feed, "organization", values["plan"])
    return reference("Organization", found["system"], found["value"])


def _status(row: Kept, is_gone: bool, feed: Feed) -> str:
    if row.deleted:
        return "entered-in-error"
    values, told = row.values, _told(row.values, feed)
    never = bool(values.get("end")) and values["end"] < values["start"]
    is_over = never or (is_gone and not values.get("end"))
    return "cancelled" if told == "active" and is_over else told


def _told(values: Values, feed: Feed) -> str:
    status, day = values.get("hcp_status", ""), values["start"]
    if not status:
        return "cancelled" if values["maintenance"] == TERMINATED else "active"
    rows = x12_tables.rows(feed, "x12_hcp_status").get((status,), ())
    found = [row for row in rows if row["from"] <= day and (not row["to"] or day <= row["to"])]
    if not found:
        raise Unmapped("x12_hcp_status", status, "HD04")
    return found[-1]["coverage"]


def _period(values: Values) -> Element:
    end = values.get("end", "")
    return filled({"start": values["start"], "end": end if end >= values["start"] else ""})


def _member_number(member: Values, feed: Feed) -> Iterator[Element]:
    if member.get("cin"):
        yield typed_identifier("MB", cin_system(feed), member["cin"])
    elif member.get("subscriber"):
        yield typed_identifier("MB", f"{feed.system}/member", member["subscriber"])


def _relationship(member: Values) -> Element:
    said = member.get("relationship", "")
    if said not in RELATIONSHIP:
        raise Unmapped("x12-relationship", said, "INS02")
    return concept(SUBSCRIBER_RELATIONSHIP, RELATIONSHIP[said])


def _classes(values: Values) -> Iterator[Element]:
    yield _class("plan", values["hcp"], system=COVERAGE_CLASS)
    yield from (_class("aid-code", one["code"], one["status"]) for one in values.get("aid_codes", ()))
    medicare = {f"medicare-part-{part}": status for part, status in values.get("medicare", {}).items()}
    told = {
        "primary-aid-code": "primary_aid",
        "county": "county",
        "hcp-status": "hcp_status",
        "insurance-line": "line",
    }
    for code, value in {**{code: values.get(name) for code, name in told.items()}, **medicare}.items():
        if value:
            yield _class(code, value)


def _class(code: str, value: str, name: str = "", system: str = MEMBER_CLASS) -> Element:
    return filled({"type": concept(system, code), "value": value, "name": name})


def _share_of_cost(values: Values) -> Iterator[Element]:
    """AMT*R: dollars of a month."""
    if values.get("share_of_cost"):
        money = {"value": Decimal(values["share_of_cost"]), "currency": "USD"}
        yield {
            "type": concept(MEMBER_CLASS, "share-of-cost", text="Medi-Cal share of cost, a month"),
            "valueMoney": money,
        }


def _renewal(member: Values) -> list[Element]:
    month = member.get("renewal_month")
    return [{"url": RENEWAL_MONTH, "valueDate": month}] if month else []
