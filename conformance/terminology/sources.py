"""Where CodeSystems, ValueSets and ConceptMaps come from, each source asked by canonical URL.

`Shipped` reads R4's own from the table that conformance.definitions.terminology wrote: one block at a time.
`Packages` asks the loaded packages. `Listed` holds a few resources: the hub's own, or what an operator added.
"""

import json
import lzma
from collections.abc import Iterable
from functools import cached_property
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

from conformance.packages.catalog import Catalog

Resource = dict[str, Any]
MapEnds = tuple[str, str, str]  # ConceptMap.url, its source and its target value set

R4_TABLE = "r4_terminology.xz"
CHUNK = 65536


class Sources(Protocol):
    """`kind` is CodeSystem, ValueSet or ConceptMap; without a version any will do."""

    def get(self, kind: str, url: str, version: str | None = None) -> Resource | None: ...

    def concept_maps(self) -> Iterable[MapEnds]: ...


class Listed:
    """Resources held in memory, the later ones in place of earlier ones with the same URL."""

    def __init__(self, resources: Iterable[Resource]):
        self._found = {(r["resourceType"], r["url"]): r for r in resources}

    def get(self, kind: str, url: str, version: str | None = None) -> Resource | None:
        found = self._found.get((kind, url))
        return found if found is not None and version in (None, found.get("version")) else None

    def concept_maps(self) -> Iterable[MapEnds]:
        return [(url, *map_ends(found)) for (kind, url), found in self._found.items() if kind == "ConceptMap"]


def map_ends(concept_map: Resource) -> tuple[str, str]:
    """The source and target value sets of a ConceptMap; empty where it names none."""
    return _end(concept_map, "source"), _end(concept_map, "target")


def _end(concept_map: Resource, end: str) -> str:
    return str(concept_map.get(f"{end}Canonical") or concept_map.get(f"{end}Uri") or "").split("|")[0]


class _Place(NamedTuple):
    """Where a resource stands in the shipped table; `ends` of a ConceptMap only."""

    version: str
    offset: int
    length: int
    line: int
    ends: tuple[str, ...]


class Shipped:
    """R4's own terminology. The index (1 MB) is read at first use; one block is kept, as neighbours go together."""

    def __init__(self) -> None:
        self._file = files("conformance.terminology").joinpath(R4_TABLE)
        self._block: tuple[int, list[str]] = (-1, [])

    def get(self, kind: str, url: str, version: str | None = None) -> Resource | None:
        place = self._index[1].get((kind, url))
        if place is None or version not in (None, place.version):
            return None
        offset, lines = self._block
        if offset != place.offset:
            lines = self._read(place)
            self._block = (place.offset, lines)
        found: Resource = json.loads(lines[place.line])
        return found

    def concept_maps(self) -> Iterable[MapEnds]:
        return [(key[1], place.ends[0], place.ends[1]) for key, place in self._index[1].items() if place.ends]

    def names(self, kind: str) -> list[str]:
        """The URLs of all resources of a kind."""
        return [url for found, url in self._index[1] if found == kind]

    def _read(self, place: _Place) -> list[str]:
        with self._file.open("rb") as file:
            file.seek(self._index[0] + place.offset)
            return lzma.decompress(file.read(place.length)).decode().split("\n")

    @cached_property
    def _index(self) -> tuple[int, dict[tuple[str, str], _Place]]:
        """The length of the index in the file, and the places by kind and URL."""
        unpacker, text, fed = lzma.LZMADecompressor(), b"", 0
        with self._file.open("rb") as file:
            while not unpacker.eof:
                chunk = file.read(CHUNK)
                fed += len(chunk)
                text += unpacker.decompress(chunk)
        rows = json.loads(text)
        return fed - len(unpacker.unused_data), {
            (kind, url): _Place(version, offset, length, line, tuple(ends))
            for kind, url, version, offset, length, line, *ends in rows
        }


class Packages:
    """The terminology of loaded FHIR packages, as conformance.packages indexes it."""

    def __init__(self, catalog: Catalog):
        self._catalog = catalog

    def get(self, kind: str, url: str, version: str | None = None) -> Resource | None:
        return self._catalog.definition(kind, f"{url}|{version}" if version else url)

    def concept_maps(self) -> Iterable[MapEnds]:
        return self._ends

    @cached_property
    def _ends(self) -> list[MapEnds]:
        entries = self._catalog.entries("ConceptMap")
        return [(entry.url, *map_ends(self._catalog.read(entry))) for entry in entries]
