"""The FHIR packages of a folder: an index in memory, each definition read when it is asked for.

Rules: https://hl7.org/fhir/R4/packages.html and https://hl7.org/fhir/R4/references.html#canonical
The definitions lie compressed in one temporary file without a name; a process keeps ten numbers and a URL of each.
Several versions of one canonical: `url|version` picks (also `url|6.1`, a beginning of it), a bare `url` means the
newest that is loaded.
Refuses (BadPackage): a file that is no package, a package for another version of FHIR, the same package twice.
"""

import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec

Definition = dict[str, Any]

KINDS = frozenset(
    (
        "StructureDefinition",
        "ValueSet",
        "CodeSystem",
        "ConceptMap",
        "SearchParameter",
        "ImplementationGuide",
        "NamingSystem",
        "Questionnaire",
        "OperationDefinition",
    )
)
FHIR_VERSION = "4.0"
_NUMBERS = re.compile(r"\d+|[A-Za-z]+")
_UNPACKED_MOST = 2 * 1024**3  # bytes of all packages: a bomb is no package


class BadPackage(Exception):
    """Why a folder of packages cannot be used; names the file."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What package.json says."""

    name: str
    version: str
    url: str
    dependencies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One definition: what can be asked of it without reading it, and where it lies."""

    kind: str
    url: str
    version: str
    package: str
    type: str = ""
    derivation: str = ""
    is_complete: bool = True  # a StructureDefinition with its snapshot
    offset: int = 0
    size: int = 0


@dataclass(slots=True)
class Catalog:
    """The definitions of some packages. Safe for threads."""

    manifests: list[Manifest] = field(default_factory=list)
    _by_url: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)
    _file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    _end: int = 0

    @classmethod
    def of_folder(cls, folder: Path) -> "Catalog":
        """All packages of a folder. Raises BadPackage."""
        if not folder.is_dir():
            raise BadPackage(f"{folder} is not a folder")
        return cls.of_files(sorted(folder.glob("*.tgz")))

    @classmethod
    def of_files(cls, paths: Iterable[Path]) -> "Catalog":
        """These packages. Raises BadPackage."""
        found = cls()
        for path in paths:
            try:
                found._add(path)
            except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, msgspec.MsgspecError) as error:
                raise BadPackage(f"{path.name} is not a FHIR package: {type(error).__name__}") from None
        for entries in found._by_url.values():
            entries.sort(key=lambda entry: _order(entry.version))
        return found

    def find(self, kind: str, canonical: str) -> Entry | None:
        """The entry of `url` or `url|version`, or None."""
        url, _, version = canonical.partition("|")
        entries = self._by_url.get((kind, url), ())
        fitting = [each for each in entries if not version or f"{each.version}.".startswith(f"{version}.")]
        return fitting[-1] if fitting else None

    def read(self, entry: Entry) -> Definition:
        """The definition of an entry: a new dict each time."""
        packed = os.pread(self._file.fileno(), entry.size, entry.offset)  # forked processes share the file's place
        found: Definition = msgspec.json.decode(zlib.decompress(packed))
        return found

    def definition(self, kind: str, canonical: str) -> Definition | None:
        entry = self.find(kind, canonical)
        return self.read(entry) if entry else None

    def get(self, kind: str, url: str, version: str | None = None) -> Definition | None:
        """As conformance.terminology asks its sources."""
        return self.definition(kind, f"{url}|{version}" if version else url)

    def concept_maps(self) -> Iterator[tuple[str, str, str]]:
        """Each ConceptMap's url, source and target value set."""
        for entry in self.entries("ConceptMap"):
            found = self.read(entry)
            source, target = (
                str(found.get(f"{end}Canonical") or found.get(f"{end}Uri") or "").split("|")[0]
                for end in ("source", "target")
            )
            yield entry.url, source, target

    def entries(self, kind: str) -> Iterator[Entry]:
        """The entries of one kind; of each url only the newest."""
        return (entries[-1] for (found, _), entries in sorted(self._by_url.items()) if found == kind)

    def every(self, kind: str) -> Iterator[Entry]:
        """The entries of one kind in every version."""
        return (each for (found, _), entries in sorted(self._by_url.items()) if found == kind for each in entries)

    def _add(self, path: Path) -> None:
        with tarfile.open(path) as archive:
            manifest = None
            bodies: list[tuple[str, bytes]] = []
            for name, body in _members(archive):
                if name == "package/package.json":
                    manifest = _manifest(path, msgspec.json.decode(body))
                elif body.find(b'"resourceType"') >= 0:
                    bodies.append((name, body))
                    if len(bodies) >= 200 and manifest is not None:
                        self._keep(bodies, manifest)
                        bodies = []
            if manifest is None:
                raise BadPackage(f"{path.name} is not a FHIR package: it has no package/package.json")
            if any((each.name, each.version) == (manifest.name, manifest.version) for each in self.manifests):
                raise BadPackage(f"{path.name}: {manifest.name} {manifest.version} is there twice")
            self._keep(bodies, manifest)
            self.manifests.append(manifest)

    def _keep(self, bodies: list[tuple[str, bytes]], manifest: Manifest) -> None:
        for _, body in bodies:
            found = msgspec.json.decode(body)
            if isinstance(found, dict) and found.get("resourceType") in KINDS and found.get("url"):
                self._index(found, manifest)

    def _index(self, found: Definition, manifest: Manifest) -> None:
        found.pop("text", None)
        packed = zlib.compress(msgspec.json.encode(found), 1)
        kind, url = found["resourceType"], found["url"]
        entry = Entry(
            kind,
            url,
            found.get("version", manifest.version),
            manifest.name,
            found.get("type", "") if kind == "StructureDefinition" else "",
            found.get("derivation", ""),
            kind != "StructureDefinition" or "snapshot" in found,
            self._end,
            len(packed),
        )
        os.pwrite(self._file.fileno(), packed, self._end)
        self._end += len(packed)
        self._by_url.setdefault((kind, url), []).append(entry)


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """The JSON files of the package folder itself: its examples lie deeper."""
    total = 0
    for member in archive:
        total += member.size
        if total > _UNPACKED_MOST:
            raise BadPackage("a package is larger than 2 GB")
        folder, _, name = member.name.rpartition("/")
        if member.isfile() and folder == "package" and name.endswith(".json") and name[0] != ".":
            file = archive.extractfile(member)
            if file is not None:
                yield member.name, file.read()


def _manifest(path: Path, found: Any) -> Manifest:
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("name", "version")):
        raise BadPackage(f"{path.name} is not a FHIR package: its package.json has no name and version")
    versions = found.get("fhirVersions") or found.get("fhir-version-list") or []
    if versions and not any(str(version).startswith(FHIR_VERSION) for version in versions):
        raise BadPackage(f"{path.name} is for FHIR {', '.join(map(str, versions))}, not for R4")
    url = found.get("canonical") or found.get("url") or ""
    return Manifest(found["name"], found["version"], url, dict(found.get("dependencies") or {}))


def _order(version: str) -> list[tuple[int, int, str]]:
    """6.1.0 before 7.0.0 before 10.0.0; a label such as ballot before the version that has none."""
    parts = [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in _NUMBERS.findall(version)]
    return [*parts, (1, -1, "")]
