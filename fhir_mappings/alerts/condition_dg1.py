"""The Conditions of a notification -> DG1.

Rules: http://hl7.org/fhir/us/davinci-alerts/StructureDefinition/adt-notification-condition (1.1.0): those of this
Encounter, and those that its diagnosis names; v2-to-FHIR IG 1.0.0, segment map DG1[Condition], read backwards.
Refuses: dates that are none (Unreadable); a code of a system without a row waits as `unmapped`, as for DG1-3: a
code that nobody can read is not labelled either.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.records import CWE, Diagnosis
from fhir_mappings.alerts.codes import cwe, named
from fhir_mappings.alerts.datatypes import dtm
from fhir_mappings.alerts.message import Notification

Resource = Mapping[str, Any]
IN_ERROR = "entered-in-error"


def diagnoses(told: Notification, tables: CodeTables) -> tuple[Diagnosis, ...]:
    """Raises Unreadable."""
    found = list(_found(told))
    return tuple(_diagnosis(condition, row, tables) for condition, row in found if condition.get("code"))


def _found(told: Notification) -> Iterator[tuple[Resource, Resource]]:
    """Each Condition with its row of Encounter.diagnosis, or with none."""
    seen: list[Resource] = []
    for row in told.encounter.get("diagnosis", ()):
        condition = told.entries.find(row.get("condition"), "Condition")
        if condition is not None:
            seen.append(condition)
            yield condition, row
    for condition in told.entries.of_type("Condition"):
        of = told.entries.find(condition.get("encounter"), "Encounter")
        if of is told.encounter and not any(condition is one for one in seen):
            yield condition, {}


def _diagnosis(condition: Resource, row: Resource, tables: CodeTables) -> Diagnosis:
    status = {one.get("code") for one in condition.get("verificationStatus", {}).get("coding", ())}
    rank = row.get("rank")
    return Diagnosis(
        code=named(tables, condition["code"]),
        at=dtm(condition.get("recordedDate"), "Condition.recordedDate"),
        type=cwe(tables, "0052", row.get("use")),
        priority=CWE(str(rank)) if rank else None,
        action=CWE("D") if IN_ERROR in status else None,
    )
