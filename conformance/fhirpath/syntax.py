"""FHIRPath text -> a tree of tuples, for the constraints of profiles and the invariants of R4.

Rules: https://hl7.org/fhirpath/N1/#precedence
Refuses by NotFhirPath: what the grammar does not hold, and literals of dates, times and quantities (no constraint
of R4 has one).
"""

import re
from decimal import Decimal
from typing import Any

Tree = tuple[Any, ...]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<string>'(?:\\.|[^'\\])*')|(?P<name>[A-Za-z_]\w*|`[^`]+`)"
    r"|(?P<variable>%(?:[A-Za-z_][\w-]*|`[^`]+`|'[^']+'))|(?P<special>\$this|\$index|\$total)"
    r"|(?P<op><=|>=|!=|!~|[-+*/|&=~<>.,()\[\]{}]))",
    re.DOTALL,
)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}

# operator -> how strongly it binds
_BINARY = {
    "implies": 1,
    **dict.fromkeys(("or", "xor"), 2),
    "and": 3,
    **dict.fromkeys(("in", "contains"), 4),
    **dict.fromkeys(("=", "~", "!=", "!~"), 5),
    **dict.fromkeys(("<", ">", "<=", ">="), 6),
    "|": 7,
    **dict.fromkeys(("is", "as"), 8),
    **dict.fromkeys(("+", "-", "&"), 9),
    **dict.fromkeys(("*", "/", "div", "mod"), 10),
}
_LITERALS = {"true": True, "false": False}


class NotFhirPath(Exception):
    """The text is not FHIRPath, or not the part of it that is known here."""


def parse(text: str) -> Tree:
    """The tree of an expression.

    ("literal", v) ("this",) ("variable", name) ("empty",) ("member", tree | None, name)
    ("call", tree | None, name, arguments) ("index", tree, tree) ("binary", op, left, right) ("negative", tree)
    """
    reader = _Reader(_tokens(_COMMENT.sub(lambda m: m[0] if m[0][:2] == "//" and "'" in m[0] else " ", text)))
    tree = reader.expression(0)
    if reader.peek()[0] != "end":
        raise NotFhirPath(f"more than one expression: {reader.peek()[1]}")
    return tree


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    place = 0
    while text[place:].strip():
        token = _TOKEN.match(text, place)
        if token is None or token.lastgroup is None:
            raise NotFhirPath(f"no token at {place}")
        found.append((token.lastgroup, token[token.lastgroup]))
        place = token.end()
    return [*found, ("end", "")]


def _text(quoted: str) -> str:
    return _ESCAPE.sub(
        lambda m: chr(int(m[1][1:], 16)) if len(m[1]) > 1 else _ESCAPED.get(m[1], m[1]), quoted[1:-1]
    )


class _Reader:
    """Climbs precedences over a list of tokens."""

    def __init__(self, tokens: list[tuple[str, str]]):
        self.tokens = tokens
        self.place = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.place]

    def next(self) -> tuple[str, str]:
        self.place += 1
        return self.tokens[self.place - 1]

    def takes(self, text: str) -> bool:
        if self.peek() in (("op", text), ("name", text)):
            self.place += 1
            return True
        return False

    def wants(self, text: str) -> None:
        if not self.takes(text):
            raise NotFhirPath(f"{text} is missing before {self.peek()[1] or 'the end'}")

    def expression(self, floor: int) -> Tree:
        left = self.unary()
        while True:
            kind, text = self.peek()
            power = _BINARY.get(text, 0) if kind in ("op", "name") else 0
            if power <= floor:
                return left
            self.next()
            right = self.type_name() if text in ("is", "as") else self.expression(power)
            left = ("binary", text, left, right)

    def unary(self) -> Tree:
        if self.takes("-"):
            return ("negative", self.unary())
        self.takes("+")
        return self.invocations()

    def type_name(self) -> Tree:
        name = self.next()[1].strip("`")
        if self.takes("."):
            name = self.next()[1].strip("`")
        return ("type", name)

    def invocations(self) -> Tree:
        tree = self.term()
        while True:
            if self.takes("."):
                tree = self.named(tree)
            elif self.takes("["):
                tree = ("index", tree, self.expression(0))
                self.wants("]")
            else:
                return tree

    def named(self, base: Tree | None) -> Tree:
        kind, text = self.next()
        if kind == "special" and text == "$this" and base is not None:
            return base
        if kind != "name":
            raise NotFhirPath(f"{text} is not a name")
        if self.takes("("):
            return ("call", base, text, self.arguments(text))
        return ("member", base, text.strip("`"))

    def arguments(self, function: str) -> tuple[Tree, ...]:
        if self.takes(")"):
            return ()
        if function in ("is", "as", "ofType"):
            found = [self.type_name()]
        else:
            found = [self.expression(0)]
        while self.takes(","):
            found.append(self.expression(0))
        self.wants(")")
        return tuple(found)

    def term(self) -> Tree:
        kind, text = self.peek()
        if kind == "name":
            if text in _LITERALS and self.tokens[self.place + 1] != ("op", "("):
                self.next()
                return ("literal", _LITERALS[text])
            return self.named(None)
        self.next()
        return self.other_term(kind, text)

    def other_term(self, kind: str, text: str) -> Tree:
        if kind == "number":
            return ("literal", Decimal(text) if "." in text else int(text))
        if kind == "string":
            return ("literal", _text(text))
        if kind == "variable":
            return ("variable", text[1:].strip("`'"))
        if kind == "special" and text == "$this":
            return ("this",)
        if text == "(":
            inner = self.expression(0)
            self.wants(")")
            return inner
        if text == "{":
            self.wants("}")
            return ("empty",)
        raise NotFhirPath(f"{text or 'the end'} stands where a term should")
