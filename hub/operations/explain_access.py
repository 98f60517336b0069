"""Patient/[id]/$explain-access: why a client sees a resource of this patient or not, for auditors.

Rules: docs/consent.md. The decision is the predicate's own (hub.store.sight); beside it stand the relation that was
found, and for each label which Consent, and whether its root or a nested provision, decided. Ids only: nothing of
what a resource or a Consent says. Without `resource` the Patient itself is asked for. `purpose` narrows the
purposes that the client has. Asked as of this moment; which types and elements a role sees at all is another
question (docs/access.md).
Refuses: who is no auditor (403), clients, patients and resources that are not there (404).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, select

from hub import clock
from hub import sight as kinds
from hub.fhir import json
from hub.fhir.bundles import ID
from hub.fhir.systems import OWN
from hub.fhir.types import resource_types
from hub.operations.call import Call, Operation, Parameter
from hub.problems import Problem
from hub.rights.labels import BITS
from hub.search import merged
from hub.search.edges import address
from hub.sight import GRANTED, NOBODY, PURPOSES, SEVERAL, UNKNOWN, Sight
from hub.store import consents
from hub.store.consents import Deciding
from hub.store.sight import covers, named, seen
from hub.store.tables import index_patient, index_relation, resource

AUDITOR = "auditor"
KINDS = {
    name.lower(): getattr(kinds, name)
    for name in ("PANEL", "TEAM", "REFERRAL", "COVERAGE", "EPISODE", "REGISTERED", "PROXY", "GRANTED", "OWNED")
}
Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is explained: for whom, about which row (its columns), of which patient (an address), and when."""

    connection: Connection
    sight: Sight
    row: Row[Any]
    patient: int
    now: int


def explain_access(call: Call) -> bytes:
    """A Parameters resource."""
    if call.access.role != AUDITOR:
        raise Problem("forbidden", "Only an auditor may ask why")
    asked = _asked(call)
    parts = [
        {"name": "decision", "valueCode": "permit" if _is_seen(asked) else "deny"},
        {"name": "client", "valueString": call.given["client"]},
        {"name": "resource", "valueReference": {"reference": f"{asked.row.type}/{asked.row.id}"}},
        {"name": "relation", "part": list(_relation(asked))},
        *({"name": "label", "part": list(_label(asked, *label))} for label in _labels(asked.row.labels)),
    ]
    return json.write({"resourceType": "Parameters", "parameter": parts})


def _asked(call: Call) -> _Asked:
    if call.engines.sight_of is None:
        raise Problem("not-supported", "This hub cannot tell what a client sees")
    sight = call.engines.sight_of(call.given["client"])
    if sight is None:
        raise Problem("not-found", "There is no such client", "client")
    if "purpose" in call.given:
        sight = replace(sight, purposes=sight.purposes & _purpose(call.given["purpose"]))
    patient = address("Patient", merged.member_of(call.id))
    row = _row(call.connection, *_named(call.given.get("resource", f"Patient/{call.id}")))
    if row is None or patient not in _patients(call.connection, row):
        raise Problem("not-found", "There is no such resource of this patient", "resource")
    return _Asked(call.connection, sight, row, patient, clock.micros(call.now()))


def _purpose(code: str) -> int:
    if code not in PURPOSES:
        raise Problem("value", f"A purpose is one of {', '.join(PURPOSES)}", "purpose")
    return PURPOSES[code]


def _named(reference: str) -> tuple[str, str]:
    kind, _, identity = reference.partition("/")
    if kind not in resource_types() or not ID.match(identity):
        raise Problem("value", "A resource is named as Type/id", "resource")
    return kind, identity


def _row(connection: Connection, kind: str, identity: str) -> Row[Any] | None:
    named = ("rid", "type", "id", "patient", "labels", "source")
    wanted = select(*(resource.c[name] for name in named)).where(
        resource.c.type == kind, resource.c.id == identity, ~resource.c.deleted
    )
    return connection.execute(wanted).first()


def _patients(connection: Connection, row: Row[Any]) -> set[int]:
    if row.patient != SEVERAL:
        return {row.patient}
    wanted = select(index_patient.c.patient).where(index_patient.c.rid == row.rid)
    return set(connection.execute(wanted).scalars())


def _is_seen(asked: _Asked) -> bool:
    wanted = select(resource.c.rid).where(resource.c.rid == asked.row.rid, seen(resource, asked.sight))
    return asked.connection.execute(wanted, named(asked.sight)).first() is not None


def _relation(asked: _Asked) -> Iterator[Part]:
    """Whether one is asked for and there, and the kinds of those that count."""
    sight = asked.sight
    patients = _patients(asked.connection, asked.row) - {NOBODY, UNKNOWN}
    yield {"name": "needed", "valueBoolean": not (sight.everything or sight.all_patients)}
    yield {"name": "found", "valueBoolean": covers(asked.connection, sight, sorted(patients))}
    for kind in sorted(_kinds(asked, asked.patient)):
        yield from ({"name": "kind", "valueCode": name} for name, bit in KINDS.items() if bit & kind & sight.kinds)


def _kinds(asked: _Asked, patient: int) -> set[int]:
    x = index_relation
    wanted = select(x.c.kind).where(
        x.c.patient == patient, x.c.holder.in_(asked.sight.holders), x.c.low <= asked.now, x.c.high > asked.now
    )
    return set(asked.connection.execute(wanted).scalars())


def _labels(mask: int) -> list[tuple[str, int]]:
    """Those of a row; one that was not labelled yet may have any."""
    return [(name, bit) for name, bit in BITS.items() if mask & bit]


def _label(asked: _Asked, name: str, bit: int) -> Iterator[Part]:
    sight = asked.sight
    policy = "never" if sight.never & bit else "guarded" if sight.guarded & bit else "free"
    yield {"name": "code", "valueCode": name}
    yield {"name": "policy", "valueCode": policy}
    if policy == "free" or sight.everything:
        yield from _because(True, "free")
    elif sight.own and asked.row.source == sight.own:
        yield from _because(True, "own-data")
    elif GRANTED in _kinds(asked, asked.row.patient):
        yield from _because(True, "broken-glass")
    elif policy == "never":
        yield from _because(False, "never")
    else:
        yield from _consented(asked, bit)


def _because(is_open: bool, reason: str) -> Iterator[Part]:
    yield {"name": "open", "valueBoolean": is_open}
    yield {"name": "reason", "valueCode": reason}


def _consented(asked: _Asked, bit: int) -> Iterator[Part]:
    sight = asked.sight
    # nobody consents for several patients at once: as in the predicate, those rows are nobody's
    found = consents.deciding(asked.connection, asked.row.patient, sight.recipients, sight.purposes, bit, asked.now)
    decisive, reason = _decisive(found)
    yield from _because(reason == "consent-permits", reason)
    if decisive:
        yield {"name": "provision", "part": list(_provision(decisive))}


def _decisive(found: list[Deciding]) -> tuple[Deciding | None, str]:
    """The row that opens the label, or the one that keeps it closed; the newest come first."""
    opening = next((one for one in found if one.opens), None)
    if opening:
        return opening, "consent-permits"
    permit = next((one for one in found if one.permit and one.holds), None)
    denial = next((one for one in found if not one.permit and (permit is None or _overrules(one, permit))), None)
    if denial:
        return denial, "consent-denies"
    waiting = next((one for one in found if one.permit), None)
    return (waiting, "condition-not-met") if waiting else (None, "no-consent")


def _overrules(denial: Deciding, permit: Deciding) -> bool:
    if denial.signed != permit.signed:
        return denial.signed > permit.signed
    return denial.consent != permit.consent or denial.depth >= permit.depth


def _provision(row: Deciding) -> Iterator[Part]:
    yield {"name": "consent", "valueReference": {"reference": f"{row.type}/{row.consent}"}}
    yield {"name": "type", "valueCode": "permit" if row.permit else "deny"}
    yield {"name": "depth", "valueInteger": row.depth}
    yield {"name": "needs-proxy", "valueBoolean": row.proxy != 0}
    yield {"name": "needs-medi-cal", "valueBoolean": row.medi_cal}


ROWS = (
    Operation(
        "explain-access",
        f"{OWN}OperationDefinition/Patient-explain-access",
        ("instance",),
        explain_access,
        ("Patient",),
        (
            Parameter("client", "uri", required=True),
            Parameter("resource", "uri"),
            Parameter("purpose", "code"),
        ),
    ),
)
