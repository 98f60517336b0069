"""A search by what its caller would not be shown is refused: the answer would tell it.

Rules: docs/access.md (minimum sets of elements by role). Asked of every criterion, wherever it stands: at the
resource itself, at the end of a chain, in `_has`, `_filter` and `_sort`.
Refuses (`forbidden`): parameters of elements that do not leave, and who the members of a Group are, for callers who
see some of them only.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hub.fhir.elements import elements_of
from hub.fhir.systems import CLOCK_STATE
from hub.problems import Problem
from hub.search.chains import Chain, Every, Has, Not, Some
from hub.search.criterion import Criterion, TokenValue
from hub.search.parameters import IN_COLUMNS, Parameter
from hub.sight import Sight

ALWAYS_SHOWN = frozenset(("id", "meta", "resourceType"))
OF_META = ("_profile", "_security")  # the others tell where it came from, which leaves no more than its tags do
TAG = ("Task", "_tag")  # but for those that leave: how a clock of a referral stands (hub.leaving)
MEMBERS = ("Group", "member")


def check(conditions: Iterator[Any], sorts: Iterator[Parameter], sight: Sight) -> None:
    """Raise Problem where one of these parameters is not for this caller."""
    if sight.everything or (sight.all_patients and not sight.elements):
        return
    for condition in conditions:
        for parameter, is_link in asked(condition):
            _check(parameter, sight)
            # a link leads through what is there for the caller only; a value may name anybody
            if not (sight.all_patients or is_link) and (parameter.base, parameter.code) == MEMBERS:
                raise _refused(parameter)
    for parameter in sorts:
        _check(parameter, sight)


def asked(condition: Any) -> Iterator[tuple[Parameter, bool]]:
    """Every parameter that a condition asks, however deep, and whether as a link to further ones."""
    match condition:
        case Chain(parameter, steps):
            yield parameter, True
            for _, step in steps:
                yield from asked(step)
        case Has(_, parameter, inner):
            yield parameter, True
            yield from asked(inner)
        case Every(conditions) | Some(conditions):
            for each in conditions:
                yield from asked(each)
        case Not(_, inner):
            yield from asked(inner)
        case _ if _is_of_a_clock(condition):
            return
        case _:
            if (of_itself := getattr(condition, "parameter", None)) is not None:
                yield of_itself, False


def _is_of_a_clock(condition: Any) -> bool:
    """It asks for tags of that system alone."""
    if not isinstance(condition, Criterion) or condition.modifier:
        return False
    if (condition.parameter.base, condition.parameter.code) != TAG:
        return False
    return all(isinstance(one, TokenValue) and one.system == CLOCK_STATE for one in condition.values)


def shown(content: dict[str, Any], sight: Sight) -> dict[str, Any]:
    """The part of a resource that its caller is shown: what is looked at to find out where it leads."""
    names = sight.elements.get(content["resourceType"])
    if names is None:
        return content
    return {name: value for name, value in content.items() if name in names or name in ALWAYS_SHOWN}


def _check(parameter: Parameter, sight: Sight) -> None:
    if not _is_shown(parameter, sight.elements):
        raise _refused(parameter)


def _is_shown(parameter: Parameter, elements: Mapping[str, frozenset[str]]) -> bool:
    shown = elements.get(parameter.base)
    if shown is None or parameter.code in IN_COLUMNS:
        return True
    # a path that R4 wrote for many types names members that this one does not have (subjectDateTime, say)
    members = frozenset(parameter.walk.first) & elements_of(parameter.base).keys()
    if "meta" in members and parameter.code not in OF_META:
        return False
    return bool(members) and not parameter.walk.always and members <= shown | ALWAYS_SHOWN


def _refused(parameter: Parameter) -> Problem:
    message = f"This client does not search {parameter.base} by '{parameter.code}': it is not shown what that tells"
    return Problem("forbidden", message, parameter.code)
