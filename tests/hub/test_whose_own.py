"""Whose own a row is that several wrote: clients, hospitals and feeds that no client speaks for, and the hub itself
(hub.whose; 42 CFR 2.12(d)(2): what a program tells stays guarded, whoever made the record that it stands in)."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub import reindex
from hub.access import Access
from hub.reindex import Reindex
from hub.rights.labels import PART2, Part2Sources, mask_of
from hub.sight import PANEL, REGISTERED, SHARED
from hub.store.engine import Database
from hub.store.tables import resource
from hub.transactions import single
from tests.adapters.adt.ward import Ward
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import ROWS, SMC
from tests.hub.asking import BASE, Api, observation, patient
from tests.hub.feeds.toy import SYSTEM, file_of, load, stored, toy_feed, toy_loading
from tests.hub.reindexing import LEAPS, finish, later
from tests.hub.sighted import HARBOR, api_of, caller, labelled, panel, to

ABOUT = {"subject": to("Patient", "seen")}
HIV, PART2_TOO = labelled("HIV"), labelled("HIV", "42CFRPart2")
GUARDED = mask_of(HIV["security"])
FEED = "urn:test:feed"
NUMBER = {"identifier": [{"system": "urn:test:visit", "value": "V1"}]}
# the senders for whom no client speaks
SENDERS = {
    "hospital": Access.system("adt", brings=0),
    "feed": Access.system("feed toy", brings=0),
    "feed of an organization": Access.system("feed toy", source="Organization/sender", brings=0),
}


@pytest.fixture
def county(swept: Database) -> Api:
    callers = {"harbor": caller(kinds=PANEL | REGISTERED), "job": Access.system("a job of the hub")}
    guarded = Access.system("feed toy", brings=GUARDED)
    api = api_of(swept, callers | SENDERS | {"guarded feed": guarded}, part2=Part2Sources.of((FEED,)))
    api.have(patient("seen"), panel("seen"))
    return api


@pytest.fixture
def harbor(county: Api) -> Api:
    return county.as_("harbor")


def upsert(api: Api, **said: Any) -> str:
    """As hospital messages and feeds write: by their number. The id."""
    answer = api.put("/Observation?identifier=urn:test:visit|V1", observation("", **ABOUT, **NUMBER, **said))
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json["id"])


def made(harbor: Api, **said: Any) -> str:
    answer = harbor.post("/Observation", observation("x", **ABOUT, **NUMBER, **said))
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def shown(api: Api, identity: str, kind: str = "Observation") -> bool:
    return bool(api.get(f"/{kind}/{identity}").status_code == 200)


@pytest.mark.parametrize("sender", SENDERS)
def test_what_a_sender_brings_that_is_guarded_is_not_the_first_writers(
    county: Api, harbor: Api, sender: str
) -> None:
    identity = made(harbor)
    assert upsert(county.as_(sender), status="amended") == identity
    assert shown(harbor, identity)
    upsert(county.as_(sender), meta=HIV)
    assert not shown(harbor, identity)
    assert not shown(harbor, f"{identity}/_history/1")


@pytest.mark.parametrize("sender", SENDERS)
def test_a_label_that_the_first_writer_gave_beforehand_does_not_open_what_comes(
    county: Api, harbor: Api, sender: str
) -> None:
    """Who knows the number of a visit makes it first, with all labels: nothing rises any more."""
    identity = made(harbor, meta=PART2_TOO)
    assert shown(harbor, identity)
    upsert(county.as_(sender), meta={"source": FEED})
    assert not shown(harbor, identity)


def test_a_sender_that_adds_its_number_to_a_labelled_patient_takes_it_from_nobody(county: Api, harbor: Api) -> None:
    """A Patient is written from what stands there, labels and all."""
    identity = harbor.post("/Patient", patient("x", meta=HIV)).json["id"]
    stands = county.get(f"/Patient/{identity}").json
    told = county.as_("hospital").put(f"/Patient/{identity}", {**stands, **NUMBER})
    assert told.status_code == 200
    assert shown(harbor, identity, "Patient")
    more = county.as_("guarded feed").put(f"/Patient/{identity}", {**stands, "identifier": [{"value": "1"}]})
    assert more.status_code == 200
    assert not shown(harbor, identity, "Patient")


@pytest.mark.parametrize("sender", SENDERS)
def test_what_a_sender_brought_first_is_nobody_elses(county: Api, harbor: Api, sender: str) -> None:
    identity = upsert(county.as_(sender))
    assert shown(harbor, identity)
    said = harbor.put(f"/Observation/{identity}", observation(identity, **ABOUT, **NUMBER, status="amended"))
    assert said.status_code == 200, said.text
    upsert(county.as_(sender), meta=HIV)
    assert not shown(harbor, identity)


def test_what_is_guarded_already_is_not_the_own_of_who_writes_next(county: Api) -> None:
    """A client that a consent let in, once: what it wrote there does not open the rest for good."""
    callers = {"let in": caller("let in", guarded=0), "harbor": caller(), "hospital": SENDERS["hospital"]}
    api = api_of(county.database, callers)
    identity = upsert(api.as_("hospital"), meta=HIV)
    stands = api.as_("let in").get(f"/Observation/{identity}").json
    assert api.as_("let in").put(f"/Observation/{identity}", {**stands, "status": "amended"}).status_code == 200
    assert not shown(api.as_("harbor"), identity)


def test_the_hubs_own_jobs_take_nothing_from_whose_it_is(county: Api, harbor: Api) -> None:
    """A label that a job adds, and a program that is named later: what the client said is what it was."""
    identity = made(harbor, meta={"source": "urn:test:later"})
    finish(county.database)
    job = Reindex(county.database, BASE, lambda: later(next(LEAPS))(), part2=Part2Sources.of(("urn:test:later",)))
    with county.database.write() as connection:
        reindex.everything(connection, 0)
    while job.step():
        pass
    assert row_labels(county, identity) & PART2
    content = observation(identity, **ABOUT, **NUMBER, meta=HIV)
    assert county.as_("job").put(f"/Observation/{identity}", content).status_code == 200
    assert row_labels(county, identity) & GUARDED
    assert shown(harbor, identity)


def row_labels(api: Api, identity: str) -> int:
    with api.database.read() as connection:
        return int(connection.execute(select(resource.c.labels).where(resource.c.id == identity)).scalar_one())


# by the senders' own doors

HARBORS = Access.system("as Harbor", source="Organization/harbor")
FIRST = {"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"}}


def owner(database: Database, kind: str) -> int:
    with database.read() as connection:
        return int(connection.execute(select(resource.c.source).where(resource.c.type == kind)).scalar_one())


@pytest.mark.parametrize("event", ["guarded", "plain"])
def test_a_hospital_message_comes_as_a_senders(database: Database, event: str) -> None:
    ward = Ward(database, ROWS)
    number = {"identifier": [{"system": SMC.visit_system, "value": "V1000123"}]}
    ward.transactions.commit([single("POST", "Encounter", resource=FIRST | number)], HARBORS)
    ward.sends(adt("A01", "1", fields={"PV2-22": "Y"} if event == "guarded" else {}))
    assert ward.one("Encounter")["status"] == "in-progress"
    assert owner(database, "Encounter") == (SHARED if event == "guarded" else HARBOR)


@pytest.mark.parametrize("security", [tuple(HIV["security"]), ()], ids=["guarded", "plain"])
def test_a_feed_comes_as_a_sender(database: Database, tmp_path: Path, security: tuple[Any, ...]) -> None:
    loading = toy_loading(database, tmp_path, toy_feed(security=security))
    number = {"identifier": [{"system": f"{SYSTEM}/v", "value": "1"}]}
    loading.own.commit([single("POST", "Encounter", resource=FIRST | number)], HARBORS)
    rows = ("P,ann,91234567A,Invented,1980-05-01", "L,1,Example Pier", "V,1,ann,home")
    load(loading, file_of(tmp_path, "a.csv", *rows))
    (visit,) = stored(database, "Encounter")
    assert visit["status"] == "finished"
    assert owner(database, "Encounter") == (SHARED if security else HARBOR)
