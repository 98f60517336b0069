"""Requests to be asked of two worlds: generated from tables of types, addresses and parameters."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tests.matrix.canaries import canary, identity
from tests.matrix.charts import ICD10, KINDS, SYSTEM, Chart, Kind


class Request(NamedTuple):
    method: str
    path: str
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


BY_TYPE = (
    "",
    "?_count=3",
    "?_count=0",
    "?_total=accurate&_count=2",
    "?_total=estimate&_count=1",
    "?_summary=count",
    "?_summary=true&_count=4",
    "?_elements=id",
    "?_sort=_lastUpdated&_count=5",
    "?_sort=-_lastUpdated&_count=5",
    "?_sort=-_id&_count=5",
    "?_lastUpdated=gt2020-01-01&_total=accurate",
    "?_security=http://terminology.hl7.org/CodeSystem/v3-ActCode%7C42CFRPart2",
    "?_security=PSY&_total=accurate",
    "?_security:not=PSY&_total=accurate",
    "?_include=*&_count=5",
    "?_revinclude=Provenance:target&_count=5",
    "?_filter=_id%20ne%20zqcond1zid",
    "?_filter=not(_id%20eq%20zqobs1zid)&_total=accurate",
    "/_history?_count=4",
)
ANYWHERE = (
    "/?_type=Condition,Observation,Task&_total=accurate&_count=3",
    "/?_type=Patient&_summary=count",
    "/_history?_count=9",
    f"/Patient?_has:Condition:subject:code={ICD10}%7CF11.20",
    f"/Patient?_has:Condition:subject:code={ICD10}%7CF11.20&_summary=count",
    "/Patient?_has:Observation:subject:_has:Provenance:target:recorded=gt2000&_total=accurate",
    "/Patient?_has:Observation:subject:encounter.status=in-progress",
    "/Observation?encounter.status=in-progress&_total=accurate",
    "/Observation?encounter:Encounter.class=IMP&_count=2",
    "/Observation?subject:Patient.active=true&_count=2",
    f"/Task?focus:CarePlan.identifier={SYSTEM}%7Cnone",
    "/Task?focus:CarePlan.status=active&_total=accurate",
    "/Task?status=draft&focus:CarePlan.status=active&_total=accurate",
    "/Patient?active=true&_has:Condition:subject:code=F11.20&_total=accurate",
    "/Task?_include=Task:focus&_include:iterate=CarePlan:subject&_count=5",
    "/Patient?_revinclude=Condition:subject&_revinclude=Encounter:patient&_count=2",
    "/Patient?_revinclude=Encounter:subject&_revinclude:iterate=Observation:encounter&_count=2",
    "/Provenance?_include=Provenance:target&_count=5",
    "/Provenance?target:Condition.code=F11.20&_total=accurate",
    "/Condition?_sort=code&_count=4",
    "/Condition?code:not=F11.20&_total=accurate",
    "/Condition?code:missing=false&_summary=count",
    "/Encounter?_sort=-date,status&_count=3",
    "/Patient?_sort=family&_count=2",
    "/Patient?link:missing=true&_summary=count",
    "/Group?_summary=count",
    "/Consent?_summary=count",
    "/Coverage?_summary=count",
)
OF_ONE = ("", "/_history", "/_history/1", "/_history/2", "/$validate", "/$meta")


def reading(charts: Sequence[Chart]) -> Iterator[Request]:
    """What changes nothing."""
    for type_ in dict.fromkeys(kind.type for kind in KINDS):
        yield from (Request("GET", f"/{type_}{asked}") for asked in BY_TYPE)
        yield Request("POST", f"/{type_}/_search", "_total=accurate&_count=2", (FORM,))
    yield from (Request("GET", path) for path in ANYWHERE)
    for chart in charts:
        yield from _of_chart(chart)


FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON_PATCH = ("Content-Type", "application/json-patch+json")


def _of_chart(chart: Chart) -> Iterator[Request]:
    patient = identity("pat", chart.number)
    yield Request("GET", f"/Patient/{patient}/$everything?_count=5")
    yield Request("GET", f"/Patient/{patient}/Condition?_total=accurate")
    yield Request("GET", f"/Patient/{patient}/*?_count=4")
    yield Request("GET", f"/Observation?subject=Patient/{patient}&_total=accurate&_count=1")
    yield Request("GET", f"/Encounter/{identity('enc', chart.number)}/Observation?_summary=count")
    for kind in KINDS:
        yield from _of_resource(chart, kind)


def _of_resource(chart: Chart, kind: Kind) -> Iterator[Request]:
    where = f"/{kind.type}/{identity(kind.short, chart.number)}"
    yield from (Request("GET", where + asked) for asked in OF_ONE)
    yield Request("HEAD", where)
    yield Request("GET", where, None, (("If-None-Match", 'W/"1"'),))
    yield Request("GET", where, None, (("If-Modified-Since", "Sun, 06 Nov 2033 08:49:37 GMT"),))
    value = f"{SYSTEM}%7C{canary(kind.short, chart.number, 'value')}"
    yield Request("GET", f"/{kind.type}?_id={identity(kind.short, chart.number)},none&_total=accurate")
    if kind.short not in ("lst", "prv"):
        yield Request("GET", f"/{kind.type}?identifier={value}&_total=accurate")
    entries = [{"request": {"method": "GET", "url": where[1:] + asked}} for asked in OF_ONE[:3]]
    yield Request("POST", "/", {"resourceType": "Bundle", "type": "batch", "entry": entries})


def writing(charts: Sequence[Chart]) -> Iterator[Request]:
    """What would change something if it were there."""
    for place, chart in enumerate(charts):
        kind = KINDS[place % len(KINDS)]
        where = f"/{kind.type}/{identity(kind.short, chart.number)}"
        value = f"identifier={SYSTEM}|{canary(kind.short, chart.number, 'value')}"
        tested = json.dumps([{"op": "test", "path": "/resourceType", "value": kind.type}])
        made = {"resourceType": kind.type, "id": identity(kind.short, chart.number)}
        yield Request("PATCH", where, tested, (JSON_PATCH,))
        yield Request("PATCH", where, tested, (JSON_PATCH, ("If-Match", 'W/"7"')))
        yield Request("PUT", where, made, (("If-Match", 'W/"7"'),))
        yield Request("DELETE", where, None, (("If-Match", 'W/"7"'),))
        yield Request("PUT", where, {"resourceType": kind.type, "id": "another"})
        yield Request("PATCH", f"/{kind.type}?{value}", tested, (JSON_PATCH,))
        yield Request("DELETE", f"/{kind.type}?{value}")
        yield Request("DELETE", where)
        yield Request("GET", where)
