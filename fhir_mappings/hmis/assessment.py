"""Assessment.csv with AssessmentResults.csv -> Observation: an assessment of Coordinated Entry.

Rules: HUD 4.19. The value is whether the client came on the prioritization list; how and at which level is a
component, and so is each result, in the words of the CoC. Questions and answers are kept, and not mapped: each CoC
has its own, and nothing tells what is sensitive in them.
Refuses: codes without a row (Unmapped).
"""

from typing import Any

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.client_rows import ClientRows
from fhir_mappings.hmis.observations import ERROR, FINAL, component, observation
from fhir_mappings.hmis.systems import SDOH, SURVEY, own_code
from hub.feeds.records import Kept, Resource

NOUN = "assessment"
CODE = own_code("coordinated-entry-assessment", "Coordinated Entry assessment")
PARTS = (
    ("AssessmentType", "4.19.3", own_code("assessment-type", "How the assessment was made")),
    ("AssessmentLevel", "4.19.4", own_code("assessment-level", "Level of the assessment")),
)


def assessments(rows: ClientRows, patient: str) -> list[Resource]:
    """Raises Unmapped."""
    results: dict[str, list[Kept]] = {}
    for row in rows.of("AssessmentResults"):
        results.setdefault(row.values["AssessmentID"], []).append(row)
    return [_made(row, results.get(row.key, []), rows, patient) for row in rows.all("Assessment")]


def _made(row: Kept, results: list[Kept], rows: ClientRows, patient: str) -> Resource:
    value: dict[str, Any] = code_lists.valued("4.19.7", row.values["PrioritizationStatus"], "PrioritizationStatus")
    value["component"] = [
        *(component(code, code_lists.valued(codes, row.values[column], column)) for column, codes, code in PARTS),
        *(_result(one) for one in results if one.values.get("AssessmentResult")),
    ]
    return observation(
        rows.subject.feed,
        NOUN,
        row.key,
        patient,
        code=(CODE,),
        effective=row.values["AssessmentDate"],
        value=value,
        labels=rows.labels_of(row),
        status=FINAL if rows.counts(row) else ERROR,
        categories=(SURVEY, SDOH),
    )


def _result(row: Kept) -> Resource:
    words = row.values.get("AssessmentResultType") or "Result"
    return {"code": {"text": words}, "valueString": row.values["AssessmentResult"]}
