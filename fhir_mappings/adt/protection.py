"""PV2-22 and PD1-12 (Y) -> meta.security: what the hospital protects is guarded here, too.

Rules: v2-to-FHIR IG 1.0.0, segment map PV2[Encounter] (PV2-22 is meta.security) and table 0136; PD1-12, which the
guide does not map, likewise. Y is the confidentiality R: restricted, without a reason, which docs/labels.md guards
as if anything could be its reason: nobody sees it without a consent or broken glass.
- PV2-22: the Encounter and its Conditions. PD1-12: those, and what else this feed tells of the person. A Patient
  of another source has no label of this one: others see the member as before.
- N gives no label. A label that was once given stays (labels never fall): a person must take it away.
Refuses: codes without a row in table 0136 (UnmappedCode).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fhir_mappings.adt.records import CWE, AdtMessage, Maybe, given
from fhir_mappings.adt.rows import Context
from hub.fhir.systems import CONFIDENTIALITY

RESTRICTED = ("R", "V")


def of_the_person(ordered: Sequence[AdtMessage], context: Context) -> Context:
    """The context for what these messages, in order, tell of the person: by PD1-12, whose newest word counts."""
    said = (message.patient.protection for message in reversed(ordered))
    return _guarded(context, next((word for word in said if word is not None), None), "PD1-12")


def of_the_visit(protection: Maybe[CWE], context: Context) -> Context:
    """The context for the visit: by PV2-22, and whatever guards the person."""
    return _guarded(context, protection, "PV2-22")


def _guarded(context: Context, word: Maybe[CWE], where: str) -> Context:
    code = given(word)
    if code is None or context.tables.code("0136", code.code, where) != "true":
        return context
    return replace(context, facility=replace(context.facility, protected=True))


def protected_patient(current: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The Patient of this feed, with its label where it has to have one."""
    meta = current.get("meta", {})
    held = list(meta.get("security", ()))
    has_one = any(c.get("system") == CONFIDENTIALITY and c.get("code") in RESTRICTED for c in held)
    if has_one or not context.facility.protected:
        return dict(current)
    added = [{"system": CONFIDENTIALITY, "code": "R"}]
    return {**current, "meta": {**meta, "security": held + added}}
