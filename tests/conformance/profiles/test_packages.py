"""A folder of packages becomes a catalog; what is no package is refused by its name."""

from pathlib import Path

import pytest

from conformance.packages.catalog import BadPackage, Catalog
from conformance.packages.statement import documentation, implementation_guides, supported_profiles
from tests.conformance.profiles.packs import BASE, profile, write

URL = f"{BASE}/StructureDefinition/person"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for version in ("1.9.0", "1.10.0", "2.0.0-ballot"):
        write(tmp_path, "county.person", version, profile("person", "Patient", version=version))
    return tmp_path


@pytest.mark.parametrize(
    ("canonical", "version"),
    [
        (URL, "2.0.0-ballot"),
        (f"{URL}|1.9.0", "1.9.0"),
        (f"{URL}|1.10.0", "1.10.0"),
        (f"{URL}|1", "1.10.0"),
        (f"{URL}|1.1", None),
        (f"{URL}|3.0.0", None),
        (f"{BASE}/StructureDefinition/nothing", None),
    ],
)
def test_a_canonical_picks_its_version_or_the_newest(folder: Path, canonical: str, version: str | None) -> None:
    found = Catalog.of_folder(folder).find("StructureDefinition", canonical)
    assert (found.version if found else None) == version


def test_a_release_is_newer_than_its_ballot(folder: Path) -> None:
    write(folder, "county.person", "2.0.0", profile("person", "Patient", version="2.0.0"))
    catalog = Catalog.of_folder(folder)
    assert catalog.definition("StructureDefinition", URL)["version"] == "2.0.0"
    assert [entry.version for entry in catalog.every("StructureDefinition")] == [
        "1.9.0",
        "1.10.0",
        "2.0.0-ballot",
        "2.0.0",
    ]
    assert len(list(catalog.entries("StructureDefinition"))) == 1


def test_an_empty_folder_is_an_empty_catalog(tmp_path: Path) -> None:
    assert Catalog.of_folder(tmp_path).manifests == []


def test_what_is_no_package_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "broken.tgz").write_bytes(b"no archive")
    with pytest.raises(BadPackage, match=r"broken\.tgz"):
        Catalog.of_folder(tmp_path)


def test_a_cut_package_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path, "county.person", "1.0.0", profile("person", "Patient", description="x" * 9000))
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(BadPackage, match=r"county\.person"):
        Catalog.of_folder(tmp_path)


def test_a_package_for_another_fhir_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "county.person", "1.0.0", fhirVersions=["5.0.0"])
    with pytest.raises(BadPackage, match=r"5\.0\.0"):
        Catalog.of_folder(tmp_path)


def test_the_same_package_twice_is_refused(folder: Path) -> None:
    (folder / "again.tgz").write_bytes((folder / "county.person-1.9.0.tgz").read_bytes())
    with pytest.raises(BadPackage, match="twice"):
        Catalog.of_folder(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPackage, match="not a folder"):
        Catalog.of_folder(tmp_path / "none")


def test_the_statement_names_profiles_and_guides(folder: Path) -> None:
    guide = {"resourceType": "ImplementationGuide", "url": f"{BASE}/ImplementationGuide/county", "version": "1.0.0"}
    write(folder, "county.guide", "1.0.0", guide, profile("plan", "CarePlan"))
    catalog = Catalog.of_folder(folder)
    assert supported_profiles(catalog) == {
        "CarePlan": [f"{BASE}/StructureDefinition/plan"],
        "Patient": [f"{URL}|1.9.0", f"{URL}|1.10.0", f"{URL}|2.0.0-ballot"],
    }
    assert implementation_guides(catalog) == [f"{BASE}/ImplementationGuide/county|1.0.0"]
    assert "county.guide 1.0.0" in documentation(catalog)
    assert documentation(None).startswith("Without profile packages")
