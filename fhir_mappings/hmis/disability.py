"""Disabilities.csv -> one Observation a client and type: what was said last of it.

Rules: HUD 4.05 to 4.10. A client is asked again at each stage, so the latest InformationDate counts. It is what the
client said and nobody confirmed: status preliminary, performer the client, and never a Condition.
Labels: HIV/AIDS is HIV, a mental health disorder PSY, a substance use disorder SUD; under 42 CFR Part 2 only where
the project is such a program (labels.py). Types 5 to 9 are answered with yes and no (1.8), type 10 with its own
list. T-cell counts and viral loads are kept, and not mapped.
Refuses: codes without a row (Unmapped).
"""

from typing import Any

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.client_rows import ClientRows, latest
from fhir_mappings.hmis.labels import of_code
from fhir_mappings.hmis.observations import ERROR, PRELIMINARY, component, observation
from fhir_mappings.hmis.systems import DISABILITY, SOCIAL_HISTORY, own_code
from hub.feeds.records import Kept, Resource

NOUN = "disability"
TYPES, YES_NO, SUBSTANCES = "1.3", "1.8", "4.10.2"
SUBSTANCE_USE = "10"
LASTING = own_code("disability-long-term", "Long term, and impairs living independently")


def disabilities(rows: ClientRows, patient: str) -> list[Resource]:
    """Raises Unmapped."""
    found: dict[str, list[Kept]] = {}
    for row in rows.all("Disabilities"):
        found.setdefault(row.values["DisabilityType"], []).append(row)
    told = (latest(rows, some) for _, some in sorted(found.items()))
    return [_made(row, rows, patient) for row in told if row]


def _made(row: Kept, rows: ClientRows, patient: str) -> Resource:
    kind, said = row.values["DisabilityType"], row.values["DisabilityResponse"]
    words = code_lists.label(TYPES, kind, "DisabilityType")
    answers = SUBSTANCES if kind == SUBSTANCE_USE else YES_NO
    value: dict[str, Any] = code_lists.valued(answers, said, "DisabilityResponse")
    if lasting := row.values.get("IndefiniteAndImpairs"):
        value["component"] = [component(LASTING, code_lists.valued(YES_NO, lasting, "IndefiniteAndImpairs"))]
    return observation(
        rows.subject.feed,
        NOUN,
        f"{rows.personal_id}-{kind}",
        patient,
        code=({"system": code_lists.system(TYPES), "code": kind, "display": words},),
        effective=row.values["InformationDate"],
        value=value,
        labels=rows.labels_of(row) | of_code(TYPES, kind),
        status=PRELIMINARY if rows.counts(row) else ERROR,
        categories=(SOCIAL_HISTORY, DISABILITY),
    )
