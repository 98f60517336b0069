"""An npm package of FHIR definitions, read from its tgz: only the resource types that a builder asks for.

Rules: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
Refuses: a package whose fhirVersions lack the version asked for (WrongPackage).
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Definition = dict[str, Any]

WANTED = ("StructureDefinition", "ValueSet", "CodeSystem", "SearchParameter", "CompartmentDefinition", "ConceptMap")


class WrongPackage(Exception):
    """The package is not for the FHIR version that the tables are for."""


class Package:
    """The definitions of one package, by resource type, in the order of their file names."""

    def __init__(self, path: Path, fhir_version: str):
        self._found: dict[str, list[Definition]] = {name: [] for name in WANTED}
        for name, body in sorted(_members(path)):
            if name == "package.json":
                _refuse_other_version(json.loads(body), fhir_version)
            else:
                self._found[name.split("-", 1)[0]].append(json.loads(body))

    def all(self, resource_type: str) -> list[Definition]:
        return self._found[resource_type]

    def by_url(self, resource_type: str) -> dict[str, Definition]:
        return {found["url"]: found for found in self.all(resource_type) if "url" in found}


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name.removeprefix("package/")
            if name == "package.json" or (name.endswith(".json") and name.split("-", 1)[0] in WANTED):
                file = archive.extractfile(member)
                if file is not None and "/" not in name:
                    yield name, file.read()


def _refuse_other_version(manifest: Definition, fhir_version: str) -> None:
    if fhir_version not in manifest.get("fhirVersions", ()):
        raise WrongPackage(f"{manifest.get('name')} is not for FHIR {fhir_version}")
