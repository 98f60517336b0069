"""A row of hmis-roi -> Consent of the form hmis-roi: the only thing that opens what an HMIS says of a person.

Rules: docs/hmis.md "Consent"; docs/consent.md. An agency is named by the feed's option `agencies`: its name in the
file -> the Organization of this hub. A release counts from its start to its end, or to the day on which it was
revoked; a revoked one, or a row that was taken back, is inactive at once. A refusal denies to everybody.
A verbal release is an interim one: it counts like a written one until its end, which a feed may bring nearer
(`verbal_days`).
Refuses: an agency that the feed's options do not name (Unmapped): until somebody does, nothing is open.
"""

from datetime import date, timedelta
from typing import Any, Final

from fhir_mappings.hmis.labels import HMIS, labelled
from fhir_mappings.hmis.systems import of_feed
from hub.feeds.records import Feed, Kept, Resource, Subject, Unmapped
from hub.fhir.systems import ACT_CODE, OWN

KIND = "Release"
NOUN = "release-of-information"
FORM = "urn:calaim-fhir-hub:consent-form:hmis-roi"
AGENCIES, VERBAL_DAYS = "agencies", "verbal_days"  # options of the feed
TABLE = "agencies of the feed"
WRITTEN, VERBAL, REFUSED = "written", "verbal", "refused"
GIVEN_AS: Final = OWN + "CodeSystem/hmis-release"
SCOPE: Final = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
RECIPIENT: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}


def about(subject: Subject) -> str | None:
    """The PersonalID."""
    found = subject.rows[0].values.get("PersonalID")
    return str(found) if found else None


def consents(subject: Subject, patient: str) -> list[Resource]:
    """Raises Unmapped."""
    return [_consent(row, subject.feed, patient) for row in subject.rows]


def _consent(row: Kept, feed: Feed, patient: str) -> Resource:
    values = row.values
    is_over = row.deleted or "Revoked" in values
    made: Resource = {
        "resourceType": "Consent",
        "identifier": [{"system": of_feed(feed, NOUN), "value": row.key}],
        "status": "inactive" if is_over else "active",
        "scope": {"coding": [dict(SCOPE)]},
        "category": [
            {"coding": [{"system": ACT_CODE, "code": "IDSCL"}]},
            {"coding": [{"system": GIVEN_AS, "code": values["Form"]}]},
        ],
        "patient": {"reference": patient},
        "dateTime": values["Start"],
        "performer": [{"reference": patient}],
        "policy": [{"uri": FORM}],
        "provision": _provision(values, feed, is_over),
    }
    return labelled(made)


def _provision(values: Any, feed: Feed, is_over: bool) -> Resource:
    label = {"securityLabel": [dict(HMIS)]}
    if values["Form"] == REFUSED:
        return {"type": "deny", **label}
    actors = _actors(values, feed, is_over)
    return {"type": "permit", "period": _period(values, feed), **({"actor": actors} if actors else {}), **label}


def _period(values: Any, feed: Feed) -> dict[str, str]:
    ends = [values["End"], *([values["Revoked"]] if "Revoked" in values else [])]
    if values["Form"] == VERBAL and (days := feed.options.get(VERBAL_DAYS)):
        ends.append((date.fromisoformat(values["Start"]) + timedelta(days=int(days))).isoformat())
    return {"start": values["Start"], "end": max(values["Start"], min(ends))}


def _actors(values: Any, feed: Feed, is_over: bool) -> list[Resource]:
    """Of one that is over nobody needs to be known."""
    known = feed.options.get(AGENCIES, {})
    found = []
    for name in (one.strip() for one in values["Agencies"].split(";") if one.strip()):
        if name in known:
            found.append({"role": {"coding": [dict(RECIPIENT)]}, "reference": {"reference": known[name]}})
        elif not is_over:
            raise Unmapped(TABLE, name, "agencies")
    return found
