"""What leaves, by every exit: only the elements that are shown, only the members that are known, and with what is
released by a consent its labels, the notice of 42 CFR 2.32 and that consent (hub.leaving)."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import delete

from hub import clock
from hub import leaving as module
from hub.access import Access
from hub.audit.releases import releases_of
from hub.leaving import META_SHOWN, SUBSETTED, leaving, one
from hub.notifications.events import Event
from hub.notifications.looking import Looking
from hub.rights.labels import HIV, PART2, SUD
from hub.rights.part2 import BASIS, DISPLAY, NO_REDISCLOSURE, NOTICE, RELATED, SHORT_NOTICE
from hub.store import read
from hub.store.engine import Database
from hub.store.tables import index_consent
from tests.hub.asking import BASE, Api, entry, observation, patient
from tests.hub.sighted import api_of, caller, labelled, panel, to
from tests.hub.sighted_world import agreed
from tests.hub.smallest import smallest

JSON_PATCH = "application/json-patch+json"
PATCH = [{"op": "replace", "path": "/status", "value": "amended"}]
Exit = Callable[[Api], Any]

EXITS: dict[str, Exit] = {
    "read": lambda api: api.get("/Observation/o"),
    "read of a part": lambda api: api.get("/Observation/o?_elements=valueString,code"),
    "read of a summary": lambda api: api.get("/Observation/o?_summary=data"),
    "vread": lambda api: api.get("/Observation/o/_history/1"),
    "history": lambda api: api.get("/Observation/o/_history"),
    "history of the type": lambda api: api.get("/Observation/_history"),
    "history of the system": lambda api: api.get("/_history?_count=50"),
    "search": lambda api: api.get("/Observation"),
    "search by key": lambda api: api.get("/Observation?patient=Patient/seen"),
    "search, sorted": lambda api: api.get("/Observation?_sort=_lastUpdated"),
    "search of a part": lambda api: api.get("/Observation?_elements=valueString,code"),
    "search of a summary": lambda api: api.get("/Observation?_summary=true"),
    "search of all types": lambda api: api.get("/?_type=Observation"),
    "include": lambda api: api.get("/DiagnosticReport?_include=DiagnosticReport:result"),
    "revinclude": lambda api: api.get("/Patient?_revinclude=Observation:subject"),
    "compartment": lambda api: api.get("/Patient/seen/Observation"),
    "$everything": lambda api: api.get("/Patient/seen/$everything"),
    "GET in a batch": lambda api: api.bundle("batch", entry("GET", "Observation/o")),
    "search in a transaction": lambda api: api.bundle("transaction", entry("GET", "Observation?_id=o")),
    "answer to a patch": lambda api: api.ask("PATCH", "/Observation/o", PATCH, Content_Type=JSON_PATCH),
    "answer to a write that changes nothing": lambda api: api.post(
        "/Observation", observation(subject=to("Patient", "seen")), If_None_Exist="_id=o"
    ),
    "answer to a patch in a batch": lambda api: api.bundle(
        "batch",
        entry("POST", "Observation", observation(subject=to("Patient", "seen")), ifNoneExist="_id=o"),
    ),
    "answer to a patch in a transaction": lambda api: api.bundle(
        "transaction",
        entry("POST", "Observation", observation(subject=to("Patient", "seen")), ifNoneExist="_id=o"),
    ),
}


def resources(node: Any, kind: str) -> list[dict[str, Any]]:
    """Those of a type in an answer, however deep."""
    if isinstance(node, list):
        return [found for each in node for found in resources(each, kind)]
    if not isinstance(node, dict):
        return []
    if node.get("resourceType") == kind:
        return [node]
    return [found for each in node.values() for found in resources(each, kind)]


@pytest.fixture
def sees() -> dict[str, Access]:
    shown = {"Observation": frozenset(("code", "status", "subject"))}
    return {
        "masked": caller("masked", elements=shown),
        "harbor": caller(guarded=PART2 | SUD | HIV),
        "stranger": caller("stranger", holders=(9,), own=0),
    }


@pytest.fixture
def county(swept: Database, sees: dict[str, Access]) -> Api:
    return api_of(swept, sees)


def people(api: Api) -> None:
    api.have(*(patient(each) for each in ("seen", "stranger")), panel("seen"))


@pytest.fixture
def masked(county: Api) -> Api:
    people(county)
    meta = {"tag": [{"code": "ZQ-tag"}], "source": "urn:ZQ-source", "profile": ["http://profile.invalid/p"]}
    county.have(
        observation(
            "o", subject=to("Patient", "seen"), valueString="ZQ-value", note=[{"text": "ZQ-note"}], meta=meta,
            text={"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">ZQ-text</div>'},
            _valueString={"id": "ZQ-inner"}, extension=[{"url": "urn:ZQ-extension", "valueString": "x"}],
        ),
        smallest("DiagnosticReport", "d") | {"subject": to("Patient", "seen"), "result": [to("Observation", "o")]},
    )  # fmt: skip
    return county.as_("masked")


@pytest.mark.parametrize("ask", EXITS.values(), ids=EXITS)
def test_only_the_elements_that_are_shown_leave(masked: Api, ask: Exit) -> None:
    answer = ask(masked)
    assert answer.status_code == 200, answer.text
    assert "ZQ" not in answer.text
    found = resources(answer.json, "Observation")
    assert found
    for resource in found:
        assert {*resource} <= {"resourceType", "id", "meta", "code", "status", "subject"}
        assert "code" in resource or "status" in resource
        tags = resource["meta"].pop("tag")
        assert {key: SUBSETTED[key] for key in ("system", "code")} in [
            {key: tag.get(key) for key in ("system", "code")} for tag in tags
        ]
        assert {*resource["meta"]} <= META_SHOWN


def test_what_is_stored_is_not_what_leaves(masked: Api) -> None:
    assert masked.as_("all").get("/Observation/o").json["valueString"] == "ZQ-value"
    meta = masked.get("/Observation/o/$meta").text
    assert "ZQ" not in meta


# members


MEMBERS = {
    "read": lambda api: api.get("/Group/panel"),
    "vread": lambda api: api.get("/Group/panel/_history/2"),
    "history": lambda api: api.get("/Group/panel/_history"),
    "history of the system": lambda api: api.get("/_history"),
    "search": lambda api: api.get("/Group"),
    "search of a part": lambda api: api.get("/Group?_elements=member,quantity"),
    "revinclude": lambda api: api.get("/Patient?_revinclude=Group:member"),
    "GET in a batch": lambda api: api.bundle("batch", entry("GET", "Group/panel")),
    "answer to a patch": lambda api: api.ask(
        "PATCH", "/Group/panel", [{"op": "add", "path": "/name", "value": "new"}], Content_Type=JSON_PATCH
    ),
}


@pytest.mark.parametrize("ask", MEMBERS.values(), ids=MEMBERS)
def test_of_a_group_only_the_members_leave_that_are_ones_own(county: Api, ask: Exit) -> None:
    people(county)
    past = {"start": "2020-01-01", "end": "2020-02-01"}
    group = panel("seen", ended=past) | {"quantity": 3}
    group["member"].append({"entity": to("Practitioner", "dr")})
    county.have(patient("ended"), smallest("Practitioner", "dr"), group)
    answer = ask(county.as_("harbor"))
    found = [each for each in resources(answer.json, "Group") if each["meta"]["versionId"] != "1"]
    assert found, answer.text
    for resource in found:
        assert [member["entity"]["reference"] for member in resource["member"]] == ["Patient/seen"]
        assert "quantity" not in resource
        assert "SUBSETTED" in str(resource["meta"]["tag"])
    assert "ended" not in answer.text


def test_a_group_of_nobody_one_knows_leaves_without_members(county: Api) -> None:
    people(county)
    county.have(panel(stranger={"end": "2020-01-01"}))
    group = county.as_("harbor").get("/Group/panel").json
    assert "member" not in group
    whole = county.get("/Group/panel").json
    assert len(whole["member"]) == 1


# 42 CFR Part 2


@pytest.fixture
def program(county: Api) -> Api:
    people(county)
    county.have(
        agreed("seen", "42CFRPart2", identity="yes"),
        observation("o", subject=to("Patient", "seen"), meta=labelled("42CFRPart2")),
        smallest("DiagnosticReport", "d") | {"subject": to("Patient", "seen"), "result": [to("Observation", "o")]},
        smallest("DocumentReference", "doc") | {"subject": to("Patient", "seen"), "status": "current"}
        | {"meta": labelled("42CFRPart2")},
    )  # fmt: skip
    return county.as_("harbor")


def marks(resource: Mapping[str, Any]) -> None:
    """The labels, the words to be shown, and the consent, on the resource itself."""
    meta = resource["meta"]
    (label,) = (one for one in meta["security"] if one["code"] == NO_REDISCLOSURE)
    assert {"url": next(e["url"] for e in label["extension"] if e["url"] == BASIS)} == {"url": BASIS}
    related = [e["valueRelatedArtifact"]["url"] for e in label["extension"] if e["url"] == RELATED]
    assert related == ["Consent/yes"]
    shown = [e["valueAnnotation"]["text"] for e in meta["extension"] if e["url"] == DISPLAY]
    assert shown == [SHORT_NOTICE]
    assert "42CFRPart2" in [one["code"] for one in meta["security"]]


def whole_notice(bundle: Mapping[str, Any]) -> None:
    """In a searchset an entry with all the words; in every Bundle the labels of what is in it."""
    codes = [one["code"] for one in bundle["meta"]["security"]]
    assert {"R", "42CFRPart2", NO_REDISCLOSURE} <= {*codes}
    assert "Consent/yes" in json.dumps(bundle["meta"]["security"])
    if bundle["type"] == "searchset":
        told = [i["diagnostics"] for e in bundle["entry"] for i in e["resource"].get("issue", ())]
        assert NOTICE in told
        assert any("Consent/yes" in text for text in told)


PART2_EXITS = EXITS | {
    "$docref": lambda api: api.get("/DocumentReference/$docref?patient=seen"),
    "history of documents": lambda api: api.get("/DocumentReference/_history"),
}


@pytest.mark.parametrize("name", PART2_EXITS)
def test_what_a_consent_opens_leaves_with_the_notice_and_the_consent(program: Api, name: str) -> None:
    answer = PART2_EXITS[name](program)
    assert answer.status_code == 200, answer.text
    kind = "DocumentReference" if "doc" in name else "Observation"
    found = resources(answer.json, kind)
    assert found, answer.text
    for resource in found:
        marks(resource)
    for bundle in (each for each in every_bundle(answer.json) if each["type"] in ("searchset", "history")):
        whole_notice(bundle)


def every_bundle(node: Any) -> list[dict[str, Any]]:
    if not isinstance(node, dict) or node.get("resourceType") != "Bundle":
        return []
    inner = [found for e in node.get("entry", ()) for found in every_bundle(e.get("resource"))]
    return [node, *inner]


# substance use outside a program under Part 2

SUD_EXITS = ("read", "vread", "history", "search", "search by key", "revinclude", "$everything", "GET in a batch")


@pytest.fixture
def hospital(county: Api) -> Api:
    """A diagnosis that says by its code what it is about, and a Consent that names substance use and no program."""
    people(county)
    county.have(agreed("seen", "ETH", identity="yes"))
    county.have(
        observation("o", subject=to("Patient", "seen"), meta=labelled("SUD")),
        observation("part2", subject=to("Patient", "seen"), meta=labelled("42CFRPart2")),
    )
    return county.as_("harbor")


@pytest.mark.parametrize("name", SUD_EXITS)
def test_what_a_consent_for_substance_use_alone_opens_leaves_with_that_consent(hospital: Api, name: str) -> None:
    answer = EXITS[name](hospital)
    found = resources(answer.json, "Observation")
    assert {each["id"] for each in found} == {"o"}, answer.text
    for resource in found:
        (label,) = (one for one in resource["meta"]["security"] if one["code"] == NO_REDISCLOSURE)
        assert [e["valueRelatedArtifact"]["url"] for e in label["extension"] if e["url"] == RELATED] == [
            "Consent/yes"
        ]


def test_a_total_counts_what_leaves_by_a_consent_for_substance_use_alone(hospital: Api) -> None:
    answer = hospital.get("/Observation?_total=accurate").json
    assert answer["total"] == len(resources(answer, "Observation")) == 1


def test_a_record_of_a_program_stays_closed_to_a_consent_for_substance_use_alone(
    hospital: Api, sees: dict[str, Access]
) -> None:
    assert hospital.get("/Observation/part2").status_code == 404
    with hospital.database.read() as connection:
        row = read.current(connection, Access.system("tests"), "Observation", "part2")
        assert row is not None
        assert one(connection, sees["harbor"], row) is None


def test_a_notice_of_what_a_consent_for_substance_use_alone_opens_is_sent(
    hospital: Api, sees: dict[str, Access]
) -> None:
    assert looking(hospital, sees)("harbor", event()) is not None


def test_an_audit_names_the_consent_for_substance_use_alone(hospital: Api, sees: dict[str, Access]) -> None:
    with hospital.database.read() as connection:
        row = read.current(connection, sees["harbor"], "Observation", "o")
        assert row is not None
        (told,) = releases_of(connection, [row], sees["harbor"], {}, clock.micros(clock.now()))
    assert told.consents == ("yes",)


def looking(api: Api, sees: Mapping[str, Access]) -> Looking:
    return Looking(api.database, sees.get, BASE)


def event(version: int = 1) -> Event:
    return Event("urn:test:topic", "Observation", "o", version, 0)


@pytest.mark.parametrize("version", [0, 1])
def test_a_notice_with_the_whole_resource_is_marked_as_a_read(
    program: Api, sees: dict[str, Access], version: int
) -> None:
    found = looking(program, sees)("harbor", event(version))
    assert found is not None
    marks(found)


def test_a_notice_is_shaped_as_a_read(masked: Api, sees: dict[str, Access]) -> None:
    found = looking(masked, sees)("masked", event())
    assert found is not None
    assert "ZQ" not in json.dumps(found)


def test_nobody_else_gets_it(program: Api, sees: dict[str, Access]) -> None:
    assert looking(program, sees)("stranger", event()) is None
    assert looking(program, sees)("unknown", event()) is None
    for ask in PART2_EXITS.values():
        assert resources(ask(program.as_("stranger")).json, "Observation") == []


def test_ones_own_record_leaves_without_a_consent_and_with_the_notice(county: Api, sees: dict[str, Access]) -> None:
    people(county)
    sees["harbors"] = Access.system("the world of a test", "Organization/harbor")
    own = api_of(county.database, sees)
    own.as_("harbors").have(observation("o", subject=to("Patient", "seen"), meta=labelled("42CFRPart2")))
    found = own.as_("harbor").get("/Observation/o").json
    assert SHORT_NOTICE in json.dumps(found["meta"])
    assert "Consent/" not in json.dumps(found["meta"])


def test_ones_own_record_names_no_consent_that_opened_another(hospital: Api, sees: dict[str, Access]) -> None:
    sees["harbors"] = Access.system("the world of a test", "Organization/harbor")
    own = observation("own", subject=to("Patient", "seen"), meta=labelled("SUD"))
    api_of(hospital.database, sees).as_("harbors").have(own)
    told = {each["id"]: each["meta"] for each in resources(hospital.get("/Observation").json, "Observation")}
    assert {name for name, meta in told.items() if "Consent/yes" in json.dumps(meta)} == {"o"}
    assert {*told} == {"o", "own"}


def test_what_loses_its_consent_behind_the_predicate_does_not_leave(program: Api, sees: dict[str, Access]) -> None:
    """It was let through, and the consent was withdrawn before it was written out."""
    harbor = sees["harbor"]
    with program.database.read() as connection:
        row = read.current(connection, harbor, "Observation", "o")
        plain = read.current(connection, harbor, "Patient", "seen")
    assert row is not None
    assert plain is not None
    with program.database.read() as connection:
        assert one(connection, harbor, row) is not None
    with program.database.write() as connection:
        connection.execute(delete(index_consent))
    with program.database.read() as connection:
        assert one(connection, harbor, row) is None
        assert leaving(connection, harbor, [plain, row, plain]).rows == [plain, plain]
        assert leaving(connection, harbor, [row]).security() == []


@pytest.mark.parametrize(
    "path", ["/Observation/o", "/Observation/o/_history/1", "/Observation", "/Observation/o/_history"]
)
def test_a_consent_that_goes_while_an_answer_is_made_closes_it(
    program: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.consents, "relied_on", lambda *_: {})
    answer = program.get(path)
    assert resources(answer.json, "Observation") == []
    assert (answer.status_code == 404) is (path in ("/Observation/o", "/Observation/o/_history/1"))


def test_what_was_released_and_is_sent_back_changes_nothing(program: Api) -> None:
    """What the hub added on the way out is no part of the record."""
    shown = program.get("/Observation/o")
    again = program.put("/Observation/o", shown.json)
    assert again.status_code == 200
    stored = program.as_("all").get("/Observation/o").json
    assert NO_REDISCLOSURE not in json.dumps(stored)
