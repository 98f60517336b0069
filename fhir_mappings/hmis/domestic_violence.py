"""HealthAndDV.csv -> one Observation a client: what was said last of domestic violence.

Rules: HUD 4.11; label SDV always: never on a roster, and only to whom a consent names beside the release. The
latest InformationDate counts. Health statuses and pregnancy are kept, and not mapped (docs/hmis-mapping.md).
Refuses: codes without a row (Unmapped).
"""

from typing import Any

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.client_rows import ClientRows
from fhir_mappings.hmis.observations import ERROR, PRELIMINARY, component, observation
from fhir_mappings.hmis.systems import own_code
from hub.feeds.records import Resource

NOUN = "domestic-violence"
CODE = own_code(NOUN, "Survivor of domestic violence, as the client said")
# column, list, code and words of the component
PARTS = (
    ("WhenOccurred", "4.11.A", own_code("domestic-violence-when", "When it happened")),
    ("CurrentlyFleeing", "1.8", own_code("domestic-violence-fleeing", "Currently fleeing")),
)


def domestic_violence(rows: ClientRows, patient: str) -> list[Resource]:
    """At most one. Raises Unmapped."""
    row = rows.latest("HealthAndDV")
    if row is None:
        return []
    value: dict[str, Any] = code_lists.valued(
        "1.8", row.values.get("DomesticViolenceSurvivor", ""), "DomesticViolenceSurvivor"
    )
    parts = [
        component(code, code_lists.valued(codes, said, column))
        for column, codes, code in PARTS
        if (said := row.values.get(column))
    ]
    if parts:
        value["component"] = parts
    made = observation(
        rows.subject.feed,
        NOUN,
        rows.personal_id,
        patient,
        code=(CODE,),
        effective=row.values["InformationDate"],
        value=value,
        labels=rows.labels_of(row) | {"SDV"},
        status=PRELIMINARY if rows.counts(row) else ERROR,
    )
    return [made]
