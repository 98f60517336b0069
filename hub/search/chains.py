"""Conditions that look at other resources: chains and `_has`, and how conditions are put together.

Rules: https://hl7.org/fhir/R4/search.html#chaining, #has and https://hl7.org/fhir/R4/search.html#list
An untyped chain over several target types searches those that have the parameter, and finds what any of them gives.
Refuses: more than MAX_DEPTH steps or MAX_BRANCHES target types (`too-costly`); parameters, types and modifiers that
do not fit (`not-supported`); types that the caller may not search (`forbidden`, see `granted`), before any query.
An untyped chain without some of its types would be another question, and inside `not` find what does not match.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hub.access import Access
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.search.criterion import NO_TERMS, Criterion, criterion
from hub.search.parameters import Parameter, parameters_of
from hub.search.terms import Terms

MAX_DEPTH = 5
MAX_BRANCHES = 60
HAS = "_has:"
SEARCH = "search-type"


@dataclass(frozen=True, slots=True)
class Chain:
    """`parameter` refers to a resource of one of the types, and that one answers its condition."""

    parameter: Parameter
    steps: tuple[tuple[str, "Condition"], ...]
    typed: bool


@dataclass(frozen=True, slots=True)
class Has:
    """A resource that answers `condition` refers to one of `type` with `parameter` (whose base is its own type)."""

    type: str
    parameter: Parameter
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Every:
    """All of them hold."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of them holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A resource of the type that does not answer the condition."""

    type: str
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Keys:
    """At least one of these keys stands in the index."""

    keys: frozenset[int]


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a string parameter that is, contains or ends with this one, as search compares texts."""

    parameter: Parameter
    operator: str
    text: str


@dataclass(frozen=True, slots=True)
class Overlap:
    """A range of a date parameter that shares a moment with this one."""

    parameter: Parameter
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Rows:
    """These rows: resources that were looked at already."""

    rids: tuple[int, ...]


Condition = Criterion | Chain | Has | Every | Some | Not | Keys | Text | Overlap | Rows


def condition(resource_type: str, name: str, text: str, base: str = "", terms: Terms = NO_TERMS) -> Condition:
    """One `name=value` of a URL: a criterion of the resource itself, a chain, or a `_has`."""
    if "." not in name and not name.startswith(HAS) and name != "_list":
        return criterion(resource_type, name, text, base, terms)
    if name.count(".") + name.count(HAS) > MAX_DEPTH:
        raise Problem("too-costly", f"A search takes at most {MAX_DEPTH} steps to other resources", name[:64])
    if name == "_list":
        return _list(resource_type, text, base)
    return _Parser(text, base, terms).condition(resource_type, name)


def _list(resource_type: str, text: str, base: str) -> Condition:
    if text.startswith("$"):
        raise Problem("not-supported", "_list takes the id of a List; there are no functional lists here", "_list")
    item = parameters_of("List").get("item")
    assert item is not None
    return Has(resource_type, item, criterion("List", "_id", text, base))


class _Parser:
    """One parameter of the URL. It counts the branches, so that a short name cannot ask for thousands."""

    def __init__(self, text: str, base: str, terms: Terms):
        self._text = text
        self._base = base
        self._terms = terms
        self._branches = 0

    def condition(self, resource_type: str, name: str) -> Condition:
        if name.startswith(HAS):
            return self._has(resource_type, name)
        if "." in name:
            return self._chain(resource_type, name)
        if name == "_list":
            return _list(resource_type, self._text, self._base)
        self._branches += 1
        if self._branches > MAX_BRANCHES:
            message = "The chain leads to too many types; name them, as in subject:Patient"
            raise Problem("too-costly", message, name[:64])
        return criterion(resource_type, name, self._text, self._base, self._terms)

    def _has(self, resource_type: str, name: str) -> Condition:
        parts = name.split(":", 3)
        if len(parts) < 4 or not all(parts):
            raise Problem("not-supported", "_has takes _has:Type:reference:parameter", "_has")
        _, source, code, rest = parts
        if source not in resource_types():
            raise Problem("not-supported", f"_has names '{source[:64]}', which is no resource type", "_has")
        parameter = reference(source, code)
        if resource_type not in targets(parameter):
            message = f"_has: {source}.{code} does not refer to {resource_type}"
            raise Problem("not-supported", message, "_has")
        return Has(resource_type, parameter, self.condition(source, rest))

    def _chain(self, resource_type: str, name: str) -> Condition:
        first, _, rest = name.partition(".")
        code, _, target = first.partition(":")
        parameter = reference(resource_type, code)
        if target:
            if target not in targets(parameter):
                message = f"'{code}' does not refer to '{target[:64]}'"
                raise Problem("not-supported", message, code)
            return Chain(parameter, ((target, self.condition(target, rest)),), True)
        found = list(self._untyped(parameter, rest))
        return Chain(parameter, tuple(found), len(found) == 1)

    def _untyped(self, parameter: Parameter, rest: str) -> Iterator[tuple[str, Condition]]:
        """The target types that understand the rest. Where none does, the first one's reason is told."""
        told: Problem | None = None
        found = False
        for target in sorted(implied(parameter)):
            try:
                step = self.condition(target, rest)
            except Problem as problem:
                if problem.kind not in ("not-supported", "value"):
                    raise
                if told is None or told.kind == "not-supported":
                    told = problem
                continue
            found = True
            yield target, step
        if not found:
            raise told or Problem("not-supported", f"'{parameter.code}' refers to nothing", parameter.code)


def reference(resource_type: str, code: str) -> Parameter:
    """A reference parameter of the type. Raises Problem."""
    parameter = parameters_of(resource_type).get(code)
    if parameter is None or parameter.type != "reference":
        message = f"{resource_type} has no reference '{code[:64]}' to follow"
        raise Problem("not-supported", message, code[:64])
    return parameter


def targets(parameter: Parameter) -> frozenset[str]:
    """The types a reference may point at."""
    return resource_types() if parameter.targets in ((), ("Resource",)) else frozenset(parameter.targets)


def implied(parameter: Parameter) -> frozenset[str]:
    """The types that an untyped chain leads to. R4 lists Group among the targets of `patient`, but its expressions
    select Patients only; that of DeviceUseStatement alone does not, where `patient:Group` names the other type."""
    found = targets(parameter)
    return found & {"Patient"} if parameter.code == "patient" and "Patient" in found else found


def touched(found: Condition) -> Iterator[str]:
    """The other types that a condition looks at."""
    match found:
        case Chain(_, steps):
            for target, step in steps:
                yield target
                yield from touched(step)
        case Has(_, parameter, inner):
            yield parameter.base
            yield from touched(inner)
        case Every(conditions) | Some(conditions):
            for each in conditions:
                yield from touched(each)
        case Not(_, inner):
            yield from touched(inner)


def granted(found: Condition, access: Access) -> Condition:
    """The condition, where this caller may search every type that it looks at. Raises Problem `forbidden`, whatever
    is stored."""
    match found:
        case Chain():
            _require_steps(found, access)
        case Has(_, parameter, inner):
            access.require(SEARCH, parameter.base)
            granted(inner, access)
        case Every(conditions) | Some(conditions):
            for each in conditions:
                granted(each, access)
        case Not(_, inner):
            granted(inner, access)
    return found


def _require_steps(chain: Chain, access: Access) -> None:
    """Raises Problem where the caller may not take every step; where it may take some, they are to be named."""
    refused = {target: why for target, step in chain.steps if (why := _refusal(target, step, access))}
    if not refused:
        return
    first, code = next(iter(refused.values())), chain.parameter.code
    may = [target for target, _ in chain.steps if target not in refused]
    if chain.typed or not may:
        raise first
    message = (
        f"'{code}' leads to {', '.join(target for target, _ in chain.steps)}, and the token's scopes do not cover "
        f"what is asked of {', '.join(refused)}; name the type, as in {code}:{may[0]}"
    )
    raise Problem("forbidden", message, code, first.headers)


def _refusal(target: str, step: Condition, access: Access) -> Problem | None:
    """Why the caller may not take a step of a chain."""
    try:
        access.require(SEARCH, target)
        granted(step, access)
    except Problem as problem:
        return problem
    return None
