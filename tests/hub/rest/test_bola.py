"""SEC-14, 36 and 38: no token opens another's record, by whatever id, verb or threshold it is asked for."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hub.rights.facts import source_number
from hub.store.engine import Database
from tests.hub.asking import Api, entry, observation, patient
from tests.hub.sighted import absent, api_of, caller, panel, same, to
from tests.hub.smallest import smallest

ACTORS = ("harbor", "clinic")
PATCH = [{"op": "test", "path": "/id", "value": "x"}, {"op": "add", "path": "/language", "value": "en"}]
JSON_PATCH = "application/json-patch+json"


def canary(actor: str) -> str:
    return f"ZQ{actor}ZQ"


def record(actor: str) -> list[dict[str, Any]]:
    """What belongs to the one patient of an actor; each says the canary."""
    of, says = to("Patient", f"{actor}-pat"), canary(actor)
    made = [
        patient(f"{actor}-pat", name=[{"family": says}]),
        observation(f"{actor}-obs", subject=of, valueString=says),
        smallest("Condition", f"{actor}-con") | {"subject": of, "code": {"text": says}},
        smallest("Encounter", f"{actor}-enc") | {"subject": of, "reasonCode": [{"text": says}]},
        smallest("Task", f"{actor}-tsk") | {"for": of, "description": says},
        smallest("DocumentReference", f"{actor}-doc") | {"subject": of, "description": says},
        smallest("Provenance", f"{actor}-prv") | {"target": [of], "reason": [{"text": says}]},
        panel(f"{actor}-pat", of=f"Organization/{actor}", identity=f"{actor}-grp") | {"name": says},
    ]
    inner = observation(subject=of, valueString=says)
    # SEC-38: what holds it is as hidden as what it holds
    binary = {"resourceType": "Binary", "id": f"{actor}-bin", "contentType": "text/plain"}
    made += [
        {"resourceType": "Bundle", "id": f"{actor}-bdl", "type": "collection", "entry": [{"resource": inner}]},
        {"resourceType": "Parameters", "id": f"{actor}-par", "parameter": [{"name": "a", "resource": inner}]},
        binary | {"securityContext": to("Observation", f"{actor}-obs"), "data": "WlE="},
        smallest("List", f"{actor}-lst") | {"subject": of, "title": says},
        smallest("Basic", f"{actor}-bas") | {"subject": of, "contained": [observation("i", valueString=says)]}
        | {"extension": [{"url": "urn:x", "valueReference": {"reference": "#i"}}]},
        smallest("Composition", f"{actor}-cmp") | {"subject": of, "title": says},
    ]  # fmt: skip
    return made


@pytest.fixture
def county(swept: Database) -> Api:
    callers = {}
    for name in ACTORS:
        number = source_number(f"Organization/{name}")
        callers[name] = caller(
            name, source=f"Organization/{name}", holders=(number,), own=number, guarded=0, never=0
        )
    api = api_of(swept, callers)
    for actor in ACTORS:
        api.have(*record(actor))
    return api


def asks(kind: str, identity: str, sent: dict[str, Any]) -> Iterator[tuple[str, str, Any, dict[str, str]]]:
    where = f"/{kind}/{identity}"
    for path in ("", "/_history", "/_history/1", "/$meta", "/$everything", "/*", "?_elements=id"):
        yield "GET", where + path, None, {}
    yield "GET", f"/{kind}?_id={identity}", None, {}
    yield "GET", f"/{kind}?_id={identity}&_summary=count", None, {}
    yield "PUT", where, sent, {}
    yield "PATCH", where, PATCH, {"Content_Type": JSON_PATCH}
    yield "PATCH", f"/{kind}?_id={identity}", PATCH, {"Content_Type": JSON_PATCH}
    yield "DELETE", f"/{kind}?_id={identity}", None, {}
    yield "POST", where + "/$meta-add", {"resourceType": "Parameters"}, {}
    yield "DELETE", where, None, {}
    for method in ("GET", "DELETE"):
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry(method, where[1:])]}
        yield "POST", "", bundle, {}


def test_no_actor_gets_at_anothers_records_by_any_verb(county: Api) -> None:
    before = {f"{r['resourceType']}/{r['id']}": b"" for actor in ACTORS for r in record(actor)}
    before = {where: county.get(f"/{where}").data for where in before}
    hits = []
    for actor in ACTORS:
        for other in (each for each in ACTORS if each != actor):
            for resource in record(other):
                kind, identity = resource["resourceType"], resource["id"]
                sent = smallest(kind, identity)
                for method, path, body, headers in asks(kind, identity, sent):
                    answer = county.as_(actor).ask(method, path, body, **headers)
                    if canary(other) in answer.text or f'"{kind}/{identity}"' in answer.text:
                        hits.append((actor, method, path))
                    assert answer.status_code < 500
    assert hits == []
    assert {where: county.get(f"/{where}").data for where in before} == before


LISTS = ["/?_type=Patient,Observation,Condition,Encounter,Task,Bundle,Basic,Group&_count=50", "/_history?_count=50"]


@pytest.mark.parametrize("path", LISTS)
def test_every_actor_lists_its_own_and_nothing_of_others(county: Api, path: str) -> None:
    for actor in ACTORS:
        text = county.as_(actor).get(path).text
        assert canary(actor) in text
        assert [other for other in ACTORS if other != actor and canary(other) in text] == []


def test_every_actor_reads_its_own(county: Api) -> None:
    for actor in ACTORS:
        for resource in record(actor):
            where = f"/{resource['resourceType']}/{resource['id']}"
            assert county.as_(actor).get(where).status_code == 200, where


SHAPES = [
    "/Patient?_has:Observation:subject:value-quantity={}",
    "/Encounter?_has:Observation:encounter:value-quantity={}",
    "/DiagnosticReport?result.value-quantity={}",
    "/Observation?value-quantity={}&_summary=count",
    "/Observation?value-quantity={}&_total=accurate&_count=0",
    "/DiagnosticReport?_filter=not (result.value-quantity {})",
]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_threshold_tells_a_hidden_value(county: Api, shape: str) -> None:
    """SEC-36: a bisection gets the same answer at every step."""
    of = to("Patient", "clinic-pat")
    mine = to("Patient", "harbor-pat")
    county.have(
        observation("lab", subject=of, valueQuantity={"value": 42}, encounter=to("Encounter", "harbor-enc")),
        smallest("DiagnosticReport", "rep") | {"subject": mine, "result": [to("Observation", "lab")]},
    )
    api = county.as_("harbor")
    told = set()
    for threshold in range(40, 45):
        for prefix in ("gt", "lt", "ne"):
            operand = f"{prefix} {threshold}" if "_filter" in shape else f"{prefix}{threshold}"
            answer = api.get(shape.format(operand))
            assert answer.status_code == 200, answer.text
            body = answer.json
            told.add(json.dumps([body.get("total"), [e["fullUrl"] for e in body.get("entry", ())]]))
    assert len(told) == 1


def test_a_record_that_was_hidden_behind_a_list_of_ids_stays_hidden(county: Api) -> None:
    ids = ",".join(f"{actor}-obs" for actor in ACTORS)
    assert county.as_("harbor").found(f"/Observation?_id={ids}") == ["harbor-obs"]
    name = "clinic-obs"
    one, other = (county.as_("harbor").get(f"/Observation?_id={each}") for each in (name, absent(name)))
    same(one, other, name, absent(name))
