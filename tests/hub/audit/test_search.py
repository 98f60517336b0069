"""Auditors read and search what was recorded a moment ago; nobody else does, and looking is recorded."""

from typing import Any
from urllib.parse import quote

import pytest

from hub.audit import store
from hub.audit.record import Record, Release
from hub.clock import instant
from hub.rights.labels import PART2
from hub.search.edges import address
from tests.hub.asking import patient, refused
from tests.hub.audit.conftest import Audited
from tests.hub.audit.records import HOUR, START, pend, record

ANN, BOB = address("Patient", "ann"), address("Patient", "bob")

# the world of the searches, one an hour
WORLD: tuple[Record, ...] = (
    record(1, id="ann", releases=(Release(ANN),)),
    record(2, id="bob", releases=(Release(BOB),), client="portal", user="dr-doe"),
    record(
        3,
        interaction="search-type",
        type="Observation",
        id="",
        releases=(Release(ANN, PART2, ("c",)), Release(BOB)),
    ),
    record(4, interaction="update", id="ann", version=2, releases=(Release(ANN),)),
    record(5, id="ann", status=403, releases=()),
    record(6, interaction="create", type="Organization", id="north", releases=(), status=503),
    record(7, interaction="delete", type="Observation", id="o1", releases=(Release(BOB),), client="Portal-2"),
)
ALL = ["1-1", "2-1", "3-1", "3-1-d", "3-2", "4-1", "5-0", "6-0", "7-1"]


def at(number: int) -> str:
    return instant(START + number * HOUR)


# query -> ids
FOUND: dict[str, list[str]] = {
    "": ALL,
    f"date=ge{at(6)}": ["6-0", "7-1"],
    f"date=gt{at(6)}": ["7-1"],
    f"date=lt{at(2)}": ["1-1"],
    f"date=le{at(2)}": ["1-1", "2-1"],
    f"date={at(2)}": ["2-1"],
    f"date=ne{at(2)}": [identity for identity in ALL if identity != "2-1"],
    f"date=ge{at(2)}&date=lt{at(3)}": ["2-1"],
    f"_lastUpdated=sa{at(6)}": ["7-1"],
    f"_lastUpdated=eb{at(2)}": ["1-1"],
    f"date={at(1)},{at(2)}": ["1-1", "2-1"],
    "patient=ann": ["1-1", "3-1", "3-1-d", "4-1", "5-0"],
    "patient=Patient/bob": ["2-1", "3-2", "7-1"],
    "patient=https://hub.example/fhir/Patient/bob": ["2-1", "3-2", "7-1"],
    "patient=ann,bob": [identity for identity in ALL if identity != "6-0"],
    "patient=ann&patient=bob": [],
    "patient=nobody": [],
    "entity=Patient/ann": ["1-1", "3-1", "3-1-d", "4-1", "5-0"],
    "entity=Organization/north": ["6-0"],
    "entity=Observation/o1": ["7-1"],
    "entity=Observation/o1,Organization/north": ["6-0", "7-1"],
    "agent:identifier=portal": ["2-1"],
    "agent:identifier=dr-doe": ["2-1"],
    "agent=Device/x": [],
    "agent-name=port": ["2-1", "7-1"],
    "agent-name=ort": [],
    "agent-name:exact=portal": ["2-1"],
    "agent-name=%25": [],
    "action=C": ["6-0"],
    "action=U,D": ["4-1", "7-1"],
    "action=R": ["1-1", "2-1", "3-1-d", "5-0"],
    "action=E": ["3-1", "3-2"],
    "outcome=0": ["1-1", "2-1", "3-1", "3-1-d", "3-2", "4-1", "7-1"],
    "outcome=4": ["5-0"],
    "outcome=4,8": ["5-0", "6-0"],
    "outcome=12": [],
    "type=rest": [identity for identity in ALL if identity != "3-1-d"],
    "type=http://dicom.nema.org/resources/ontology/DCM|110106": ["3-1-d"],
    "type=other": [],
    "type=110114": [],
    "type=rest,110114": [identity for identity in ALL if identity != "3-1-d"],
    "subtype=read": ["1-1", "2-1", "5-0"],
    "subtype=http://hl7.org/fhir/restful-interaction|search-type": ["3-1", "3-1-d", "3-2"],
    "subtype=disclose": ["3-1-d"],
    "subtype=nonsense": [],
    "patient=bob&action=E": ["3-2"],
    "patient=ann&type=110106": ["3-1-d"],
    "patient=bob&type=110106": [],
    "_id=3-2": ["3-2"],
    "_id=3-1-d,1-1": ["1-1", "3-1-d"],
    "_id=3-9": [],
    "_id=nonsense": [],
    "_sort=-date": ["7-1", "6-0", "5-0", "4-1", "3-1", "3-1-d", "3-2", "2-1", "1-1"],
    "_sort=date": ALL,
}


@pytest.fixture
def world(audited: Audited, monkeypatch: pytest.MonkeyPatch) -> Audited:
    """The records above; those of the searches themselves come after them, and are left out by their time."""
    for who in ("ann", "bob"):
        audited.transactions.commit([_put(who)], _system())
    _forget(audited)
    pend(audited.database, *WORLD)
    store.move_all(audited.database, audited.recorder.journal.folder)
    # what is asked in these tests is recorded, too: not here
    monkeypatch.setattr(type(audited.recorder.journal), "append", lambda *_: None)
    return audited.as_("auditor")


def _put(who: str) -> Any:
    from hub.transactions import single

    return single("PUT", "Patient", id=who, resource=patient(who))


def _system() -> Any:
    from hub.access import Access

    return Access.system("the world of a test")


def _forget(audited: Audited) -> None:
    from hub.store.tables_audit import audit_pending

    with audited.database.write() as connection:
        connection.execute(audit_pending.delete())


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json.get("entry", ())]


def test_searches_find_what_they_ask_for_and_count_it(world: Audited) -> None:
    for query, expected in FOUND.items():
        answer = world.get(f"/AuditEvent?_count=50&_total=accurate&{query}")
        assert ids(answer) == expected, query
        assert answer.json["total"] == len(expected), query


def test_pages_give_each_one_once_whatever_their_size(world: Audited) -> None:
    for query, expected in FOUND.items():
        for count in (1, 3):
            found: list[str] = []
            answer = world.get(f"/AuditEvent?_count={count}&{query}")
            for _ in range(len(ALL) + 2):
                assert len(ids(answer)) <= count
                found += ids(answer)
                following = [link["url"] for link in answer.json["link"] if link["relation"] == "next"]
                if not following:
                    break
                answer = world.get(following[0].removeprefix("https://hub.example/fhir"))
            assert found == expected, (query, count)


def test_a_page_link_is_the_auditors_own_and_of_its_search(world: Audited) -> None:
    (link,) = (x["url"] for x in world.get("/AuditEvent?_count=1").json["link"] if x["relation"] == "next")
    path = link.removeprefix("https://hub.example/fhir")
    refused(world.get(path.replace("_count=1", "_count=1&action=R")), 404, "not-found")
    cursor = path.partition("_cursor=")[2]
    changed = ("y" if cursor[0] == "x" else "x") + cursor[1:]
    refused(world.get(path.replace(cursor, quote(changed))), 400, "invalid")


def test_a_search_by_form_is_the_same(world: Audited) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert ids(world.ask("POST", "/AuditEvent/_search", b"patient=bob&_count=50", **form)) == ["2-1", "3-2", "7-1"]


def test_only_a_count_is_only_a_count(world: Audited) -> None:
    for query in ("_summary=count", "_count=0"):
        answer = world.get(f"/AuditEvent?{query}&patient=bob")
        assert (answer.json["total"], "entry" in answer.json) == (3, False)


# query -> the code of its refusal
REFUSED = {
    "nonsense=1": "not-supported",
    "site=x": "not-supported",
    "patient:identifier=x": "not-supported",
    "date=ap2026": "not-supported",
    "date=yesterday": "value",
    "date=": "value",
    "patient=Group/g": "value",
    "patient=https://other.example/Patient/1": "value",
    "entity=Patient/1,Observation/1": "not-supported",
    "subtype=disclose,read": "not-supported",
    "_sort=patient": "not-supported",
    "_sort=date&_sort=date": "value",
    "_count=x": "value",
    "_total=estimate": "not-supported",
    "_summary=true": "not-supported",
    "_include=AuditEvent:patient": "not-supported",
    "_cursor=nonsense": "invalid",
}


def test_what_is_not_understood_is_refused(world: Audited) -> None:
    for query, code in REFUSED.items():
        refused(world.get(f"/AuditEvent?{query}"), 400, code)


def test_one_is_read_by_its_id(world: Audited) -> None:
    for identity in ALL:
        answer = world.get(f"/AuditEvent/{identity}")
        assert (answer.status_code, answer.json["id"]) == (200, identity)
    for missing in ("99-1", "1-2", "1-0", "1-1-d", "nonsense"):
        refused(world.get(f"/AuditEvent/{missing}"), 404, "not-found")
    refused(world.get("/AuditEvent/1-1?_elements=id"), 400, "not-supported")


def test_nobody_but_auditors_reads_it(world: Audited) -> None:
    for who in ("ehr", "backend", "member"):
        for path in ("/AuditEvent", "/AuditEvent?patient=ann", "/AuditEvent/1-1", "/AuditEvent/99-1"):
            refused(world.as_(who).get(path), 403, "forbidden")


NOT_TAKEN = (
    ("POST", "/AuditEvent"),
    ("PUT", "/AuditEvent/1-1"),
    ("PUT", "/AuditEvent?_id=1-1"),
    ("PATCH", "/AuditEvent/1-1"),
    ("PATCH", "/AuditEvent?_id=1-1"),
    ("DELETE", "/AuditEvent/1-1"),
    ("DELETE", "/AuditEvent?_id=1-1"),
    ("GET", "/AuditEvent/1-1/_history"),
    ("GET", "/AuditEvent/1-1/_history/1"),
    ("GET", "/AuditEvent/_history"),
)


def test_nobody_writes_it_and_it_has_no_versions(world: Audited) -> None:
    for method, path in NOT_TAKEN:
        body = None if method in ("GET", "DELETE") else {"resourceType": "AuditEvent", "id": "1-1"}
        for who in ("auditor", "ehr"):
            refused(world.as_(who).ask(method, path, body), 405, "not-supported")


def test_a_compartment_does_not_pretend_to_have_none(world: Audited) -> None:
    refused(world.get("/Patient/ann/AuditEvent"), 400, "not-supported")


def test_what_was_done_a_moment_ago_is_found_and_looking_is_recorded(audited: Audited) -> None:
    assert audited.ask("PUT", "/Patient/ann", patient("ann")).status_code == 201
    assert audited.get("/Patient/ann").status_code == 200
    assert [event["subtype"][0]["code"] for event in audited.events()] == ["update", "read"]
    looked = audited.events()[-1]
    assert looked["agent"][0]["who"]["identifier"]["value"] == "auditor"
    assert looked["subtype"][0]["code"] == "search-type"
    read, (told,) = audited.as_("auditor").new("GET", f"/AuditEvent/{looked['id']}")
    assert read.json == looked
    assert (told.interaction, told.type, told.id, told.client) == ("read", "AuditEvent", looked["id"], "auditor")
    refusal = audited.as_("member").get("/AuditEvent")
    assert refusal.status_code == 403
    assert [event["outcome"] for event in audited.events("agent:identifier=member")] == ["4"]
