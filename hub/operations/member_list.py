"""A member attribution list: which member of a Group is meant, and what adding, removing and confirming make of it.
Pure.

Rules: Da Vinci ATR 2.1.0, http://hl7.org/fhir/us/davinci-atr/StructureDefinition/atr-group: a member with its
attributed provider, coverage and kind of change as extensions; a list is draft, open or final. Who is removed
stays on the list, inactive, with the end of its period: nobody loses the history of an attribution. Who is there
already is not added again.
Refuses: Groups that are no list of persons, and lists that are final (`processing`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.problems import Problem
from hub.search.values import date_range

ATR = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/"
STATUS, CHANGE = f"{ATR}ext-attributionListStatus", f"{ATR}ext-changeType"
PROVIDER, COVERAGE = f"{ATR}ext-attributedProvider", f"{ATR}ext-coverageReference"
NEW, DROPPED, CHANGED = "new", "dropped", "changed"
DRAFT, FINAL = "draft", "final"
Part = dict[str, Any]
Same = Callable[[Any, str], bool]  # whether a Reference is to this `Type/id`


@dataclass(frozen=True, slots=True)
class Attribution:
    """`patient`, `provider` and `coverage` as `Type/id`; the latter two empty where any is meant."""

    patient: str
    provider: str = ""
    coverage: str = ""
    period: Mapping[str, str] | None = None


def added(group: Part, wanted: Attribution, today: str, same: Same) -> Part:
    """The Group with this attribution; the same Group where it has it already. Raises Problem."""
    _check(group)
    members = list(group.get("member", ()))
    there = next((place for place, one in enumerate(members) if _is(one, wanted, same)), None)
    if there is None:
        made = _marked({"entity": {"reference": wanted.patient}}, NEW, wanted.provider)
        return _with(group, [*members, {**made, "period": dict(wanted.period or {"start": today})}])
    held = members[there]
    if held.get("inactive"):
        made = _marked({**held, "inactive": False}, NEW) | {"period": dict(wanted.period or {"start": today})}
    elif wanted.period and wanted.period != held.get("period"):
        made = _marked(held, CHANGED) | {"period": dict(wanted.period)}
    else:
        return group
    return _with(group, [*members[:there], made, *members[there + 1 :]])


def removed(group: Part, wanted: Attribution, now: str, same: Same) -> Part:
    """The Group with these attributions ended. Raises Problem, also where there is none."""
    _check(group)
    members = group.get("member", ())
    going = [_is(one, wanted, same) and not one.get("inactive") for one in members]
    if not any(going):
        raise Problem("processing", "No such member is on this list")
    ended = [_ended(one, now) if goes else one for one, goes in zip(members, going, strict=True)]
    return _with(group, ended)


def of_member(group: Part, patient: str, same: Same) -> list[Part]:
    """The entries of a patient, those that ended among them. Raises Problem where the Group is no list."""
    _must_be_list(group)
    return [one for one in group.get("member", ()) if same(one.get("entity"), patient)]


def referred(member: Part) -> list[Any]:
    """The References of an entry to what it is attributed by: its provider, its coverage."""
    return [found for url in (PROVIDER, COVERAGE) if (found := _referred(member, url))]


def confirmed(group: Part) -> Part:
    """The Group after its reader said that it wants no more changes: a draft is final then. A list that is open
    for changes all the time stays so, and a final one is final. Raises Problem where the Group is no list."""
    _must_be_list(group)
    extensions = group.get("extension", [])
    status = next((one.get("valueCode") for one in extensions if one.get("url") == STATUS), DRAFT)
    if status != DRAFT:
        return group
    kept = [one for one in extensions if one.get("url") != STATUS]
    return {**group, "extension": [*kept, {"url": STATUS, "valueCode": FINAL}]}


def _with(group: Part, members: list[Part]) -> Part:
    """A Group that counts its members goes on counting them: those that are not inactive."""
    counted = {"quantity": sum(not one.get("inactive") for one in members)} if "quantity" in group else {}
    return {**group, **counted, "member": members}


def check_period(period: Mapping[str, Any]) -> None:
    """Raises Problem."""
    edges = [date_range(period[name]) if isinstance(period.get(name), str) else None for name in ("start", "end")]
    is_known = all(edge is not None for edge, name in zip(edges, ("start", "end"), strict=True) if name in period)
    if not period.keys() <= {"start", "end"} or not period or not is_known:
        raise Problem("value", "An attributionPeriod has a start and perhaps an end", "attributionPeriod")
    start, end = edges
    if start and end and end[1] <= start[0]:
        raise Problem("value", "The attributionPeriod ends before it starts", "attributionPeriod")


def _must_be_list(group: Part) -> None:
    if group.get("type") != "person" or group.get("actual") is not True:
        raise Problem("processing", "This Group is no list of members", "Group.type")


def _check(group: Part) -> None:
    _must_be_list(group)
    if any(one.get("url") == STATUS and one.get("valueCode") == FINAL for one in group.get("extension", ())):
        raise Problem("processing", "The list is final: it does not change any more", "Group.extension")


def _is(member: Part, wanted: Attribution, same: Same) -> bool:
    return (
        same(member.get("entity"), wanted.patient)
        and (not wanted.provider or same(_referred(member, PROVIDER), wanted.provider))
        and (not wanted.coverage or same(_referred(member, COVERAGE), wanted.coverage))
    )


def _referred(member: Part, url: str) -> Any:
    return next((one.get("valueReference") for one in member.get("extension", ()) if one.get("url") == url), None)


def _marked(member: Part, change: str, provider: str = "") -> Part:
    kept = [one for one in member.get("extension", ()) if one.get("url") != CHANGE]
    more: Iterable[Part] = [{"url": PROVIDER, "valueReference": {"reference": provider}}] if provider else []
    return {**member, "extension": [*kept, {"url": CHANGE, "valueCode": change}, *more]}


def _ended(member: Part, now: str) -> Part:
    """A period that is over stays as it is; one that has not begun ends where it begins."""
    period = dict(member.get("period", {}))
    start, end, here = (
        date_range(text) if text else None for text in (period.get("start"), period.get("end"), now)
    )
    if here and not (end and end[1] <= here[0]):
        period["end"] = period["start"] if start and start[0] > here[0] else now
    return _marked({**member, "inactive": True, "period": period}, DROPPED)
