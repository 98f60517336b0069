"""A small FHIR package, invented for the tests: profiles with every kind of rule, written as rows."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

BASE = "https://county.example/fhir"
Definition = dict[str, Any]


def element(identity: str, **rules: Any) -> Definition:
    """One ElementDefinition; `Patient.name:official` is a slice of `Patient.name`."""
    path = ".".join(part.split(":")[0] for part in identity.split("."))
    made = {"id": identity, "path": path, "min": 0, "max": "*", **rules}
    if ":" in identity.rpartition(".")[2]:
        made["sliceName"] = identity.rpartition(":")[2]
    if isinstance(made.get("type"), str):
        made["type"] = [{"code": made["type"]}]
    return made


def profile(name: str, kind: str, *elements: Definition, version: str = "1.0.0", **more: Any) -> Definition:
    return {
        "resourceType": "StructureDefinition",
        "url": f"{BASE}/StructureDefinition/{name}",
        "version": version,
        "name": name,
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": kind,
        "derivation": "constraint",
        "snapshot": {"element": [element(kind), *elements]},
        **more,
    }


def extension(name: str, value: str, *, context: str = "Patient") -> Definition:
    return profile(
        name,
        "Extension",
        element("Extension.extension", max="0"),
        element("Extension.url", min=1, max="1", fixedUri=f"{BASE}/StructureDefinition/{name}"),
        element("Extension.value[x]", min=1, max="1", type=value),
        context=[{"type": "element", "expression": context}],
    )


def write(folder: Path, name: str, version: str, *definitions: Definition, **manifest: Any) -> Path:
    """The package as a tgz."""
    head = {"name": name, "version": version, "fhirVersions": ["4.0.1"], **manifest}
    path = folder / f"{name}-{version}.tgz"
    with tarfile.open(path, "w:gz") as archive:
        _put(archive, "package/package.json", head)
        for place, definition in enumerate(definitions):
            _put(archive, f"package/{definition['resourceType']}-{place}.json", definition)
    return path


def _put(archive: tarfile.TarFile, name: str, content: Definition) -> None:
    body = json.dumps(content).encode()
    member = tarfile.TarInfo(name)
    member.size = len(body)
    archive.addfile(member, io.BytesIO(body))
