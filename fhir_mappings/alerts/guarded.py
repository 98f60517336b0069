"""What the security labels of a message guard: none of them is lost on the way in.

Rules: https://hl7.org/fhir/R4/security-labels.html; docs/labels.md. A message is as sensitive as the most sensitive
of its resources (high-water mark): a visit, its diagnoses and what is said of the person stand and fall together.
42CFRPart2 makes it a record of a program, like one of a facility that is a program. What has a reason in the hub's
table keeps it; `R` without one is restricted without a reason, and a label that nobody knows may mean anything.
Refuses: nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.fhir.systems import ACT_CODE
from hub.rights.label_table import LABELS, PART2, RESTRICTED, SILENT, own

Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Guards:
    """`labels` are codes of v3-ActCode; `restricted`: `R` stands there."""

    part2: bool = False
    labels: tuple[str, ...] = ()
    restricted: bool = False


def guards(bundle: Resource) -> Guards:
    """Of all that the message holds."""
    masks = [own(coding) for coding in _security(bundle) if coding.get("system") not in SILENT]
    reasons = {label.codes[0]: label.bit for label in LABELS if label.codes and label.system == ACT_CODE}
    told = [code for code, bit in reasons.items() if bit != PART2 and any(mask & bit for mask in masks)]
    known = sum(reasons.values())
    return Guards(
        any(mask & PART2 for mask in masks),
        tuple(told),
        any(mask & ~known or mask & RESTRICTED for mask in masks),
    )


def _security(bundle: Resource) -> Iterator[Resource]:
    resources = [bundle, *(entry.get("resource", {}) for entry in bundle.get("entry", ()))]
    for one in (*resources, *(held for each in resources for held in each.get("contained", ()))):
        yield from one.get("meta", {}).get("security", ())
