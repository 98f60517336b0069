"""What `_include` and `_revinclude` ask for, and which references and index keys that means for resources at hand.

Rules: https://hl7.org/fhir/R4/search.html#include, #revinclude, #canonical
`Source:param[:Target]`, `Source:*`, `*`, and `:iterate` (`:recurse` in earlier versions). A reference with a
version brings the current one; one with an identifier only, or to a contained resource, brings nothing.
Refuses: what cannot bring anything, such as a parameter that is no reference or never points at that type
(`not-supported`), and `_revinclude=*` (`too-costly`: it asks everything that points anywhere).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.search import custom
from hub.search.edges import reference_key
from hub.search.hashes import key
from hub.search.parameters import Parameter, parameters_of, rows_of
from hub.search.values import Reference, references

FORWARD, REVERSE = "_include", "_revinclude"
NAMES = (FORWARD, REVERSE)
ITERATE = ("iterate", "recurse")
ANY = "*"
LONGEST = 200  # characters of one inclusion: three names

Content = dict[str, Any]
May = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """`source` and `code` may be `*`; an empty `target` is any."""

    source: str
    code: str
    target: str
    reverse: bool
    iterate: bool


@dataclass(slots=True)
class Wanted:
    """What one level asks for: resources by identity and rows of the index, and what must be true of the latter."""

    identities: dict[Reference, None] = field(default_factory=dict)
    keys: dict[int, None] = field(default_factory=dict)
    addresses: set[Reference] = field(default_factory=set)
    pointed_at: set[Reference] = field(default_factory=set)


@custom.renewed
@lru_cache(maxsize=512)
def inclusion(searched: str, name: str, text: str) -> Inclusion:
    """One `_include[:iterate]=…` or `_revinclude[:iterate]=…` of a search of `searched` (empty: any type)."""
    direction, _, modifier = name.partition(":")
    if direction not in NAMES:
        raise Problem("not-supported", f"'{direction[:64]}' is no parameter here", direction[:64])
    if modifier and modifier not in ITERATE:
        raise Problem("not-supported", f"{direction} does not take the modifier ':{modifier[:64]}'", direction)
    reverse, iterate = direction == REVERSE, bool(modifier)
    if text == ANY:
        if reverse:
            raise Problem("too-costly", "_revinclude takes Source:parameter or Source:*, not * alone", direction)
        return Inclusion(ANY if iterate or not searched else searched, ANY, "", reverse, iterate)
    source, code, target = _parts(direction, text)
    found = Inclusion(source, code, target, reverse, iterate)
    _check_source(found, direction, searched)
    _check_targets(found, direction, searched)
    return found


def _parts(direction: str, text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if len(text) > LONGEST or len(parts) not in (2, 3) or not all(parts):
        raise Problem("not-supported", f"{direction} takes Source:parameter or Source:parameter:Target", direction)
    return parts[0], parts[1], parts[2] if len(parts) == 3 else ""


def _check_source(found: Inclusion, direction: str, searched: str) -> None:
    if found.source not in resource_types():
        raise Problem("not-supported", f"{direction} names '{found.source}', which is no resource type", direction)
    if found.code != ANY and _targets(found.source).get(found.code) is None:
        message = f"{direction}: '{found.code}' is no reference parameter of {found.source} here"
        raise Problem("not-supported", message, direction)
    if searched and not found.reverse and not found.iterate and found.source != searched:
        message = f"{direction}: the source is {searched}, which is searched; others take {direction}:iterate"
        raise Problem("not-supported", message, direction)


def _check_targets(found: Inclusion, direction: str, searched: str) -> None:
    points_at = _points_at(found.source, found.code)
    if not points_at:
        raise Problem("not-supported", f"{direction}: {found.source} has no reference parameter here", direction)
    if found.target and found.target not in points_at:
        message = f"{direction}: {found.source}:{found.code} does not point at '{found.target}'"
        raise Problem("not-supported", message, direction)
    narrow = found.reverse and bool(searched) and not found.iterate
    if narrow and (searched not in points_at or found.target not in ("", searched)):
        message = f"{direction}: {found.source}:{found.code} does not point at {searched}, which is searched"
        raise Problem("not-supported", message, direction)


@custom.renewed
@cache
def _targets(source: str) -> dict[str, frozenset[str]]:
    """The types that each reference parameter of a type may point at."""
    every = ((code, row) for code, row in rows_of(source).items() if row["type"] == "reference")
    return {code: _types(row["targets"]) for code, row in every}


def _types(targets: str) -> frozenset[str]:
    return resource_types() if targets in ("", "Resource") else frozenset(targets.split())


def _points_at(source: str, code: str) -> frozenset[str]:
    if source == ANY:
        return resource_types()
    targets = _targets(source)
    return frozenset().union(*targets.values()) if code == ANY else targets[code]


def brings(found: Inclusion) -> frozenset[str]:
    """The types of the resources that an inclusion may add."""
    if found.reverse:
        return frozenset((found.source,))
    return frozenset((found.target,)) if found.target else _points_at(found.source, found.code)


def offered(resource_type: str) -> list[str]:
    """Every `_include` that a search of a type takes. https://hl7.org/fhir/R4/capabilitystatement.html"""
    return [ANY, *(f"{resource_type}:{code}" for code in sorted(_targets(resource_type)))]


@custom.renewed
@cache
def offered_reverse(resource_type: str) -> list[str]:
    """Every `_revinclude` that a search of a type takes."""
    return [
        f"{source}:{code}"
        for source in sorted(resource_types())
        for code, targets in sorted(_targets(source).items())
        if resource_type in targets
    ]


@custom.renewed
@lru_cache(maxsize=1024)
def _followed(found: Inclusion, resource_type: str) -> tuple[tuple[Parameter, frozenset[str]], ...]:
    """The parameters that a forward inclusion follows in resources of a type, and to which types."""
    if found.source not in (ANY, resource_type):
        return ()
    return _parameters(resource_type, found)


@custom.renewed
@lru_cache(maxsize=1024)
def _asked(found: Inclusion, resource_type: str) -> tuple[Parameter, ...]:
    """The parameters of a reverse inclusion that may point at resources of a type."""
    return tuple(parameter for parameter, targets in _parameters(found.source, found) if resource_type in targets)


@custom.renewed
@lru_cache(maxsize=1024)
def _parameters(source: str, found: Inclusion) -> tuple[tuple[Parameter, frozenset[str]], ...]:
    parameters, narrow = parameters_of(source), frozenset((found.target,))
    return tuple(
        (parameters[code], targets & narrow if found.target else targets)
        for code, targets in _targets(source).items()
        if found.code in (ANY, code) and code in parameters
    )


def plan(inclusions: Sequence[Inclusion], resources: Sequence[Content], may_read: May, base: str) -> Wanted:
    """What these resources make the inclusions ask for; types that may not be read are left out."""
    wanted = Wanted()
    for resource in resources:
        for found in inclusions:
            if found.reverse:
                _ask(wanted, found, resource)
            else:
                _follow(wanted, found, resource, may_read, base)
    return wanted


def _follow(wanted: Wanted, found: Inclusion, resource: Content, may_read: May, base: str) -> None:
    for parameter, targets in _followed(found, resource["resourceType"]):
        for node in parameter.walk(resource):
            for target, value in references(node, base):
                if target:
                    if target in targets and may_read(target):
                        wanted.identities[target, value] = None
                elif isinstance(node, str):  # a canonical; other absolute addresses are not of this hub
                    wanted.addresses.add((None, value))
                    where = (t for t in targets if may_read(t) and "url" in rows_of(t))
                    wanted.keys.update((key(t, "url", "u", value.split("|")[0]), None) for t in where)


def _ask(wanted: Wanted, found: Inclusion, resource: Content) -> None:
    parameters = _asked(found, resource["resourceType"])
    if not parameters:
        return
    known = tuple(addresses(resource))
    wanted.pointed_at.update(known)
    for parameter in parameters:
        for target, value in known:
            name = (parameter.base, parameter.code)
            wanted.keys[reference_key(name, target, value) if target else key(*name, "u", value)] = None


def addresses(resource: Content) -> Iterator[Reference]:
    """How references point at a resource: by type and id, by its canonical URL, with and without its version."""
    yield resource["resourceType"], resource["id"]
    url, version = resource.get("url"), resource.get("version")
    if isinstance(url, str):
        yield None, url
        if isinstance(version, str):
            yield None, f"{url}|{version}"


def answers(wanted: Wanted, inclusions: Sequence[Inclusion], resource: Content, base: str) -> bool:
    """The index found a hash; the resource itself says whether it was asked for."""
    if wanted.addresses.intersection(addresses(resource)):
        return True
    back = [found for found in inclusions if found.reverse and found.source == resource["resourceType"]]
    parameters = (parameter for found in back for parameter, _ in _parameters(found.source, found))
    return any(
        reference in wanted.pointed_at
        for parameter in parameters
        for node in parameter.walk(resource)
        for reference in references(node, base)
    )
