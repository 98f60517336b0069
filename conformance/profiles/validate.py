"""What $validate and the write path ask: does a resource hold the base specification, and its profiles?

Rules: https://hl7.org/fhir/R4/resource-operation-validate.html, /resource.html#Meta (meta.profile is a claim)
A profile that no package has is a warning; so is one with a differential only.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from conformance.packages.catalog import Catalog
from conformance.profiles import codes, extensions
from conformance.profiles.engine import Codes, Engine
from conformance.profiles.items import Item
from conformance.profiles.library import Profiles
from conformance.validation import structure
from hub.problems import KINDS, Issue

Resource = dict[str, Any]
Mode = Literal["create", "update", "delete"]

MAX_ISSUES = 100


class Validator:
    """Validates by the profiles of a catalog, with the codes that `terms` knows. One for a process."""

    def __init__(self, catalog: Catalog, terms: Codes):
        self.profiles = Profiles(catalog)
        self.terms = terms

    def validate(self, resource: Resource, profile: str | None = None, mode: Mode | None = None) -> list[Issue]:
        """All issues, errors first; profiles are asked only of what holds the base specification."""
        if mode == "delete":
            return []
        found = [*_identity(resource, mode), *structure.validate(resource)]
        if not found:
            found = self.by_profiles(resource, [profile] if profile else [])
        return found

    def by_profiles(self, resource: Resource, more: Iterable[str] = ()) -> list[Issue]:
        """The issues by the profiles claimed in meta.profile (also of resources inside) and by `more`."""
        engine = Engine(self.profiles, self.terms, resource)
        for inner, where in _resources(resource, resource["resourceType"]):
            engine.resource = inner
            claimed = inner.get("meta", {}).get("profile", ())
            for canonical in dict.fromkeys((*claimed, *(more if inner is resource else ()))):
                self._one(engine, canonical, inner, where, canonical in claimed)
            extensions.check(engine, inner, where)
            codes.check_systems(engine, inner, where)
        return sorted(dict.fromkeys(engine.issues), key=_rank)[:MAX_ISSUES]

    def _one(self, engine: Engine, canonical: str, resource: Resource, where: str, is_claim: bool) -> None:
        profile = self.profiles.get(canonical) if isinstance(canonical, str) else None
        if profile is not None:
            engine.profile(profile, Item(resource, None, where, resource["resourceType"]))
        elif not _is_base(canonical, resource["resourceType"]):
            place = f"{where}.meta.profile" if is_claim else where
            known = self.profiles.is_known(canonical)
            why = "The profile has no snapshot" if known else "No loaded package has the profile"
            engine.report("not-found", f"{why}: it was not validated", place, "warning")


def _is_base(canonical: str, resource_type: str) -> bool:
    return canonical.split("|")[0] == f"http://hl7.org/fhir/StructureDefinition/{resource_type}"


def _identity(resource: Resource, mode: Mode | None) -> Iterator[Issue]:
    if mode == "update" and "id" not in resource:
        yield Issue("required", "A resource to be updated needs its id", str(resource.get("resourceType", "")))


def _resources(resource: Resource, where: str) -> Iterator[tuple[Resource, str]]:
    """The resource and all resources inside it."""
    yield resource, where
    for place, inner in enumerate(resource.get("contained", ())):
        yield from _resources(inner, f"{where}.contained[{place}]")
    if resource["resourceType"] == "Bundle":
        for place, entry in enumerate(resource.get("entry", ())):
            for name in ("resource",):
                if name in entry:
                    yield from _resources(entry[name], f"{where}.entry[{place}].{name}")
    if resource["resourceType"] == "Parameters":
        for place, part in enumerate(resource.get("parameter", ())):
            if "resource" in part:
                yield from _resources(part["resource"], f"{where}.parameter[{place}].resource")


_SEVERITIES = ("fatal", "error", "warning", "information")


def _rank(issue: Issue) -> tuple[int, int, str, str]:
    return _SEVERITIES.index(issue.severity), KINDS[issue.kind].status, issue.where, issue.message
