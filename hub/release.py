"""What a released resource carries: its labels, and for records under 42 CFR Part 2 the notice and the consents.

Rules: 42 CFR 2.32 (the notice; 2.32(b): a copy of the consent or its scope), DS4P 1.0.0
(http://hl7.org/fhir/uv/security-label-ds4p): sec-label-basis and sec-label-related-artifact on the security label,
display on the meta; https://hl7.org/fhir/R4/security-labels.html (a Bundle is as sensitive as its entries)
The labels are those of the row: an old version shows them too. The carrier is the resource: no header is standard
for it, and a header does not stay with what is kept. What is added here is left off again when a client sends it
back (hub.rights.part2.without_notice).
Pure: whoever calls knows which consents opened the row, by what a client finds them under (`Consent/<id>`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from hub.fhir import json
from hub.fhir.systems import ACT_CODE
from hub.problems import Issue, outcome
from hub.rights.labels import PART2, SUD_BITS, codings_of, with_labels
from hub.rights.part2 import BASIS, DISPLAYED, NO_REDISCLOSURE, NOTICE, RELATED

Resource = dict[str, Any]
MEANING = "no redisclosure without consent directive"


def needs_notice(labels: int, consents: Sequence[str]) -> bool:
    """Every Part 2 record, and whatever else about substance use left because of a consent: it may be one."""
    return bool(labels & PART2) or bool(labels & SUD_BITS and consents)


def released(body: bytes, labels: int, consents: Sequence[str]) -> bytes:
    """The bytes that leave instead of those stored. The same, if the resource has no labels."""
    if not labels:
        return body
    stored = json.stored(body)
    carrying = carried(stored, labels, consents)
    return body if carrying is stored else json.write(carrying)


def carried(resource: Resource, labels: int, consents: Sequence[str]) -> Resource:
    """The same for a resource that is read already: to be done before parts of it are chosen."""
    labelled = with_labels(resource, labels)
    if not needs_notice(labels, consents):
        return labelled
    meta = labelled["meta"]
    shown = [*meta.get("extension", ()), DISPLAYED]
    security = [*meta["security"], _no_redisclosure(labels, consents)]
    return {**labelled, "meta": {**meta, "extension": shown, "security": security}}


def _no_redisclosure(labels: int, consents: Sequence[str]) -> Resource:
    why = [{"url": BASIS, "valueCoding": {"system": ACT_CODE, "code": "42CFRPart2"}}] if labels & PART2 else []
    rests_on = [
        {"url": RELATED, "valueRelatedArtifact": {"type": "justification", "url": consent}}
        for consent in sorted(set(consents))
    ]
    return {"extension": why + rests_on, "system": ACT_CODE, "code": NO_REDISCLOSURE, "display": MEANING}


def bundle_security(labels: Iterable[int], consents: Sequence[str] = ()) -> list[Resource]:
    """`Bundle.meta.security`: the high-water mark of the entries; empty where none has labels. Also for a history,
    in which no entry may carry the notice."""
    mask = 0
    for each in labels:
        mask |= each
    return codings_of(mask) + ([_no_redisclosure(mask, consents)] if needs_notice(mask, consents) else [])


def bundle_notice(consents: Sequence[str]) -> Resource:
    """The entry of a searchset that carries the whole notice, and the consents under which this was disclosed."""
    issues = [Issue("informational", NOTICE, severity="information")]
    if consents:
        told = "Disclosed under the consent of the patient: " + ", ".join(sorted(set(consents)))
        issues.append(Issue("informational", told, severity="information"))
    return {"resource": outcome(issues), "search": {"mode": "outcome"}}
