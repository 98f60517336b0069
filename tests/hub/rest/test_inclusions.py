"""What `_include` and `_revinclude` bring with the matches: each once, in bounds, nothing that is forbidden."""

from typing import Any

import pytest

from hub.problems import Problem
from hub.search.inclusions import inclusion
from hub.store import inclusions
from tests.hub.asking import BASE, Api, observation, patient, refused
from tests.hub.rest.test_paging import next_of

SYSTEM = "https://plans.invalid"


def organization(identity: str, part_of: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Organization", "id": identity, "name": "Invented Health"}
    return made | ({"partOf": {"reference": f"Organization/{part_of}"}} if part_of else {})


def task(identity: str, **parts: Any) -> dict[str, Any]:
    return {"resourceType": "Task", "id": identity, "status": "requested", "intent": "order"} | parts


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


COUNTY = (
    organization("top"),
    organization("mid", "top"),
    organization("low", "mid"),
    # a circle
    organization("egg", "hen"),
    organization("hen", "egg"),
    {"resourceType": "Practitioner", "id": "gp"},
    patient("ann", managingOrganization=to("Organization/low"), generalPractitioner=[to("Practitioner/gp")]),
    patient(
        "bo", managingOrganization=to("Organization/egg"), link=[{"other": to("Patient/ann"), "type": "seealso"}]
    ),
    patient("cy", managingOrganization=to("Organization/gone")),
    observation("o1", subject=to("Patient/ann"), status="final"),
    observation("o2", subject=to(f"{BASE}/Patient/ann"), performer=[to("Practitioner/gp")]),
    observation("o3", subject=to("Patient/ann/_history/1"), status="amended"),
    observation("o4", subject=to("https://other.invalid/fhir/Patient/ann"), status="amended"),
    observation("o5", subject={"identifier": {"value": "x"}}, status="amended"),
    observation("o6", subject=to("#in"), contained=[patient("in")], status="amended"),
    observation("o7", subject={"reference": "Group/g"}, status="amended"),
    {"resourceType": "Group", "id": "g", "type": "person", "actual": True},
    task("t1", **{"for": to("Patient/ann")}, focus=to("Observation/o1"), owner=to("Organization/low")),
    task("t2", **{"for": to("Patient/bo")}, focus=to("Task/t1")),
    {"resourceType": "PlanDefinition", "id": "p1", "status": "active", "url": f"{SYSTEM}/a", "version": "1"},
    {"resourceType": "PlanDefinition", "id": "p2", "status": "active", "url": f"{SYSTEM}/a", "version": "2"},
    {"resourceType": "CarePlan", "id": "c1", "status": "active", "intent": "plan", "subject": to("Patient/bo")}
    | {"instantiatesCanonical": [f"{SYSTEM}/a|2"]},
    {"resourceType": "CarePlan", "id": "c2", "status": "active", "intent": "plan", "subject": to("Patient/bo")}
    | {"instantiatesCanonical": [f"{SYSTEM}/a"]},
)

# what is asked -> the matches | what comes with them
ROWS = {
    "Observation?_id=o1&_include=Observation:subject": "o1 | Patient/ann",
    "Observation?_id=o1&_include=Observation:patient": "o1 | Patient/ann",
    "Observation?_id=o1&_include=Observation:subject:Patient": "o1 | Patient/ann",
    "Observation?_id=o1&_include=Observation:subject:Group": "o1 |",
    "Observation?_id=o7&_include=Observation:subject:Group": "o7 | Group/g",
    "Observation?_id=o7&_include=Observation:patient": "o7 |",
    # one resource for many matches, once
    "Observation?patient=ann&_include=Observation:patient": "o1 o2 o3 | Patient/ann",
    "Observation?status=final&_include=Observation:patient&_include=Observation:performer": (
        "o1 o2 | Patient/ann Practitioner/gp"
    ),
    "Observation?_include=Observation:subject": "o1 o2 o3 o4 o5 o6 o7 | Group/g Patient/ann",
    # an absolute address here, one with a version; elsewhere, an identifier, a contained one bring nothing
    "Observation?_id=o2&_include=Observation:subject": "o2 | Patient/ann",
    "Observation?_id=o3&_include=Observation:subject": "o3 | Patient/ann",
    "Observation?_id=o4,o5,o6&_include=Observation:subject": "o4 o5 o6 |",
    # what is not there, or no more
    "Patient?_id=cy&_include=Patient:organization": "cy |",
    "Patient?_id=none&_include=Patient:organization": "|",
    # a match is no include
    "Patient?_id=ann,bo&_include=Patient:link": "ann bo |",
    "Patient?_id=bo&_include=Patient:link": "bo | Patient/ann",
    # everything
    "Patient?_id=ann&_include=*": "ann | Organization/low Practitioner/gp",
    "Patient?_id=ann&_include=Patient:*": "ann | Organization/low Practitioner/gp",
    "Patient?_id=ann&_include=Patient:*:Practitioner": "ann | Practitioner/gp",
    "Binary?_include=*": "|",
    # several levels
    "Task?_id=t1&_include=Task:patient&_include:iterate=Patient:organization": (
        "t1 | Organization/low Patient/ann"
    ),
    "Task?_id=t2&_include=Task:patient&_include:recurse=Patient:organization": ("t2 | Organization/egg Patient/bo"),
    "Task?_id=t1&_include=Task:owner&_include=Task:patient&_include:iterate=Organization:partof": (
        "t1 | Organization/low Organization/mid Organization/top Patient/ann"
    ),
    "Task?_id=t2&_include:iterate=Task:focus": "t2 | Observation/o1 Task/t1",
    "Task?_id=t2&_include=Task:focus": "t2 | Task/t1",
    "Task?_id=t1&_include:iterate=*": (
        "t1 | Observation/o1 Organization/low Organization/mid Organization/top Patient/ann Practitioner/gp"
    ),
    # circles end
    "Organization?_id=egg&_include:iterate=Organization:partof": "egg | Organization/hen",
    "Organization?_id=egg&_revinclude:iterate=Organization:partof": "egg | Organization/hen",
    "Organization?_id=egg,hen&_include:iterate=Organization:partof": "egg hen |",
    # reverse
    "Patient?_id=ann&_revinclude=Observation:patient": "ann | Observation/o1 Observation/o2 Observation/o3",
    "Patient?_id=ann&_revinclude=Observation:subject:Patient": "ann | Observation/o1 Observation/o2 Observation/o3",
    "Patient?_id=ann,bo&_revinclude=Task:patient": "ann bo | Task/t1 Task/t2",
    "Patient?_id=cy&_revinclude=Task:patient": "cy |",
    "Practitioner?_id=gp&_revinclude=Observation:*": "gp | Observation/o2",
    "Organization?_id=top&_revinclude=Organization:partof": "top | Organization/mid",
    "Organization?_id=top&_revinclude:iterate=Organization:partof": "top | Organization/low Organization/mid",
    "Organization?_id=low&_revinclude=Patient:organization&_revinclude:iterate=Task:patient": (
        "low | Patient/ann Task/t1"
    ),
    "Patient?_id=ann&_revinclude=Task:patient&_include:iterate=Task:focus": ("ann | Observation/o1 Task/t1"),
    # canonicals: without a version every one, with a version that one
    "CarePlan?_id=c1&_include=CarePlan:instantiates-canonical": "c1 | PlanDefinition/p2",
    "CarePlan?_id=c2&_include=CarePlan:instantiates-canonical": "c2 | PlanDefinition/p1 PlanDefinition/p2",
    "PlanDefinition?_id=p1&_revinclude=CarePlan:instantiates-canonical": "p1 | CarePlan/c2",
    "PlanDefinition?_id=p2&_revinclude=CarePlan:instantiates-canonical": "p2 | CarePlan/c1 CarePlan/c2",
}


@pytest.fixture
def county(api: Api) -> Api:
    api.have(*COUNTY)
    return api


def entries(body: dict[str, Any], mode: str) -> list[str]:
    found = [e for e in body.get("entry", []) if e["search"]["mode"] == mode]
    for entry in found:
        if mode != "outcome":
            resource = entry["resource"]
            assert entry["fullUrl"] == f"{BASE}/{resource['resourceType']}/{resource['id']}"
    return [f"{e['resource']['resourceType']}/{e['resource'].get('id')}" for e in found]


def shown(body: dict[str, Any]) -> str:
    matches = " ".join(sorted(name.partition("/")[2] for name in entries(body, "match")))
    return f"{matches} | {' '.join(sorted(entries(body, 'include')))}".strip()


def test_each_search_brings_what_it_should(county: Api) -> None:
    """One store for all rows: nothing here writes."""
    wrong = {}
    for query, expected in ROWS.items():
        where, _, text = query.partition("?")
        for answer in (county.get(f"/{query}"), county.form(f"/{where}/_search", text)):
            assert answer.status_code == 200, (query, answer.text)
            if shown(answer.json) != expected or entries(answer.json, "outcome"):
                wrong[query] = shown(answer.json)
    assert wrong == {}


def test_what_was_deleted_or_points_elsewhere_now_is_not_brought(county: Api) -> None:
    county.delete("/Observation/o1")
    county.have(task("t1"))
    assert shown(county.get("/Task?_id=t2&_include:iterate=Task:focus").json) == "t2 | Task/t1"
    assert shown(county.get("/Patient?_id=ann&_revinclude=Task:patient").json) == "ann |"
    assert shown(county.get("/Patient?_id=ann&_revinclude=Observation:patient").json) == (
        "ann | Observation/o2 Observation/o3"
    )


def test_each_page_brings_its_own(county: Api) -> None:
    path, pages = "/Task?_count=1&_include=Task:patient&_sort=_lastUpdated", []
    while path:
        body = county.get(path).json
        pages.append(shown(body))
        path = next_of(body)
    assert pages == ["t1 | Patient/ann", "t2 | Patient/bo"]


def test_what_is_included_does_not_count(county: Api) -> None:
    body = county.get("/Observation?patient=ann&_include=Observation:patient&_total=accurate&_count=2").json
    assert (body["total"], len(entries(body, "match")), entries(body, "include")) == (3, 2, ["Patient/ann"])
    body = county.get("/Observation?patient=ann&_include=Observation:patient&_summary=count").json
    assert (body["total"], "entry" in body) == (3, False)


def test_resources_are_included_as_they_are_stored(county: Api) -> None:
    county.have(observation("exact", subject=to("Patient/ann"), valueQuantity={"value": 72}))
    plain = county.get("/Patient/ann").json
    body = county.get("/Observation?_id=exact&_include=Observation:subject").json
    assert body["entry"][1]["resource"] == plain


def test_a_long_way_up_ends_with_a_warning(api: Api) -> None:
    """S11"""
    levels = inclusions.MOST_LEVELS
    api.have(*(organization(f"n{n}", f"n{n + 1}") for n in range(levels + 2)))
    for start, bounded in ((0, True), (1, False), (2, False)):
        body = api.get(f"/Organization?_id=n{start}&_include:iterate=Organization:partof").json
        assert len(entries(body, "include")) == levels - max(0, start - 1), start
        assert bool(entries(body, "outcome")) is bounded, start
    body = api.get(f"/Organization?_id=n{levels + 1}&_revinclude:iterate=Organization:partof").json
    assert len(entries(body, "include")) == levels
    issue = body["entry"][-1]["resource"]["issue"][0]
    assert (issue["severity"], issue["code"]) == ("warning", "too-costly")


@pytest.mark.parametrize(("most", "brought", "bounded"), [(2, 2, True), (3, 3, False), (4, 3, False)])
def test_more_than_the_most_is_left_out_with_a_warning(
    county: Api, monkeypatch: pytest.MonkeyPatch, most: int, brought: int, bounded: bool
) -> None:
    """S11"""
    monkeypatch.setattr(inclusions, "MOST", most)
    for path in ("/Patient?_id=ann&_revinclude=Observation:patient", "/Task?_id=t1&_include=*"):
        body = county.get(path).json
        assert len(entries(body, "include")) == brought, path
        assert bool(entries(body, "outcome")) is bounded, path


@pytest.mark.parametrize("query", ["Task?_id=t1&_include:iterate=*", "Patient?_id=ann,bo&_revinclude=Task:patient"])
def test_more_than_one_statement_takes_brings_them_all(
    county: Api, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(inclusions, "CHUNK", 1)
    assert shown(county.get(f"/{query}").json) == ROWS[query]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # may read Patient, search Observation, read and search Task
        ("Task?_id=t1&_include=Task:patient", "t1 | Patient/ann"),
        ("Task?_id=t1&_include=*", "t1 | Patient/ann"),
        ("Task?_id=t2&_include:iterate=*", "t2 | Patient/ann Patient/bo Task/t1"),
        ("Task?_id=t2&_include:iterate=Task:focus", "t2 | Task/t1"),
        ("Task?_id=t2&_include=Task:patient&_include:iterate=Patient:link", "t2 | Patient/ann Patient/bo"),
        ("Task?_id=t2&_include=Task:focus&_revinclude:iterate=Task:focus", "t2 | Task/t1"),
        ("Observation?_id=o1&_include=Observation:subject", "o1 | Patient/ann"),
        ("Observation?_id=o7&_include=Observation:subject", "o7 |"),
        ("Observation?_id=o1&_revinclude=Task:focus", "o1 | Task/t1"),
    ],
)
def test_types_that_may_not_be_read_are_not_brought(county: Api, query: str, expected: str) -> None:
    body = county.as_("tasks").get(f"/{query}").json
    assert (shown(body), entries(body, "outcome")) == (expected, [])


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize(
    ("who", "query"),
    [
        ("tasks", "Task?_include=Task:owner:Organization"),
        ("tasks", "Task?_include=Task:focus:Observation"),
        ("tasks", "Task?_include:iterate=Patient:organization"),
        ("tasks", "Task?_include:iterate=CareTeam:patient"),
        ("tasks", "Task?_revinclude=Provenance:target"),
        ("tasks", "Task?_revinclude=Provenance:*"),
        ("tasks", "Task?_revinclude:iterate=CarePlan:subject"),
        ("tasks", "Task?_include=Task:patient&_include=Task:encounter"),
        ("patients", "Patient?_include=Patient:organization"),
        ("patients", "Patient?_revinclude=Observation:patient"),
        ("searcher", "Observation?_include=Observation:patient"),
    ],
)
def test_asking_only_for_what_may_not_be_read_is_forbidden_whatever_is_stored(
    api: Api, who: str, query: str, stored: bool
) -> None:
    """S12"""
    if stored:
        api.have(*COUNTY)
    for lenient in ("", "handling=lenient"):
        answer = api.as_(who).get(f"/{query}", Prefer=lenient)
        refused(answer, 403, "forbidden")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_lenient_handling_leaves_out_the_wrong_one_only(county: Api) -> None:
    """S02"""
    path = "/Task?_id=t1&_include=Task:patient&_include=Task:nobody&shoesize=4&_elements=focus,size"
    body = county.get(path, Prefer="handling=lenient").json
    assert shown(body) == "t1 | Patient/ann"
    self_link = body["link"][0]["url"]
    assert "Task%3Apatient" in self_link
    assert not any(word in self_link for word in ("nobody", "shoesize", "size"))
    issues = body["entry"][-1]["resource"]["issue"]
    assert [issue["expression"] for issue in issues] == [["_include=Task:nobody"], ["shoesize"], ["_elements"]]
    assert {issue["severity"] for issue in issues} == {"warning"}


def test_every_inclusion_that_the_metadata_lists_is_taken(api: Api) -> None:
    refused_ones = []
    offered = {"_include": "searchInclude", "_revinclude": "searchRevInclude"}
    for resource in api.get("/metadata").json["rest"][0]["resource"]:
        for name, listed in offered.items():
            told = resource.get(listed, ())
            assert len(set(told)) == len(told)
            for text in told:
                try:
                    inclusion(resource["type"], name, text)
                except Problem as problem:
                    refused_ones.append((text, str(problem)))
    assert refused_ones == []


def test_the_metadata_lists_what_is_taken(api: Api) -> None:
    by_type = {r["type"]: r for r in api.get("/metadata").json["rest"][0]["resource"]}
    assert {"*", "CarePlan:care-team", "CarePlan:patient"} <= set(by_type["CarePlan"]["searchInclude"])
    assert {"CarePlan:care-team", "Provenance:target"} <= set(by_type["CareTeam"]["searchRevInclude"])
    assert "Observation:subject" not in by_type["CareTeam"]["searchRevInclude"]
    for name, listed in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
        for text in by_type["CareTeam"][listed]:
            assert api.get(f"/CareTeam?{name}={text}").status_code == 200


@pytest.mark.parametrize("more", ["_include=Patient:organization", "_elements=name"])
def test_a_condition_includes_nothing(api: Api, more: str) -> None:
    refused(api.post("/Patient", patient(), If_None_Exist=f"identifier=x&{more}"), 400, "not-supported")
