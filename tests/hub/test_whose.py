"""Who may write what, how sensitive it is from then on, and to whom that opens anything (hub.whose)."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from hub import reindex
from hub.access import Access
from hub.fhir import json
from hub.rights.labels import HIV, PART2, PSYTHPN, SUD, Part2Sources
from hub.search.edges import address
from hub.sight import PANEL, PROXY, REFERRAL, REGISTERED, SEVERAL, UNKNOWN
from hub.store import keyed
from hub.store.engine import Database
from hub.store.tables import index_patient, index_relation, resource
from tests.hub.asking import Api, entry, observation, patient, refused
from tests.hub.consenting import CATEGORY, FORM, concept
from tests.hub.reindexing import finish
from tests.hub.sighted import EVERYTHING, HARBOR, absent, api_of, caller, day, labelled, panel, same, to
from tests.hub.sighted_world import LAB, agreed, callers
from tests.hub.smallest import smallest

JSON_PATCH = "application/json-patch+json"
ABOUT = {"subject": to("Patient", "seen")}
TASK = {"status": "requested", "intent": "order", "for": to("Patient", "seen")}


@pytest.fixture
def sees() -> dict[str, Access]:
    """Harbor and its likes."""
    return callers() | {
        "registrar": caller("registrar", kinds=PANEL | REGISTERED),
        "owner": caller("owner", kinds=PANEL | REFERRAL),
        "masked": caller(
            "masked", elements={"Task": frozenset(("status", "for", "intent", "owner", "description"))}
        ),
    }


@pytest.fixture
def county(swept: Database, sees: dict[str, Access]) -> Api:
    """Of Harbor's panel are `seen` and `also`; `stranger` is nobody's."""
    api = api_of(swept, sees)
    api.have(*(patient(each) for each in ("seen", "also", "stranger")), panel("seen", "also"))
    return api


@pytest.fixture
def harbor(county: Api) -> Api:
    return county.as_("harbor")


def row_of(api: Api, kind: str, identity: str) -> Any:
    with api.database.read() as connection:
        where = (resource.c.type == kind, resource.c.id == identity)
        return connection.execute(select(resource.c.rid, resource.c.patient, resource.c.labels).where(*where)).one()


def labels(api: Api, identity: str, kind: str = "Observation") -> int:
    return int(row_of(api, kind, identity).labels)


def patients(api: Api, kind: str, identity: str) -> set[int]:
    """Those it is about; the states of hub.sight as they are."""
    row = row_of(api, kind, identity)
    if row.patient != SEVERAL:
        return {row.patient}
    with api.database.read() as connection:
        found = connection.execute(select(index_patient.c.patient).where(index_patient.c.rid == row.rid))
        return set(found.scalars())


def relations(api: Api, holder: int = HARBOR, kind: int = PANEL) -> set[int]:
    """The patients to whom a holder has a relation."""
    x = index_relation.c
    with api.database.read() as connection:
        found = connection.execute(select(x.patient).where(x.holder == holder, x.kind == kind))
        return set(found.scalars())


def people(*names: str) -> set[int]:
    return {address("Patient", name) for name in names}


# labels

SAYS_HIV = labelled("HIV")
META = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": SAYS_HIV}]}
LOWERED = {
    "update": lambda api: api.put("/Observation/o", observation("o", **ABOUT)),
    "update with another label": lambda api: api.put(
        "/Observation/o", observation("o", **ABOUT, meta=labelled("PSY"))
    ),
    "conditional update": lambda api: api.put("/Observation?_id=o", observation("o", **ABOUT)),
    "patch": lambda api: api.ask(
        "PATCH", "/Observation/o", [{"op": "remove", "path": "/meta/security"}], Content_Type=JSON_PATCH
    ),
    "patch of all meta": lambda api: api.ask(
        "PATCH", "/Observation/o", [{"op": "replace", "path": "/meta", "value": {}}], Content_Type=JSON_PATCH
    ),
    "$meta-delete": lambda api: api.post("/Observation/o/$meta-delete", META),
    "a transaction": lambda api: api.bundle(
        "transaction", entry("PUT", "Observation/o", observation("o", **ABOUT))
    ),
}


@pytest.mark.parametrize("lower", LOWERED.values(), ids=LOWERED)
def test_labels_never_fall(county: Api, lower: Any) -> None:
    county.have(observation("o", **ABOUT, meta=SAYS_HIV))
    answer = lower(county)
    assert answer.status_code in (200, 201), answer.text
    assert labels(county, "o") & HIV
    assert "HIV" in [one["code"] for one in county.get("/Observation/o").json["meta"]["security"]]
    assert county.as_("harbor").get("/Observation/o").status_code == 404


def test_labels_outlive_a_deletion(county: Api) -> None:
    county.have(observation("o", **ABOUT, meta=SAYS_HIV))
    county.delete("/Observation/o")
    county.have(observation("o", **ABOUT))
    assert labels(county, "o") & HIV


def test_what_another_brings_with_a_guarded_label_is_nobodys_own(county: Api, harbor: Api) -> None:
    written = harbor.post("/Observation", observation("x", **ABOUT))
    identity = written.json["id"]
    said = harbor.put(f"/Observation/{identity}", observation(identity, **ABOUT, meta=SAYS_HIV))
    assert said.status_code == 200
    assert harbor.get(f"/Observation/{identity}").status_code == 200  # its own, with any label
    more = county.put(f"/Observation/{identity}", observation(identity, **ABOUT, meta=labelled("HIV", "PSY")))
    assert more.status_code == 200, more.text
    assert harbor.get(f"/Observation/{identity}").status_code == 404
    again = observation(identity, **ABOUT, meta=SAYS_HIV)
    assert harbor.put(f"/Observation/{identity}", again).status_code != 200
    assert harbor.get(f"/Observation/{identity}").status_code == 404


def test_what_another_writes_without_a_new_label_leaves_it_its_first_writers(county: Api, harbor: Api) -> None:
    identity = harbor.post("/Observation", observation("x", **ABOUT, meta=SAYS_HIV)).json["id"]
    assert county.put(f"/Observation/{identity}", observation(identity, **ABOUT)).status_code == 200
    assert harbor.get(f"/Observation/{identity}").status_code == 200


def test_a_program_under_part_2_makes_it_nobodys_own(swept: Database, sees: dict[str, Access]) -> None:
    program = Part2Sources.of(("Organization/county",))
    api = api_of(swept, sees, part2=program)
    api.have(patient("seen"), panel("seen"))
    harbor = api.as_("harbor")
    identity = harbor.post("/Task", {"resourceType": "Task", **TASK, "meta": SAYS_HIV}).json["id"]
    assert harbor.get(f"/Task/{identity}").status_code == 200
    answered = api.put(f"/Task/{identity}", {"resourceType": "Task", "id": identity, **TASK, "status": "accepted"})
    assert answered.status_code == 200, answered.text
    assert harbor.get(f"/Task/{identity}").status_code == 404


RAISED = {
    "update": lambda api: api.put("/Observation/o", observation("o", **ABOUT, meta=SAYS_HIV)),
    "patch": lambda api: api.ask(
        "PATCH", "/Observation/o", [{"op": "add", "path": "/meta/security", "value": SAYS_HIV["security"]}],
        Content_Type=JSON_PATCH,
    ),
    "$meta-add": lambda api: api.post("/Observation/o/$meta-add", META),
}  # fmt: skip


@pytest.mark.parametrize("raise_", RAISED.values(), ids=RAISED)
def test_a_label_that_rises_hides_every_version_from_then_on(county: Api, raise_: Any) -> None:
    """SEC-41"""
    county.have(observation("o", **ABOUT), observation("o", **ABOUT, status="amended"))
    harbor = county.as_("harbor")
    paths = ["", "/_history", "/_history/1", "/_history/2", "/_history/3", "/$meta", "/_history/1/$meta"]
    first = [harbor.get(f"/Observation/o{path}").status_code for path in paths]
    assert first == [200, 200, 200, 200, 404, 200, 200]
    assert raise_(county).status_code == 200
    assert labels(county, "o") & HIV
    for path in paths:
        same(harbor.get(f"/Observation/o{path}"), harbor.get(f"/Observation/0{path}"), "/o", "/0")
    for path in ("/Observation/_history", "/_history", "/Observation", "/Patient/seen/*"):
        found = harbor.get(path).json.get("entry", [])
        assert [e["fullUrl"] for e in found if e["resource"]["resourceType"] == "Observation"] == []


HIV_CODE = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "B20"}]}


def test_a_label_that_rises_between_two_looks_hides_the_version_too(county: Api, sees: dict[str, Access]) -> None:
    """A vread looks twice: for the resource, then for its version."""
    county.have(observation("o", **ABOUT), observation("o", **ABOUT, status="amended"))
    rid, sight = row_of(county, "Observation", "o").rid, sees["harbor"].sight
    with county.database.read() as connection:
        assert keyed.earlier(connection, sight, rid, 1) is not None
    county.have(observation("o", **ABOUT, meta=SAYS_HIV))
    with county.database.read() as connection:
        assert keyed.earlier(connection, sight, rid, 1) is None


def test_what_is_nested_counts_with_what_holds_it(county: Api) -> None:
    inner = observation("inner", subject=to("Patient", "stranger"), meta=labelled("PSYTHPN"))
    held = {
        "Bundle": {"resourceType": "Bundle", "id": "x", "type": "collection", "entry": [{"resource": inner}]},
        "Parameters": {
            "resourceType": "Parameters", "id": "x",
            "parameter": [{"name": "a", "part": [{"name": "b", "resource": inner}]}],
        },
        "Observation": observation(
            "x", **ABOUT, contained=[{k: v for k, v in inner.items() if k != "meta"} | {"code": HIV_CODE}],
            hasMember=[{"reference": "#inner"}],
        ),
    }  # fmt: skip
    for kind, holder in held.items():
        county.have(holder)
        assert labels(county, "x", kind) & (HIV if kind == "Observation" else PSYTHPN), kind
        own = people("seen") if kind == "Observation" else set()
        assert patients(county, kind, "x") == people("stranger") | own, kind
        assert county.as_("harbor").get(f"/{kind}/x").status_code == 404


# whom a write is about


def test_a_write_about_ones_own_people_is_done_and_about_others_refused_alike(harbor: Api) -> None:
    assert harbor.post("/Observation", observation(**ABOUT)).status_code == 201
    answers = []
    for name in ("stranger", absent("stranger")):
        for of in ({"subject": to("Patient", name)}, {**ABOUT, "performer": [to("Patient", name)]}):
            answer = harbor.post("/Observation", observation(**of))
            refused(answer, 403, "forbidden")
            answers.append(answer)
    for other in answers[1:]:
        same(answers[0], other, "stranger", absent("stranger"))


MOVED = {
    "update": lambda api: api.put("/Observation/o", observation("o", subject=to("Patient", "stranger"))),
    "conditional update": lambda api: api.put(
        "/Observation?_id=o", observation("o", subject=to("Patient", "stranger"))
    ),
    "patch": lambda api: api.ask(
        "PATCH", "/Observation/o",
        [{"op": "replace", "path": "/subject/reference", "value": "Patient/stranger"}], Content_Type=JSON_PATCH,
    ),
    "nested": lambda api: api.put(
        "/Observation/o", observation(
            "o", **ABOUT, contained=[observation("i", subject=to("Patient", "stranger"))],
            hasMember=[{"reference": "#i"}],
        ),
    ),
    "in a transaction": lambda api: api.bundle(
        "transaction", entry("PUT", "Observation/o", observation("o", subject=to("Patient", "stranger")))
    ),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVED.values(), ids=MOVED)
def test_nothing_is_moved_to_a_patient_of_others(county: Api, harbor: Api, move: Any) -> None:
    county.have(observation("o", **ABOUT))
    refused(move(harbor), 403, "forbidden")
    assert patients(county, "Observation", "o") == people("seen")


def test_a_refused_entry_leaves_nothing_of_its_transaction(county: Api, harbor: Api) -> None:
    before = county.counts()
    entries = [observation(**ABOUT), observation(subject=to("Patient", "stranger"))]
    refused(
        harbor.bundle("transaction", *(entry("POST", "Observation", each) for each in entries)), 403, "forbidden"
    )
    assert county.counts() == before


def test_who_writes_of_any_patient_writes_and_reads_nothing(county: Api, sees: dict[str, Access]) -> None:
    sees["feed"] = replace(caller("feed", holders=(), writes_any=True), grants=frozenset({("Observation", "c")}))
    assert (
        county.as_("harbor").post("/Observation", observation(subject=to("Patient", "stranger"))).status_code == 403
    )
    api = api_of(county.database, sees).as_("feed")
    made = api.post("/Observation", observation(subject=to("Patient", "stranger")), Prefer="return=minimal")
    assert made.status_code == 201
    refused(api.get(f"/Observation/{made.headers['Location'].split('/')[-3]}"), 403, "forbidden")


def test_several_patients_are_each_one_that_counts(county: Api, harbor: Api) -> None:
    made = harbor.post("/Observation", observation(**ABOUT, performer=[to("Patient", "also")]))
    assert made.status_code == 201
    assert patients(county, "Observation", made.json["id"]) == people("seen", "also")
    assert harbor.get(f"/Observation/{made.json['id']}").status_code == 200
    county.put("/Group/panel", panel("seen"))
    assert harbor.get(f"/Observation/{made.json['id']}").status_code == 404


# who registers whom


def test_a_patient_is_made_by_who_registers_and_is_there_for_it_then(county: Api, harbor: Api) -> None:
    refused(harbor.post("/Patient", patient()), 403, "forbidden")
    registrar = county.as_("registrar")
    made = registrar.post("/Patient", patient())
    assert made.status_code == 201
    where = f"/Patient/{made.json['id']}"
    assert registrar.get(where).json == made.json
    assert harbor.get(where).status_code == 404  # its relations of that kind do not count
    about = observation(subject={"reference": where[1:]})
    assert registrar.post("/Observation", about).status_code == 201


def test_an_update_by_another_does_not_make_it_the_registrar(county: Api) -> None:
    """Who registered first stays it."""
    county.as_("registrar").put("/Patient/stranger", patient("stranger"))
    assert address("Patient", "stranger") not in relations(county, HARBOR, REGISTERED)
    county.put("/Patient/seen", patient("seen", active=True))
    county.as_("registrar").put("/Patient/seen", patient("seen", active=False))
    assert relations(county, HARBOR, REGISTERED) == set()


def test_who_chooses_an_id_must_see_what_has_it(county: Api) -> None:
    registrar = county.as_("registrar")
    one, other = (registrar.put(f"/Patient/{name}", patient(name)) for name in ("stranger", absent("stranger")))
    refused(one, 405, "not-supported")
    same(one, other, "stranger", absent("stranger"))


def test_a_deletion_of_what_is_hidden_is_answered_and_not_done(county: Api, harbor: Api) -> None:
    county.have(observation("o", subject=to("Patient", "stranger")))
    before = county.get("/Observation/o").data
    assert harbor.delete("/Observation/o").status_code == 204
    assert harbor.bundle("transaction", entry("DELETE", "Observation/o")).status_code == 200
    assert county.get("/Observation/o").data == before


def test_a_load_replaces_what_is_closed_to_it_and_neither_patches_nor_deletes_it(
    county: Api, sees: dict[str, Access]
) -> None:
    sees["loader"] = caller("loader", all_patients=True)
    closed = observation("o", **ABOUT, meta=labelled("HIV"))
    county.have(closed)
    before, loader = county.get("/Observation/o").data, county.as_("loader")
    assert loader.get("/Observation/o").status_code == 404
    same(loader.delete("/Observation/o"), loader.delete("/Observation/0"), "o", "0")
    change = [{"op": "replace", "path": "/status", "value": "amended"}]
    answers = [loader.ask("PATCH", f"/Observation/{name}", change, Content_Type=JSON_PATCH) for name in ("o", "0")]
    same(*answers, "o", "0")
    assert county.get("/Observation/o").data == before
    assert loader.put("/Observation/o", closed | {"status": "amended"}).status_code == 200
    assert county.get("/Observation/o").json["status"] == "amended"


# who opens what


def test_no_client_writes_the_consent_that_opens_its_own_access(county: Api, harbor: Api) -> None:
    """SEC-41"""
    mine = agreed("seen", "HIV", identity="")
    del mine["id"]
    refused(harbor.post("/Consent", mine), 403, "forbidden")
    other = agreed("seen", "HIV", identity="")
    del other["id"]
    other["provision"]["actor"][0]["reference"] = to("Organization", "clinic")
    made = harbor.post("/Consent", other)
    assert made.status_code == 201, made.text
    # and does not turn one that opens another's into one that opens its own
    turned = made.json | {"provision": mine["provision"]}
    refused(harbor.put(f"/Consent/{made.json['id']}", turned), 403, "forbidden")
    where = f"/Consent/{made.json['id']}"
    patch = [{"op": "replace", "path": "/provision", "value": mine["provision"]}]
    refused(harbor.ask("PATCH", where, patch, Content_Type=JSON_PATCH), 403, "forbidden")
    refused(harbor.bundle("transaction", entry("POST", "Consent", mine)), 403, "forbidden")


def by_category(**parts: Any) -> dict[str, Any]:
    """A Consent of which a category says that it is about substance use."""
    said = agreed("seen", "", identity="told", **parts)
    said["provision"]["code"] = [concept(CATEGORY, "substance-use")]
    return said


def document(*inside: dict[str, Any]) -> dict[str, Any]:
    entries = [{"fullUrl": f"urn:uuid:{number}", "resource": one} for number, one in enumerate(inside)]
    return {"resourceType": "Bundle", "id": "told", "type": "collection", "entry": entries}


TELLING = {
    "a Consent": by_category(),
    "one of a form": by_category(policy=[{"uri": FORM + "part2-tpo"}]) | {"provision": {"type": "permit"}},
    "one inside a Bundle": document(by_category()),
    "one inside another resource": observation(
        "told", **ABOUT, contained=[by_category() | {"id": "c"}], focus=[{"reference": "#c"}]
    ),
}


@pytest.mark.parametrize("name", TELLING)
def test_a_consent_is_guarded_as_what_its_category_or_its_form_is_about(
    county: Api, sees: dict[str, Access], name: str
) -> None:
    sees["plan"] = caller("plan", guarded=PART2 | SUD, recipients=())
    told = TELLING[name]
    kind = told["resourceType"]
    county.have(told)
    assert labels(county, "told", kind) == PART2 | SUD
    assert county.as_("plan").get(f"/{kind}/told").status_code == 404
    with county.database.write() as connection:  # as if it had been stored before anybody asked
        plain = {"labels": -1, "body": json.write(told)}
        connection.execute(resource.update().where(resource.c.id == "told").values(plain))
        reindex.everything(connection, 0)
    finish(county.database)
    assert labels(county, "told", kind) == PART2 | SUD


STAFF = ("Practitioner/bob", "PractitionerRole/bob-at-harbor")


def of_staff(kind: str, staff: str) -> dict[str, Any]:
    """A whole Consent that names somebody who works for whoever writes it, or for another: nobody can tell."""
    said = agreed("seen", "42CFRPart2", identity="bobs")
    said["provision"]["actor"][0]["reference"] = {"reference": staff}
    said["provision"]["type"] = kind
    return said


def sent(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "id"}


@pytest.mark.parametrize("staff", STAFF)
def test_no_client_writes_the_consent_that_opens_anything_to_staff(county: Api, harbor: Api, staff: str) -> None:
    """The one who signs in at the client, or at another app of its organization, has this address."""
    opens = sent(of_staff("permit", staff))
    refused(harbor.post("/Consent", opens), 403, "forbidden")
    refused(harbor.bundle("transaction", entry("POST", "Consent", opens)), 403, "forbidden")
    county.have(of_staff("permit", staff))  # the custodian's load brings them
    assert harbor.post("/Consent", sent(of_staff("deny", staff))).status_code == 201


@pytest.mark.parametrize("staff", STAFF)
def test_no_client_lifts_a_denial_that_names_staff(county: Api, sees: dict[str, Access], staff: str) -> None:
    sees["free"] = caller("free", guarded=0)
    county.have(denied := of_staff("deny", staff))
    free = county.as_("free")
    refused(free.put("/Consent/bobs", denied | {"status": "inactive"}), 403, "forbidden")
    other = agreed("seen", "42CFRPart2", identity="bobs")
    other["provision"] |= {"type": "deny"}
    refused(free.put("/Consent/bobs", other), 403, "forbidden")
    assert free.put("/Consent/bobs", denied | {"language": "en"}).status_code == 200


ACTING: dict[str, dict[str, Any]] = {
    "the member": {"self_only": True, "patient": address("Patient", "seen"), "own": 0},
    "a proxy": {
        "kinds": PROXY,
        "patient": address("Patient", "seen"),
        "own": 0,
        "holders": (address("RelatedPerson", "r"),),
    },
    "the custodian": {"all_patients": True, "holders": ()},
}


@pytest.mark.parametrize("parts", ACTING.values(), ids=ACTING)
def test_who_acts_for_the_patient_names_staff_in_a_consent(
    county: Api, sees: dict[str, Access], parts: dict[str, Any]
) -> None:
    county.have(smallest("RelatedPerson", "r") | {"patient": to("Patient", "seen")})
    sees["acts"] = caller("acts", recipients=(), **parts)
    acts = county.as_("acts")
    made = acts.post("/Consent", sent(of_staff("permit", STAFF[0])))
    assert made.status_code == 201, made.text


AGAINST = {
    "it": [{"reference": "Organization/harbor"}],
    "everybody": [],
    "staff": [{"reference": STAFF[0]}],
}


@pytest.mark.parametrize("named", AGAINST.values(), ids=AGAINST)
def test_no_client_deletes_the_denial_that_closes_something_to_it(
    county: Api, harbor: Api, named: list[dict[str, Any]]
) -> None:
    """A later denial is above an earlier permit: without it the permit would count again."""
    denied = agreed("seen", "HIV", identity="no", dateTime=day(-1))
    actors = [denied["provision"]["actor"][0] | {"reference": each} for each in named]
    denied["provision"] = {"type": "deny"} | ({"actor": actors} if actors else {})
    county.have(agreed("seen", "HIV"), observation("o", **ABOUT, meta=SAYS_HIV))
    county.have(denied)
    before = harbor.get("/Observation/o").status_code
    refused(harbor.delete("/Consent/no"), 403, "forbidden")
    refused(harbor.bundle("transaction", entry("DELETE", "Consent/no")), 403, "forbidden")
    assert county.get("/Consent/no").status_code == 200
    assert harbor.get("/Observation/o").status_code == before
    assert county.delete("/Consent/no").status_code == 204  # the hub's own job


def test_a_load_for_all_deletes_no_denial_against_itself(county: Api, sees: dict[str, Access]) -> None:
    sees["loader"] = caller("loader", all_patients=True, guarded=0)
    loader = county.as_("loader")
    mine, staffs = (of_staff("deny", each) for each in ("Organization/harbor", STAFF[0]))
    county.have(mine | {"id": "mine"}, staffs)
    refused(loader.delete("/Consent/mine"), 403, "forbidden")
    assert county.get("/Consent/mine").status_code == 200
    assert loader.delete("/Consent/bobs").status_code == 204


def test_a_client_deletes_what_opens_something_to_it(county: Api, harbor: Api) -> None:
    county.have(agreed("seen", "PSY"), observation("o", **ABOUT, meta=SAYS_HIV))
    assert harbor.delete("/Consent/yes").status_code == 204
    other = agreed("seen", "PSY", identity="other")
    other["provision"] = {"type": "deny", "actor": other["provision"]["actor"]}
    other["provision"]["actor"][0]["reference"] = to("Organization", "clinic")
    county.have(other)
    assert harbor.delete("/Consent/other").status_code == 204  # what is denied to another opens nothing to it


@pytest.mark.parametrize("parts", ACTING.values(), ids=ACTING)
def test_who_acts_for_the_patient_deletes_a_denial_that_names_staff(
    county: Api, sees: dict[str, Access], parts: dict[str, Any]
) -> None:
    county.have(smallest("RelatedPerson", "r") | {"patient": to("Patient", "seen")})
    county.have(of_staff("deny", STAFF[0]))
    sees["acts"] = caller("acts", recipients=(), guarded=0, **parts)
    assert county.as_("acts").delete("/Consent/bobs").status_code == 204


def test_a_members_own_app_deletes_any_denial(county: Api, sees: dict[str, Access]) -> None:
    county.have(of_staff("deny", "Organization/harbor"))
    sees["acts"] = caller("acts", guarded=0, **ACTING["the member"])
    assert county.as_("acts").delete("/Consent/bobs").status_code == 204


def test_a_consent_may_be_closed_by_whom_it_opens_something_to(county: Api, harbor: Api) -> None:
    county.have(agreed("seen", "HIV"), observation("o", **ABOUT, meta=SAYS_HIV))
    assert harbor.get("/Observation/o").status_code == 200
    stored = harbor.get("/Consent/yes").json
    assert harbor.put("/Consent/yes", stored | {"status": "inactive"}).status_code == 200
    assert harbor.get("/Observation/o").status_code == 404
    # it names what it was about, so it is closed with that
    refused(harbor.put("/Consent/yes", stored), 405, "not-supported")
    assert harbor.get("/Observation/o").status_code == 404


def test_members_whom_the_writer_has_nothing_to_do_with_do_not_count(county: Api, sees: dict[str, Access]) -> None:
    clinic = address("Organization", "clinic")
    made = county.as_("harbor").post("/Group", panel("seen", "stranger", of="Organization/clinic", identity=""))
    assert made.status_code == 400  # an empty id
    group = {k: v for k, v in panel("seen", "stranger", of="Organization/clinic").items() if k != "id"}
    made = county.as_("harbor").post("/Group", group)
    assert made.status_code == 201, made.text
    assert relations(county, clinic) == people("seen")
    sees["clinic"] = caller("clinic", holders=(clinic,), source="Organization/clinic")
    there = api_of(county.database, sees).as_("clinic")
    assert [there.get(f"/Patient/{name}").status_code for name in ("seen", "stranger")] == [200, 404]


def test_nobody_opens_or_extends_a_relation_of_its_own(county: Api) -> None:
    owner = county.as_("owner")
    mine = {"owner": to("Organization", "harbor")}
    made = owner.post("/Task", {"resourceType": "Task"} | TASK | mine)
    assert made.status_code == 201, made.text
    assert relations(county, kind=REFERRAL) == set()
    short = {"restriction": {"period": {"end": "2026-01-01"}}}
    county.have(smallest("Task", "t") | TASK | mine | short)
    assert relations(county, kind=REFERRAL) == people("seen")
    longer = smallest("Task", "t") | TASK | mine
    assert owner.put("/Task/t", longer).status_code == 200
    with county.database.read() as connection:
        x = index_relation.c
        high = connection.execute(select(x.high).where(x.kind == REFERRAL)).scalar_one()
    assert high < 1_800_000_000_000_000
    group = panel("seen", "also", "stranger")
    assert county.as_("harbor").put("/Group/panel", group).status_code == 200
    assert relations(county) == people("seen", "also")


# parts of resources, and granular scopes


def test_who_sees_a_part_changes_nothing_else(county: Api) -> None:
    hidden_note = {"note": [{"text": "hidden"}], "description": "shown"}
    county.have(smallest("Task", "t") | TASK | hidden_note)
    masked = county.as_("masked")
    shown = masked.get("/Task/t").json
    assert "note" not in shown
    meta = {"meta": {k: v for k, v in shown["meta"].items() if k != "tag"}}
    refused(masked.put("/Task/t", shown | meta), 403, "forbidden")
    refused(masked.put("/Task/t", shown | meta | {"note": [{"text": "other"}]}), 403, "forbidden")
    patch = [{"op": "replace", "path": "/status", "value": "accepted"}]
    done = masked.ask("PATCH", "/Task/t", patch, Content_Type=JSON_PATCH)
    assert done.status_code == 200, done.text
    assert "note" not in done.json
    stored = county.get("/Task/t").json
    assert (stored["status"], stored["note"]) == ("accepted", [{"text": "hidden"}])
    patch = [{"op": "remove", "path": "/note"}]
    assert masked.ask("PATCH", "/Task/t", patch, Content_Type=JSON_PATCH).status_code in (403, 422)
    assert county.get("/Task/t").json == stored


def test_granular_scopes_hold_for_what_is_written_too(county: Api) -> None:
    narrow = county.as_("narrow")

    def of(code: str) -> dict[str, Any]:
        return {"category": [{"coding": [{"system": LAB, "code": code}]}]}

    refused(narrow.post("/Observation", observation(**ABOUT, **of("vital-signs"))), 403, "forbidden")
    refused(narrow.post("/Observation", observation(**ABOUT)), 403, "forbidden")
    made = narrow.post("/Observation", observation(**ABOUT, **of("laboratory")))
    assert made.status_code == 201
    where = f"/Observation/{made.json['id']}"
    refused(narrow.put(where, made.json | of("vital-signs")), 403, "forbidden")


# what says by its targets whose it is


def note(*targets: str, identity: str = "p") -> dict[str, Any]:
    return smallest("Provenance", identity) | {"target": [{"reference": each} for each in targets]}


NOTED = observation("n", **ABOUT, meta=SAYS_HIV)


@pytest.mark.parametrize("order", ["before", "behind"])
def test_a_note_belongs_to_whom_its_targets_belong_to(county: Api, order: str) -> None:
    entries = [entry("PUT", "Provenance/p", note("Observation/n")), entry("PUT", "Observation/n", NOTED)]
    assert county.bundle("transaction", *(entries if order == "before" else entries[::-1])).status_code == 200
    assert patients(county, "Provenance", "p") == people("seen")
    assert labels(county, "p", "Provenance") & HIV
    assert "HIV" in county.get("/Provenance/p").text
    assert county.as_("harbor").get("/Provenance/p").status_code == 404


def test_a_note_on_what_is_stored_inherits_it_and_of_several_all(county: Api) -> None:
    county.have(NOTED, observation("m", subject=to("Patient", "also")), smallest("Organization", "harbor"))
    cases: list[tuple[tuple[str, ...], set[int], int]] = [
        (("Observation/n",), people("seen"), HIV),
        (("Observation/m",), people("also"), 0),
        (("Observation/n", "Observation/m"), people("seen", "also"), HIV),
        (("Observation/m", "Organization/harbor"), people("also"), 0),
        (("Observation/m", "Observation/gone"), people("also"), 0),
        (("Organization/harbor",), {UNKNOWN}, 0),
        (("Observation/gone",), {UNKNOWN}, 0),
    ]
    for number, (targets, expected, mask) in enumerate(cases):
        county.have(note(*targets, identity=f"p{number}"))
        assert patients(county, "Provenance", f"p{number}") == expected, targets
        assert labels(county, f"p{number}", "Provenance") & HIV == mask, targets


def test_a_note_on_what_is_hidden_is_taken_as_one_on_what_is_missing(county: Api, harbor: Api) -> None:
    county.have(observation("h", subject=to("Patient", "stranger")), observation("n", **ABOUT))
    answers = []
    for name in ("h", "0"):
        sent = {k: v for k, v in note(f"Observation/{name}").items() if k != "id"}
        answers.append(harbor.post("/Provenance", sent))
        assert patients(county, "Provenance", answers[-1].json["id"]) == {UNKNOWN}
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answers[0].json) == sorted(answers[1].json)
    sent = {k: v for k, v in note("Observation/n").items() if k != "id"}
    made = harbor.post("/Provenance", sent)
    assert patients(county, "Provenance", made.json["id"]) == people("seen")


def test_no_role_that_sees_nothing_writes_of_anybody(county: Api, sees: dict[str, Access]) -> None:
    sees["nobody"] = Access("nobody", EVERYTHING)
    api = api_of(county.database, sees).as_("nobody")
    refused(api.post("/Observation", observation(**ABOUT)), 403, "forbidden")
