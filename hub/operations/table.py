"""Every operation the API has, as one table: requests, the CapabilityStatement and the tests read it.

Rules: https://hl7.org/fhir/R4/operations.html
Refuses: names that no row has (404), and those that another type or level has (400), both `not-supported`.
"""

from hub.operations import (
    attribution,
    bulk_import,
    disclosures,
    docref,
    everything,
    explain_access,
    explain_clock,
    export,
    match,
    member_add,
    member_match,
    merging,
    meta,
    process_message,
    subscriptions,
    terminology,
    validate,
    versions,
)
from hub.operations.call import Operation
from hub.problems import Problem

OPERATIONS: tuple[Operation, ...] = (
    *everything.ROWS,
    *export.ROWS,
    *bulk_import.ROWS,
    *validate.ROWS,
    *meta.ROWS,
    *docref.ROWS,
    *versions.ROWS,
    *disclosures.ROWS,
    *explain_access.ROWS,
    *explain_clock.ROWS,
    *match.ROWS,
    *member_match.ROWS,
    *member_add.ROWS,
    *attribution.ROWS,
    *merging.ROWS,
    *subscriptions.ROWS,
    *process_message.ROWS,
    *terminology.ROWS,
)


def find(name: str, level: str, resource_type: str) -> Operation:
    """The row that serves this call. Raises Problem."""
    named = [row for row in OPERATIONS if row.name == name]
    for row in named:
        if row.serves(level, resource_type):
            return row
    if not named:
        raise Problem("unknown-type", f"There is no operation '${name[:64]}' here")
    places = ", ".join(place for row in named for place in _places(row))
    raise Problem("not-supported", f"${name} is served at {places}")


def _places(row: Operation) -> list[str]:
    below = {"system": "", "type": "[type]/", "instance": "[type]/[id]/", "version": "[type]/[id]/_history/[n]/"}
    types = row.types or ("[type]",)
    return [f"{below[level].replace('[type]', kind)}${row.name}" for level in row.levels for kind in types]


def offered(
    level_is_system: bool, resource_type: str = "", levels: tuple[str, ...] = ("type", "instance")
) -> list[dict[str, str]]:
    """What a CapabilityStatement lists for the system, or for a type at these levels."""
    levels = ("system",) if level_is_system else levels
    return [
        {"name": row.name, "definition": row.definition}
        for row in OPERATIONS
        if any(row.serves(level, resource_type) for level in levels)
    ]
