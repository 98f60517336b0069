"""The operators of FHIRPath on collections; Booleans have three values.

Rules: https://hl7.org/fhirpath/N1/#operations
"""

from collections.abc import Callable, Mapping

from conformance.fhirpath import compare
from conformance.fhirpath.closures import Around, Closure, Node, Nodes, boolean, truth

_TRUE, _FALSE = [True], [False]


def _and(left: Closure, right: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        first = truth(left(node, around))
        if first is False:
            return _FALSE
        second = truth(right(node, around))
        return _FALSE if second is False else [] if first is None or second is None else _TRUE

    return find


def _or(left: Closure, right: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        first = truth(left(node, around))
        if first:
            return _TRUE
        second = truth(right(node, around))
        return _TRUE if second else [] if first is None or second is None else _FALSE

    return find


def _xor(left: Closure, right: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        first, second = truth(left(node, around)), truth(right(node, around))
        return [] if first is None or second is None else boolean(first is not second)

    return find


def _implies(left: Closure, right: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        first = truth(left(node, around))
        if first is False:
            return _TRUE
        second = truth(right(node, around))
        return _TRUE if second else [] if first is None or second is None else _FALSE

    return find


def _union(left: Closure, right: Closure) -> Closure:
    return lambda node, around: compare.distinct([*left(node, around), *right(node, around)])


def _joined(left: Closure, right: Closure) -> Closure:
    def find(node: Node, around: Around) -> Nodes:
        parts = [*left(node, around)[:1], *right(node, around)[:1]]
        return ["".join(str(part) for part in parts)]

    return find


def _plain(decide: Callable[[Nodes, Nodes], Nodes]) -> Callable[[Closure, Closure], Closure]:
    return lambda left, right: lambda node, around: decide(left(node, around), right(node, around))


def _in(left: Nodes, right: Nodes) -> Nodes:
    return boolean(any(compare.same(left[0], item) for item in right)) if left else []


def _not_equal(left: Nodes, right: Nodes) -> Nodes:
    equal = compare.equal(left, right)
    return boolean(None if equal is None else not equal)


def _orders(name: str) -> Callable[[Closure, Closure], Closure]:
    return _plain(lambda left, right: boolean(compare.ordered(name, left, right)))


def _reckons(name: str) -> Callable[[Closure, Closure], Closure]:
    return _plain(lambda left, right: compare.reckoned(name, left, right))


OPERATORS: Mapping[str, Callable[[Closure, Closure], Closure]] = {
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
    "|": _union,
    "&": _joined,
    "=": _plain(lambda left, right: boolean(compare.equal(left, right))),
    "!=": _plain(_not_equal),
    "~": _plain(lambda left, right: boolean(compare.equivalent(left, right))),
    "!~": _plain(lambda left, right: boolean(not compare.equivalent(left, right))),
    "in": _plain(_in),
    "contains": _plain(lambda left, right: _in(right, left)),
    **{name: _orders(name) for name in ("<", ">", "<=", ">=")},
    **{name: _reckons(name) for name in ("+", "-", "*", "/", "div", "mod")},
}
