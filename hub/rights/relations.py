"""Who has to do with a patient, as a resource says it: rows (patient, holder, kind, from, until) of index_relation.

Rules: docs/access.md. Group https://hl7.org/fhir/R4/group.html (with member.period and member.inactive as Da Vinci
Member Attribution has them), CareTeam, Task, ServiceRequest, Coverage, EpisodeOfCare, RelatedPerson of R4.
Times are [from, until) in microseconds, days are days in UTC; what is open has no end. Both ends of a reference are
resources of this hub.
Refuses (no row): a status that is not in force, a date that does not read or that an extension stands for, a
period that ends before it starts, and whatever carries a `modifierExtension`: it may say the opposite.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from hub.fhir.systems import REFERRAL_CLOCK, TRANSITIONAL_CARE
from hub.search.edges import address
from hub.search.values import FOREVER, NEVER, date_range, references
from hub.sight import COVERAGE, EPISODE, NAMED, PANEL, PROXY, REFERRAL, TEAM

Relation: TypeAlias = tuple[int, int, int, int, int]  # patient, holder, kind, low, high
Span: TypeAlias = tuple[int, int]
Node: TypeAlias = Mapping[str, Any]

ALWAYS: Span = (NEVER, FOREVER)
CARERS = ("Organization", "Practitioner", "PractitionerRole")
# in force: https://hl7.org/fhir/R4/valueset-task-status.html, -request-status, -episode-of-care-status
TASK = ("requested", "received", "accepted", "ready", "in-progress", "on-hold")
REQUEST = ("active", "on-hold")
EPISODES = ("planned", "waitlist", "active", "onhold")


def relations_of(resource: Node, base: str) -> set[Relation]:
    """The relations that a resource opens. `base` is the hub's own FHIR base URL."""
    rule = _RULES.get(resource["resourceType"])
    if rule is None or "modifierExtension" in resource:
        return set()
    return {row for row in rule(resource, base) if row[3] < row[4]}


def without_own(
    before: Collection[Relation], now: Collection[Relation], writer_holders: Collection[int]
) -> set[Relation]:
    """Nobody gives itself a relation: of `now`, what the writer itself holds is kept as far as `before` covers it,
    and everything that others hold."""
    kept = {row for row in now if row[1] not in writer_holders}
    for patient, holder, kind, low, high in set(now) - kept:
        for *same, was_low, was_high in before:
            start, end = max(low, was_low), min(high, was_high)
            if same == [patient, holder, kind] and start < end:
                kept.add((patient, holder, kind, start, end))
    return kept


def without_performers(before: Collection[Relation], now: Collection[Relation]) -> set[Relation]:
    """A client's ServiceRequest opens nothing to whom it names: its Task does, or the hub's. What was open before
    stays so."""
    opened = {row for row in now if row[2] == REFERRAL}
    return (set(now) - opened) | without_own(before, opened, {row[1] for row in opened})


def _rows(patients: Iterable[int], holders: Iterable[int], kind: int, *periods: Span | None) -> Iterator[Relation]:
    span = _common(periods)
    if span is not None:
        every = tuple(holders)
        yield from ((patient, holder, kind, *span) for patient in patients for holder in every)


def _group(group: Node, base: str) -> Iterator[Relation]:
    is_panel = group.get("type") == "person" and group.get("actual") is True and group.get("active", True) is True
    holders = _addresses(group.get("managingEntity"), CARERS, base) if is_panel else ()
    if not holders:
        return
    for entity, span in members_of(group):
        yield from _rows(_patients(entity, base), holders, PANEL, span)


def members_of(group: Node) -> Iterator[tuple[Any, Span | None]]:
    """The references to a Group's members and when each is one; no time where that cannot be told."""
    for member in _each(group.get("member")):
        if member.get("inactive", False) is False and "_inactive" not in member:
            yield member.get("entity"), _period(member, "period")


def _care_team(team: Node, base: str) -> Iterator[Relation]:
    if team.get("status") != "active":
        return
    patients, whole = _patients(team.get("subject"), base), _period(team, "period")
    yield from _rows(patients, _addresses(team.get("managingOrganization"), CARERS, base), TEAM, whole)
    for participant in _each(team.get("participant")):
        holders = _addresses(participant.get("member"), CARERS, base)
        yield from _rows(patients, holders, TEAM, whole, _period(participant, "period"))


def _task(task: Node, base: str) -> Iterator[Relation]:
    if task.get("status") in TASK and not _is_clock(task) and not _is_follow_up(task):
        patients, owners = _patients(task.get("for"), base), _addresses(task.get("owner"), CARERS, base)
        bounds = _period(_one(task.get("restriction")), "period"), _period(task, "executionPeriod")
        yield from _rows(patients, owners, REFERRAL, *bounds)


def _is_clock(task: Node) -> bool:
    """A clock of a referral says when somebody has to act: it opens nobody's record."""
    codings = _one(task.get("code")).get("coding", ())
    return any(coding.get("system") == REFERRAL_CLOCK for coding in _each(codings))


def _is_follow_up(task: Node) -> bool:
    """The hub asks whom a CareTeam names, and anybody writes CareTeams: the CareTeam says itself what it opens."""
    return any(one.get("system") == TRANSITIONAL_CARE for one in _each(task.get("identifier")))


def _service_request(request: Node, base: str) -> Iterator[Relation]:
    if request.get("status") in REQUEST and request.get("doNotPerform", False) is False:
        patients = _patients(request.get("subject"), base)
        performers = _addresses(request.get("performer"), CARERS, base)
        for kind in (REFERRAL, NAMED):
            yield from _rows(patients, performers, kind, _period(request, "occurrencePeriod"))


def _coverage(coverage: Node, base: str) -> Iterator[Relation]:
    if coverage.get("status") == "active":
        patients = _patients(coverage.get("beneficiary"), base)
        payors = _addresses(coverage.get("payor"), ("Organization",), base)
        yield from _rows(patients, payors, COVERAGE, _period(coverage, "period"))


def _episode(episode: Node, base: str) -> Iterator[Relation]:
    if episode.get("status") in EPISODES:
        holders = _addresses(episode.get("managingOrganization"), CARERS, base)
        holders |= _addresses(episode.get("careManager"), CARERS, base)
        yield from _rows(_patients(episode.get("patient"), base), holders, EPISODE, _period(episode, "period"))


def _related_person(person: Node, base: str) -> Iterator[Relation]:
    if person.get("active", True) is True and isinstance(identity := person.get("id"), str):
        itself = (address("RelatedPerson", identity),)
        yield from _rows(_patients(person.get("patient"), base), itself, PROXY, _period(person, "period"))


_RULES: Mapping[str, Callable[[Node, str], Iterator[Relation]]] = {
    "Group": _group,
    "CareTeam": _care_team,
    "Task": _task,
    "ServiceRequest": _service_request,
    "Coverage": _coverage,
    "EpisodeOfCare": _episode,
    "RelatedPerson": _related_person,
}
TYPES = frozenset(_RULES)


def _patients(node: Any, base: str) -> set[int]:
    return _addresses(node, ("Patient",), base)


def _addresses(node: Any, types: Collection[str], base: str) -> set[int]:
    """The addresses of these types that a Reference, or a list of them, points at."""
    return {
        address(target, identity)
        for each in _each(node)
        for target, identity in references(each, base)
        if target is not None and target in types
    }


def _each(node: Any) -> Iterator[Node]:
    """The objects in a list, or the one object; not those that a modifierExtension may turn round."""
    for child in node if isinstance(node, list) else (node,):
        if isinstance(child, dict) and "modifierExtension" not in child:
            yield child


def _one(node: Any) -> Node:
    """An object that may be missing; what is there and is none, or cannot be told, has an unreadable period."""
    if node is None:
        return {}
    return node if isinstance(node, dict) and "modifierExtension" not in node else {"period": None}


def _period(holder: Node, name: str) -> Span | None:
    """The time that a Period leaves; None where it is there and cannot be told."""
    if name not in holder:
        return ALWAYS
    period = holder[name]
    if not isinstance(period, dict) or not {"start", "end"} & period.keys() or {"_start", "_end"} & period.keys():
        return None
    start, end = _date(period, "start"), _date(period, "end")
    return None if start is None or end is None else (start[0], end[1])


def _date(period: Node, name: str) -> Span | None:
    if name not in period:
        return ALWAYS
    return date_range(period[name]) if isinstance(period[name], str) else None


def _common(spans: Iterable[Span | None]) -> Span | None:
    low, high = ALWAYS
    for span in spans:
        if span is None:
            return None
        low, high = max(low, span[0]), min(high, span[1])
    return low, high
