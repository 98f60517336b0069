"""The FHIRPath expressions that say where something stands in a resource: read here, followed by hub.fhir.places.

Rules: https://hl7.org/fhir/R4/fhirpatch.html (a patch's path finds elements by simple steps),
https://hl7.org/fhirpath/N1/
Understood: steps (`Patient.name.given`), indexes (`[0]`), `first()`, `last()`, `where()` with `=`, `!=` or
`exists()` joined by `and`, `extension('url')`, `ofType()` and `as()`.
Refuses: any other expression (`processing`, 422). It is not guessed what was meant.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.problems import Problem

MOST_CHARACTERS = 1000
MOST_NESTED = 8  # where() inside where()
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>-?[0-9]{1,18}(?:\.[0-9]{1,18})?)|(?P<date>@[0-9T:.+Z\-]+)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*|\$this)|(?P<sign>!=|[.()\[\]=]))"
)
_ESCAPED = re.compile(r"\\(.)")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Child:
    name: str


@dataclass(frozen=True, slots=True)
class Nth:
    """The element at a number; -1 is the last."""

    number: int


@dataclass(frozen=True, slots=True)
class OfType:
    type: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`sign` is `=`, `!=` or `exists`."""

    path: "tuple[Step, ...]"
    sign: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Where:
    conditions: tuple[Condition, ...]


Step = Child | Nth | OfType | Where


def parse(expression: str) -> tuple[Step, ...]:
    """The steps of an expression. Raises Problem(`processing`)."""
    if len(expression) > MOST_CHARACTERS:
        raise Problem("processing", f"A path has at most {MOST_CHARACTERS} characters")
    reader = _Reader(list(_tokens(expression)))
    steps = tuple(reader.steps(0))
    reader.end()
    return steps


def not_understood() -> Problem:
    return Problem(
        "processing",
        "A path has steps, indexes, first(), last(), extension(), ofType() and where() with =, != or exists(); "
        "this one has something else",
    )


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    expression = expression.strip()
    at = 0
    while at < len(expression):
        found = _TOKEN.match(expression, at)
        if found is None:
            raise not_understood()
        yield str(found.lastgroup), found[str(found.lastgroup)]
        at = found.end()


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[tuple[str, str]]):
        self._tokens = tokens
        self._at = 0

    def steps(self, depth: int) -> Iterator[Step]:
        """`name.name[0].where(...)`, until something else stands there."""
        if depth > MOST_NESTED:
            raise not_understood()
        yield from self._step(self._take("name"), depth)
        while True:
            if self._skip("["):
                number = self._take("number")
                if not number.isdecimal():
                    raise not_understood()
                yield Nth(int(number))
                self._need("]")
            elif self._peek() == "." and not self._is_exists():
                self._need(".")
                yield from self._step(self._take("name"), depth)
            else:
                return

    def end(self) -> None:
        if self._at != len(self._tokens):
            raise not_understood()

    def _step(self, name: str, depth: int) -> Iterator[Step]:
        if name == "$this":
            return
        if not self._skip("("):
            yield Child(name)
            return
        match name:
            case "first" | "last":
                yield Nth(0 if name == "first" else -1)
            case "where":
                yield Where(tuple(self._conditions(depth + 1)))
            case "ofType" | "as":
                yield OfType(self._take("name"))
            case "extension":
                yield Child("extension")
                yield Where((Condition((Child("url"),), "=", _text(self._take("text"))),))
            case _:
                raise not_understood()
        self._need(")")

    def _conditions(self, depth: int) -> Iterator[Condition]:
        while True:
            yield self._condition(depth)
            if self._peek() != "and":
                return
            self._take("name")

    def _condition(self, depth: int) -> Condition:
        path = tuple(self.steps(depth))
        if self._is_exists():
            for sign in (".", "exists", "(", ")"):
                self._need(sign)
            return Condition(path, "exists")
        sign = self._take("sign")
        if sign not in ("=", "!="):
            raise not_understood()
        return Condition(path, sign, self._literal())

    def _literal(self) -> Any:
        kind, text = self._next()
        match kind, text:
            case "text", _:
                return _text(text)
            case "number", _:
                return Decimal(text)
            case "date", _:
                return text[1:]
            case "name", "true" | "false":
                return text == "true"
        raise not_understood()

    def _is_exists(self) -> bool:
        return [text for _, text in self._tokens[self._at : self._at + 4]] == [".", "exists", "(", ")"]

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise not_understood()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            raise not_understood()
        return text

    def _skip(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._at += 1
        return True

    def _need(self, sign: str) -> None:
        if self._next()[1] != sign:
            raise not_understood()


def _text(quoted: str) -> str:
    return _ESCAPED.sub(lambda found: _LETTERS.get(found[1], found[1]), quoted[1:-1])
