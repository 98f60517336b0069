"""The examples of a package, and what each is validated with."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.packages.catalog import KINDS

Resource = dict[str, Any]
_NOT_DATA = KINDS | {"CapabilityStatement", "GraphDefinition", "StructureMap", "ActorDefinition"}


@dataclass(frozen=True)
class Guide:
    """One guide: the package whose examples are taken, and the packages it rests on."""

    name: str
    archive: str
    needs: tuple[str, ...] = ()


GUIDES = (
    Guide("hl7.fhir.us.core#6.1.0", "hl7.fhir.us.core-6.1.0.tgz"),
    Guide(
        "hl7.fhir.us.sdoh-clinicalcare#2.3.0",
        "BUILT-hl7.fhir.us.sdoh-clinicalcare-2.3.0.tgz",
        ("hl7.fhir.us.core-7.0.0.tgz",),
    ),
)


def examples(archive: Path) -> dict[str, Resource]:
    """The resources of a package that are data, by name."""
    found = {}
    with tarfile.open(archive) as members:
        for member in members:
            name = member.name.rpartition("/")[2]
            if not member.isfile() or not name.endswith(".json") or name[0] == "." or "/openapi/" in member.name:
                continue
            file = members.extractfile(member)
            content = json.load(file) if file else None
            if isinstance(content, dict) and content.get("resourceType", _NOT_DATA) not in _NOT_DATA | {_NOT_DATA}:
                found[name.removesuffix(".json")] = content
    return dict(sorted(found.items()))
