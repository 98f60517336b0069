"""A client's SearchParameter resource as definitions that this hub can serve, or the reasons why it cannot.

Rules: https://hl7.org/fhir/R4/searchparameter.html, https://hl7.org/fhir/R4/search.html#table (which data types go
with which type of parameter). The path is read against the elements of R4, so that what is indexed is what the
path says; a choice of types is narrowed to those that the parameter's type can hold.
Refuses (422): types that are not indexed by a path alone (composite, special), bases that are no R4 resource type,
codes that cannot stand in a URL or are R4's own, paths outside the grammar of hub.search.paths.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from hub.fhir.elements import Element, elements_of
from hub.fhir.types import resource_types
from hub.problems import Issue, Problem
from hub.search.custom import Definition
from hub.search.parameters import NOT_SERVED, official_rows
from hub.search.paths import SUBTYPES, UnsupportedPath, compile_path, parsed

KIND, TAKEN = "definition", "definition-taken"
ACTIVE = "active"
Resource = dict[str, Any]

# https://hl7.org/fhir/R4/search.html#table
DATA_TYPES = {
    "token": "boolean code string id uri url canonical oid uuid Coding CodeableConcept Identifier ContactPoint",
    "reference": "Reference canonical uri url",
    "date": "date dateTime instant Period Timing",
    "string": "string markdown code id HumanName Address",
    "uri": "uri url canonical oid uuid",
    "number": "decimal integer positiveInt unsignedInt",
    "quantity": "Quantity Age Count Distance Duration Money Range",
}
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_PIPE = re.compile(r"\s*\|\s*(?=(?:[^']*'[^']*')*[^']*\Z)")  # outside of quotes
_SPACE = re.compile(r"\s+(?=(?:[^']*'[^']*')*[^']*\Z)")
_EQUALS = re.compile(r"\s*=\s*(?=')")
_HEAD = re.compile(r"\(?(?P<type>[A-Z]\w*)\.")
_EXTENSION = re.compile(r"\bextension\('([^']*)'\)(\.value\b)?")
LONGEST = 2000


class _Unfit(Exception):
    """A path that this hub does not serve; the text says why."""


def is_active(resource: Resource | None) -> bool:
    return resource is not None and resource.get("status") == ACTIVE


def issues(resource: Resource) -> list[Issue]:
    """What keeps a SearchParameter, valid by the base specification, from being served. Those that are not active
    are only stored."""
    return [*_heads(resource), *_bodies(resource)] if is_active(resource) else []


def definitions(resource: Resource) -> tuple[Definition, ...]:
    """One for each base. Raises Problem."""
    if found := issues(resource):
        raise Problem.of(found)
    targets = " ".join(sorted(set(resource.get("target", ()))))
    head = resource["url"], resource["code"], resource["type"]
    return tuple(
        Definition(head[0], base, head[1], head[2], path, targets)
        for base, path in sorted(_paths(resource).items())
    )


def _refused(message: str, where: str, kind: str = KIND) -> Issue:
    return Issue(kind, message, f"SearchParameter.{where}")


def _heads(resource: Resource) -> Iterator[Issue]:
    kind, code = resource["type"], resource["code"]
    if kind not in DATA_TYPES:
        yield _refused(f"A parameter of a client is of type {', '.join(DATA_TYPES)}", "type")
    if not _CODE.match(code):
        yield _refused("A code has a letter, then up to 63 letters, digits, '-' and '_'", "code")
    for place, base in enumerate(resource["base"]):
        if base not in resource_types():
            yield _refused("A base is a resource type of R4 (not an abstract one)", f"base[{place}]")
        elif code in official_rows(base) or code in NOT_SERVED:
            yield _refused(f"R4 itself, or the hub, defines '{code}' for {base}", "code", TAKEN)
    unknown = set(resource.get("target", ())) - resource_types()
    if unknown:
        yield _refused("A target is a resource type of R4", "target")


def _bodies(resource: Resource) -> Iterator[Issue]:
    if resource["type"] not in DATA_TYPES or not set(resource["base"]) <= resource_types():
        return
    try:
        _paths(resource)
    except _Unfit as unfit:
        yield _refused(str(unfit), "expression")


def _paths(resource: Resource) -> dict[str, str]:
    """The path of each base. Raises _Unfit."""
    text = resource.get("expression", "").strip()
    if not text or len(text) > LONGEST:
        raise _Unfit(f"An active parameter has an expression of at most {LONGEST} characters")
    found: dict[str, list[str]] = {base: [] for base in resource["base"]}
    for part in _PIPE.split(text):
        head = _HEAD.match(part)
        if head is None or head["type"] not in found:
            raise _Unfit("Each branch of the path begins with one of the bases, as in Patient.name")
        found[head["type"]] += _narrowed(head["type"], _written(part), resource["type"])
    if empty := [base for base, parts in found.items() if not parts]:
        raise _Unfit(f"No branch of the path begins with {empty[0]}")
    paths = {base: " | ".join(dict.fromkeys(parts)) for base, parts in found.items()}
    for path in paths.values():
        _compiled(path)
    return paths


def _written(part: str) -> str:
    """The same with no more spaces than the grammar knows, an extension by its URL as a step with a filter."""
    text = _EQUALS.sub("=", _SPACE.sub(" ", part.strip()))
    return _EXTENSION.sub(lambda found: f"extension.where(url='{found[1]}').value", text)


def _compiled(path: str) -> None:
    try:
        compile_path(path)
    except UnsupportedPath:
        raise _Unfit(f"The path is outside of what this hub indexes: {GRAMMAR}") from None


GRAMMAR = (
    "steps by name, as(), ofType(), where(name='text'), where(resolve() is Type), where(hasExtension('url')), "
    "extension('url'), [0] and |"
)


def _narrowed(base: str, part: str, kind: str) -> list[str]:
    """The branch, or where it ends at a choice, one for each data type that the parameter can hold."""
    try:
        steps = parsed(part)
    except UnsupportedPath:
        raise _Unfit(f"The path is outside of what this hub indexes: {GRAMMAR}") from None
    types = _Types(base)
    for before, step in pairwise(steps):
        types.take(step, before)
    fitting = set(DATA_TYPES[kind].split())
    if types.now <= fitting and types.stepped:
        return [part]
    if types.at_choice and types.now & fitting:
        return [f"{part}.as({of})" for of in sorted(types.now & fitting)]
    raise _Unfit(f"A parameter of type {kind} looks at {DATA_TYPES[kind].replace(' ', ', ')}; this path does not")


class _Types:
    """The data types that a path can have come to, step by step."""

    def __init__(self, base: str):
        self.now = {base}
        self.at_choice = False
        self.stepped = False

    def take(self, step: dict[str, str | None], before: dict[str, str | None]) -> None:
        if name := step["name"]:
            self._step(name)
        elif cast := step["as"] or step["oftype"]:
            self._cast(cast, before)
        elif step["position"]:
            if not before["name"]:
                raise _Unfit("An index stands behind the name of an element")
        elif step["target"]:
            self._must_be({"Reference"}, "resolve() is for references")
        else:
            self._filter(step)

    def _step(self, name: str) -> None:
        found = [one for of in self.now for one in elements_of(of).values() if _is_called(one, name)]
        if not found:
            raise _Unfit(f"R4 has no element '{name[:64]}' at this place of the path")
        self.now = {one.type for one in found}
        self.at_choice = all(one.choice == name for one in found)
        self.stepped = True

    def _cast(self, cast: str, before: dict[str, str | None]) -> None:
        kept = self.now & {cast, *SUBTYPES.get(cast, ())}
        if not kept or (kept != self.now and not (before["name"] and self.at_choice)):
            raise _Unfit(f"Nothing at this place of the path is a {cast[:64]}")
        self.now, self.at_choice = kept, False

    def _filter(self, step: dict[str, str | None]) -> None:
        self.at_choice = False
        name = step["key"] or "extension"
        if not all(name in elements_of(of) for of in self.now):
            raise _Unfit(f"where() asks for '{name[:64]}', which is not at this place of the path")
        if step["key"] and not all(_is_text(elements_of(of)[name]) for of in self.now):
            raise _Unfit(f"where() compares '{name[:64]}', which is not one text")

    def _must_be(self, types: set[str], why: str) -> None:
        self.at_choice = False
        if not self.now <= types:
            raise _Unfit(why)


def _is_text(element: Element) -> bool:
    return element.primitive and not element.many and element.type not in ("boolean", *DATA_TYPES["number"].split())


def _is_called(element: Element, name: str) -> bool:
    return name == (element.choice or element.name)
