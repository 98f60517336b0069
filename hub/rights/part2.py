"""42 CFR Part 2: what must travel with a record that is disclosed, and whose records it covers.

Rules: 42 CFR 2.32(a)(1) and (a)(2), as amended by 89 FR 12472 (https://www.ecfr.gov/current/title-42/section-2.32);
programs are those of 2.11 and 2.12, named by the deployment (HUB_PART2_PROGRAMS): a code alone does not make one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Resource = dict[str, Any]

# 2.32(a)(1)
NOTICE = (
    "This record which has been disclosed to you is protected by Federal confidentiality rules (42 CFR part "
    "2). These rules prohibit you from using or disclosing this record, or testimony that describes the "
    "information contained in this record, in any civil, criminal, administrative, or legislative proceedings "
    "by any Federal, State, or local authority, against the patient, unless authorized by the consent of the "
    "patient, except as provided at 42 CFR 2.12(c)(5) or as authorized by a court in accordance with 42 CFR "
    "2.64 or 2.65. In addition, the Federal rules prohibit you from making any other use or disclosure of "
    "this record unless at least one of the following applies: (i) Further use or disclosure is expressly "
    "permitted by the written consent of the individual whose information is being disclosed in this record "
    "or as otherwise permitted by 42 CFR part 2. (ii) You are a covered entity or business associate and have "
    "received the record for treatment, payment, or health care operations, or (iii) You have received the "
    "record from a covered entity or business associate as permitted by 45 CFR part 164, subparts A and E. A "
    "general authorization for the release of medical or other information is NOT sufficient to meet the "
    "required elements of written consent to further use or redisclose the record (see 42 CFR 2.31)."
)
# 2.32(a)(2)
SHORT_NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."

# DS4P 1.0.0: a marking that is to be shown with the resource, why a label was assigned, and what it rests on
DS4P = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/"
DISPLAY, BASIS = DS4P + "extension-display", DS4P + "extension-sec-label-basis"
RELATED = DS4P + "extension-sec-label-related-artifact"
NO_REDISCLOSURE = "NORDSCLCD"  # v3-ActCode: no redisclosure without consent directive
DISPLAYED: Resource = {"url": DISPLAY, "valueAnnotation": {"text": SHORT_NOTICE}}

_VERSION = "/_history/"


@dataclass(frozen=True, slots=True)
class Part2Sources:
    """The programs, by every name they have in a resource. `names`: references such as `Organization/harbor` or
    `Location/detox-unit`, and feeds as `meta.source` has them (without what follows `#`). `identifiers`:
    `system|value`, where a reference is by identifier, such as an NPI."""

    names: frozenset[str] = frozenset()
    identifiers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, programs: Iterable[str]) -> "Part2Sources":
        """From the setting: what holds a `|` is an identifier."""
        found = {program.strip() for program in programs} - {""}
        identifiers = frozenset(one for one in found if "|" in one)
        return cls(frozenset(found - identifiers), identifiers)

    def __bool__(self) -> bool:
        return bool(self.names or self.identifiers)

    def named(self, name: str) -> bool:
        """Is this source, feed or reference one of them? In any version, and at any server: who has the same type
        and id elsewhere is guarded too."""
        plain = name.partition("#")[0].partition(_VERSION)[0]
        return plain in self.names or "/".join(plain.rsplit("/", 2)[-2:]) in self.names


NO_PART2 = Part2Sources()


def without_notice(resource: Resource) -> Resource:
    """The resource without what `hub.release` added to a copy of it: who sends that copy back changes nothing."""
    meta = resource.get("meta")
    if not isinstance(meta, dict) or not isinstance(meta.get("security"), list):
        return resource
    security = [coding for coding in meta["security"] if not is_notice(coding)]
    if len(security) == len(meta["security"]):
        return resource
    shown = [one for one in meta.get("extension", ()) if one != DISPLAYED]
    left = {name: value for name, value in meta.items() if name not in ("security", "extension")}
    left |= ({"extension": shown} if shown else {}) | ({"security": security} if security else {})
    return {name: left if name == "meta" else value for name, value in resource.items() if name != "meta" or left}


def is_notice(coding: Any) -> bool:
    """Is this security label one that `hub.release` made?"""
    if not isinstance(coding, dict) or coding.get("code") != NO_REDISCLOSURE:
        return False
    return any(isinstance(one, dict) and one.get("url") in (BASIS, RELATED) for one in coding.get("extension", ()))
