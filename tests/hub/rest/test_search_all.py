"""Search over several types and inside compartments."""

import pytest

from tests.hub.asking import BASE, Api, mrn, observation, patient, refused


def ref(text: str) -> dict[str, str]:
    return {"reference": text}


@pytest.fixture
def county(api: Api) -> Api:
    tag = {"tag": [{"system": "https://t.invalid", "code": "x"}]}
    api.have(
        {"resourceType": "Organization", "id": "org", "name": "Apple", "meta": tag},
        {"resourceType": "Practitioner", "id": "dr", "name": [{"family": "Apple"}]},
        patient("ann", name=[{"family": "Apple"}], identifier=mrn("1"), meta=tag),
        patient("bob", name=[{"family": "Bee"}]),
        observation("a1", subject=ref("Patient/ann"), identifier=mrn("1"), meta=tag),
        observation("a2", subject=ref("Patient/ann"), status="amended", performer=[ref("Practitioner/dr")]),
        observation("b1", subject=ref("Patient/bob"), encounter=ref("Encounter/e")),
        {
            "resourceType": "Encounter",
            "id": "e",
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": ref("Patient/bob"),
            "participant": [{"individual": ref("Practitioner/dr")}],
        },
        {"resourceType": "Device", "id": "d"},
        {
            "resourceType": "List",
            "id": "l",
            "status": "current",
            "mode": "working",
            "entry": [{"item": ref("Patient/ann")}, {"item": ref("Observation/b1")}],
        },
    )
    return api  # fmt: skip


FOUND = {
    "?_type=Patient,Organization": {"ann", "bob", "org"},
    "?_type=Patient,Organization&_id=ann,org,a1": {"ann", "org"},
    "?_type=Patient,Organization&name=apple": {"ann", "org"},
    "?_type=Patient,Organization&name:exact=apple": set(),
    "?_type=Patient,Organization&name:exact=Apple": {"ann", "org"},
    "?_type=Patient,Observation&identifier=1": {"ann", "a1"},
    "?_type=Patient,Observation&identifier=1&_lastUpdated=gt2020": {"ann", "a1"},
    "?_type=Patient,Observation&identifier:missing=true": {"bob", "a2", "b1"},
    "?_type=Patient,Observation&_type=Patient,Group": {"ann", "bob"},
    "?_type=Observation,Encounter&subject.name=bee": {"b1", "e"},
    "?_type=Observation,Encounter&subject:Patient._has:Observation:subject:status=amended": {"a1", "a2"},
    "?_type=Patient,Practitioner&_filter=name eq apple and not (family eq bee)": {"ann", "dr"},
    "?_tag=x": {"org", "ann", "a1"},
    "?_tag=https://t.invalid|x&_lastUpdated=gt2020": {"org", "ann", "a1"},
    "?_tag=none": set(),
    "?_id=ann,e,none": {"ann", "e"},
    "?_lastUpdated=lt2020": set(),
    "?_list=l": {"ann", "b1"},
    "": {"org", "dr", "ann", "bob", "a1", "a2", "b1", "e", "d", "l"},
    "Patient/ann/Observation": {"a1", "a2"},
    "Patient/ann/Observation?status=final": {"a1"},
    "Patient/ann/Observation?patient=bob": set(),
    "Patient/none/Observation": set(),
    "Patient/ann/Patient": {"ann"},
    "Patient/bob/*": {"bob", "b1", "e"},
    "Patient/bob/*?_type=Encounter": {"e"},
    "Patient/ann/*?_tag=x": {"ann", "a1"},
    "Patient/ann/*?_type=Patient,Observation&identifier=1": {"ann", "a1"},
    "Encounter/e/Observation": {"b1"},
    "Encounter/e/*": {"b1", "e"},
    "Encounter/e/Encounter": {"e"},
    "Practitioner/dr/Observation": {"a2"},
    "Practitioner/dr/Encounter": {"e"},
    "Practitioner/dr/*": {"a2", "e", "dr"},
    "Device/d/*": {"d"},
    "RelatedPerson/none/*": set(),
}


@pytest.mark.parametrize("path", FOUND)
def test_several_types_and_compartments_find(county: Api, path: str) -> None:
    where, _, query = path.partition("?")
    for asked in (
        f"?{query}&_count=50",
        f"?{query}&_count=50&_sort=-_lastUpdated",
        f"?{query}&_count=50&_sort=_id",
    ):
        assert sorted(county.found(f"/{where}{asked}")) == sorted(FOUND[path]), asked
    form = county.form(f"/{where}{'/' if where else ''}_search", f"{query}&_count=50&_total=accurate")
    assert form.json["total"] == len(FOUND[path])
    assert sorted(e["resource"]["id"] for e in form.json.get("entry", [])) == sorted(FOUND[path])


def test_types_are_walked_page_by_page(county: Api) -> None:
    for where in (
        "/?_type=Patient,Observation",
        "/?_sort=_id",
        "/?_sort=-_lastUpdated",
        "/Patient/ann/*?_sort=_id",
    ):
        path, seen = f"{where}{'&' if '?' in where else '?'}_count=2", []
        while path:
            body = county.get(path).json
            seen += [(e["resource"]["resourceType"], e["resource"]["id"]) for e in body["entry"]]
            links = {link["relation"]: link["url"] for link in body["link"]}
            assert links["self"].startswith(f"{BASE}{where.partition('?')[0].rstrip('/')}"), links
            path = links.get("next", "").removeprefix(BASE)
        assert len(seen) == len(set(seen)) >= 3


REFUSED = {
    "no type": ("/?_type=Foo", 400, "value"),
    "not of both": ("/?_type=Patient,Observation&birthdate=2020", 400, "not-supported"),
    "not of all": ("/?name=x", 400, "not-supported"),
    "chain of all": ("/?subject.name=x", 400, "not-supported"),
    "sorted by one's own": ("/?_type=Patient,Observation&_sort=birthdate", 400, "not-supported"),
    "no compartment": ("/Organization/1/Observation", 404, "not-supported"),
    "never in it": ("/Patient/1/Organization", 404, "not-supported"),
    "no such member": ("/Patient/1/Foo", 404, "not-supported"),
    "bad id": ("/Patient/_/Observation", 400, "value"),
    "unknown": ("/Patient/1/Observation?shoesize=1", 400, "not-supported"),
    "unknown of all": ("/Patient/1/*?shoesize=1", 400, "not-supported"),
}


@pytest.mark.parametrize(("path", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_what_they_refuse(api: Api, path: str, status: int, code: str) -> None:
    refused(api.get(path), status, code)


def test_only_what_may_be_searched_is_found(county: Api) -> None:
    some = county.as_("patients")
    assert sorted(some.found("/?_lastUpdated=gt2020")) == ["ann", "bob"]
    assert some.found("/Patient/ann/*") == ["ann"]
    refused(some.get("/?_type=Patient,Observation"), 403, "forbidden")
    refused(some.get("/Patient/ann/Observation"), 403, "forbidden")
    refused(some.get("/Encounter/e/*"), 403, "forbidden")
    refused(county.as_("reader").get("/?_id=ann"), 403, "forbidden")
