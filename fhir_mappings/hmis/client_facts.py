"""Client.VeteranStatus and IncomeBenefits.Medicaid -> Observation: what the client said of itself.

Rules: HUD 3.07, 4.04. That somebody has Medicaid is no Coverage: the plan says who is a member. Of Medicaid the
latest InformationDate counts.
Refuses: codes without a row (Unmapped).
"""

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.client_rows import ClientRows
from fhir_mappings.hmis.labels import NONE
from fhir_mappings.hmis.observations import ERROR, PRELIMINARY, observation
from fhir_mappings.hmis.systems import SOCIAL_HISTORY, own_code
from hub.feeds.records import Resource

VETERAN, MEDICAID = "veteran-status", "medicaid-reported"


def client_facts(rows: ClientRows, patient: str) -> list[Resource]:
    """Raises Unmapped."""
    return [*_veteran(rows, patient), *_medicaid(rows, patient)]


def _veteran(rows: ClientRows, patient: str) -> list[Resource]:
    row = rows.client
    if row is None:
        return []
    made = observation(
        rows.subject.feed,
        VETERAN,
        row.key,
        patient,
        code=(own_code(VETERAN, "Veteran of the United States armed forces, as the client said"),),
        effective=row.values["DateUpdated"][:10],
        value=code_lists.valued("1.8", row.values["VeteranStatus"], "VeteranStatus"),
        labels=NONE,
        status=PRELIMINARY if rows.counts(row) else ERROR,
        categories=(SOCIAL_HISTORY,),
    )
    return [made]


def _medicaid(rows: ClientRows, patient: str) -> list[Resource]:
    row = rows.latest("IncomeBenefits")
    if row is None:
        return []
    made = observation(
        rows.subject.feed,
        MEDICAID,
        rows.personal_id,
        patient,
        code=(own_code(MEDICAID, "Has Medicaid, as the client said"),),
        effective=row.values["InformationDate"],
        value=code_lists.valued("1.8", row.values.get("Medicaid", ""), "Medicaid"),
        labels=rows.labels_of(row),
        status=PRELIMINARY if rows.counts(row) else ERROR,
        categories=(SOCIAL_HISTORY,),
    )
    return [made]
