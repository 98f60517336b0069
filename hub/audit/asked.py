"""A search of AuditEvents as its URL asks for it. Every parameter is understood, or refused.

Rules: https://hl7.org/fhir/R4/auditevent.html#search, https://hl7.org/fhir/R4/search.html#prefix Taken are `date`,
`patient`, `entity`, `agent:identifier`, `agent-name`, `action`, `outcome`, `type`, `subtype`, `_id`,
`_lastUpdated`, `_sort` by date, `_count`, `_total`, `_summary=count` and page links.
Refuses: everything else (`not-supported`), and values that are none (`value`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.audit.balp import DISCLOSE, EVENT, EXPORT, Place
from hub.audit.interactions import DICOM, IHE_EVENT, INTERACTION, KINDS
from hub.fhir.systems import AUDIT_EVENT
from hub.problems import Problem
from hub.search.edges import address
from hub.search.query import Limits
from hub.search.values import date_range, reference_of

Pair = tuple[str, str]
Range = tuple[int, int]  # microseconds, the second one excluded
BEFORE_ALL, AFTER_ALL = -(2**62), 2**62
OUTCOMES: Mapping[str, Range] = {"0": (0, 400), "4": (400, 500), "8": (500, 1000), "12": (1000, 1000)}
ACTIONS = ("C", "R", "U", "D", "E")
ACTION = "http://hl7.org/fhir/audit-event-action"
OUTCOME = "http://hl7.org/fhir/audit-event-outcome"
SORTS = {"date": 1, "_lastUpdated": 1, "-date": -1, "-_lastUpdated": -1}
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)\Z", re.DOTALL)
MOST_VALUES = 100
SUBTYPES = (INTERACTION, DICOM, IHE_EVENT, AUDIT_EVENT, DISCLOSE["system"])


@dataclass(slots=True)
class Wanted:
    """What is searched for; every list holds alternatives, None asks nothing. `times` all hold, and each is a
    choice of ranges. `rest` and `disclosures` say which kinds of AuditEvent may be found at all."""

    times: list[list[Range]] = field(default_factory=list)
    patients: list[set[int]] = field(default_factory=list)
    entities: list[set[int]] = field(default_factory=list)
    agents: list[set[str]] = field(default_factory=list)
    names: list[tuple[bool, set[str]]] = field(default_factory=list)  # exactly so, or beginning with
    actions: list[set[str]] = field(default_factory=list)
    outcomes: list[list[Range]] = field(default_factory=list)
    interactions: list[set[str]] = field(default_factory=list)
    places: list[set[Place]] = field(default_factory=list)
    rest: bool = True
    disclosures: bool = True
    newest_first: bool = False
    count: int = 0
    total: bool = False
    cursor: str = ""
    pairs: list[Pair] = field(default_factory=list)


def wanted(pairs: Sequence[Pair], limits: Limits) -> Wanted:
    """Raises Problem."""
    found = Wanted(count=limits.page)
    given: set[str] = set()
    for name, value in pairs:
        take = TAKERS.get(name)
        if take is None:
            raise Problem("not-supported", f"AuditEvent is not searched by '{name[:64]}' here", name[:64])
        if name in ONCE and name in given:
            raise Problem("value", f"{name} stands once", name)
        given.add(name)
        take(found, name, value, limits)
        if name not in ("_count", "_cursor"):
            found.pairs.append((name, value))
    return found


def _values(name: str, text: str) -> list[str]:
    values = [value for value in text.split(",") if value]
    if not values or len(values) > MOST_VALUES:
        raise Problem("value", f"'{name}' takes 1 to {MOST_VALUES} values", name)
    return values


def _date(found: Wanted, name: str, text: str, _: Limits) -> None:
    found.times.append([one for value in _values(name, text) for one in _ranges(name, value)])


def _ranges(name: str, value: str) -> list[Range]:
    match = _PREFIXED.match(value)
    prefix, rest = (match[1] or "eq", match[2]) if match else ("eq", value)
    covered = date_range(rest.replace(" ", "+"))
    if covered is None:
        raise Problem("value", f"'{name}' takes a date", name)
    if prefix not in RANGES:
        raise Problem("not-supported", f"'{name}' does not take the prefix '{prefix}'", name)
    return RANGES[prefix](*covered)


# prefix -> what `recorded`, which is a moment, may be
RANGES: Mapping[str, Callable[[int, int], list[Range]]] = {
    "eq": lambda low, high: [(low, high)],
    "ne": lambda low, high: [(BEFORE_ALL, low), (high, AFTER_ALL)],
    "gt": lambda low, high: [(high, AFTER_ALL)],
    "sa": lambda low, high: [(high, AFTER_ALL)],
    "ge": lambda low, high: [(low, AFTER_ALL)],
    "lt": lambda low, high: [(BEFORE_ALL, low)],
    "eb": lambda low, high: [(BEFORE_ALL, low)],
    "le": lambda low, high: [(BEFORE_ALL, high)],
}


def _reference(name: str, value: str, limits: Limits, only: str = "") -> tuple[str, str]:
    kind, identity = reference_of(value, limits.base)
    if kind is None and only and "/" not in value:
        kind = only
    if kind is None or (only and kind != only):
        raise Problem("value", f"'{name}' takes a reference such as {only or 'Patient'}/1", name)
    return kind, identity


def _patient(found: Wanted, name: str, text: str, limits: Limits) -> None:
    ids = (_reference(name, value, limits, "Patient") for value in _values(name, text))
    found.patients.append({address(*each) for each in ids})


def _entity(found: Wanted, name: str, text: str, limits: Limits) -> None:
    """What was asked for, by its address; a Patient also where its data left."""
    named = [_reference(name, value, limits) for value in _values(name, text)]
    kinds = {kind for kind, _ in named}
    if kinds == {"Patient"}:
        found.patients.append({address(*each) for each in named})
    elif "Patient" in kinds:
        raise Problem("not-supported", "'entity' takes Patients, or others, not both at once", name)
    else:
        found.entities.append({address(*each) for each in named})


def _agent(found: Wanted, name: str, text: str, _: Limits) -> None:
    found.agents.append({value.rpartition("|")[2] for value in _values(name, text)})


def _nobody(found: Wanted, name: str, text: str, limits: Limits) -> None:
    """Agents are known by identifiers: no reference to a resource finds one."""
    for value in _values(name, text):
        _reference(name, value, limits)
    found.agents.append(set())


def _name(found: Wanted, name: str, text: str, _: Limits) -> None:
    exact = name.endswith(":exact")
    found.names.append((exact, {value if exact else value.lower() for value in _values(name, text)}))


def _codes(name: str, text: str, systems: Sequence[str]) -> list[tuple[str, str]]:
    """(system, code) of a token; the system is empty where none was given."""
    found = []
    for value in _values(name, text):
        system, bar, code = value.rpartition("|")
        if not bar or system in systems:
            found.append((system, code))
    return found


def _action(found: Wanted, name: str, text: str, _: Limits) -> None:
    found.actions.append({code for _, code in _codes(name, text, (ACTION, ""))} & set(ACTIONS))


def _outcome(found: Wanted, name: str, text: str, _: Limits) -> None:
    found.outcomes.append([OUTCOMES[code] for _, code in _codes(name, text, (OUTCOME, "")) if code in OUTCOMES])


def _type(found: Wanted, name: str, text: str, _: Limits) -> None:
    codes = {code for _, code in _codes(name, text, (EVENT, DICOM))}
    found.disclosures &= EXPORT["code"] in codes
    words = {word for word, kind in KINDS.items() if kind.type in codes}
    found.rest &= bool(words)
    if words and found.disclosures and "rest" not in codes:
        raise Problem("not-supported", "'type' takes 110106, or others, not both at once", name)
    if words:
        found.interactions.append(words)


def _subtype(found: Wanted, name: str, text: str, _: Limits) -> None:
    codes = {code for _, code in _codes(name, text, SUBTYPES)}
    if DISCLOSE["code"] in codes:
        found.rest = found.rest and len(codes) > 1
        if len(codes) > 1:
            raise Problem("not-supported", "'subtype' takes disclose, or others, not both at once", name)
        return
    found.interactions.append({word for word, kind in KINDS.items() if codes & set(kind.subtypes)})


def _id(found: Wanted, name: str, text: str, _: Limits) -> None:
    places = (Place.of(value) for value in _values(name, text))
    found.places.append({place for place in places if place is not None})


def _sort(found: Wanted, name: str, text: str, _: Limits) -> None:
    if text not in SORTS:
        raise Problem("not-supported", "AuditEvents are sorted by date or -date", name)
    found.newest_first = SORTS[text] < 0


def _count(found: Wanted, name: str, text: str, limits: Limits) -> None:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Problem("value", "_count is a whole number from 0", name)
    found.count = min(int(text), limits.most)
    found.total = found.total or not found.count


def _total(found: Wanted, name: str, text: str, _: Limits) -> None:
    if text not in ("none", "accurate"):
        raise Problem("not-supported", "_total of AuditEvents is none or accurate", name)
    found.total = found.total or text == "accurate"


def _summary(found: Wanted, name: str, text: str, _: Limits) -> None:
    if text not in ("false", "count"):
        raise Problem("not-supported", "_summary of AuditEvents is false or count", name)
    if text == "count":
        found.count, found.total = 0, True


def _cursor(found: Wanted, _name: str, text: str, _: Limits) -> None:
    found.cursor = text


Take = Callable[[Wanted, str, str, Limits], None]
TAKERS: Mapping[str, Take] = {
    "date": _date,
    "_lastUpdated": _date,
    "patient": _patient,
    "entity": _entity,
    "agent": _nobody,
    "agent:identifier": _agent,
    "agent-name": _name,
    "agent-name:exact": _name,
    "action": _action,
    "outcome": _outcome,
    "type": _type,
    "subtype": _subtype,
    "_id": _id,
    "_sort": _sort,
    "_count": _count,
    "_total": _total,
    "_summary": _summary,
    "_cursor": _cursor,
}
ONCE = ("_sort", "_count", "_total", "_summary", "_cursor")
# what a CapabilityStatement tells: name, type
PARAMETERS: Mapping[str, str] = {
    "_id": "token",
    "_lastUpdated": "date",
    "action": "token",
    "agent": "reference",
    "agent-name": "string",
    "date": "date",
    "entity": "reference",
    "outcome": "token",
    "patient": "reference",
    "subtype": "token",
    "type": "token",
}
