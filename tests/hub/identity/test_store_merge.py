"""Two Patients become one member, and two again (hub.identity.merge, unmerge)."""

import pytest

from hub.identity.desk import Registry
from hub.problems import Problem
from hub.store.engine import Database
from tests.hub.asking import Api, observation, patient, refused
from tests.hub.identity_world import contents, county, merged, registry_of, rights, unmerged
from tests.hub.sighted import emptied, to


@pytest.fixture
def api(swept: Database) -> Api:
    return county(swept)


@pytest.fixture
def registry(api: Api) -> Registry:
    return registry_of(api.database)


def test_what_was_of_the_one_is_of_the_other(api: Api, registry: Registry) -> None:
    assert merged(registry, "ann", "anna").survivor == "ann"
    assert sorted(api.found("/Observation?subject=Patient/ann")) == ["o-ann", "o-anna"]
    assert api.get("/Observation/o-anna").json["performer"] == [to("Patient", "ann")]
    assert api.get("/Task/t-anna").json["for"] == to("Patient", "ann")
    assert [m["entity"] for m in api.get("/Group/pier-panel").json["member"]] == [
        to("Patient", "bob"),
        to("Patient", "ann"),
    ]
    assert to("Patient", "ann") in api.get("/Provenance/p-anna").json["target"]


def test_the_one_who_remains_is_the_only_active_one_and_has_all_identifiers(api: Api, registry: Registry) -> None:
    merged(registry, "ann", "anna")
    ann, anna = (api.get(f"/Patient/{each}").json for each in ("ann", "anna"))
    assert [each["value"] for each in ann["identifier"]] == ["ann-1", "anna-1"]
    assert ann["link"] == [{"other": to("Patient", "anna"), "type": "replaces"}]
    assert anna["active"] is False
    assert anna["link"] == [{"other": to("Patient", "ann"), "type": "replaced-by"}]
    assert api.found("/Patient?identifier=anna-1") == ["ann"]


def test_who_sees_the_one_sees_all_of_the_member_and_nobody_else_does(api: Api, registry: Registry) -> None:
    harbor, pier = api.as_("harbor"), api.as_("pier")
    assert harbor.found("/Observation") == ["o-ann", "o-bob"]
    merged(registry, "ann", "anna")
    everything = ["o-ann", "o-anna", "o-bob"]
    assert sorted(harbor.found("/Observation")) == sorted(pier.found("/Observation")) == everything
    for who in (harbor, pier):
        for path in ("/Patient/anna", "/Patient/ann", "/Provenance/p-anna", "/Bundle/b-anna", "/Task/t-anna"):
            assert who.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    [
        *("/Observation?subject=Patient/anna", "/Observation?patient=anna", "/Observation?subject:Patient=anna"),
        *("/Observation?subject=anna", "/Observation?performer=Patient/anna", "/Patient/anna/Observation"),
        "/Observation?subject=https://hub.example/fhir/Patient/anna",
        "/Observation?_filter=subject eq Patient/anna",
    ],
)
def test_a_search_by_the_old_id_finds_the_data_of_the_member(api: Api, registry: Registry, path: str) -> None:
    merged(registry, "ann", "anna")
    assert sorted(api.found(path)) == ["o-ann", "o-anna"]


def test_the_old_id_counts_in_chains_compartments_and_everything(api: Api, registry: Registry) -> None:
    merged(registry, "ann", "anna")
    assert "ann" in api.found("/Patient?_has:Observation:subject:performer=Patient/anna")
    assert sorted(api.found("/Task?patient=Patient/anna")) == ["t-ann", "t-anna"]
    assert sorted(api.found("/Patient/anna/Task")) == ["t-ann", "t-anna"]
    assert sorted(api.found("/Group?member=Patient/anna")) == ["panel", "pier-panel"]
    found = [each["resource"]["id"] for each in api.get("/Patient/anna/$everything").json["entry"]]
    assert found[0] == "ann"
    assert {"o-ann", "o-anna", "e-anna"} <= set(found)


def test_an_unmerge_puts_everything_back(api: Api, registry: Registry) -> None:
    before, seen = contents(api.database), rights(api.database)
    merged(registry, "ann", "anna")
    assert contents(api.database) != before
    assert unmerged(registry, "anna").lost == ()
    assert contents(api.database) == before
    assert rights(api.database) == seen
    assert sorted(api.found("/Observation?subject=Patient/anna")) == ["o-anna"]


def test_nobody_is_merged_with_themselves_or_with_nobody_or_twice_or_in_a_circle(
    api: Api, registry: Registry
) -> None:
    for survivor, absorbed, kind in (("ann", "ann", "invalid"), ("ann", "nobody", "not-found")):
        with pytest.raises(Problem) as refusal:
            merged(registry, survivor, absorbed)
        assert refusal.value.kind == kind
    merged(registry, "ann", "anna")
    for survivor, absorbed in (("bob", "anna"), ("anna", "ann")):
        with pytest.raises(Problem) as refusal:
            merged(registry, survivor, absorbed)
        assert refusal.value.kind == "conflict"


def test_a_merge_into_somebody_who_was_merged_goes_to_who_that_is(api: Api, registry: Registry) -> None:
    merged(registry, "ann", "anna")
    assert merged(registry, "anna", "bob").survivor == "ann"
    assert sorted(api.found("/Observation?subject=Patient/bob")) == ["o-ann", "o-anna", "o-bob"]


@pytest.mark.parametrize("order", [("anna", "bob"), ("bob", "anna")])
def test_a_chain_of_merges_is_undone_in_any_order(api: Api, registry: Registry, order: tuple[str, str]) -> None:
    before, seen = contents(api.database), rights(api.database)
    merged(registry, "bob", "anna")
    merged(registry, "ann", "bob")
    assert api.get("/Patient/anna").json["link"] == [{"other": to("Patient", "ann"), "type": "replaced-by"}]
    assert sorted(api.found("/Observation?subject=Patient/anna")) == ["o-ann", "o-anna", "o-bob"]
    for each in order:
        unmerged(registry, each)
        assert sorted(api.found("/Observation?performer=Patient/ann"))[0] == "o-ann"
    assert contents(api.database) == before
    assert rights(api.database) == seen


def test_what_is_written_about_the_former_one_goes_to_the_member_and_back(api: Api, registry: Registry) -> None:
    merged(registry, "ann", "anna")
    api.have(observation("since", subject=to("Patient", "anna")))
    assert api.get("/Observation/since").json["subject"] == to("Patient", "ann")
    assert "since" in api.as_("harbor").found("/Observation")
    unmerged(registry, "anna")
    assert api.get("/Observation/since").json["subject"] == to("Patient", "anna")
    assert "since" not in api.as_("harbor").found("/Observation")


def test_the_former_one_is_neither_changed_nor_deleted_and_the_member_not_deleted(
    api: Api, registry: Registry
) -> None:
    merged(registry, "ann", "anna")
    refused(api.put("/Patient/anna", patient("anna", active=True)), 409, "conflict")
    refused(api.delete("/Patient/anna"), 409, "conflict")
    refused(api.delete("/Patient/ann"), 409, "conflict")
    api.have(patient("ann", gender="female"))
    assert api.get("/Patient/ann").json["link"] == [{"other": to("Patient", "anna"), "type": "replaces"}]


def test_earlier_versions_are_there_for_who_sees_the_member_and_go_back_with_the_unmerge(
    api: Api, registry: Registry
) -> None:
    merged(registry, "ann", "anna")
    for who in ("harbor", "pier"):
        assert api.as_(who).get("/Observation/o-anna/_history/1").status_code == 200, who
        assert len(api.as_(who).get("/Observation/o-anna/_history").json["entry"]) == 2
    unmerged(registry, "anna")
    for number in (1, 2, 3):
        refused(api.as_("harbor").get(f"/Observation/o-anna/_history/{number}"), 404, "not-found")
    assert api.as_("pier").get("/Observation/o-anna/_history/1").status_code == 200
    refused(api.as_("pier").get("/Observation/o-anna/_history/2"), 404, "not-found")


def test_an_unmerge_of_who_is_not_merged_is_refused(api: Api, registry: Registry) -> None:
    with pytest.raises(Problem) as refusal:
        unmerged(registry, "ann")
    assert refusal.value.kind == "not-found"
    emptied(api.database)
