"""SMART scopes of backend services: the grammar, what a client is granted, and the pairs `Access` asks.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
`system/(Type|*).(letters of cruds, in that order)`; the v1 forms `.read`, `.write`, `.*` are read as v2.
Refuses (ScopeError, `invalid_scope`): no scope, `patient/` and `user/` (a backend has neither), letters out
of order, types that are not R4, control characters, and granular `?category=`: not offered yet, and never
widened to the plain scope.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hub.fhir.types import resource_types

CONTEXT = "system/"
LETTERS = "cruds"
VERSION_1 = {"read": "rs", "write": "cud", "*": LETTERS}
MAX_TEXT = 8192

_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)")
_SCOPE_CHARACTERS = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")


class ScopeError(Exception):
    """The scopes cannot be granted. The text names the place and the rule, not what was sent."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One v2 system scope: `resource` is an R4 type or `*`, `letters` a non-empty part of `cruds`."""

    resource: str
    letters: str

    def __str__(self) -> str:
        return f"{CONTEXT}{self.resource}.{self.letters}"


def parse(text: str) -> tuple[Scope, ...]:
    """The scopes in a space-separated text (RFC 6749 section 3.3)."""
    if not text:
        raise ScopeError("A scope is required")
    if len(text) > MAX_TEXT or not _SCOPE_CHARACTERS.fullmatch(text):
        raise ScopeError("The scopes are too long or hold characters that RFC 6749 does not allow")
    return tuple(_scope(word, place) for place, word in enumerate(text.split(" "), start=1))


def _scope(word: str, place: int) -> Scope:
    if word.startswith(("patient/", "user/")):
        raise ScopeError(f"Scope {place} is not for a backend service: only {CONTEXT} scopes are")
    if "?" in word:
        raise ScopeError(f"Scope {place} is granular: search parameters in scopes are not offered")
    found = _SCOPE.fullmatch(word)
    if not found or not found[2]:
        raise ScopeError(f"Scope {place} does not read {CONTEXT}Type.cruds, letters in that order")
    if found[1] != "*" and found[1] not in resource_types():
        raise ScopeError(f"Scope {place} names no resource type of FHIR R4")
    return Scope(found[1], VERSION_1.get(found[2], found[2]))


def written(scopes: Iterable[Scope]) -> str:
    """The scopes as a token answer and the tables hold them."""
    return " ".join(str(scope) for scope in scopes)


def granted(requested: Iterable[Scope], registered: Iterable[Scope]) -> tuple[Scope, ...]:
    """What is both asked for and registered, and nothing else; ScopeError where that is nothing."""
    asked, allowed = _by_resource(requested), _by_resource(registered)
    everywhere = asked.get("*", set()) & allowed.get("*", set())
    types = dict.fromkeys([*asked, *(allowed if "*" in asked else ())])
    found = [Scope("*", _ordered(everywhere))] if everywhere else []
    for resource in types:
        if resource != "*":
            letters = _of(asked, resource) & _of(allowed, resource)
            found.append(Scope(resource, _ordered(letters - everywhere)))
    given = tuple(scope for scope in found if scope.letters)
    if not given:
        raise ScopeError("None of the requested scopes is registered for this client")
    return given


def grants(scopes: Iterable[Scope]) -> frozenset[tuple[str, str]]:
    """The pairs (type or `*`, letter) that `hub.access.Access` asks."""
    return frozenset((scope.resource, letter) for scope in scopes for letter in scope.letters)


def _by_resource(scopes: Iterable[Scope]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for scope in scopes:
        found.setdefault(scope.resource, set()).update(scope.letters)
    return found


def _of(letters: dict[str, set[str]], resource: str) -> set[str]:
    return letters.get(resource, set()) | letters.get("*", set())


def _ordered(letters: set[str]) -> str:
    return "".join(letter for letter in LETTERS if letter in letters)
