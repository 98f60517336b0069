"""Patient/$merge and Patient/$unmerge: an operator says that two Patients are one person, and that they are not.

Rules: https://hl7.org/fhir/R5/patient-operation-merge.html (source-patient goes, target-patient remains; each by a
reference or by identifiers; `preview` changes nothing; `result-patient` is how the target is to be afterwards);
$unmerge takes the merge of `source-patient` back. docs/identity.md, docs/access.md. Where two
persons must agree, the first one's call changes nothing.
Refuses: who is neither operator nor custodian (403); what hub.identity.merge refuses; identifiers that name nobody
or several (422); a result-patient with another id than the target's (400).
What is answered shows Patients only to who may see them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hub.access import Access
from hub.fhir import json
from hub.fhir.systems import OWN
from hub.identity.desk import Desk, Registry
from hub.identity.merge import Merged, merge
from hub.identity.proposals import WAITS, agreed
from hub.identity.review import lost_task
from hub.identity.unmerge import Unmerged, unmerge
from hub.operations.call import Call, Operation, Parameter
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.search.texts import escaped
from hub.search.values import reference_of
from hub.store import read
from hub.transactions import single

DECIDING = frozenset(("operator", "custodian"))
Part = dict[str, Any]


class _Previewed(Exception):
    """Nothing is wrong: the transaction must not be committed."""

    def __init__(self, merged: Merged):
        self.merged = merged


def merge_patients(call: Call) -> bytes:
    """A Parameters resource: outcome, and result where the caller may see it."""
    who = _decides(call)
    source, target = (_named(call, name) for name in ("source-patient", "target-patient"))
    wanted = call.given.get("result-patient")
    if wanted is not None and wanted.get("id") != target:
        raise Problem("invalid", "The result-patient has another id than the target", "result-patient.id")
    is_preview = call.given.get("preview", False)

    def work(desk: Desk) -> Merged | None:
        decide = merge if is_preview else agreed
        done = decide(desk, target, source, who, {"by": "operator"})
        if done is not None and wanted is not None:
            _update(desk, done.survivor, wanted)
        if done is not None and is_preview:
            raise _Previewed(done)
        return done

    try:
        done = _registry(call).decide(work)
    except _Previewed as previewed:
        return _answer(call, _told(previewed.merged, "would be"), "")
    return _answer(call, _told(done, "were"), done.survivor) if done else _answer(call, WAITS, "")


def unmerge_patients(call: Call) -> bytes:
    """A Parameters resource: outcome, and result where the caller may see it."""
    who = _decides(call)
    source = _named(call, "source-patient")

    def work(desk: Desk) -> Unmerged:
        done = unmerge(desk, source, who, {"by": "operator"})
        lost_task(desk, done)
        return done

    done = _registry(call).decide(work)
    lost = f"; {len(done.lost)} wait for a person: {', '.join(done.lost[:20])}" if done.lost else ""
    return _answer(call, f"The merge of Patient/{done.patient} was taken back{lost}", done.patient)


def _decides(call: Call) -> str:
    if call.access.role not in DECIDING:
        raise Problem("forbidden", "Only an operator or the custodian decides who is who")
    return call.access.user or call.access.who


def _registry(call: Call) -> Registry:
    return Registry.of(call.transactions, call.base, call.now)


def _named(call: Call, name: str) -> str:
    """The id of the Patient that a parameter, or identifiers, name."""
    if name in call.given:
        kind, identity = reference_of(call.given[name]["reference"], call.base)
        if kind != "Patient":
            raise Problem("value", f"'{name}' refers to a Patient of this hub", name)
        return identity
    identifiers = call.given.get(f"{name}-identifier", [])
    if not identifiers:
        raise Problem("required", f"${call.operation} needs '{name}' or '{name}-identifier'", name)
    return _identified(call, identifiers, name)


def _identified(call: Call, identifiers: list[Mapping[str, Any]], name: str) -> str:
    pairs = [("identifier", "|".join(map(escaped, _token(one)))) for one in identifiers]
    access = replace(Access.system("identity"), who=call.access.who)
    rows = read.page(call.connection, access, parse("Patient", pairs, Limits(base=call.base)), (), 2)
    if len(rows) != 1:
        raise Problem(
            "processing", f"'{name}-identifier' names {'nobody' if not rows else 'several Patients'}", name
        )
    return rows[0].id


def _token(identifier: Mapping[str, Any]) -> list[str]:
    """Without a system it is sought in all of them."""
    return [text for text in (identifier.get("system"), identifier["value"]) if text]


def _update(desk: Desk, target: str, wanted: Part) -> None:
    desk.transactions.commit(
        [single("PUT", "Patient", id=target, resource=wanted)], Access.system("identity result-patient")
    )


def _told(done: Merged, verb: str) -> str:
    return f"Patient/{done.absorbed} and Patient/{done.survivor}: {done.rewritten} resources {verb} rewritten"


def _answer(call: Call, text: str, patient: str) -> bytes:
    parts: list[Part] = []
    if call.body is not None:
        parts.append({"name": "input", "resource": call.body})
    issue = {"severity": "information", "code": "informational", "diagnostics": text}
    parts.append({"name": "outcome", "resource": {"resourceType": "OperationOutcome", "issue": [issue]}})
    parts += _result(call, patient)
    return json.write({"resourceType": "Parameters", "parameter": parts})


def _result(call: Call, patient: str) -> Iterator[Part]:
    if patient and call.access.may("read", "Patient"):
        try:
            yield {"name": "result", "resource": replace(call, type="Patient", id=patient).resource()}
        except Problem:  # it is not there for this caller
            return


ROWS = (
    Operation(
        "merge",
        "http://hl7.org/fhir/OperationDefinition/Patient-merge",
        ("type",),
        merge_patients,
        ("Patient",),
        (
            Parameter("source-patient", "Reference"),
            Parameter("source-patient-identifier", "Identifier", many=True),
            Parameter("target-patient", "Reference"),
            Parameter("target-patient-identifier", "Identifier", many=True),
            Parameter("preview", "boolean"),
            Parameter("result-patient", "Resource"),
        ),
        affects=True,
    ),
    Operation(
        "unmerge",
        f"{OWN}OperationDefinition/Patient-unmerge",
        ("type",),
        unmerge_patients,
        ("Patient",),
        (
            Parameter("source-patient", "Reference"),
            Parameter("source-patient-identifier", "Identifier", many=True),
        ),
        affects=True,
    ),
)
