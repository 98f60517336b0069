"""Where terminology comes from, what is remembered and for how long, and what searches are told."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.packages.catalog import Catalog
from conformance.terminology import library as library_module
from conformance.terminology.library import Library
from conformance.terminology.load import library as loaded
from conformance.terminology.sources import Listed, Packages, Shipped
from conformance.terminology.terms import MAX_MEMBERS, LibraryTerms
from hub.search.terms import NoTerms, Terms
from tests.conformance.terminology.asking import THING, ask, codes, of, own, shipped, things, value, value_set

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"
GENDERS = "http://hl7.org/fhir/administrative-gender"
SNOMED = "http://snomed.info/sct"


class Clients:
    """Resources that clients stored, as the hub would look them up; `asked` counts."""

    def __init__(self, *resources: dict[str, Any]):
        self.asked = 0
        self.stored = {(r["resourceType"], r["url"]): r for r in resources}

    def __call__(self, kind: str, url: str) -> dict[str, Any] | None:
        self.asked += 1
        return self.stored.get((kind, url))

    def put(self, resource: dict[str, Any], version: int) -> None:
        self.stored[(resource["resourceType"], resource["url"])] = resource | {"meta": {"versionId": str(version)}}


def test_the_shipped_table_is_found_by_kind_url_and_version() -> None:
    source = Shipped()
    assert (source.get("CodeSystem", GENDERS) or {})["concept"][0] == {"code": "male", "display": "Male"}
    assert source.get("ValueSet", GENDER, "4.0.1") is not None
    assert source.get("ValueSet", GENDER, "3.0.1") is None
    assert source.get("CodeSystem", GENDER) is None
    assert len(source.names("CodeSystem")) == 1062
    assert len(source.names("ValueSet")) == 1316


def test_the_sources_stand_in_order_and_a_version_asked_for_counts() -> None:
    first = Listed([things(version="2")])
    second = Listed([things(version="1")])
    library = Library([first, second])
    assert library.system(THING).version == "2"
    assert library.system(THING, "1").version == "1"
    assert not library.system(THING, "3").here


def test_what_a_client_stores_counts_at_once_and_as_long_as_it_stays() -> None:
    clients = Clients()
    library = Library([Shipped()], clients)
    terms = LibraryTerms(lambda: library)
    inner = value_set({"system": THING}, url="urn:example:inner")
    clients.put(value_set({"valueSet": ["urn:example:inner"]}, url="urn:example:outer"), 1)
    assert terms.member("urn:example:outer", THING, "dog") is None
    clients.put(inner, 1)
    assert terms.member("urn:example:outer", THING, "dog") is None
    clients.put(things(), 1)
    assert terms.member("urn:example:outer", THING, "dog") is True
    assert terms.member("urn:example:outer", THING, "fish") is False
    clients.put(value_set({"system": THING, "concept": [{"code": "cat"}]}, url="urn:example:inner"), 2)
    assert terms.member("urn:example:outer", THING, "dog") is False
    clients.stored.clear()
    assert terms.member("urn:example:outer", THING, "cat") is None


def test_clients_do_not_stand_in_for_what_is_official_and_are_not_asked_for_it() -> None:
    clients = Clients(value_set({"system": THING}, url=GENDER))
    library = Library([Shipped()], clients)
    assert len(codes(ask("ValueSet/$expand", library, url=GENDER))) == 4
    assert clients.asked == 0


def test_the_compiled_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "KEPT_CONCEPTS", 2_000)
    library = Library([Shipped()])
    for url in Shipped().names("CodeSystem")[:300]:
        library.system(url)
    shelf = library._systems
    assert 0 < sum(weight for _, weight in shelf._kept.values()) <= 2_000
    long = library.system("urn:" + "x" * 1_000)
    assert not long.here
    assert not any("xxx" in key[0] for key in shelf._kept)


def test_a_small_value_set_is_asked_fast_after_the_first_time() -> None:
    given = {"url": GENDER, "system": GENDERS, "code": "male"}
    assert value(ask("ValueSet/$validate-code", **given), "result") is True
    took = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(100):
            ask("ValueSet/$validate-code", **given)
        took.append((time.perf_counter() - began) / 100)
    assert min(took) < 200e-6


def terms() -> Terms:
    return LibraryTerms(shipped)


def test_searches_are_told_the_members_of_a_value_set() -> None:
    assert set(terms().members(GENDER) or ()) == {(GENDERS, c) for c in ("male", "female", "other", "unknown")}
    assert terms().members("http://hl7.org/fhir/ValueSet/clinical-findings") is None
    assert terms().members("urn:example:none") is None
    assert terms().members(own("ValueSet", "referral-status")) is None, "a fragment is not all"
    many = value_set({"system": THING, "concept": [{"code": str(n)} for n in range(MAX_MEMBERS + 1)]})
    assert LibraryTerms(lambda: of(many)).members("urn:example:set") is None
    round_ = value_set({"valueSet": ["urn:example:set"]})
    assert LibraryTerms(lambda: of(round_)).members("urn:example:set") is None


def test_searches_are_told_what_stands_below_and_above() -> None:
    library = of(things())
    found = LibraryTerms(lambda: library)
    assert set(found.below(THING, "dog") or ()) == {(THING, "dog"), (THING, "puppy")}
    assert set(found.above(THING, "puppy") or ()) == {(THING, "puppy"), (THING, "dog"), (THING, "animal")}
    assert found.below(THING, "fish") is None
    assert found.above(SNOMED, "1") is None


@pytest.mark.parametrize(
    ("value_set_url", "system", "code", "expected"),
    [
        (GENDER, GENDERS, "male", True),
        (GENDER, GENDERS, "MALE", False),
        (GENDER, SNOMED, "male", False),
        ("http://hl7.org/fhir/ValueSet/clinical-findings", SNOMED, "1", None),
        ("http://hl7.org/fhir/ValueSet/clinical-findings", GENDERS, "male", False),
        ("http://hl7.org/fhir/ValueSet/security-labels", CONFIDENTIALITY, "R", True),
        ("http://hl7.org/fhir/ValueSet/task-code", "http://hl7.org/fhir/CodeSystem/task-code", "fulfill", None),
        (own("ValueSet", "referral-status"), own("CodeSystem", "referral-status"), "declined", True),
        (own("ValueSet", "referral-status"), own("CodeSystem", "referral-status"), "accepted", None),
        ("urn:example:none", GENDERS, "male", None),
    ],
)
def test_a_validator_is_told_yes_no_or_not_known(
    value_set_url: str, system: str, code: str, expected: bool | None
) -> None:
    assert terms().member(value_set_url, system, code) is expected


def test_an_exclusion_that_is_not_known_leaves_its_codes_not_known() -> None:
    exclude = {"system": SNOMED, "filter": [{"property": "concept", "op": "is-a", "value": "1"}]}
    listed = value_set({"system": SNOMED, "concept": [{"code": "2"}]}, {"system": THING}, exclude=[exclude])
    library = of(things(), listed)
    found = LibraryTerms(lambda: library)
    assert found.member("urn:example:set", SNOMED, "2") is None
    assert found.member("urn:example:set", THING, "dog") is True
    assert found.members("urn:example:set") is None


def test_a_code_in_another_case_is_a_member_where_case_does_not_matter() -> None:
    library = of(things(caseSensitive=False), value_set({"system": THING}))
    found = LibraryTerms(lambda: library)
    assert found.member("urn:example:set", THING, "DOG") is True


def test_a_hub_without_terminology_knows_nothing() -> None:
    nothing: Terms = NoTerms()
    assert [nothing.members(GENDER), nothing.member(GENDER, GENDERS, "male")] == [None, None]
    assert [nothing.below(GENDERS, "male"), nothing.above(GENDERS, "male")] == [None, None]


def package(folder: Path, *resources: dict[str, Any]) -> Catalog:
    import io
    import tarfile

    manifest = {"name": "example.pack", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    with tarfile.open(folder / "example.tgz", "w:gz") as archive:
        bodies = [
            ("package.json", manifest),
            *((f"{r['resourceType']}-{n}.json", r) for n, r in enumerate(resources)),
        ]
        for name, body in bodies:
            data = json.dumps(body).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return Catalog.of_folder(folder)


def test_loaded_packages_are_asked_first(tmp_path: Path) -> None:
    genders = things(url=GENDERS)
    map_ = {"resourceType": "ConceptMap", "url": "urn:example:map", "sourceUri": "urn:s", "targetUri": "urn:t"}
    catalog = package(tmp_path, genders, map_, value_set({"system": THING}))
    library = loaded(catalog)
    assert value(ask("CodeSystem/$lookup", library, system=GENDERS, code="dog"), "display") == "Dog"
    assert ("urn:example:map", "urn:s", "urn:t") in list(library.concept_maps())
    assert Packages(catalog).get("ValueSet", "urn:example:set", "7") is None
    assert len(codes(ask("ValueSet/$expand", library, url="http://hl7.org/fhir/ValueSet/task-status"))) == 12
