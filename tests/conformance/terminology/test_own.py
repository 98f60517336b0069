"""The hub's own codes for CalAIM, and an operator's additions."""

from pathlib import Path

import pytest

from conformance.terminology.load import library
from conformance.terminology.own import MODIFIER, own_resources
from hub.demo.populations import POPULATIONS
from hub.demo.supports import SUPPORTS
from hub.fhir.systems import HCPCS, LEAD_CARE_MANAGER, OWN
from tests.conformance.terminology.asking import ask, codes, own, shipped, value

PAIRS = {
    (element["code"], target["code"], target["product"][0]["value"])
    for resource in own_resources()
    if resource["url"] == own("ConceptMap", "community-support-to-hcpcs")
    for element in resource["group"][0]["element"]
    for target in element["target"]
}


def test_all_are_valid_resources_below_the_hubs_own_namespace() -> None:
    from conformance.validation.structure import validate

    found = own_resources()
    assert {r["resourceType"] for r in found} == {"CodeSystem", "ValueSet", "ConceptMap"}
    for resource in found:
        assert validate(resource, resource["resourceType"]) == [], resource["url"]
        assert resource["url"] == f"{OWN}{resource['resourceType']}/{resource['id']}"
    assert len({resource["url"] for resource in found}) == len(found)


def test_every_own_value_set_expands() -> None:
    sizes = {
        r["id"]: len(codes(ask("ValueSet/$expand", url=r["url"])))
        for r in own_resources()
        if r["resourceType"] == "ValueSet"
    }
    assert sizes["population-of-focus"] == 10
    assert (sizes["population-of-focus-adult"], sizes["population-of-focus-child"]) == (8, 7)
    assert sizes["community-support"] == 15
    assert sizes["ecm-discontinuation-reason"] == 4
    assert sizes["ecm-discontinuation-number"] == 0, "the labels are not known"


def test_the_demo_uses_the_same_codes() -> None:
    supports = shipped().system(own("CodeSystem", "community-support"))
    for support in SUPPORTS:
        assert supports.concepts[support.slug].display == support.name
        assert {(support.slug, *pair) for pair in support.billing} <= PAIRS
    populations = shipped().system(own("CodeSystem", "population-of-focus"))
    assert {p.number: p.name for p in POPULATIONS}.items() <= {
        code: concept.display for code, concept in populations.concepts.items()
    }.items()
    system, code = LEAD_CARE_MANAGER
    assert code in shipped().system(system).concepts


def test_no_pair_of_hcpcs_code_and_modifier_means_two_services() -> None:
    billed = [(hcpcs, modifier) for _, hcpcs, modifier in PAIRS]
    assert len(billed) == len(set(billed)) == 44
    assert {slug for slug, _, _ in PAIRS} == set(shipped().system(own("CodeSystem", "community-support")).concepts)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return folder


def test_an_operators_rows_are_added_and_theirs_count(tmp_path: Path) -> None:
    write(tmp_path, "codes/referral-status.csv", "code,display,definition\naccepted,Accepted,By the provider\n")
    write(tmp_path, "codes/community-support.csv", "code,display\nrecuperative-care,Medical Respite\n")
    write(tmp_path, "maps/referral-status-task-status.csv", "referral_status,task_status\naccepted,accepted\n")
    write(
        tmp_path,
        "maps/community-support-hcpcs.csv",
        "community_support,hcpcs,modifier\nhousing-deposits,H9999,U1\n",
    )
    found = library(local=tmp_path)
    assert codes(ask("ValueSet/$expand", found, url=own("ValueSet", "referral-status"))) == ["declined", "accepted"]
    respite = {"system": own("CodeSystem", "community-support"), "code": "recuperative-care"}
    assert value(ask("CodeSystem/$lookup", found, **respite), "display") == "Medical Respite"
    status = {"system": own("CodeSystem", "referral-status"), "code": "accepted"}
    url = own("ConceptMap", "referral-status-to-task-status")
    assert value(ask("ConceptMap/$translate", found, url=url, **status), "result") is True
    assert "H9999" in codes(ask("ValueSet/$expand", found, url=own("ValueSet", "community-support-hcpcs")))


def test_an_operators_resource_stands_in_place_of_ours(tmp_path: Path) -> None:
    url = own("CodeSystem", "referral-status")
    whole = f'{{"resourceType": "CodeSystem", "url": "{url}", "content": "complete", "concept": [{{"code": "x"}}]}}'
    found = library(local=write(tmp_path, "status.json", whole))
    assert codes(ask("ValueSet/$expand", found, url=own("ValueSet", "referral-status"))) == ["x"]


def test_a_folder_that_is_not_there_adds_nothing(tmp_path: Path) -> None:
    assert own_resources(tmp_path / "none") == own_resources()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("codes/no-such-table.csv", "code,display\n", "not one of the hub's tables"),
        ("maps/no-such-table.csv", "a,b\n", "not one of the hub's tables"),
        ("codes/referral-status.csv", "code,label\nx,Y\n", "the columns are code, display, definition"),
        ("codes/referral-status.csv", "display\nY\n", "the columns are"),
        ("codes/referral-status.csv", "code,display\nx,X\n,Y\n", "line 3: the cell of 'code' is empty"),
        ("codes/referral-status.csv", "code,display\nx\n", "line 2: the row has not as many cells"),
        ("codes/referral-status.csv", "code,display\nx,Y,Z\n", "line 2: the row has not as many cells"),
        ("maps/community-support-hcpcs.csv", "community_support,hcpcs\nx,Y\n", "the columns are"),
        ("maps/community-support-hcpcs.csv", "community_support,hcpcs,modifier\nx,Y,\n", "line 2: the cell"),
        ("codes/population-of-focus.csv", "code,for-adults\nx,yes\n", "line 2: 'for-adults' is true"),
        ("own.json", "{", "own.json is not JSON"),
        ("own.json", '{"resourceType": "Patient", "url": "urn:x"}', "is not a CodeSystem"),
        ("own.json", '{"resourceType": "CodeSystem"}', "with a url"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_file_and_line(name: str, text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=says):
        own_resources(write(tmp_path, name, text))


def test_the_modifier_and_its_code_are_of_hcpcs() -> None:
    assert MODIFIER.startswith(OWN)
    assert HCPCS == "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
