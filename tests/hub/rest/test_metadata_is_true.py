"""The CapabilityStatement is true: all that it claims is called, and nothing is served that it does not claim.

All resource types on SQLite; on PostgreSQL those of SAMPLE, which have every type of search parameter.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from conformance.validation.structure import validate
from hub.fhir.types import resource_types
from hub.operations.call import Operation
from hub.operations.table import OPERATIONS
from hub.rest.formats import FORMATS
from hub.rest.routes import ROUTES, VIRTUAL
from hub.rest.write import PATCH_JSON
from hub.search.compartments import COMPARTMENTS
from hub.search.parameters import rows_of
from tests.hub.asking import Api, entry, patient, refused
from tests.hub.notifications.conftest import wanted as subscribed
from tests.hub.smallest import smallest

Json = dict[str, Any]
SAMPLE = ("CarePlan", "Location", "Observation", "Patient", "RiskAssessment", "Task", "ValueSet")
TOGETHER = 40  # inclusions asked for in one search
TAG = "https://invented.invalid/tags"


@pytest.fixture
def rest(api: Api) -> Json:
    """The statement's part about the REST interface."""
    found: Json = api.get("/metadata").json["rest"][0]
    return found


@pytest.fixture
def claimed(api: Api, rest: Json) -> list[Json]:
    """What it says of each type that is stored; of AuditEvent see tests/hub/audit/test_statement.py."""
    stored = [one for one in rest["resource"] if one["type"] not in VIRTUAL]
    return [one for one in stored if api.database.is_sqlite or one["type"] in SAMPLE]


def tagged(resource_type: str, identity: str, code: str = "a") -> Json:
    return smallest(resource_type, identity) | {"meta": {"tag": [{"system": TAG, "code": code}]}}


def patching(api: Api, path: str) -> TestResponse:
    body = json.dumps([{"op": "add", "path": "/language", "value": "en"}]).encode()
    return api.ask("PATCH", path, body, Content_Type=PATCH_JSON)


# interaction -> its call and the status; in an order in which each finds what it needs
INTERACTIONS: dict[str, tuple[Callable[[Api, str], TestResponse], int]] = {
    "create": (lambda api, kind: api.post(f"/{kind}", smallest(kind)), 201),
    "update": (lambda api, kind: api.put(f"/{kind}/1", tagged(kind, "1")), 201),
    "read": (lambda api, kind: api.get(f"/{kind}/1"), 200),
    "vread": (lambda api, kind: api.get(f"/{kind}/1/_history/1"), 200),
    "patch": (lambda api, kind: patching(api, f"/{kind}/1"), 200),
    "search-type": (lambda api, kind: api.get(f"/{kind}?_id=1"), 200),
    "history-instance": (lambda api, kind: api.get(f"/{kind}/1/_history"), 200),
    "history-type": (lambda api, kind: api.get(f"/{kind}/_history"), 200),
    "delete": (lambda api, kind: api.delete(f"/{kind}/1"), 204),
}


def test_every_interaction_is_served_for_every_type(api: Api, claimed: list[Json]) -> None:
    stored = resource_types() - set(VIRTUAL)
    assert {one["type"] for one in claimed} == (stored if api.database.is_sqlite else set(SAMPLE))
    for one in claimed:
        listed = [row["code"] for row in one["interaction"]]
        assert sorted(listed) == sorted(INTERACTIONS)
        for code, (call, status) in INTERACTIONS.items():
            answer = call(api, one["type"])
            assert answer.status_code == status, (one["type"], code, answer.text)


def test_the_system_interactions_are_served(api: Api, rest: Json) -> None:
    created = entry("POST", "Patient", patient())
    calls = {
        "transaction": lambda: api.bundle("transaction", created),
        "batch": lambda: api.bundle("batch", created),
        "history-system": lambda: api.get("/_history"),
        "search-system": lambda: api.get("?_type=Patient"),
    }
    assert sorted(row["code"] for row in rest["interaction"]) == sorted(calls)
    for code, call in calls.items():
        assert call().status_code == 200, code


def conditional(api: Api, kind: str) -> Iterator[tuple[str, object, object]]:
    """What a type's flags promise: flag, what came of the call, what must."""
    one, by_tag = tagged(kind, "1"), f"_tag={TAG}|a"
    made = api.put(f"/{kind}/1", one)
    yield "updateCreate", made.status_code, 201
    yield "versioning", made.headers["ETag"], 'W/"1"'
    found = api.post(f"/{kind}", tagged(kind, "", "a"), If_None_Exist=by_tag)
    yield "conditionalCreate", (found.status_code, found.json["id"]), (200, "1")
    changed = api.put(f"/{kind}?{by_tag}", one | {"language": "en"})
    yield "conditionalUpdate", (changed.status_code, changed.headers["ETag"]), (200, 'W/"2"')
    yield "versioning", api.put(f"/{kind}/1", one, If_Match='W/"1"').status_code, 412
    yield "readHistory", api.get(f"/{kind}/1/_history/1").status_code, 200
    yield "conditionalRead", api.get(f"/{kind}/1", If_None_Match='W/"2"').status_code, 304
    since = changed.headers["Last-Modified"]
    yield "conditionalRead", api.get(f"/{kind}/1", If_Modified_Since=since).status_code, 304
    yield "conditionalDelete", api.delete(f"/{kind}?{by_tag}").status_code, 204
    yield "conditionalDelete", api.get(f"/{kind}/1").status_code, 410


def test_what_the_flags_of_a_type_promise_is_kept(api: Api, claimed: list[Json]) -> None:
    flags = {
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
    }
    for one in claimed:
        assert {name: one[name] for name in flags} == flags
        if one["type"] in SAMPLE:
            for flag, came, must in conditional(api, one["type"]):
                assert came == must, (one["type"], flag)


# well-formed values by type of parameter; a reference is written with a type it may point at
VALUES = {
    "date": "ge2020-01-31",
    "number": "0.5",
    "quantity": "5.40|http://unitsofmeasure.org|mg",
    "special": "42.25|-83.69|11|km",
    "string": "invented",
    "token": "https://invented.invalid/x|invented",
    "uri": "https://invented.invalid/x",
}


def value(row: Json) -> str:
    if row["type"] == "composite":
        return "$".join(VALUES.get(part.strip().partition(":")[0], "1") for part in row["components"].split(";"))
    if row["type"] == "reference":
        return f"{(row['targets'].split() or ['Patient'])[0]}/1"
    return VALUES[row["type"]]


def test_every_search_parameter_is_served(api: Api, claimed: list[Json]) -> None:
    wrong = []
    for one in claimed:
        rows = rows_of(one["type"])
        assert {p["name"]: (p["type"], p["definition"]) for p in one["searchParam"]} == {
            code: (row["type"], row["url"]) for code, row in rows.items()
        }
        for parameter in one["searchParam"]:
            path = f"/{one['type']}?{parameter['name']}={value(rows[parameter['name']])}"
            answer = api.get(path)
            wrong += [] if answer.status_code == 200 else [(path, answer.text)]
    assert wrong == []


def test_every_inclusion_is_served(api: Api, claimed: list[Json]) -> None:
    for one in claimed:
        api.have(smallest(one["type"], "1"))
        asked = [f"_include={name}" for name in one["searchInclude"]]
        asked += [f"_revinclude={name}" for name in one["searchRevInclude"]]
        for start in range(0, len(asked), TOGETHER):
            path = f"/{one['type']}?" + "&".join(asked[start : start + TOGETHER])
            assert api.found(path) == ["1"], path


@pytest.mark.parametrize("headed", [True, False])
def test_every_format_is_written_and_read(api: Api, headed: bool) -> None:
    listed = api.get("/metadata").json["format"]
    assert set(listed) == {name for row in FORMATS for name in (row.mime, row.name)}
    api.have(patient("1"))
    for name in listed:
        (row,) = (row for row in FORMATS if name in (row.mime, row.name))
        asked = {"Accept": row.mime} if headed else {}
        answer = api.get("/Patient/1" + ("" if headed else f"?_format={name.replace('+', '%2B')}"), **asked)
        assert (answer.status_code, answer.mimetype) == (200, row.mime)
        assert api.ask("PUT", "/Patient/1", answer.data, Content_Type=row.mime).status_code == 200


def test_every_format_of_a_patch_is_taken(api: Api) -> None:
    listed = api.get("/metadata").json["patchFormat"]
    assert listed == [PATCH_JSON, *(row.mime for row in FORMATS)]
    api.have(patient("1"))
    parts = [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "Patient.active"}]
    fhirpath = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    for mime in listed:
        row = next((row for row in FORMATS if row.mime == mime), None)
        body = b"[]" if row is None else row.write(json.dumps(fhirpath).encode(), False)
        assert api.ask("PATCH", "/Patient/1", body, Content_Type=mime).status_code == 200, mime


def concepts(*codes: str) -> list[Json]:
    return [{"code": code, "display": code.upper()} for code in codes]


SYSTEM = "https://invented.invalid/codes"
GENDER = "http://hl7.org/fhir/administrative-gender"
GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"
MAP = "https://invented.invalid/map"
TO_B = {"code": "a", "target": [{"code": "b", "equivalence": "equal"}]}
# what an operation of one instance is about, where the smallest resource has nothing to say
MEANT: dict[str, Json] = {
    "CodeSystem": {"url": SYSTEM, "content": "complete", "concept": concepts("a", "b")},
    "ValueSet": {
        "url": GENDERS + "-invented",
        "compose": {"include": [{"system": SYSTEM, "concept": concepts("a")}]},
    },
    "Group": {"type": "person", "actual": True},
    "Subscription": subscribed("https://receiver.example/hook", "1"),
    "ConceptMap": {
        "url": MAP,
        "sourceUri": f"{SYSTEM}/from",
        "targetUri": f"{SYSTEM}/to",
        "group": [{"source": SYSTEM, "target": f"{SYSTEM}/b", "element": [TO_B]}],
    },
}
KEYS = {"code": "valueCode", "codeA": "valueCode", "codeB": "valueCode", "patient": "valueId", "meta": "valueMeta"}
KEYS |= dict.fromkeys(
    ("source-patient", "target-patient", "patientReference", "providerReference"), "valueReference"
)
KEYS |= dict.fromkeys(("MemberPatient", "CoverageToMatch"), "resource")
META = {"tag": [{"system": TAG, "code": "b"}]}
CARDED = {
    "resourceType": "Patient",
    "id": "carded",
    "birthDate": "1981-03-04",
    "gender": "female",
    "name": [{"family": "Invented", "given": ["Quilla"]}],
    "identifier": [{"value": "invented-7"}],
}
CARD = {"resourceType": "Coverage", "status": "active", "subscriberId": "invented-7"}
CARDED_TOO = {"reference": "Patient/carded"}
ATTRIBUTED = {"patientReference": CARDED_TOO, "providerReference": {"reference": "Organization/1"}}
# type (or none), operation, level -> its parameters
ARGUMENTS: dict[tuple[str, str, str], Json] = {
    ("", "meta-add", "instance"): {"meta": META},
    ("", "meta-delete", "instance"): {"meta": META},
    ("DocumentReference", "docref", "type"): {"patient": "1"},
    ("Patient", "explain-access", "instance"): {"client": "all", "resource": "Patient/1"},
    ("Group", "member-add", "instance"): ATTRIBUTED,
    ("Group", "member-remove", "instance"): ATTRIBUTED,
    ("Group", "attribution-status", "instance"): {"patientReference": CARDED_TOO},
    ("Patient", "match", "type"): {},
    ("Patient", "member-match", "type"): {"MemberPatient": CARDED, "CoverageToMatch": CARD},
    ("Patient", "merge", "type"): {"source-patient": CARDED_TOO, "target-patient": {"reference": "Patient/1"}},
    ("Patient", "unmerge", "type"): {"source-patient": CARDED_TOO},
    ("ValueSet", "expand", "type"): {"url": GENDERS},
    ("ValueSet", "validate-code", "type"): {"url": GENDERS, "code": "male", "system": GENDER},
    ("ValueSet", "validate-code", "instance"): {"code": "a", "system": SYSTEM},
    ("CodeSystem", "lookup", "type"): {"code": "male", "system": GENDER},
    ("CodeSystem", "lookup", "instance"): {"code": "a"},
    ("CodeSystem", "validate-code", "type"): {"url": GENDER, "code": "male"},
    ("CodeSystem", "validate-code", "instance"): {"code": "a"},
    ("CodeSystem", "subsumes", "type"): {"codeA": "male", "codeB": "male", "system": GENDER},
    ("CodeSystem", "subsumes", "instance"): {"codeA": "a", "codeB": "b"},
    ("ConceptMap", "translate", "type"): {"url": MAP, "code": "a", "system": SYSTEM},
    ("ConceptMap", "translate", "instance"): {"code": "a", "system": SYSTEM},
}
# asked of a Subscription whose websocket is served: tests/hub/notifications/test_operations.py; of a clock:
# tests/hub/referrals/test_explaining.py
# jobs: tests/hub/bulk; messages of hospitals: tests/adapters/alerts
ELSEWHERE = (
    "get-ws-binding-token", "explain-clock", "export", "davinci-data-export", "import", "process-message"
)  # fmt: skip
FOR_AUDITORS = ("disclosures", "explain-access")
BELOW = {"system": "", "type": "/{}", "instance": "/{}/1", "version": "/{}/1/_history/1"}


def operated(api: Api, row: Operation, level: str, kind: str) -> Iterator[tuple[str, TestResponse]]:
    """The operation, called by each method that it takes there."""
    api = api.as_("auditor") if row.name in FOR_AUDITORS else api
    path = f"{BELOW[level].format(kind)}/${row.name}"
    given = ARGUMENTS.get((kind, row.name, level)) or ARGUMENTS.get(("", row.name, level)) or {}
    parts = [{"name": name, KEYS.get(name, "valueUri"): one} for name, one in given.items()]
    parts += [{"name": row.resource, "resource": smallest(kind)}] if row.resource else []
    body = {"resourceType": "Parameters"} | ({"parameter": parts} if parts else {})
    for method in row.methods(level):
        if method == "POST":
            yield method, api.post(path, body)
        else:
            yield method, api.ask(method, f"{path}?{urlencode(given)}")


def test_every_operation_is_served(api: Api, rest: Json, claimed: list[Json]) -> None:
    assert Counter(row["name"] for row in rest["operation"]) == Counter(
        row.name for row in OPERATIONS if row.serves("system", "")
    )
    here = [row for row in OPERATIONS if row.name not in ELSEWHERE]
    places = [(row, "system", "") for row in here if row.serves("system", "")]
    api.have(patient("1"), CARDED)
    for one in claimed:
        kind = one["type"]
        rows = [row for row in OPERATIONS if any(row.serves(level, kind) for level in ("type", "instance"))]
        assert [(row["name"], row["definition"]) for row in one["operation"]] == [
            (row.name, row.definition) for row in rows
        ]
        api.have(smallest(kind, "1") | MEANT.get(kind, {}))
        mine = [row for row in rows if row.name not in ELSEWHERE]
        places += [(row, level, kind) for row in mine for level in BELOW if row.serves(level, kind)]
    for row, level, kind in places:
        for method, answer in operated(api, row, level, kind):
            assert answer.status_code == row.status, (row.name, level, kind, method, answer.text)


def test_every_compartment_is_searched(api: Api, rest: Json) -> None:
    known = {f"http://hl7.org/fhir/CompartmentDefinition/{name.lower()}" for name in COMPARTMENTS}
    assert set(rest["compartment"]) == known
    for name in COMPARTMENTS:
        api.have(smallest(name, "1"))
        assert api.get(f"/{name}/1/Observation").status_code == 200
        assert api.form(f"/{name}/1/Observation/_search", "status=final").status_code == 200
    refused(api.get("/Organization/1/Observation"), 404, "not-supported")


# interactions that a statement tells by other means than its lists of interactions
TOLD_OTHERWISE = {"capabilities": "it is the statement itself", "search-compartment": "rest.compartment"}


def test_the_statement_is_a_sound_resource(api: Api) -> None:
    assert validate(api.get("/metadata").json, "CapabilityStatement") == []


def test_the_statement_tells_what_last_updated_finds(api: Api, claimed: list[Json]) -> None:
    """And it is so: creation and changes move the time, a write that changes nothing does not."""
    for one in claimed:
        (told,) = (p["documentation"] for p in one["searchParam"] if p["name"] == "_lastUpdated")
        assert "a write that changes nothing is none" in told
    times = [api.put("/Patient/1", one).json["meta"]["lastUpdated"] for one in (patient("1"), patient("1"))]
    changed = api.put("/Patient/1", patient("1", meta={"tag": [{"code": "x"}]}))
    assert times[0] == times[1] < changed.json["meta"]["lastUpdated"]
    assert api.found(f"/Patient?_lastUpdated=gt{times[0]}") == ["1"]


def test_every_route_is_told(api: Api, rest: Json) -> None:
    told = {row["code"] for row in rest["interaction"]}
    for one in (one for one in rest["resource"] if one["type"] not in VIRTUAL):
        told_here = told | {row["code"] for row in one["interaction"]} | set(TOLD_OTHERWISE)
        assert {route.interaction for route in ROUTES} <= told_here | {"operation"}, one["type"]


def test_every_parameter_that_is_not_told_is_refused(api: Api, claimed: list[Json]) -> None:
    """Of all names of search parameters that R4 has for any type, a type takes those that it tells."""
    every = {p["name"] for one in claimed for p in one["searchParam"]}
    for one in claimed:
        for name in sorted(every - {p["name"] for p in one["searchParam"]})[::25]:
            refused(api.get(f"/{one['type']}?{name}=1"), 400, "not-supported")
