"""A value set as parts that are included and excluded, each answering: is this code in it? Yes, no, or not known.

Rules: https://hl7.org/fhir/R4/valueset.html#compositions
A code listed in the compose needs no code system here; a filter or a whole system does. What cannot be known
(the system is not here, or only a part of it) stays None and is never guessed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.terminology.filters import Unfit, filtered
from conformance.terminology.systems import Concept, Resource, System, Touched

TOO_COSTLY = "http://hl7.org/fhir/StructureDefinition/valueset-toocostly"


@dataclass(frozen=True, slots=True)
class Entry:
    """One code of an expansion; `concept` is None where the code system does not say more."""

    system: str
    code: str
    display: str
    concept: Concept | None = None
    designations: tuple[Resource, ...] = ()

    @property
    def inactive(self) -> bool:
        return self.concept is not None and self.concept.inactive

    @property
    def abstract(self) -> bool:
        return self.concept is not None and self.concept.abstract


class Unknown(Exception):
    """The codes cannot be listed; the text says what is not here."""


@dataclass(frozen=True, slots=True)
class Part:
    """One include or exclude. `codes` None: the whole system, or (without a system) whatever the value sets have.

    `missing` says why the codes are not known; `sure` is False where more codes may exist than are known.
    """

    system: System | None = None
    codes: dict[str, str] | None = None
    designations: dict[str, tuple[Resource, ...]] = field(default_factory=dict)
    missing: str = ""
    sure: bool = True
    value_sets: tuple["Codes", ...] = ()

    def holds(self, system: str, code: str) -> bool | None:
        verdicts = [self._listed(system, code), *(found.holds(system, code) for found in self.value_sets)]
        return False if False in verdicts else None if None in verdicts else True

    def _listed(self, system: str, code: str) -> bool | None:
        if self.system is None:
            return None if self.missing else True
        if system != self.system.url:
            return False
        known = self.system.concepts if self.codes is None else self.codes
        return True if code in known else None if self.missing or not self.sure else False

    def entries(self) -> Iterator[Entry]:
        """Its codes in order. Raises Unknown."""
        if self.missing:
            raise Unknown(self.missing)
        if self.system is None:
            first, *others = self.value_sets
            yield from (entry for entry in first.entries() if _in_all(others, entry))
        else:
            yield from (entry for entry in self._own(self.system) if _in_all(self.value_sets, entry))

    def _own(self, system: System) -> Iterator[Entry]:
        for code, display in (dict.fromkeys(system.concepts, "") if self.codes is None else self.codes).items():
            concept = system.find(code)
            shown = display or (concept.display if concept else "")
            yield Entry(system.url, code, shown, concept, self.designations.get(code, ()))

    def versions(self) -> Iterator[tuple[str, str]]:
        if self.system is not None and self.system.version:
            yield self.system.url, self.system.version
        for found in self.value_sets:
            yield from found.versions()

    @property
    def weight(self) -> int:
        concepts = len(self.system.concepts) if self.system is not None else 0
        return concepts + len(self.codes or ()) + sum(found.weight for found in self.value_sets)

    @property
    def closed(self) -> bool:
        return self.sure and all(found.closed for found in self.value_sets)


def _in_all(value_sets: Any, entry: Entry) -> bool:
    verdicts = [found.holds(entry.system, entry.code) for found in value_sets]
    if False in verdicts:
        return False
    if None in verdicts:
        raise Unknown("an imported value set needs a code system that is not here")
    return True


@dataclass(frozen=True, slots=True)
class Codes:
    """A compiled value set. `resource` is what it says of itself, without its compose.

    `here` is False for one that was asked for and is not here: of its codes nothing is known.
    """

    resource: Resource
    includes: tuple[Part, ...] = ()
    excludes: tuple[Part, ...] = ()
    inactive: bool = True
    touched: Touched = ()
    here: bool = True

    def holds(self, system: str, code: str) -> bool | None:
        """Whether a code of a system is in the value set; None where that is not known."""
        if not self.here:
            return None
        verdict: bool | None = False
        for part in self.includes:
            found = part.holds(system, code)
            if found and not self.inactive and _inactive(part, code):
                found = False
            verdict = True if found or verdict else None if None in (found, verdict) else False
        if verdict is not False and self.excludes:
            out = [part.holds(system, code) for part in self.excludes]
            return False if True in out else None if None in out else verdict
        return verdict

    def entries(self) -> Iterator[Entry]:
        """Its codes, each once, in the order of the compose. Raises Unknown."""
        if not self.here:
            raise Unknown("a value set is not here")
        seen: set[tuple[str, str]] = set()
        for part in self.includes:
            for entry in part.entries():
                key = (entry.system, entry.code)
                if key not in seen and not self._left_out(entry):
                    seen.add(key)
                    yield entry

    def _left_out(self, entry: Entry) -> bool:
        if not self.inactive and entry.inactive:
            return True
        out = [part.holds(entry.system, entry.code) for part in self.excludes]
        if None in out and True not in out:
            raise Unknown(next(part.missing for part in self.excludes) or "an exclusion is not known here")
        return True in out

    def versions(self) -> Iterator[tuple[str, str]]:
        """(system, version) of the code systems it rests on."""
        for part in self.includes:
            yield from part.versions()

    @property
    def closed(self) -> bool:
        """False where codes may belong to it that are not known here."""
        return all(part.closed for part in self.includes)

    @property
    def systems(self) -> set[str]:
        """The code systems that codes of it can come from."""
        own = {part.system.url for part in self.includes if part.system is not None}
        return own.union(*(found.systems for part in self.includes for found in part.value_sets))

    @property
    def parts(self) -> int:
        """Its includes and excludes, counted with those of nested value sets as often as they are used."""
        every = (*self.includes, *self.excludes)
        return len(every) + sum(found.parts for part in every for found in part.value_sets)

    @property
    def weight(self) -> int:
        """How many codes it keeps in memory, for the bound of a cache; those it shares with others count, too."""
        return 1 + sum(part.weight for part in (*self.includes, *self.excludes))


def _inactive(part: Part, code: str) -> bool:
    concept = part.system.concepts.get(code) if part.system is not None else None
    return concept is not None and concept.inactive


SystemOf = Callable[[str, str | None], System]
CodesOf = Callable[[str], Codes]


def compiled(resource: Resource, system_of: SystemOf, codes_of: CodesOf, touched: Touched = ()) -> Codes:
    """The Codes of a ValueSet resource. Raises Problem where it includes itself (in `codes_of`)."""
    about = {key: value for key, value in resource.items() if key not in ("compose", "expansion", "text")}
    compose = resource.get("compose", {})
    makes = [[_part(node, system_of, codes_of) for node in compose.get(k, ())] for k in ("include", "exclude")]
    stored = _stored(resource, system_of)
    if stored and (not makes[0] or any(part.missing for part in (*makes[0], *makes[1]))):
        makes = [stored, []]
    every = (*makes[0], *makes[1])
    return Codes(
        about,
        tuple(makes[0]),
        tuple(makes[1]),
        compose.get("inactive", True),
        tuple(dict.fromkeys((*touched, *(t for part in every for t in _touched(part))))),
    )


def _touched(part: Part) -> Touched:
    own = part.system.touched if part.system is not None else ()
    return (*own, *(t for found in part.value_sets for t in found.touched))


def _part(node: Resource, system_of: SystemOf, codes_of: CodesOf) -> Part:
    imported = [(url, codes_of(url)) for url in node.get("valueSet", ())]
    missing = next((f"the value set {url[:200]} is not here" for url, found in imported if not found.here), "")
    value_sets = tuple(found for _, found in imported)
    if "system" not in node:
        return Part(missing=missing or ("" if imported else "an include names nothing"), value_sets=value_sets)
    system = system_of(node["system"], node.get("version"))
    if "concept" in node:
        codes = {c["code"]: c.get("display", "") for c in node["concept"] if _exists(system, c["code"])}
        words = {c["code"]: tuple(c["designation"]) for c in node["concept"] if "designation" in c}
        return Part(system, codes, words, missing, value_sets=value_sets)
    if not system.here:
        return Part(system, {}, missing=not_here(system.url, system.version), sure=False, value_sets=value_sets)
    try:
        chosen = filtered(system, node["filter"]) if "filter" in node else None
    except Unfit as unfit:
        return Part(system, {}, missing=str(unfit), sure=False, value_sets=value_sets)
    return Part(system, chosen, {}, missing, system.complete, value_sets)


def not_here(url: str, version: str = "") -> str:
    """How a code system without content here is named in every answer."""
    return f"code-system not here: {url[:200]}{'|' if version else ''}{version[:50]}"


def _exists(system: System, code: str) -> bool:
    return not system.complete or code in system.concepts


def _stored(resource: Resource, system_of: SystemOf) -> list[Part]:
    """The parts of an expansion that came with the value set, if it is whole."""
    expansion = resource.get("expansion", {})
    found: dict[str, dict[str, str]] = {}
    waiting = list(reversed(expansion.get("contains", ())))
    while waiting:
        node = waiting.pop()
        if "code" in node and "system" in node and not node.get("abstract"):
            found.setdefault(node["system"], {})[node["code"]] = node.get("display", "")
        waiting += reversed(node.get("contains", ()))
    whole = not any(e.get("url") == TOO_COSTLY for e in expansion.get("extension", ())) and (
        expansion.get("total", 0) <= sum(map(len, found.values()))
    )
    return [Part(system_of(system, None), codes) for system, codes in found.items()] if whole else []
