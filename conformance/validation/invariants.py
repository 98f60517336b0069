"""The invariants of R4 (severity error), evaluated where the element that they are about is present.

Rules: conformance/definitions/r4_invariants.csv; which properties lead there: r4_invariant_steps.csv
Each expression becomes a Python closure when it is first met. UNKNOWABLE names what is not evaluated, and why.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from conformance.validation.findings import where
from conformance.validation.walk import Trail, steps
from hub.problems import Issue

Node = dict[str, Any]

# key -> why it is not evaluated
UNKNOWABLE: Mapping[str, str] = {
    "ctm-1": "needs the resource that participant.member refers to; onBehalfOf is not refused for its absence",
}


class Plan:
    """What to check at an element, and which of its properties to enter."""

    __slots__ = ("enter", "rules")

    def __init__(self) -> None:
        self.rules: list[tuple[str, str, list[Callable[..., bool]]]] = []
        self.enter: dict[str, Plan] = {}


@cache
def _plans() -> dict[str, Plan]:
    plans: dict[str, Plan] = {}
    for path, key, expression in _rows("r4_invariants.csv"):
        if key not in UNKNOWABLE:
            plans.setdefault(path, Plan()).rules.append((key, expression, []))
    for path, name, target in _rows("r4_invariant_steps.csv"):
        if target in plans or target in _steps_from():
            plans.setdefault(path, Plan()).enter[name] = plans.setdefault(target, Plan())
    return plans


@cache
def _steps_from() -> frozenset[str]:
    return frozenset(path for path, _, _ in _rows("r4_invariant_steps.csv"))


def _rows(name: str) -> Iterator[list[str]]:
    text = files("conformance.definitions").joinpath(name).read_text("utf-8")
    rows = csv.reader(text.splitlines())
    next(rows)
    return rows


def check(resource: Node, root: Node, trail: Trail, extensions: list[tuple[Node, Trail]]) -> list[Issue]:
    """The broken invariants of one resource; those inside it are checked on their own."""
    plans = _plans()
    issues: list[Issue] = []
    plan = plans.get(resource["resourceType"])
    waiting = [(resource, trail, plan)] if plan is not None else []
    if extensions:
        waiting += [(node, place, plans["Extension"]) for node, place in extensions]
    while waiting:
        node, place, plan = waiting.pop()
        if plan.rules:
            _evaluate(plan, node, place, resource, root, issues)
        enter = plan.enter
        if enter:
            for name in node.keys() & enter.keys() if len(enter) > len(node) else enter:
                value = node.get(name)
                if type(value) is dict:
                    waiting.append((value, (place, name), enter[name]))
                elif type(value) is list:
                    inner = enter[name]
                    waiting += [
                        (item, ((place, name), at), inner) for at, item in enumerate(value) if type(item) is dict
                    ]
    return issues


def _evaluate(plan: Plan, node: Node, trail: Trail, resource: Node, root: Node, issues: list[Issue]) -> None:
    around = _Around(resource, root, node)
    for key, expression, compiled in plan.rules:
        if not compiled:
            compiled.append(_compile(expression))
        if not compiled[0](node, around):
            issues.append(Issue("invariant", f"{key}: {expression}", where(steps(trail))))


class _Around:
    """What an invariant sees besides its node."""

    __slots__ = ("context", "resource", "root")
    type = ""

    def __init__(self, resource: Node, root: Node, context: Node):
        self.resource = resource
        self.root = root
        self.context = context

    def resolve(self, _: str) -> None:
        return None

    def member_of(self, _: str, __: Node) -> None:
        return None


def _compile(expression: str) -> Callable[..., bool]:
    from conformance.fhirpath.closures import compiled

    return compiled(expression)
