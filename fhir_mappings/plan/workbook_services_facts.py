"""What is stored of a member -> rows of outreach trackers, of Community Supports' files, and of member lists.

Rules: docs/plan-workbooks.md "Out". One row an attempt, one an authorized support.
"""

from collections.abc import Iterator

from fhir_mappings.plan.workbook_chart import Chart, Report, code_of, day, extension, number, points_at, when
from fhir_mappings.plan.workbook_facts import engagement, enrolment, housing, lead, member_facts
from fhir_mappings.plan.workbook_loop_facts import loop
from fhir_mappings.plan.workbook_person_facts import Facts, person, present, report_facts
from fhir_mappings.plan.workbook_terms import (
    DECISION_EXTENSION,
    OUTREACH,
    REPORTED,
)
from hub.ecm.attempts import attempt_of
from hub.feeds.records import Resource
from hub.fhir.systems import COMMUNITY_SUPPORT, REFERRAL_CLOCK

# Task.status -> where the support stands, where no episode says it
BY_PROGRESS = {"requested": "pending-outreach", "received": "pending-outreach", "accepted": "pending-outreach",
               "in-progress": "delivering", "on-hold": "delivering", "completed": "discontinued",
               "cancelled": "discontinued", "failed": "discontinued", "rejected": "discontinued"}  # fmt: skip


def return_facts(chart: Chart, report: Report, with_attempts: bool) -> list[Facts]:
    """The member's row of an ECM return file; where outreach stands in the same file, one for each attempt."""
    member = member_facts(chart, report)
    found = list(attempts(chart, report)) if with_attempts else []
    return [member | present(attempt(one)) for one in sorted(found, key=when)] or [member]


def outreach_facts(chart: Chart, report: Report) -> list[Facts]:
    """A row for each attempt of the reporting period, in order of days."""
    who = {**person(chart.patient, report), **report_facts(report)}
    found = list(attempts(chart, report))
    return [present({**who, **attempt(one)}) for one in sorted(found, key=when)]


def attempts(chart: Chart, report: Report) -> Iterator[Resource]:
    """Those of the report's provider in its period; of nobody's whoever tells of them."""
    for kind, element in (("Encounter", "type"), ("Communication", "category")):
        for one in chart.with_code(kind, element, REPORTED, OUTREACH[0]):
            found = attempt_of(one)
            is_theirs = found and (not found.provider or found.provider.endswith(report.reference))
            if found and is_theirs and report.covers(found.day):
                yield one


def attempt(one: Resource) -> Facts:
    found = attempt_of(one)
    if found is None:
        return {}
    return {
        "outreach_date": found.day,
        "outreach_method": found.method,
        "outreach_successful": found.met,
        "outreach_minutes": found.minutes,
        "provider_type": found.staff,
    }


def support_facts(chart: Chart, report: Report) -> list[Facts]:
    """A row for each support that the report's provider delivers, or was asked to."""
    who = {**person(chart.patient, report), **report_facts(report), **housing(chart)}
    return [present({**who, **one}) for one in _supports(chart, report)]


def _supports(chart: Chart, report: Report) -> Iterator[Facts]:
    asked = [one for one in chart.of("Task") if points_at(one.get("owner"), report.reference)]
    tasks = [one for one in asked if not code_of(one.get("code"), REFERRAL_CLOCK)]
    episodes = [
        one
        for one in chart.of("EpisodeOfCare")
        if points_at(one.get("managingOrganization"), report.reference) and _is_support(one)
    ]
    requests = {f"ServiceRequest/{one.get('id')}": one for one in chart.of("ServiceRequest")}
    by_number: dict[str, Facts] = {}
    for task in tasks:
        request = requests.get(str(task.get("focus", {}).get("reference", "")), {})
        named = number(task, report.authorization_system) or number(request, report.authorization_system)
        row = by_number.setdefault(named, {"authorization_number": named})
        row |= {"status": BY_PROGRESS.get(str(task.get("status")), ""), **loop(task)}
    for episode in episodes:
        named = number(episode, report.authorization_system)
        row = by_number.setdefault(named, {"authorization_number": named})
        row["status"] = engagement(episode, chart)
    yield from ({**row, **_newest_attempt(chart, report)} for _, row in sorted(by_number.items()))


def _is_support(episode: Resource) -> bool:
    kinds = episode.get("type", ())
    return bool(code_of(kinds, COMMUNITY_SUPPORT)) or any(one.get("text") == "Community Support" for one in kinds)


def _newest_attempt(chart: Chart, report: Report) -> Facts:
    found = list(attempts(chart, report))
    return attempt(max(found, key=when)) if found else {}


def list_facts(chart: Chart, report: Report) -> list[Facts]:
    """The row of a member list: assigned to the report's provider."""
    told = enrolment(chart, report)
    spans = {"authorization_start": told.get("start"), "authorization_end": told.get("end")}
    return [
        present({**person(chart.patient, report), **report_facts(report), **lead(chart, report), **told, **spans})
    ]


def authorized_facts(chart: Chart, report: Report) -> list[Facts]:
    """A row of an authorization file for each support that the report's provider is to deliver."""
    who = {**person(chart.patient, report), **report_facts(report)}
    found = [one for one in chart.of("ServiceRequest") if _is_for(one, report) and one.get("status") == "active"]
    return [present({**who, **_authorized(one, report)}) for one in found]


def _is_for(request: Resource, report: Report) -> bool:
    return any(points_at(one, report.reference) for one in request.get("performer", ()))


def _authorized(request: Resource, report: Report) -> Facts:
    span = request.get("occurrencePeriod", {})
    referrer, _, organization = str(request.get("requester", {}).get("display", "")).partition(", ")
    return {
        "authorization_number": number(request, report.authorization_system),
        "authorization_start": day(span.get("start")),
        "authorization_end": day(span.get("end")),
        "request_received": day(request.get("authoredOn")),
        "decision_date": extension(request, DECISION_EXTENSION) or "",
        "community_support": code_of(request.get("code"), COMMUNITY_SUPPORT),
        "referrer_name": referrer,
        "referring_organization": organization,
    }
