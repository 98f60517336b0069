"""The functions of FHIRPath that constraints use, each compiled to a closure.

Rules: https://hl7.org/fhirpath/N1/#functions and https://hl7.org/fhir/R4/fhirpath.html#functions
Refuses by NotFhirPath: functions that are not in the tables below, and a type test that JSON cannot answer.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from conformance.fhirpath import compare, types
from conformance.fhirpath.choices import CHOICES
from conformance.fhirpath.closures import Around, Closure, Node, Nodes, boolean, build, children, truth
from conformance.fhirpath.syntax import NotFhirPath, Tree


def call(base: Tree | None, name: str, arguments: tuple[Tree, ...]) -> Closure:
    """The closure of `base.name(arguments)`."""
    if name in ("is", "as", "ofType"):
        return types.typed(base, name, arguments[0][1])
    if name in ("exists", "empty") and not arguments and base is not None and base[0] == "member":
        return _present(base, name == "exists")
    source = build(base) if base is not None else (lambda node, around: [node])
    if not arguments and name in _ON_ALL:
        act = _ON_ALL[name]
        return lambda node, around: act(source(node, around))
    if name in _WITH_CRITERION:
        return _WITH_CRITERION[name](source, *(build(argument) for argument in arguments))
    if name in _ON_TEXT:
        return _text(source, _ON_TEXT[name], [build(argument) for argument in arguments], name in _TESTS)
    if name in _WITH_OTHER:
        decide, other = _WITH_OTHER[name], build(arguments[0])
        return lambda node, around: decide(source(node, around), other(node, around))
    raise NotFhirPath(f"{name}() is not known")


def _present(base: Tree, wanted: bool) -> Closure:
    """`a.exists()` and `a.empty()`, the most frequent of all."""
    _, holder, name = base
    if holder is not None or name in CHOICES or name[0].isupper():
        inner = build(base)
        return lambda node, around: boolean(bool(inner(node, around)) is wanted)
    beside = f"_{name}"
    return lambda node, around: boolean((type(node) is dict and (name in node or beside in node)) is wanted)


def _exists(source: Closure, criterion: Closure | None = None) -> Closure:
    if criterion is None:
        return lambda node, around: boolean(bool(source(node, around)))
    return lambda node, around: boolean(any(truth(criterion(item, around)) for item in source(node, around)))


def _all(source: Closure, criterion: Closure) -> Closure:
    return lambda node, around: boolean(all(truth(criterion(item, around)) for item in source(node, around)))


def _where(source: Closure, criterion: Closure) -> Closure:
    return lambda node, around: [item for item in source(node, around) if truth(criterion(item, around))]


def _select(source: Closure, part: Closure) -> Closure:
    return lambda node, around: [found for item in source(node, around) for found in part(item, around)]


def _repeat(source: Closure, part: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        found: Nodes = []
        waiting = source(node, around)
        while waiting:
            waiting = [child for item in waiting for child in part(item, around)]
            found += waiting
        return found

    return find


def _iif(source: Closure, criterion: Closure, then: Closure, otherwise: Closure | None = None) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        found = source(node, around)
        on = found[0] if len(found) == 1 else found
        if truth(_on(criterion, on, around)):
            return _on(then, on, around)
        return _on(otherwise, on, around) if otherwise else []

    return find


def _on(closure: Closure, on: Any, around: Around) -> Nodes:
    return closure(on, around)


def _trace(source: Closure, *_: Closure) -> Closure:
    return source


def _resolve(source: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        found: Nodes = []
        for item in source(node, around):
            text = item.get("reference") if isinstance(item, dict) else item
            target = around.resolve(text) if isinstance(text, str) else None
            if target is not None:
                found.append(target)
        return found

    return find


def _extension(source: Closure, url: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        wanted = url(node, around)[0]
        held = [each for item in source(node, around) for each in children(item, "extension")]
        return [each for each in held if each.get("url") == wanted]

    return find


def _member_of(source: Closure, value_set: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        url = value_set(node, around)[0]
        return [True for item in source(node, around)[:1] if around.member_of(url, item) is not False]

    return find


def _take(source: Closure, count: Closure) -> Closure:
    return lambda node, around: source(node, around)[: count(node, around)[0]]


def _skip(source: Closure, count: Closure) -> Closure:
    return lambda node, around: source(node, around)[count(node, around)[0] :]


_WITH_CRITERION: Mapping[str, Callable[..., Closure]] = {
    "exists": _exists,
    "all": _all,
    "where": _where,
    "select": _select,
    "repeat": _repeat,
    "iif": _iif,
    "trace": _trace,
    "resolve": _resolve,
    "extension": _extension,
    "memberOf": _member_of,
    "take": _take,
    "skip": _skip,
}


def _not(found: Nodes) -> Nodes:
    value = truth(found)
    return boolean(None if value is None else not value)


def _descendants(found: Nodes) -> Nodes:
    below: Nodes = []
    waiting = found
    while waiting:
        waiting = _children(waiting)
        below += waiting
    return below


def _children(found: Nodes) -> Nodes:
    return [
        child
        for item in found
        if isinstance(item, dict)
        for name in item
        if name != "resourceType" and (name[0] != "_" or name[1:] not in item)
        for child in children(item, name.removeprefix("_"))
    ]


def _has_value(found: Nodes) -> Nodes:
    return boolean(len(found) == 1 and not isinstance(found[0], dict))


def _integer(found: Nodes) -> Nodes:
    try:
        return [int(str(found[0]))] if found else []
    except ValueError:
        return []


def _as_text(found: Nodes) -> Nodes:
    if not found:
        return []
    return [{True: "true", False: "false"}[found[0]] if isinstance(found[0], bool) else str(found[0])]


_ON_ALL: Mapping[str, Callable[[Nodes], Nodes]] = {
    "empty": lambda found: boolean(not found),
    "not": _not,
    "count": lambda found: [len(found)],
    "first": lambda found: found[:1],
    "last": lambda found: found[-1:],
    "tail": lambda found: found[1:],
    "single": lambda found: found[:1],
    "distinct": compare.distinct,
    "isDistinct": lambda found: boolean(len(compare.distinct(found)) == len(found)),
    "hasValue": _has_value,
    "toInteger": _integer,
    "toString": _as_text,
    "allTrue": lambda found: boolean(all(item is True for item in found)),
    "anyTrue": lambda found: boolean(any(item is True for item in found)),
    "children": _children,
    "descendants": _descendants,
}

_WITH_OTHER: Mapping[str, Callable[[Nodes, Nodes], Nodes]] = {
    "combine": lambda left, right: [*left, *right],
    "union": lambda left, right: compare.distinct([*left, *right]),
    "intersect": lambda left, right: compare.distinct(
        [item for item in left if any(compare.same(item, other) for other in right)]
    ),
    "exclude": lambda left, right: [item for item in left if not any(compare.same(item, other) for other in right)],
    "subsetOf": lambda left, right: boolean(
        all(any(compare.same(item, other) for other in right) for item in left)
    ),
}


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


def _substring(text: str, start: int, length: int | None = None) -> Any:
    if not 0 <= start < len(text):
        return None
    return text[start:] if length is None else text[start : start + length]


_ON_TEXT: Mapping[str, Callable[..., Any]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: _pattern(pattern).search(text) is not None,
    "replace": str.replace,
    "replaceMatches": lambda text, pattern, by: _pattern(pattern).sub(by, text),
    "substring": _substring,
    "length": len,
    "lower": str.lower,
    "upper": str.upper,
    "indexOf": str.find,
}


# nothing neither starts nor ends with anything: ref-1 and bdl-8 of R4 mean it so
_TESTS = frozenset(("startsWith", "endsWith", "contains", "matches"))


def _text(source: Closure, act: Callable[..., Any], arguments: list[Closure], is_test: bool) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        found = source(node, around)
        if not found or not isinstance(found[0], str):
            return [False] if is_test else []
        given = [argument(node, around) for argument in arguments]
        if not all(given):
            return []
        result = act(found[0], *(each[0] for each in given))
        return [] if result is None else [result]

    return find
