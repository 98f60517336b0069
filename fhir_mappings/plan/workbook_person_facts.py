"""A Patient, and the organizations of a report -> the facts of the plan's tables."""

from typing import Any

from fhir_mappings.plan.workbook_chart import Report, named, number, telecom
from fhir_mappings.plan.x12_elements import EMPLOYER_NUMBER
from hub.feeds.records import Resource
from hub.fhir.systems import US_NPI

Facts = dict[str, Any]


def present(facts: Facts) -> Facts:
    """Without what nobody said."""
    return {fact: value for fact, value in facts.items() if value not in ("", None)}


def person(patient: Resource, report: Report) -> Facts:
    name: Resource = next((one for one in patient.get("name", ()) if one.get("use") != "old"), {})
    given = list(name.get("given", ()))
    return {
        "cin": number(patient, report.cin_system),
        "mrn": number(patient, report.mrn_system),
        "first_name": given[0] if given else "",
        "last_name": name.get("family", ""),
        "client_name": named(patient),
        "gender": patient.get("gender", ""),
        "birth_date": patient.get("birthDate", ""),
        "phone": _phone(patient, home=False),
        "home_phone": _phone(patient, home=True),
        "email": telecom(patient, "email"),
        **_address(patient, "residential"),
        **_address(patient, "mailing"),
    }


def _phone(patient: Resource, home: bool) -> str:
    found = [one for one in patient.get("telecom", ()) if one.get("system") == "phone" and one.get("use") != "old"]
    return next((one.get("value", "") for one in found if (one.get("use") == "home") == home), "")


def _address(patient: Resource, kind: str) -> Facts:
    is_postal = kind == "mailing"
    found = [one for one in patient.get("address", ()) if one.get("use") != "old"]
    address: Resource = next((one for one in found if (one.get("type") == "postal") == is_postal), {})
    return {
        f"{kind}_address": ", ".join(address.get("line", ())),
        f"{kind}_city": address.get("city", ""),
        f"{kind}_state": address.get("state", ""),
        f"{kind}_zip": address.get("postalCode", ""),
        **({} if is_postal else {"county": address.get("district", "")}),
    }


def report_facts(report: Report) -> Facts:
    """What every row of a file says alike."""
    provider, plan = report.provider, report.plan
    return {
        "payer_id": next((one.get("value", "") for one in plan.get("identifier", ())), ""),
        "plan_name": plan.get("name", ""),
        "provider_name": provider.get("name", ""),
        "provider_npi": number(provider, US_NPI),
        "provider_tin": number(provider, EMPLOYER_NUMBER),
        "provider_phone": telecom(provider, "phone"),
        "production_date": report.produced,
        "reporting_period": f"{report.start}/{report.end}",
    }
