"""SMART scopes: the grammar, and what a client is granted. What they open, `auth.sights` says.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
`(system|user|patient)/(Type|*).(letters of cruds, in that order)`, with `?category=...` after a type: granular; the
v1 forms `.read`, `.write`, `.*` are read as v2; and the words of WORDS. A backend has `system/` and nothing else, a
client with a person everything but that.
Refuses (ScopeError, `invalid_scope`): no scope, letters out of order, types that are not R4, control characters, a
context of the other kind of client, granular scopes by anything but R4's own token parameters of that type.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import parse_qsl

from hub.fhir.types import resource_types
from hub.search.parameters import official_rows

SYSTEM, USER, PATIENT = "system", "user", "patient"
CONTEXTS = (PATIENT, USER, SYSTEM)
LETTERS = "cruds"
VERSION_1 = {"read": "rs", "write": "cud", "*": LETTERS}
WORDS = (
    "openid",
    "fhirUser",
    "profile",
    "launch",
    "launch/patient",
    "launch/encounter",
    "offline_access",
    "online_access",
)
MAX_TEXT = 8192
MAX_CONDITIONS = 8
# `_id` is no list of kinds, `_security` would tell of labels
NOT_GRANULAR = frozenset(("_id", "_security"))

_SCOPE = re.compile(r"(system|user|patient)/(\*|[A-Z][A-Za-z]+)\.(read|write|\*|c?r?u?d?s?)(?:\?(.+))?")
_SCOPE_CHARACTERS = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*")
_IN_V1 = {letters: word for word, letters in VERSION_1.items()}


class ScopeError(Exception):
    """The scopes cannot be granted. The text names the place and the rule, not what was sent."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope. `context` is one of CONTEXTS, `resource` an R4 type or `*`, `letters` a non-empty part of `cruds`,
    `query` the search that a granular one is narrowed to. A plain word has no context and is in `resource`."""

    context: str
    resource: str
    letters: str = ""
    query: str = ""

    def __str__(self) -> str:
        return self.written(self.letters)

    def written(self, letters: str) -> str:
        if not self.context:
            return self.resource
        return f"{self.context}/{self.resource}.{letters}" + (f"?{self.query}" if self.query else "")

    @property
    def conditions(self) -> tuple[tuple[str, str], ...]:
        """The pairs (parameter, value) that all must hold, of a granular scope."""
        return _conditions(self.query)


@lru_cache(maxsize=1024)
def _conditions(query: str) -> tuple[tuple[str, str], ...]:
    """Read once: hundreds of scopes are compared with hundreds."""
    return tuple(parse_qsl(query, keep_blank_values=True))


Scopes = tuple[Scope, ...]


def parse(text: str) -> Scopes:
    """The scopes in a space-separated text (RFC 6749 section 3.3)."""
    if not text:
        raise ScopeError("A scope is required")
    if len(text) > MAX_TEXT or not _SCOPE_CHARACTERS.fullmatch(text):
        raise ScopeError("The scopes are too long or hold characters that RFC 6749 does not allow")
    return tuple(_scope(word, place) for place, word in enumerate(text.split(" "), start=1))


def for_backend(text: str) -> Scopes:
    """The scopes a backend asks for: `system/` only."""
    found = parse(text)
    for place, scope in enumerate(found, start=1):
        if scope.context != SYSTEM:
            raise ScopeError(f"Scope {place} is not for a backend service: only {SYSTEM}/ scopes are")
    return found


def for_person(text: str) -> Scopes:
    """The scopes a client asks for where a person signs in: anything but `system/`."""
    found = parse(text)
    for place, scope in enumerate(found, start=1):
        if scope.context == SYSTEM:
            raise ScopeError(f"Scope {place} is for a backend service: nobody signs in for {SYSTEM}/ scopes")
    return found


def words(scopes: Iterable[Scope]) -> frozenset[str]:
    """The plain words among the scopes."""
    return frozenset(scope.resource for scope in scopes if not scope.context)


def contexts(scopes: Iterable[Scope]) -> frozenset[str]:
    """Which of CONTEXTS the scopes have."""
    return frozenset(scope.context for scope in scopes if scope.context)


def _scope(word: str, place: int) -> Scope:
    if word in WORDS:
        return Scope("", word)
    found = _SCOPE.fullmatch(word)
    if not found or not found[3]:
        raise ScopeError(
            f"Scope {place} does not read system/Type.cruds (or user/, patient/), letters in that order"
        )
    if found[2] != "*" and found[2] not in resource_types():
        raise ScopeError(f"Scope {place} names no resource type of FHIR R4")
    scope = Scope(found[1], found[2], VERSION_1.get(found[3], found[3]), found[4] or "")
    if scope.query:
        _require_granular(scope, place)
    return scope


def _require_granular(scope: Scope, place: int) -> None:
    """Refused, never widened to the plain scope: what is not understood opens nothing."""
    pairs = scope.conditions
    if not pairs or len(pairs) > MAX_CONDITIONS or scope.query.count("&") != len(pairs) - 1:
        raise ScopeError(f"Scope {place} is granular, and what follows the ? is not name=value")
    known = official_rows(scope.resource) if scope.resource != "*" else {}
    for name, value in pairs:
        if name in NOT_GRANULAR or known.get(name, {}).get("type") != "token" or not value:
            raise ScopeError(f"Scope {place} is granular: R4 has no such token parameter for its type")


def written(scopes: Iterable[Scope]) -> str:
    """The scopes as a token answer and the tables hold them."""
    return " ".join(str(scope) for scope in scopes)


def written_like(scopes: Iterable[Scope], asked: str) -> str:
    """The same, for a client that asked in the words of version 1: in these words where they say exactly that."""
    letters = [word.rpartition(".")[2] for word in asked.split(" ") if word.startswith(tuple(CONTEXTS))]
    if not letters or not set(letters) <= set(VERSION_1):
        return written(scopes)
    return " ".join(scope.written(_IN_V1.get(scope.letters, scope.letters)) for scope in scopes)


def granted(requested: Iterable[Scope], registered: Iterable[Scope]) -> Scopes:
    """What is both asked for and registered, and nothing else; ScopeError where that is nothing."""
    asked, allowed = tuple(requested), tuple(registered)
    found = [scope for scope in dict.fromkeys(asked) if not scope.context and scope in allowed]
    for context in CONTEXTS:
        found += _in_context(
            [s for s in asked if s.context == context], [s for s in allowed if s.context == context]
        )
    if not found:
        raise ScopeError("None of the requested scopes is registered for this client")
    return tuple(found)


def _in_context(asked: list[Scope], allowed: list[Scope]) -> list[Scope]:
    if not asked:
        return []
    plain = _plain(asked[0].context, [s for s in asked if not s.query], [s for s in allowed if not s.query])
    return plain + _granular(asked, allowed, plain)


def _plain(context: str, requested: list[Scope], registered: list[Scope]) -> list[Scope]:
    asked, allowed = _by_resource(requested), _by_resource(registered)
    everywhere = asked.get("*", set()) & allowed.get("*", set())
    types = dict.fromkeys([*asked, *(allowed if "*" in asked else ())])
    found = [Scope(context, "*", _ordered(everywhere))] if everywhere else []
    for resource in types:
        if resource != "*":
            letters = _of(asked, resource) & _of(allowed, resource)
            found.append(Scope(context, resource, _ordered(letters - everywhere)))
    return [scope for scope in found if scope.letters]


def _granular(asked: list[Scope], allowed: list[Scope], plain: list[Scope]) -> list[Scope]:
    """Where one side is granular, the narrower query counts; what the plain scopes cover is not said again."""
    covered = _by_resource(plain)
    found: dict[tuple[str, str], set[str]] = {}
    for scope in _narrower_of_each(asked, allowed):
        letters = set(scope.letters) - _of(covered, scope.resource)
        found.setdefault((scope.resource, scope.query), set()).update(letters)
    context = asked[0].context
    return [Scope(context, type_, _ordered(letters), query) for (type_, query), letters in found.items() if letters]


def _narrower_of_each(asked: list[Scope], allowed: list[Scope]) -> Iterator[Scope]:
    for want in asked:
        for have in allowed:
            resource = _narrower_type(want.resource, have.resource)
            query = _narrower_query(want, have)
            if resource and query:
                letters = _ordered(set(want.letters) & set(have.letters))
                yield replace(want, resource=resource, letters=letters, query=query)


def _narrower_type(one: str, other: str) -> str:
    if one == other or other == "*":
        return one
    return other if one == "*" else ""


def _narrower_query(one: Scope, other: Scope) -> str:
    """The query that asks all that both ask, if one of them does."""
    mine, theirs = set(one.conditions), set(other.conditions)
    if mine >= theirs:
        return one.query
    return other.query if theirs >= mine else ""


def covers(wider: Iterable[Scope], narrower: Iterable[Scope]) -> bool:
    """Whether nothing in `narrower` goes beyond `wider` (a refresh may ask for less, never for more)."""
    have = tuple(wider)
    return all(_covered(scope, have) for scope in narrower)


def _covered(scope: Scope, have: Scopes) -> bool:
    if not scope.context:
        return scope in have
    letters: set[str] = set()
    for other in have:
        fits = other.context == scope.context and other.resource in (scope.resource, "*")
        if fits and set(other.conditions) <= set(scope.conditions):
            letters.update(other.letters)
    return set(scope.letters) <= letters


def _by_resource(scopes: Iterable[Scope]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for scope in scopes:
        found.setdefault(scope.resource, set()).update(scope.letters)
    return found


def _of(letters: dict[str, set[str]], resource: str) -> set[str]:
    return letters.get(resource, set()) | letters.get("*", set())


def _ordered(letters: set[str]) -> str:
    return "".join(letter for letter in LETTERS if letter in letters)
