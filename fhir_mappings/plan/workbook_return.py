"""A provider's return file -> where the member stands: EpisodeOfCare, CareTeam, what was done, the referral's Task.

Rules: docs/plan-workbooks.md "Return files"; DHCS' closed-loop referrals: three elements of the monthly return file
- The newest row of a member says the state; dates of work add up over the months, and each is said once.
- Numbers of discontinuation mean what the layout's table says; without a row the member waits.
- The three closed-loop elements are a Task's businessStatus, lastModified and statusReason. `closed` is completed
  where services were received, else cancelled.
Refuses (Waiting): a loop that is closed without a reason.
"""

from collections.abc import Iterator, Sequence

from fhir_mappings.plan.workbook_assignment import authorization, care_team, episode, practitioner
from fhir_mappings.plan.workbook_elements import Element, coding, concept, filled, own_identifier, period, provider
from fhir_mappings.plan.workbook_keys import Values
from fhir_mappings.plan.workbook_observed import counts, observed
from fhir_mappings.plan.workbook_outreach import attempts
from fhir_mappings.plan.workbook_person import newest, when
from fhir_mappings.plan.workbook_terms import (
    ACTIVITIES,
    ASSESSMENT,
    CLOSURE_REASON,
    ENGAGEMENT,
    ENGAGEMENT_EXTENSION,
    ENGAGEMENTS,
    LAST_ENCOUNTER,
    NULL_FLAVOR,
    REFERRAL_STATUS,
    REFERRALS,
    REPORTED,
    SERVICES_RECEIVED,
)
from hub.feeds.records import Feed, Kept, Resource, Subject, Waiting
from hub.fhir.systems import COMMUNITY_SUPPORT, TASK_CODE

Made = dict[tuple[str, ...], Resource]


def ecm(subject: Subject, patient: str) -> Sequence[Resource]:
    """Of an ECM provider's file, or of an activity log."""
    if subject.key.startswith("lead/"):
        return [practitioner(row, subject.feed) for row in subject.rows]
    row, feed = newest(subject), subject.feed
    team = care_team(row, patient, feed, is_sender=True)
    enrolled = [episode(row, patient, feed, is_sender=True)] if _is_enrolment(row.values) else []
    return [*enrolled, *([team] if team and enrolled else []), *_rest(subject, row, patient)]


def outreach(subject: Subject, patient: str) -> Sequence[Resource]:
    """Of an outreach tracker."""
    return list(attempts(subject, patient))


def community_support(subject: Subject, patient: str) -> Sequence[Resource]:
    """Of a Community Supports provider's file: an episode an authorization."""
    found: dict[str, Kept] = {}
    for row in sorted(subject.rows, key=lambda row: (not row.deleted, when(row.values))):
        found[str(row.values.get("authorization_number", ""))] = row
    episodes = [_support(row, number, patient, subject.feed) for number, row in found.items()]
    return [*episodes, *_rest(subject, newest(subject), patient)]


def _is_enrolment(values: Values) -> bool:
    return any(values.get(fact) for fact in ("status", "start", "end", "discontinued"))


def _rest(subject: Subject, row: Kept, patient: str) -> Iterator[Resource]:
    feed = subject.feed
    yield from done(subject, patient)
    yield from observed(row, patient, feed)
    yield from counts(subject, patient)
    yield from attempts(subject, patient)
    yield from loops(subject, patient)


def _support(row: Kept, number: str, patient: str, feed: Feed) -> Resource:
    values, word = row.values, row.values.get("status", "")
    status, display = ENGAGEMENTS[word] if word else ("active", "")
    support = str(feed.options.get("community_support", ""))
    said = {"url": ENGAGEMENT_EXTENSION, "valueCoding": coding(ENGAGEMENT, word, display)}
    member = str(values.get("cin") or values.get("mrn"))
    return filled(
        {
            "resourceType": "EpisodeOfCare",
            "extension": [said] if word else [],
            "identifier": [
                own_identifier(feed, "community-support", feed.kind, member, number),
                *authorization(feed, number),
            ],
            "status": "finished" if row.deleted else status,
            "type": [concept(COMMUNITY_SUPPORT, support, text="Community Support")],
            "patient": {"reference": patient},
            "managingOrganization": provider(values, feed, is_sender=True),
            "period": period(values.get("start"), values.get("end")),
        }
    )


def done(subject: Subject, patient: str) -> Iterator[Resource]:
    """Revisions, conferences, assessments and encounters: each day of them once. Rows that are left say it."""
    made: Made = {}
    for row in sorted(subject.rows, key=lambda row: (row.deleted, when(row.values))):
        for key, resource in _done(row, patient, subject.feed):
            if not row.deleted or key not in made:
                made[key] = resource
    return iter(made.values())


def _done(row: Kept, patient: str, feed: Feed) -> Iterator[tuple[tuple[str, ...], Resource]]:
    values = row.values
    for fact, what in ACTIVITIES.items():
        if day := values.get(fact):
            yield (fact, day), _procedure(row, (fact, day), what, {"performedDateTime": day}, patient, feed)
    yield from _assessments(row, patient, feed)
    if day := values.get("last_encounter"):
        yield ("last_encounter", day), _encounter(row, day, patient, feed)


def _assessments(row: Kept, patient: str, feed: Feed) -> Iterator[tuple[tuple[str, ...], Resource]]:
    """Begun and ended are one assessment, unless it began after the last one ended."""
    begun, ended = row.values.get("assessment_started"), row.values.get("assessment_completed")
    one = [(begun, ended)] if not (begun and ended) or begun <= ended else [(None, ended), (begun, None)]
    for start, end in one:
        if start or end:
            key = ("assessment", str(start or end))
            is_when = {"performedPeriod": period(start, end)} if start else {"performedDateTime": end}
            status = "completed" if end else "in-progress"
            yield key, _procedure(row, key, ASSESSMENT, is_when, patient, feed, status)


def _procedure(
    row: Kept,
    key: tuple[str, ...],
    what: tuple[str, str],
    is_when: Element,
    patient: str,
    feed: Feed,
    status: str = "completed",
) -> Resource:
    return filled(
        {
            "resourceType": "Procedure",
            "identifier": [_own(feed, "activity", row.values, *key)],
            "status": "entered-in-error" if row.deleted else status,
            "code": concept(REPORTED, *what),
            "subject": {"reference": patient},
            **is_when,
        }
    )


def _encounter(row: Kept, day: str, patient: str, feed: Feed) -> Resource:
    """How they met is not said."""
    return filled(
        {
            "resourceType": "Encounter",
            "identifier": [_own(feed, "encounter", row.values, day)],
            "status": "entered-in-error" if row.deleted else "finished",
            "class": coding(NULL_FLAVOR, "UNK"),
            "type": [concept(REPORTED, *LAST_ENCOUNTER)],
            "subject": {"reference": patient},
            "period": {"start": day, "end": day},
            "serviceProvider": provider(row.values, feed, is_sender=True),
        }
    )


def _own(feed: Feed, noun: str, values: Values, *parts: str) -> Element:
    return own_identifier(feed, noun, feed.kind, str(values.get("cin") or values.get("mrn")), *parts)


def loops(subject: Subject, patient: str) -> Iterator[Resource]:
    """The referral of each authorization as it stands now."""
    found: dict[str, Kept] = {}
    rows = [row for row in subject.rows if row.values.get("referral_status")]
    for row in sorted(rows, key=lambda row: (not row.deleted, row.values.get("referral_status_date", ""))):
        found[str(row.values.get("authorization_number", ""))] = row
    return (_loop(row, number, patient, subject.feed) for number, row in found.items())


def _loop(row: Kept, number: str, patient: str, feed: Feed) -> Resource:
    values, reason = row.values, row.values.get("loop_closure_reason", "")
    return filled(
        {
            "resourceType": "Task",
            "identifier": [_own(feed, "referral-loop", values, number), *authorization(feed, number)],
            "status": "entered-in-error" if row.deleted else _status(values["referral_status"], reason),
            "statusReason": concept(CLOSURE_REASON, reason) if reason else {},
            "businessStatus": concept(REFERRAL_STATUS, values["referral_status"]),
            "intent": "order",
            "code": concept(TASK_CODE, "fulfill"),
            "for": {"reference": patient},
            "lastModified": values.get("referral_status_date"),
            "owner": provider(values, feed, is_sender=True),
        }
    )


def _status(word: str, reason: str) -> str:
    """Of a word of a local layout that this table does not have, the Task says no more than that it goes on."""
    if word != "closed":
        return REFERRALS.get(word, "in-progress")
    if not reason:
        raise Waiting("the referral loop is closed, and no reason is said", "Reason for Referral Loop Closure")
    return "completed" if reason == SERVICES_RECEIVED else "cancelled"
