"""What is stored of a member -> the facts of a return file: where the enrolment stands, what was done, how often.

Rules: docs/plan-workbooks.md "Out"
- Nothing is guessed: what nobody stored is an empty cell.
- Where the enrolment stands is EpisodeOfCare.status, since when its statusHistory; a word that a file said besides
  counts as long as the status is what it was said of.
- The lead care manager is the episode's, else the one of the newest active CareTeam.
- Encounters count that the report's provider had, or that a return file told of; a hospital's do not.
- How often: finished encounters of the reporting period by class (virtual, or any other that is known); where there
  are none, what a return file of that period counted.
"""

from collections.abc import Iterator

from fhir_mappings.plan.workbook_chart import (
    Chart,
    Report,
    code_of,
    day,
    extension,
    latest,
    lead_of,
    named,
    number,
    points_at,
    telecom,
    when,
)
from fhir_mappings.plan.workbook_loop_facts import ecm_loop
from fhir_mappings.plan.workbook_person_facts import Facts, person, present, report_facts
from fhir_mappings.plan.workbook_terms import (
    ACUITY,
    ASSESSMENT,
    COUNTS,
    DISCONTINUATION,
    DISCONTINUATION_EXTENSION,
    ENGAGEMENT_EXTENSION,
    ENGAGEMENTS,
    HOMELESS,
    HOUSED,
    LAST_ENCOUNTER,
    OUTREACH,
    POPULATION,
    PROGRAM,
    REPORTED,
)
from hub.ecm.attempts import attempt_of
from hub.ecm.history import since
from hub.feeds.records import Resource

# EpisodeOfCare.status -> our word, where no extension says more
BY_STATUS = {"planned": "pending-outreach", "waitlist": "pending-outreach", "active": "delivering",
             "onhold": "delivering", "finished": "discontinued", "cancelled": "discontinued"}  # fmt: skip
UNKNOWN_CLASS, VIRTUAL = "UNK", "VR"


def member_facts(chart: Chart, report: Report) -> Facts:
    """All that a row of an ECM return file may say."""
    return present(
        {
            **person(chart.patient, report),
            **report_facts(report),
            **enrolment(chart, report),
            **lead(chart, report),
            **work(chart, report),
            **_observed(chart),
            **housing(chart),
            **ecm_loop(chart, report),
        }
    )


def enrolment(chart: Chart, report: Report) -> Facts:
    """The newest ECM episode with the report's provider."""
    episode = episode_of(chart, report)
    if episode is None:
        return {}
    span = episode.get("period", {})
    return {
        "status": engagement(episode, chart),
        "start": day(span.get("start")),
        "end": day(span.get("end")),
        "authorization_number": number(episode, report.authorization_system),
        **_discontinued(episode),
    }


def episode_of(chart: Chart, report: Report) -> Resource | None:
    """The newest that says more than that the member is assigned, else the newest."""
    every = list(chart.with_code("EpisodeOfCare", "type", PROGRAM, "ecm"))
    found = [one for one in every if points_at(one.get("managingOrganization"), report.reference)]
    return max(found, key=lambda one: (_says_more(one), _last(one)), default=None)


def _says_more(episode: Resource) -> bool:
    """A file said its status, or it moved."""
    return extension(episode, ENGAGEMENT_EXTENSION) is not None or len(episode.get("statusHistory", ())) > 1


def _last(resource: Resource) -> str:
    return str(resource.get("meta", {}).get("lastUpdated", ""))


def engagement(episode: Resource, chart: Chart) -> str:
    told = str((extension(episode, ENGAGEMENT_EXTENSION) or {}).get("code", ""))
    if told and ENGAGEMENTS.get(told, (episode.get("status"),))[0] == episode.get("status"):
        return told
    word = BY_STATUS.get(str(episode.get("status")), "")
    return "in-outreach" if word == "pending-outreach" and any(_attempts(chart)) else word


def _attempts(chart: Chart) -> Iterator[Resource]:
    for kind, element in (("Encounter", "type"), ("Communication", "category")):
        yield from (one for one in chart.with_code(kind, element, REPORTED, OUTREACH[0]) if attempt_of(one))


def _discontinued(episode: Resource) -> Facts:
    if episode.get("status") not in ("finished", "cancelled"):
        return {}
    reason = extension(episode, DISCONTINUATION_EXTENSION) or {}
    return {
        "discontinued": day(episode.get("period", {}).get("end")) or since(episode),
        "discontinuation_code": code_of(reason, DISCONTINUATION),
        "discontinuation_reason": str(reason.get("text", "")),
    }


def lead(chart: Chart, report: Report) -> Facts:
    said = (episode_of(chart, report) or {}).get("careManager") or {}
    practitioner = chart.others.get(str(said.get("reference", "")), {})
    shown = str(said.get("display", ""))
    if not (practitioner or shown):
        practitioner, shown = lead_of(chart)
    return {
        "lead_name": named(practitioner) or shown,
        "lead_phone": telecom(practitioner, "phone"),
        "lead_email": telecom(practitioner, "email"),
    }


def work(chart: Chart, report: Report) -> Facts:
    """The newest day of each kind of work, and how often the member was met in the period."""
    met = list(_encounters(chart, report))
    assessments = list(chart.with_code("Procedure", "code", REPORTED, ASSESSMENT[0]))
    plans = [day(_last(one)) for one in chart.of("CarePlan") if one.get("status") == "active"]
    return {
        "care_plan_revised": latest(iter([*_days(chart, "care-plan-revision"), *plans])),
        "care_conference": latest(_days(chart, "care-conference")),
        "assessment_started": latest(day(one.get("performedPeriod", {}).get("start")) for one in assessments),
        "assessment_completed": latest(when(one) for one in assessments if one.get("status") == "completed"),
        "last_encounter": latest(when(one) for one in met),
        **_counts(chart, report, met),
    }


def _days(chart: Chart, code: str) -> Iterator[str]:
    return (when(one) for one in chart.with_code("Procedure", "code", REPORTED, code))


def _encounters(chart: Chart, report: Report) -> Iterator[Resource]:
    for one in chart.of("Encounter"):
        is_theirs = points_at(one.get("serviceProvider"), report.reference)
        if one.get("status") == "finished" and (is_theirs or _is_reported(one)) and when(one) <= report.end:
            yield one


def _is_reported(encounter: Resource) -> bool:
    return any(code_of(encounter.get("type"), REPORTED, code) for code in (LAST_ENCOUNTER[0], OUTREACH[0]))


def _counts(chart: Chart, report: Report, met: list[Resource]) -> Facts:
    classes = [str(one.get("class", {}).get("code", "")) for one in met if report.covers(when(one))]
    known = [code for code in classes if code != UNKNOWN_CLASS]
    if known:
        virtual = known.count(VIRTUAL)
        return {"in_person": len(known) - virtual, "telephonic": virtual}
    return {fact: _counted(chart, code, report) for fact, (code, _) in COUNTS.items()}


def _counted(chart: Chart, code: str, report: Report) -> int | None:
    span = {"start": report.start, "end": report.end}
    found = chart.with_code("Observation", "code", REPORTED, code)
    return next((one.get("valueInteger") for one in found if one.get("effectivePeriod") == span), None)


def _observed(chart: Chart) -> Facts:
    facts: Facts = {}
    for one in chart.with_code("Observation", "code", POPULATION):
        word = code_of(one.get("code"), POPULATION)
        facts["pof_" + word.replace("-", "_")] = one.get("valueBoolean")
    for one in chart.with_code("Observation", "code", REPORTED, "population-of-focus"):
        concept = one.get("valueCodeableConcept", {})
        facts["pof"] = code_of(concept, POPULATION) or concept.get("text")
    for fact, (code, _) in (("homeless", HOMELESS), ("acuity", ACUITY)):
        for one in chart.with_code("Observation", "code", REPORTED, code):
            facts[fact] = one.get("valueBoolean", one.get("valueString"))
    return facts


def housing(chart: Chart) -> Facts:
    """Where an Observation says it."""
    for one in reversed(list(chart.with_code("Observation", "code", REPORTED, HOUSED[0]))):
        kinds = [part.get("valueString") for part in one.get("component", ())]
        return {
            "housed": one.get("valueBoolean"),
            "housed_on": day(one.get("effectiveDateTime")),
            "housing_type": next(iter(kinds), ""),
        }
    return {}
