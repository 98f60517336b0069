"""What the loaded packages add to the CapabilityStatement.

Rules: https://hl7.org/fhir/R4/capabilitystatement.html (implementationGuide, rest.resource.supportedProfile)
"""

from collections import Counter

from conformance.packages.catalog import Catalog, Entry
from conformance.validation.schema import resource_types

_BASE = "hl7.fhir.r4."  # R4's own packages: their profiles are examples and vital signs, of every server


def supported_profiles(catalog: Catalog) -> dict[str, list[str]]:
    """The profiles that can be validated, by resource type; of several versions each with `|version`."""
    found: dict[str, list[str]] = {}
    times = Counter(entry.url for entry in catalog.every("StructureDefinition"))
    for entry in catalog.every("StructureDefinition"):
        if _is_profile(entry):
            canonical = entry.url if times[entry.url] == 1 else f"{entry.url}|{entry.version}"
            found.setdefault(entry.type, []).append(canonical)
    return found


def implementation_guides(catalog: Catalog) -> list[str]:
    """The guides whose packages are loaded, as `url|version`."""
    return [f"{entry.url}|{entry.version}" for entry in catalog.every("ImplementationGuide")]


def documentation(catalog: Catalog | None) -> str:
    """A sentence for CapabilityStatement.rest.documentation."""
    if catalog is None or not catalog.manifests:
        return "Without profile packages: the base specification is validated on every write."
    names = ", ".join(f"{each.name} {each.version}" for each in catalog.manifests)
    return f"On every write the base specification is validated, and claimed profiles of the packages {names}."


def _is_profile(entry: Entry) -> bool:
    is_of_a_guide = entry.derivation == "constraint" and not entry.package.startswith(_BASE)
    return is_of_a_guide and entry.is_complete and entry.type in resource_types()
