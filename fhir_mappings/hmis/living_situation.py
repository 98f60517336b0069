"""Where a client lived: Enrollment.LivingSituation, CurrentLivingSituation, Exit.Destination -> Observation.

Rules: HUD 3.917, 4.12, 3.12; LOINC 71802-3 (Housing status) beside the hub's own code, which says which of the
three it is. The value is HUD's code. `Client doesn't know` and the like are a dataAbsentReason; so is an empty
cell, because a value that was there before must go. A prior living situation is that of the night before the entry
and is dated on it. Refuses: codes without a row (Unmapped).
"""

from dataclasses import dataclass
from typing import Final

from fhir_mappings.hmis import code_lists
from fhir_mappings.hmis.client_rows import ClientRows
from fhir_mappings.hmis.labels import of_code
from fhir_mappings.hmis.observations import ERROR, FINAL, observation
from fhir_mappings.hmis.systems import HOUSING_STATUS, own_code
from hub.feeds.records import Kept, Resource


@dataclass(frozen=True, slots=True)
class Situation:
    """A column that says where somebody lived."""

    kind: str
    column: str
    dated: str
    codes: str
    noun: str
    display: str


SITUATIONS: Final = (
    Situation("Enrollment", "LivingSituation", "EntryDate", "3.917", "prior-living-situation",
              "Living situation before project entry"),
    Situation("CurrentLivingSituation", "CurrentLivingSituation", "InformationDate", "4.12",
              "current-living-situation", "Current living situation"),
    Situation("Exit", "Destination", "ExitDate", "3.12", "exit-destination", "Destination at project exit"),
)  # fmt: skip


def situations(rows: ClientRows, patient: str) -> list[Resource]:
    """An observation for each row of the three. Raises Unmapped."""
    return [_made(one, row, rows, patient) for one in SITUATIONS for row in rows.all(one.kind)]


def _made(one: Situation, row: Kept, rows: ClientRows, patient: str) -> Resource:
    code = row.values.get(one.column, "")
    return observation(
        rows.subject.feed,
        one.noun,
        row.key,
        patient,
        code=(own_code(one.noun, one.display), HOUSING_STATUS),
        effective=row.values[one.dated],
        value=code_lists.valued(one.codes, code, one.column),
        labels=rows.labels_of(row) | of_code(one.codes, code),
        status=FINAL if rows.counts(row) else ERROR,
    )
