"""R4's own CodeSystems, ValueSets and ConceptMaps as one compressed file that is read block by block.

Rules: https://hl7.org/fhir/R4/codesystem.html, /valueset.html, /conceptmap.html
A block is an xz stream of its own (the file is the streams one after another, so it is xz, too) with a line for
each resource. The first stream is the index: `[type, url, version, offset, length, line, source, target]`,
offsets counted from its end. So a reader holds one block, not the file.
No prose is kept: definitions, comments, narratives, contacts and designations in other languages are left out.
"""

import json
import lzma
from collections.abc import Iterator
from typing import Any

from conformance.definitions.package import Definition, Package

TYPES = ("CodeSystem", "ValueSet", "ConceptMap")
KEPT = (
    frozenset(("resourceType", "id", "url", "version", "name", "title", "status", "experimental", "content"))
    | {"caseSensitive", "valueSet", "hierarchyMeaning", "supplements", "property", "filter", "concept", "compose"}
    | {"expansion", "group", "sourceUri", "sourceCanonical", "targetUri", "targetCanonical"}
)
PROSE = frozenset(
    ("definition", "description", "comment", "designation", "extension", "text", "useContext", "documentation")
)
WINDOW = 1 << 19  # bytes
BLOCK = 160_000  # characters; about 3 ms to unpack
NOTHING: tuple[Any, ...] = (None, [], {})


def blocks(package: Package) -> bytes:
    """The shipped file."""
    index: list[list[Any]] = []
    packed: list[bytes] = []
    offset = 0
    for found in _gathered(package):
        block = _pack("\n".join(_line(resource) for resource in found))
        index += [_entry(resource, offset, len(block), line) for line, resource in enumerate(found)]
        packed.append(block)
        offset += len(block)
    return _pack(_json(index)) + b"".join(packed)


def _gathered(package: Package) -> Iterator[list[Definition]]:
    """The stripped resources in groups of about BLOCK characters."""
    group: list[Definition] = []
    size = 0
    for resource_type in TYPES:
        for definition in package.all(resource_type):
            if "url" not in definition:
                continue
            group.append({key: _bare(value) for key, value in definition.items() if key in KEPT})
            size += len(_line(group[-1]))
            if size > BLOCK:
                yield group
                group, size = [], 0
    if group:
        yield group


def _bare(node: Any) -> Any:
    """The same without prose, extensions and empty lists."""
    if isinstance(node, list):
        return [_bare(child) for child in node]
    if isinstance(node, dict):
        bare = {key: _bare(value) for key, value in node.items() if key not in PROSE and not key.startswith("_")}
        return {key: value for key, value in bare.items() if value not in NOTHING}
    return node


def _entry(resource: Definition, offset: int, length: int, line: int) -> list[Any]:
    ends = [resource.get(f"{end}Canonical", resource.get(f"{end}Uri", "")) for end in ("source", "target")]
    head = [resource["resourceType"], resource["url"], resource.get("version", "")]
    return [*head, offset, length, line, *(ends if any(ends) else ())]


def _line(resource: Definition) -> str:
    return _json(resource)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def _pack(text: str) -> bytes:
    """The window is no larger than a block: preset 9 alone would take 64 MB to unpack."""
    window = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": WINDOW}
    return lzma.compress(text.encode(), filters=[window])
