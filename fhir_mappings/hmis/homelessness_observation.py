"""What a client's rows say of homelessness -> an Observation, and one more for each label that some of it has.

Rules: docs/hmis.md "Homelessness". An Observation and no RiskAssessment: it tells what was recorded, and predicts
nothing; US Core readers ask for SDOH observations. `derivedFrom` are the observations of the rows that say so, a
component is a rule with the day from which on it holds, the note names rules and rows. The day of the observation
is the day on which the newest row was written: the evidence speaks of no later one.
What is sensitive is apart: the observation without a label is made of the rows without one, so that who may not see
the others cannot tell that they are there. Of what was taken back, the observation says not-shown.
Refuses nothing.
"""

from datetime import date
from typing import Any, Final

from fhir_mappings.hmis.client_rows import ClientRows
from fhir_mappings.hmis.domestic_violence import NOUN as DV_NOUN
from fhir_mappings.hmis.homelessness_evidence import (
    UNKNOWN,
    Evidence,
    Verdict,
    elsewhere,
    evidence,
    labels_of,
    spoken,
    verdict,
)
from fhir_mappings.hmis.homelessness_rules import AT_RISK, FLEEING, HOMELESS, HOUSED
from fhir_mappings.hmis.homelessness_rules import RULES as EVERY_RULE
from fhir_mappings.hmis.labels import NONE, Labels, of_code
from fhir_mappings.hmis.living_situation import SITUATIONS
from fhir_mappings.hmis.observations import component, observation, observed
from fhir_mappings.hmis.systems import RULES, VERDICTS, own_code
from hub.feeds.records import Resource

NOUN = "homelessness"
CODE = own_code(NOUN, "Evidence of homelessness in HMIS")
WORDS: Final = {
    HOMELESS: "Experiencing homelessness",
    AT_RISK: "At risk of losing housing within 14 days",
    FLEEING: "Fleeing domestic violence",
    HOUSED: "Housed",
    UNKNOWN: "No evidence of homelessness",
}


def homelessness(rows: ClientRows, patient: str) -> list[Resource]:
    """The observations of the client."""
    told = []
    for labels in _apart(rows):
        if as_of := spoken(rows, labels):
            moves = () if labels else elsewhere(rows, as_of)
            said = verdict(evidence(rows, as_of, labels), moves)
            told.append(_made(said, labels, as_of, rows, patient))
    return told


def _apart(rows: ClientRows) -> list[Labels]:
    """The sets of labels that rows have or had, none first: what one of them said once must not stay."""
    kinds = {rule.kind for rule in EVERY_RULE}
    return sorted({NONE, *(labels_of(row, rows) for kind in kinds for row in rows.all(kind))}, key=sorted)


def _made(said: Verdict, labels: Labels, as_of: date, rows: ClientRows, patient: str) -> Resource:
    words = WORDS[said.is_]
    value: dict[str, Any] = {
        "valueCodeableConcept": {
            "coding": [{"system": VERDICTS, "code": said.is_, "display": words}],
            "text": words,
        }
    }
    if said.evidence:
        value["component"] = [_component(one) for one in said.evidence]
        value["note"] = [
            {"text": "; ".join(f"{one.rule.id}: {one.row.kind}.csv {one.row.key}" for one in said.evidence)}
        ]
    feed = rows.subject.feed
    if derived := dict.fromkeys(place for one in said.evidence if (place := _source(one, rows))):
        value["derivedFrom"] = [observed(feed, *place) for place in derived]
    key = "+".join((rows.personal_id, *sorted(labels)))
    return observation(
        feed, NOUN, key, patient, code=(CODE,), effective=as_of.isoformat(), value=value, labels=labels
    )


def _source(one: Evidence, rows: ClientRows) -> tuple[str, str] | None:
    """Which observation the row is; None where it is none, or one that has more labels than the evidence."""
    if one.row.kind == "HealthAndDV":
        return DV_NOUN, rows.personal_id
    situation = next((each for each in SITUATIONS if each.kind == one.row.kind), None)
    if situation is None or of_code(situation.codes, one.row.values.get(situation.column, "")):
        return None
    return situation.noun, one.row.key


def _component(one: Evidence) -> Resource:
    code = {"system": RULES, "code": one.rule.id, "display": one.rule.says}
    return component(code, {"valueDateTime": one.day})
