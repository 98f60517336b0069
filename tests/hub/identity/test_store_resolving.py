"""What a feed says of a person becomes a member, a link, a review or a contradiction; and what people decide."""

from typing import Any

import pytest
from sqlalchemy import select

from hub import clock, outbox
from hub.identity import events, feeds, pairs, persons
from hub.identity.apart import distinct
from hub.identity.assembly import effects, work
from hub.identity.desk import Registry
from hub.identity.patient import US_SSN, person_of
from hub.identity.resolve import ASK, Resolution, ask, resolve, settle
from hub.identity.review import DECIDED
from hub.identity.split import split
from hub.identity.strong import Systems
from hub.store.engine import Database
from hub.store.tables import outbox as outbox_table
from hub.transactions import Transactions
from tests.hub.asking import BASE, Api, observation, patient, refused
from tests.hub.identity.test_store_operations import operator, quilla
from tests.hub.identity_world import callers, county
from tests.hub.sighted import to

HOSPITAL, PLAN = "urn:test:hospital", "urn:test:plan"


@pytest.fixture
def api(swept: Database) -> Api:
    return county(swept, callers() | {"ops": operator()})


@pytest.fixture
def registry(api: Api) -> Registry:
    own = Transactions(api.database, lambda *_: (), lambda changes: list(effects(changes)), BASE)
    return Registry.of(own, BASE)


def said(registry: Registry, source: str, key: str, given: dict[str, Any], who: str = "") -> Resolution:
    """A source speaks of somebody; `who` is the Patient that becomes of a new one."""
    now = clock.micros(clock.now())

    def work(desk: Any) -> Resolution:
        found = resolve(desk.connection, person_of(given, source, Systems()), source, key, now)
        if found.outcome == "contradiction":
            ask(desk.connection, found, now)
        else:
            assert settle(desk.connection, found, found.patient or who, given, now)
        return found

    return registry.decide(work)


def done(registry: Registry) -> None:
    """The worker does what waits."""
    handlers = work(registry.transactions, BASE)
    while True:
        with registry.database.write() as connection:
            found = outbox.claim(connection, [ASK, DECIDED], clock.micros(clock.now()), 60, 10)
        for one in found:
            handlers[one.kind](one)
        if not found:
            return
        with registry.database.write() as connection:
            connection.execute(outbox_table.delete().where(outbox_table.c.seq.in_([one.seq for one in found])))


def reviews(api: Api) -> list[dict[str, Any]]:
    found = api.as_("ops").get("/Task?code=identity-review")
    assert found.status_code == 200, found.text
    return [each["resource"] for each in found.json.get("entry", [])]


def test_one_person_of_two_sources_is_one_member(registry: Registry) -> None:
    assert said(registry, HOSPITAL, "1", quilla("x"), "ann").outcome == "new"
    found = said(registry, PLAN, "A", quilla("y"))
    assert (found.outcome, found.patient) == ("link", "ann")
    again = said(registry, PLAN, "A", quilla("y"))
    assert (again.outcome, again.patient, again.person) == ("known", "ann", found.person)


def test_somebody_else_is_a_new_member(registry: Registry) -> None:
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    other = patient("y", name=[{"family": "Else", "given": ["Bob"]}], birthDate="1950-02-01", gender="male")
    assert said(registry, PLAN, "B", other, "bob").outcome == "new"


def test_a_number_of_somebody_with_another_name_and_date_waits(registry: Registry, api: Api) -> None:
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    other = quilla("y", name=[{"family": "Else", "given": ["Barnaby"]}], birthDate="1950-02-01", gender="male")
    found = said(registry, PLAN, "B", other)
    assert (found.outcome, found.patient) == ("contradiction", None)
    done(registry)
    (task,) = reviews(api)
    assert task["focus"] == to("Patient", "ann")
    assert "Quillamore" not in str(task)


def test_a_known_person_with_the_number_of_another_member_waits(registry: Registry) -> None:
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    without = {name: value for name, value in quilla("y").items() if name != "identifier"}
    other = without | {"name": [{"family": "Else", "given": ["Bob"]}], "birthDate": "1950-02-01", "telecom": []}
    said(registry, PLAN, "B", other | {"address": []}, "bob")
    assert said(registry, PLAN, "B", quilla("y")).outcome == "contradiction"


def doubtful(identity: str) -> dict[str, Any]:
    """Perhaps the same: all but the number, and another day."""
    made = quilla(identity, birthDate="1981-03-15")
    return {name: value for name, value in made.items() if name not in ("identifier", "telecom", "address")}


def in_doubt(registry: Registry, api: Api) -> tuple[Resolution, Resolution, dict[str, Any]]:
    first = said(registry, HOSPITAL, "1", quilla("x"), "ann")
    second = said(registry, PLAN, "B", doubtful("y"), "anna")
    assert second.outcome == "review", second
    done(registry)
    (task,) = reviews(api)
    return first, second, task


def test_a_doubtful_one_has_a_patient_of_its_own_and_operators_are_asked(registry: Registry, api: Api) -> None:
    _, _, task = in_doubt(registry, api)
    assert task["focus"] == to("Patient", "ann")
    assert task["input"][0]["valueReference"] == to("Patient", "anna")
    told = {name: value for name, value in task.items() if name not in ("id", "meta", "authoredOn")}
    for name in ("Quillamore", "1981", "555"):  # an id, or a moment, may hold such digits by chance
        assert name not in str(told)
    for who in ("harbor", "pier"):
        assert api.as_(who).found("/Task?code=identity-review") == []
        refused(api.as_(who).get(f"/Task/{task['id']}"), 404, "not-found")


def test_of_two_members_the_likelier_one_is_linked_and_operators_are_asked_about_both(
    registry: Registry, api: Api
) -> None:
    number = {"identifier": [{"system": US_SSN, "value": "219-09-4321"}]}
    phone, home = {"telecom": [{"system": "phone", "value": "559-555-2368"}]}, {"address": quilla("x")["address"]}
    bare = {name: value for name, value in quilla("x").items() if name not in ("identifier", "telecom", "address")}
    assert said(registry, HOSPITAL, "1", bare | number | home, "ann").outcome == "new"
    assert said(registry, PLAN, "B", bare | phone, "anna").outcome == "review"
    done(registry)
    assert len(reviews(api)) == 1
    found = said(registry, "urn:test:county", "C", bare | number | home | phone)
    assert (found.outcome, found.patient, len(found.review)) == ("link", "ann", 1)
    done(registry)
    assert {task["focus"]["reference"] for task in reviews(api)} >= {"Patient/ann"}


def answered(registry: Registry, task: dict[str, Any], answer: str) -> None:
    """By the operator, over its own door, whose commits have these effects."""
    from hub.access import Access
    from hub.transactions import single

    output = [{"type": {"text": "decision"}, "valueCode": answer}]
    done_ = task | {"status": "completed", "output": output}
    access = Access("ops", operator().grants, "operator", sight=operator().sight, user="olga")
    registry.transactions.commit([single("PUT", "Task", id=task["id"], resource=done_)], access)
    done(registry)


def test_who_answers_link_merges_them(registry: Registry, api: Api) -> None:
    _, _, task = in_doubt(registry, api)
    answered(registry, task, "link")
    assert api.get("/Patient/anna").json["active"] is False
    assert sorted(api.found("/Observation?subject=Patient/anna")) == ["o-ann", "o-anna"]


def test_who_answers_distinct_is_not_asked_again(registry: Registry, api: Api) -> None:
    first, second, task = in_doubt(registry, api)
    answered(registry, task, "distinct")
    assert api.get("/Patient/anna").json["active"] is True
    with api.database.read() as connection:
        pair = pairs.find(connection, first.person, second.person)
        assert pair is not None
        assert pair.state == pairs.HELD_APART
    done(registry)
    assert len(reviews(api)) == 1


def test_another_answer_opens_the_task_again(registry: Registry, api: Api) -> None:
    _, _, task = in_doubt(registry, api)
    answered(registry, task, "maybe")
    (task,) = reviews(api)
    assert task["status"] == "requested"
    assert "neither" in task["statusReason"]["text"]


def test_a_task_of_a_client_that_looks_like_a_review_decides_nothing(registry: Registry, api: Api) -> None:
    code = {"coding": [{"code": "identity-review"}]}
    fake = {"resourceType": "Task", "status": "completed", "intent": "order", "code": code}
    refused(api.as_("harbor").post("/Task", fake | {"focus": to("Patient", "ann")}), 403, "forbidden")


def with_record(registry: Registry, person: int, identity: str, who: str = "ann", **parts: Any) -> None:
    """What came with a source person."""
    from hub.access import Access
    from hub.transactions import single

    made = observation(identity, subject=to("Patient", who), **parts)
    registry.transactions.commit(
        [single("PUT", "Observation", id=identity, resource=made)], Access.system("test", person=person)
    )


def test_a_source_person_that_leaves_takes_what_came_with_it(registry: Registry, api: Api) -> None:
    said(registry, HOSPITAL, "1", quilla("x"), "ann")
    second = said(registry, PLAN, "A", quilla("y", identifier=[{"system": "urn:test:number", "value": "7"}]))
    assert second.outcome == "link"
    with_record(registry, second.person, "came")
    left = registry.decide(lambda desk: split(desk, second.person, "test"))
    assert left.patient not in ("ann", "")
    assert api.found(f"/Observation?subject=Patient/{left.patient}") == ["came"]
    assert api.found("/Observation?subject=Patient/ann") == ["o-ann"]
    assert api.get(f"/Patient/{left.patient}").json["name"] == quilla("y")["name"]
    assert said(registry, PLAN, "A", quilla("y")).patient == left.patient


def test_what_is_no_duplicate_is_taken_apart_and_stays_so(registry: Registry) -> None:
    first = said(registry, HOSPITAL, "1", quilla("x"), "ann")
    second = said(registry, PLAN, "A", quilla("y"))
    registry.decide(lambda desk: distinct(desk, first.person, second.person, "test"))
    again = said(registry, PLAN, "A", quilla("y"))
    assert again.outcome == "known"
    assert again.patient != "ann"


def number(value: str) -> list[feeds.Number]:
    return [(HOSPITAL, value)]


def three(registry: Registry) -> None:
    for key, who in (("1", "ann"), ("2", "anna"), ("3", "bob")):
        given = patient("x", name=[{"family": f"Family{who}", "given": [who]}], birthDate=f"195{key}-02-0{key}")
        assert said(registry, HOSPITAL, key, given, who).outcome == "new"


def joined(registry: Registry, kept: str, gone: str) -> feeds.Joined:
    return registry.decide(lambda desk: feeds.join(desk, number(kept), number(gone), "test"))


def test_a_source_that_merges_two_numbers_merges_the_members_and_may_say_it_again(
    registry: Registry, api: Api
) -> None:
    three(registry)
    assert joined(registry, "1", "2").patient == "ann"
    assert joined(registry, "1", "2").event == 0
    assert joined(registry, "3", "1").patient == "bob"
    assert sorted(api.found("/Observation?subject=Patient/anna")) == ["o-ann", "o-anna", "o-bob"]
    again = patient("x", name=[{"family": "Familyanna", "given": ["anna"]}], birthDate="1952-02-02")
    assert said(registry, HOSPITAL, "2", again).patient == "bob"


def test_a_source_that_merges_them_the_other_way_round_is_refused(registry: Registry) -> None:
    three(registry)
    joined(registry, "1", "2")
    with pytest.raises(feeds.Circle):
        joined(registry, "2", "1")


def test_a_number_that_nobody_brought_waits(registry: Registry, api: Api) -> None:
    three(registry)
    with pytest.raises(feeds.Unknown):
        joined(registry, "1", "9")
    assert joined(registry, "9", "1").patient == "ann"  # a new number of somebody who is known
    with api.database.read() as connection:
        assert persons.find(connection, HOSPITAL, "9") is not None


def test_only_the_sources_own_person_moves_where_others_know_the_member(registry: Registry, api: Api) -> None:
    three(registry)
    given = patient("x", name=[{"family": "Familyanna", "given": ["anna"]}], birthDate="1952-02-02")
    given["identifier"] = [{"system": "urn:test:mrn", "value": "2"}]
    with api.database.write() as connection:
        other = 77
        persons.put(connection, other, PLAN, "A", "anna", {"said": {"source": PLAN}, "patient": given}, 1)
        second = persons.find(connection, HOSPITAL, "2")
    assert second is not None
    with_record(registry, second.person, "came", "anna")
    joined(registry, "1", "2")
    assert api.get("/Patient/anna").json["active"] is True
    with api.database.read() as connection:
        found = {one.person: one.patient for one in persons.several(connection, [other, second.person])}
        kinds = {event.kind for event in events.newest(connection, None, 50)}
    assert found == {other: "anna", second.person: "ann"}
    assert events.SPLIT in kinds
    assert sorted(api.found("/Observation?subject=Patient/ann")) == ["came", "o-ann"]


def test_every_decision_is_an_event_without_what_a_source_said(registry: Registry, api: Api) -> None:
    in_doubt(registry, api)
    with api.database.read() as connection:
        told = events.newest(connection, None, 50)
        rows = connection.execute(select(outbox_table.c.payload)).scalars().all()
    assert {event.kind for event in told} == {events.REVIEW}
    for text in (str(told), str(rows)):
        assert "Quillamore" not in text
        assert "1981" not in text
