"""Older and newer facts of one kind -> what is known.

Rules: HL7 v2.5.1 chapter 2.7.2: empty fields leave what was known; `""` takes it away.
Refuses: nothing.
"""

from dataclasses import fields
from typing import Any, TypeVar

from fhir_mappings.adt.records import PatientFields, VisitFields

Record = TypeVar("Record", PatientFields, VisitFields)

_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in (PatientFields, VisitFields)}


def merged(older: Record, newer: Record) -> Record:
    """What the newer record says, else what the older said (None says nothing, DELETE is kept as such)."""
    said: dict[str, Any] = {}
    for name in _NAMES[type(newer)]:
        value = getattr(newer, name)
        said[name] = getattr(older, name) if value is None else value
    return type(newer)(**said)
