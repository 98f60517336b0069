"""`_filter`: an expression over the same parameters as the search itself.

Rules: https://hl7.org/fhir/R4/search_filter.html. `and` and `or` are read from left to right, neither binds
closer; `not` stands before parentheses. A path may be a chain. Texts are compared without case and accents; `ne` of
a token, reference, uri or text is true where no value is equal.
Refuses: what does not parse (`value`), filters inside a path such as `name[type eq x].value` and operators that a
parameter's type does not have (`not-supported`), more than MAX_TESTS tests, MAX_LEVELS levels of conditions inside
each other, MAX_LEAVES tests in all branches of its chains (`too-costly`), texts too long (hub.search.texts).
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.problems import Problem
from hub.search.chains import Chain, Condition, Every, Has, Not, Overlap, Some, Text, condition
from hub.search.criterion import NO_TERMS
from hub.search.parameters import Parameter, parameters_of
from hub.search.terms import Terms
from hub.search.texts import entered, kept
from hub.search.values import date_range, plain

MAX_TESTS = 50
MAX_LEAVES = 200
MAX_NESTING = 20
MAX_LEVELS = 7  # of conditions inside each other; SQLite's parser has room for twice as many
LONGEST = 4096
NAME = "_filter"

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<sign>[()])|(?P<word>[^\s()"\[\]]+)|(?P<bracket>[\[\]]))', re.DOTALL
)
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*(?::[A-Za-z]+)?(?:\.[A-Za-z_][A-Za-z0-9_\-]*(?::[A-Za-z]+)?)*\Z")
PREFIXED = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_STRING = {"eq": "eq", "co": "co", "sw": "sw", "ew": "ew"}


@dataclass(frozen=True, slots=True)
class Word:
    kind: str
    text: str


def filter_condition(
    resource_type: str, _name: str, text: str, base: str = "", terms: Terms = NO_TERMS
) -> Condition:
    """The condition that a filter states. Raises Problem."""
    if len(text) > LONGEST:
        raise Problem("search-too-long", f"_filter has at most {LONGEST} characters", NAME)
    reader = _Reader(resource_type, _words(text), base, terms)
    found = reader.expression(0)
    if reader.word() is not None:
        raise _broken()
    if leaves(found) > MAX_LEAVES:
        message = f"_filter takes at most {MAX_LEAVES} tests in all branches of its chains; name the types"
        raise Problem("too-costly", message, NAME)
    if _levels(found) > MAX_LEVELS:
        message = f"_filter takes at most {MAX_LEVELS} levels of and, or, not and steps of a chain"
        raise Problem("too-costly", message, NAME)
    return found


def _broken() -> Problem:
    return Problem("value", "_filter takes tests such as name eq x, put together with and, or, not and ( )", NAME)


def _words(text: str) -> list[Word]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _broken()
        kind = str(match.lastgroup)
        if kind == "bracket":
            raise Problem("not-supported", "_filter takes no filter inside a path here", NAME)
        found.append(Word(kind, match[kind]))
        at = match.end()
    return found


class _Reader:
    """One filter, word by word."""

    def __init__(self, resource_type: str, words: list[Word], base: str, terms: Terms):
        self._type = resource_type
        self._terms = terms
        self._words = words
        self._base = base
        self._at = 0
        self._tests = 0

    def word(self, ahead: int = 0) -> Word | None:
        place = self._at + ahead
        return self._words[place] if place < len(self._words) else None

    def _take(self) -> Word:
        found = self.word()
        if found is None:
            raise _broken()
        self._at += 1
        return found

    def _is(self, text: str, ahead: int = 0) -> bool:
        found = self.word(ahead)
        return found is not None and found.kind != "string" and found.text == text

    def expression(self, nesting: int) -> Condition:
        if nesting > MAX_NESTING:
            raise Problem("too-costly", f"_filter takes at most {MAX_NESTING} parentheses inside each other", NAME)
        found = self._operand(nesting)
        while self._is("and") or self._is("or"):
            together = Every if self._take().text == "and" else Some
            found = together((*_parts(found, together), *_parts(self._operand(nesting), together)))
        return found

    def _operand(self, nesting: int) -> Condition:
        if self._is("not") and self._is("(", 1):
            self._take()
            return Not(self._type, self._operand(nesting))
        if self._is("("):
            self._take()
            found = self.expression(nesting + 1)
            if not self._is(")"):
                raise _broken()
            self._take()
            return found
        return self._test()

    def _test(self) -> Condition:
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise Problem("too-costly", f"_filter takes at most {MAX_TESTS} tests", NAME)
        path, operator, value = self._take(), self._take(), self._take()
        if path.kind != "word" or operator.kind != "word" or value.kind == "sign" or not _PATH.match(path.text):
            raise _broken()
        text = _text(value, path.text)
        if "." in path.text:
            return self._chained(path.text, operator.text, text)
        return self._tested(self._type, path.text, operator.text, text)

    def _chained(self, path: str, operator: str, text: str) -> Condition:
        """The chain as a URL would state it, with the test at its end."""
        head, _, last = path.rpartition(".")
        probe = condition(self._type, f"{head}._id", "x", self._base)
        return _ended(probe, lambda target: self._tested(target, last, operator, text))

    def _tested(self, resource_type: str, code: str, operator: str, text: str) -> Condition:
        parameter = parameters_of(resource_type).get(code)
        if parameter is None or ":" in code:
            message = f"_filter: {resource_type} is not searched by '{code[:64]}' here"
            raise Problem("not-supported", message, code[:64])
        test = TESTS.get((parameter.type, operator)) or TESTS.get(("", operator))
        if test is None:
            message = f"_filter: '{code}' does not take the operator '{operator[:16]}'"
            raise Problem("not-supported", message, code)
        return test(_Test(resource_type, parameter, operator, text, self._base, self._terms))


def _parts(found: Condition, together: type[Every | Some]) -> tuple[Condition, ...]:
    """What holds together in the same way is one condition, however it was grouped: `a and b and c` has no levels,
    and SQLite's parser a stack of a hundred places."""
    return found.conditions if isinstance(found, together) else (found,)


def leaves(found: Condition) -> int:
    """The tests in all branches."""
    match found:
        case Every(conditions) | Some(conditions):
            return sum(map(leaves, conditions))
        case Not(_, inner) | Has(_, _, inner):
            return leaves(inner)
        case Chain(_, steps):
            return sum(leaves(step) for _, step in steps)
    return 1


def _levels(found: Condition) -> int:
    """How many times and, or, not and steps of a chain stand inside each other."""
    match found:
        case Every(conditions) | Some(conditions):
            return 1 + max(map(_levels, conditions))
        case Not(_, inner):
            return 1 + _levels(inner)
        case Chain(_, steps):
            return 1 + max(_levels(step) for _, step in steps)
    return 0


def _text(value: Word, path: str) -> str:
    if value.kind != "string":
        return entered(value.text, path)
    try:
        return entered(str(json.loads(value.text)), path)
    except ValueError:
        raise _broken() from None


def _ended(found: Condition, test: Callable[[str], Condition]) -> Condition:
    """The chain with another end; target types that do not know the parameter are left out."""
    assert isinstance(found, Chain)
    steps: list[tuple[str, Condition]] = []
    told: Problem | None = None
    for target, step in found.steps:
        try:
            steps.append((target, _ended(step, test) if isinstance(step, Chain) else test(target)))
        except Problem as problem:
            if problem.kind not in ("not-supported", "value"):
                raise
            told = problem
    if not steps:
        raise told or _broken()
    return Chain(found.parameter, tuple(steps), found.typed)


@dataclass(frozen=True, slots=True)
class _Test:
    type: str
    parameter: Parameter
    operator: str
    text: str
    base: str
    terms: Terms

    def asked(self, modifier: str = "", prefix: str = "", text: str | None = None) -> Condition:
        """The criterion of a URL that says the same."""
        value = self.text if text is None else text
        escaped = value.replace("\\", "\\\\").replace(",", "\\,")
        return condition(self.type, f"{self.parameter.shown}{modifier}", prefix + escaped, self.base, self.terms)


def _equal(test: _Test) -> Condition:
    return test.asked()


def _unequal(test: _Test) -> Condition:
    return Not(test.type, test.asked())


def _of_string(test: _Test) -> Condition:
    wanted = kept(plain(test.text), test.parameter.code)
    if not wanted:
        raise Problem("value", f"_filter: '{test.parameter.code}' has no value", test.parameter.code)
    return Text(test.parameter, test.operator, wanted)


def _unequal_string(test: _Test) -> Condition:
    return Not(test.type, Text(test.parameter, "eq", kept(plain(test.text), test.parameter.code)))


def _prefixed(test: _Test) -> Condition:
    return test.asked(prefix=test.operator)


def _overlapping(test: _Test) -> Condition:
    if test.parameter.code == "_lastUpdated":
        raise Problem("not-supported", "_filter: '_lastUpdated' does not take the operator 'po'", "_lastUpdated")
    found = date_range(test.text)
    if found is None:
        raise Problem("value", f"_filter: '{test.parameter.code}' takes a date", test.parameter.code)
    return Overlap(test.parameter, *found)


def _present(test: _Test) -> Condition:
    if test.text not in ("true", "false"):
        raise Problem("value", "_filter: pr takes true or false", test.parameter.code)
    return test.asked(":missing", text="false" if test.text == "true" else "true")


def _modified(modifier: str) -> Callable[[_Test], Condition]:
    return lambda test: test.asked(modifier)


TESTS: Mapping[tuple[str, str], Callable[[_Test], Condition]] = {
    **{("string", operator): _of_string for operator in _STRING},
    ("string", "ne"): _unequal_string,
    **{(kind, operator): _prefixed for kind in ("date", "number", "quantity") for operator in PREFIXED},
    ("date", "po"): _overlapping,
    **{(kind, "eq"): _equal for kind in ("token", "reference", "uri", "special")},
    **{(kind, "ne"): _unequal for kind in ("token", "reference", "uri")},
    ("reference", "re"): _equal,
    ("token", "in"): _modified(":in"),
    ("token", "sb"): _modified(":below"),
    ("token", "ss"): _modified(":above"),
    ("uri", "sb"): _modified(":below"),
    ("uri", "ss"): _modified(":above"),
    ("", "pr"): _present,
}
