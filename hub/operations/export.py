"""$export of the system, of all patients and of a Group, and ATR's $davinci-data-export: a job is begun.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html, by GET and by POST; Da Vinci ATR 2.1.0,
http://hl7.org/fhir/us/davinci-atr/OperationDefinition/davinci-data-export (Group, Patient and Coverage at least).
Exports of patients hold what is in their compartments (whose it is, hub.rights.facts says: Provenances, too). What
a patient has from before it came into the Group is in only where it changed since `_since`. ATR's export holds the
Group besides, and the providers that the Group names.
Refuses: no `Prefer: respond-async` (400), tokens of people and of members' apps (403), types that the client may
not have (403), types of which none belongs to patients (400), `_since` after `_until`, output that is not NDJSON,
`includeAssociatedData`. Lenient handling leaves out what it can, and says so in the manifest's `error`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from hub import clock
from hub.bulk.exporting import may_have
from hub.bulk.filtering import filters
from hub.bulk.people import members, person
from hub.bulk.wanted import GROUP, PATIENT, SYSTEM, Wanted
from hub.fhir import json, summary
from hub.fhir.types import resource_types
from hub.operations.begin import NDJSON, desk_of
from hub.operations.call import Begun, Call, Operation, Parameter
from hub.problems import Problem
from hub.search.compartments import member_types
from hub.search.values import date_range, reference_of
from hub.sight import NOBODY
from hub.store import keyed
from hub.store.read import Stored

NOT_STORED = ("AuditEvent",)
ATR, ATR_TYPE = ("Group", "Patient", "Coverage"), "hl7.fhir.us.davinci-atr"
LEVELS = {"system": SYSTEM, "type": PATIENT, "instance": GROUP}
MOST_PATIENTS = 10_000


@dataclass(slots=True)
class _Asking:
    """A call, and what lenient handling leaves out of it."""

    call: Call
    ignored: list[str]

    def leave_out(self, problem: Problem, name: str) -> None:
        """Raises the Problem, unless handling is lenient."""
        if not self.call.lenient:
            raise problem
        self.ignored.append(name)


def export(call: Call) -> Begun:
    """The job's URL."""
    return _begun(call, LEVELS[call.level])


def data_export(call: Call) -> Begun:
    """The same of a member attribution list."""
    if call.given.get("exportType", ATR_TYPE) != ATR_TYPE:
        raise Problem("not-supported", f"exportType is {ATR_TYPE}", "exportType")
    if not set(ATR) <= set(_named(call)):
        raise Problem("required", f"_type names {', '.join(ATR)} at least", "_type")
    return _begun(call, GROUP, attribution=True)


def _begun(call: Call, level: str, attribution: bool = False) -> Begun:
    desk = desk_of(call)
    asking = _Asking(call, list(call.ignored))
    _check_output(asking)
    group = _group(call) if level == GROUP else None
    types = _types(asking, level, attribution)
    wanted = Wanted(
        level=level,
        types=types,
        time=0,
        request=_request(call),
        since=_time(call, "_since"),
        until=_time(call, "_until"),
        members=group is not None or "patient" in call.given,
        listed=_listed(call, group, types, attribution) if group and "Group" in _named(call) else (),
        filters=_filters(asking, types),
        elements=_elements(asking, types),
        narrowed={kind: sorted(keys) for kind, keys in call.access.sight.narrowed.items()},
        ignored=asking.ignored,
    )
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise Problem("value", "_since is after _until", "_since")
    return Begun(desk.export(call.access, lambda time: replace(wanted, time=time), _patients(call, group)))


def _group(call: Call) -> Stored:
    """The Group that is exported: who sees it (docs/access.md) needs no scope for it, and its members are no more
    than those whom the client may see. Raises Problem."""
    grants = call.access.grants | {("Group", "r")}
    return replace(call, access=replace(call.access, grants=grants)).stored()


def _check_output(asking: _Asking) -> None:
    given = asking.call.given
    if given.get("_outputFormat", NDJSON[0]).replace(" ", "+") not in NDJSON:
        raise Problem("not-supported", f"_outputFormat is one of {', '.join(NDJSON)}", "_outputFormat")
    if "includeAssociatedData" in given:
        refused = Problem("not-supported", "includeAssociatedData has no values here", "includeAssociatedData")
        asking.leave_out(refused, "includeAssociatedData")


def _named(call: Call) -> list[str]:
    return sorted({name for text in call.given.get("_type", ()) for name in text.split(",")})


def _types(asking: _Asking, level: str, attribution: bool) -> list[str]:
    """Those of the export: named ones, or all that the client may have. Raises Problem."""
    access, named = asking.call.access, _named(asking.call)
    possible = (
        set(resource_types()) - {*NOT_STORED} if level == SYSTEM or attribution else {*member_types("Patient")}
    )
    if not named:
        found = sorted(kind for kind in possible if may_have(access, kind))
        if not found:
            raise Problem("forbidden", "The token's scopes cover nothing that could be exported")
        return found
    for kind in set(named) - possible:
        asking.ignored.append(f"_type={kind}")
    kept = [kind for kind in named if kind in possible]
    if not kept:
        raise Problem("not-supported", "None of these types belongs to patients", "_type")
    return [kind for kind in kept if _is_granted(asking, kind)]


def _is_granted(asking: _Asking, kind: str) -> bool:
    try:
        asking.call.access.require("read", kind)
        asking.call.access.require("search-type", kind)
    except Problem as problem:
        asking.leave_out(problem, f"_type={kind}")
        return False
    return True


def _time(call: Call, name: str) -> int | None:
    """The beginning of what the text covers."""
    found = date_range(call.given[name]) if name in call.given else None
    return found[0] if found else None


def _filters(asking: _Asking, types: Iterable[str]) -> dict[str, list[str]]:
    texts = asking.call.given.get("_typeFilter", ())
    try:
        found = filters(texts, asking.call.access, asking.call.limits)
    except Problem as problem:
        asking.leave_out(problem, "_typeFilter")
        return {}
    for kind in set(found) - set(types):
        refused = Problem("value", f"_typeFilter is about {kind}, which is not exported", "_typeFilter")
        asking.leave_out(refused, f"_typeFilter={kind}")
    return {kind: texts for kind, texts in found.items() if kind in types}


def _elements(asking: _Asking, types: Iterable[str]) -> dict[str, list[str]]:
    """Names by type; "" where no type was named."""
    found: dict[str, list[str]] = {}
    for name in (name.strip() for text in asking.call.given.get("_elements", ()) for name in text.split(",")):
        kind, dot, element = name.partition(".")
        try:
            summary.names(element if dot else name, [kind] if dot else list(types))
        except Problem as problem:
            asking.leave_out(problem, "_elements")
            continue
        found.setdefault(kind if dot else "", []).append(element if dot else name)
    return found


def _patients(call: Call, group: Stored | None) -> set[int]:
    """Whose records are exported, where they are named: the Group's members, those of them that `patient` names."""
    named = [reference_of(each["reference"], call.base) for each in call.given.get("patient", ())]
    if len(named) > MOST_PATIENTS or any(kind != "Patient" for kind, _ in named):
        raise Problem("value", f"'patient' refers to Patients of this hub, at most {MOST_PATIENTS}", "patient")
    asked = {person(identity) for _, identity in named}
    if group is None:
        return asked
    every = members(json.stored(group.body or b"{}"), clock.micros(call.now()), call.base)
    return every & asked if named else every


def _listed(call: Call, group: Stored, types: Iterable[str], attribution: bool) -> list[int]:
    """The Group; of an attribution list also what it refers to that belongs to nobody."""
    if not attribution:
        return [group.rid]
    named = {each for each in _references(json.stored(group.body or b"{}"), call.base) if each[0] in types}
    rows = [Stored(*row) for row in keyed.several(call.connection, call.access.sight, named)]
    return sorted({group.rid, *(row.rid for row in rows if row.patient == NOBODY)})


def _references(node: Any, base: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if isinstance(text := node.get("reference"), str):
            kind, identity = reference_of(text, base)
            if kind and identity:
                yield kind, identity
        for child in node.values():
            yield from _references(child, base)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child, base)


def _request(call: Call) -> str:
    """The URL that asked; parameters of a body are not in it."""
    path = "/".join(filter(None, (call.base, call.type, call.id, f"${call.operation}")))
    return f"{path}?{urlencode(call.pairs, quote_via=quote, safe=',/:')}" if call.pairs else path


_PARAMETERS = (
    Parameter("_outputFormat", "code"),
    Parameter("_since", "time"),
    Parameter("_until", "time"),
    Parameter("_type", "types", many=True),
    Parameter("_elements", "code", many=True),
    Parameter("_typeFilter", "code", many=True),
    Parameter("includeAssociatedData", "code", many=True),
)
_PATIENT = Parameter("patient", "Reference", many=True)
_BULK = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
ROWS = (
    Operation("export", f"{_BULK}export", ("system",), export, (), _PARAMETERS, begins=True),
    Operation(
        "export", f"{_BULK}patient-export", ("type",), export, ("Patient",), (*_PARAMETERS, _PATIENT), begins=True
    ),
    Operation(
        "export", f"{_BULK}group-export", ("instance",), export, ("Group",), (*_PARAMETERS, _PATIENT), begins=True
    ),
    Operation(
        "davinci-data-export",
        "http://hl7.org/fhir/us/davinci-atr/OperationDefinition/davinci-data-export",
        ("instance",),
        data_export,
        ("Group",),
        (*_PARAMETERS, _PATIENT, Parameter("exportType", "code")),
        begins=True,
    ),
)
