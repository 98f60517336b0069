"""What a list or return file says of a member beside the enrolment -> Observations: populations, housing, counts.

Rules: docs/plan-workbooks.md; https://hl7.org/fhir/R4/observation.html
- The state of the newest row; only counts keep one Observation a reporting period.
- A population that tells of mental health or substance use has their labels; so has one in words that no table of
  the layout knows, for they may say the same.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_mappings.plan.workbook_elements import Element, concept, filled, own_identifier, period
from fhir_mappings.plan.workbook_keys import Values
from fhir_mappings.plan.workbook_terms import (
    ACUITY,
    COUNTS,
    GUARDED,
    HOMELESS,
    HOUSED,
    POPULATION,
    POPULATIONS,
    REPORTED,
    SENSITIVE,
    labels,
)
from hub.feeds.records import Feed, Kept, Resource, Subject

POF = "pof_"


def observed(newest: Kept, patient: str, feed: Feed) -> Iterator[Resource]:
    """The state that the newest row says."""
    made = _Making(newest, patient, feed)
    yield from _populations(made)
    yield from _states(made)


def counts(subject: Subject, patient: str) -> Iterator[Resource]:
    """How often in each reporting period; of several rows of one the last."""
    found: dict[tuple[str, str], Kept] = {}
    for row in subject.rows:
        for fact in COUNTS:
            if fact in row.values:
                found[fact, str(row.values.get("reporting_period", ""))] = row
    for (fact, reported), row in found.items():
        made = _Making(row, patient, subject.feed)
        yield made.observation((fact, reported), concept(REPORTED, *COUNTS[fact]), "valueInteger", row.values[fact])


class _Making:
    """Observations of one row."""

    def __init__(self, row: Kept, patient: str, feed: Feed):
        self.row, self.patient, self.feed = row, patient, feed

    def observation(
        self, key: tuple[str, ...], code: Element, name: str, value: Any, security: tuple[str, ...] = ()
    ) -> Resource:
        values = self.row.values
        member = str(values.get("cin") or values.get("mrn"))
        return filled(
            {
                "resourceType": "Observation",
                "meta": {"security": labels(security)} if security else {},
                "identifier": [own_identifier(self.feed, "observation", self.feed.kind, member, *key)],
                "status": "entered-in-error" if self.row.deleted else "final",
                "code": code,
                "subject": {"reference": self.patient},
                **_when(values),
                name: value,
            }
        )


def _when(values: Values) -> dict[str, Any]:
    start, found, end = str(values.get("reporting_period", "")).partition("/")
    if found and len(start) == 10:
        return {"effectivePeriod": period(start, end)}
    day = values.get("production_date")
    return {"effectiveDateTime": day} if day else {}


def _populations(made: _Making) -> Iterator[Resource]:
    values = made.row.values
    for fact, word in _FLAGS.items():
        if fact in values:
            code = concept(POPULATION, word, POPULATIONS[word])
            yield made.observation((fact,), code, "valueBoolean", values[fact], SENSITIVE.get(word, ()))
    text, word = values.get("pof_text", ""), values.get("pof", "")
    if word:
        said = concept(POPULATION, word, POPULATIONS.get(word, ""))
        guarded = SENSITIVE.get(word, ()) if word in POPULATIONS else GUARDED
        yield made.observation(("pof",), _POPULATION, "valueCodeableConcept", said, guarded)
    elif text:
        yield made.observation(("pof",), _POPULATION, "valueCodeableConcept", {"text": text}, GUARDED)


_POPULATION = concept(REPORTED, "population-of-focus", "Population of Focus")
_FLAGS: Mapping[str, str] = {POF + word.replace("-", "_"): word for word in POPULATIONS}


def _states(made: _Making) -> Iterator[Resource]:
    values = made.row.values
    if "homeless" in values:
        yield made.observation(("homeless",), concept(REPORTED, *HOMELESS), "valueBoolean", values["homeless"])
    if values.get("acuity"):
        yield made.observation(("acuity",), concept(REPORTED, *ACUITY), "valueString", values["acuity"])
    if "housed" in values:
        yield _housed(made)


def _housed(made: _Making) -> Resource:
    """Since when, if the row says it; in which kind of housing as a component."""
    values = made.row.values
    found = made.observation(("housed",), concept(REPORTED, *HOUSED), "valueBoolean", values["housed"])
    if values.get("housed_on"):
        found.pop("effectivePeriod", None)
        found["effectiveDateTime"] = values["housed_on"]
    if values.get("housing_type"):
        found["component"] = [{"code": {"text": "Housing type"}, "valueString": values["housing_type"]}]
    return found
