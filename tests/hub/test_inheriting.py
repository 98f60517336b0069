"""What says whose it is by what it is about follows that: its labels, its patient, through notes on notes."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from hub.access import Access
from hub.inheriting import inherited
from hub.rights.labels import BITS
from hub.search.edges import address
from hub.sight import ALL as EVERYTHING
from hub.sight import NOBODY, SEVERAL, UNKNOWN, Sight
from hub.store import tables as t
from hub.store.engine import Database
from hub.store.sight import named, seen
from hub.transactions import Transactions, single
from hub.versions import Of
from tests.hub.asking import BASE, observation, patient
from tests.hub.test_racing_writers import together

HUB = Access.system("tests", source="Organization/harbor")
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
A, B = address("Patient", "a"), address("Patient", "b")
Resource = dict[str, Any]
HIV, PSY = BITS["HIV"], BITS["PSY"]


def of(identity: str) -> Resource:
    return {"reference": f"Patient/{identity}"}


def marked(*codes: str) -> Resource:
    return {"security": [{"system": ACT, "code": code} for code in codes]} if codes else {}


def chart(identity: str = "o", whose: str = "a", *codes: str) -> Resource:
    return observation(identity, subject=of(whose)) | ({"meta": marked(*codes)} if codes else {})


def note(identity: str, *targets: str, kind: str = "Provenance") -> Resource:
    if kind == "Binary":
        return {"resourceType": "Binary", "id": identity, "securityContext": {"reference": targets[0]}}
    return {"resourceType": kind, "id": identity, "target": [{"reference": target} for target in targets]}


def writer(database: Database) -> Transactions:
    return Transactions(database, lambda *_: (), lambda _: (), BASE)


class Hub:
    """Writes, and asks the rows."""

    def __init__(self, database: Database):
        self.database = database
        self.writes = writer(database)

    def put(self, *resources: Resource, access: Access = HUB) -> None:
        entries = [single("PUT", one["resourceType"], id=one["id"], resource=one, place=n)
                   for n, one in enumerate(resources)]  # fmt: skip
        self.writes.commit(entries, access, many=len(entries) > 1)

    def delete(self, kind: str, identity: str) -> None:
        self.writes.commit([single("DELETE", kind, id=identity)], HUB)

    def row(self, kind: str, identity: str) -> tuple[int, int]:
        asked = select(t.resource.c.patient, t.resource.c.labels).where(
            t.resource.c.type == kind, t.resource.c.id == identity
        )
        with self.database.read() as connection:
            found = connection.execute(asked).one()
        return found.patient, found.labels

    def patients(self, kind: str, identity: str) -> set[int]:
        with self.database.read() as connection:
            rid = connection.execute(
                select(t.resource.c.rid).where(t.resource.c.type == kind, t.resource.c.id == identity)
            ).scalar_one()
            mine = select(t.index_patient.c.patient).where(t.index_patient.c.rid == rid)
            return set(connection.execute(mine).scalars())


@pytest.fixture
def stored(database: Database) -> Hub:
    hub = Hub(database)
    hub.put(patient("a"), patient("b"))
    return hub


def test_what_is_about_others_has_their_patient_and_all_their_labels() -> None:
    assert inherited(0, []) == (UNKNOWN, frozenset(), 0)
    assert inherited(HIV, [Of(A, 0), Of(NOBODY, PSY)]) == (A, frozenset(), HIV | PSY)
    assert inherited(0, [Of(A, HIV), Of(B, -1)]) == (SEVERAL, frozenset((A, B)), HIV)
    assert inherited(0, [Of(A, HIV), Of(UNKNOWN)]) == (UNKNOWN, frozenset(), HIV)
    assert inherited(0, [Of(A), Of(SEVERAL)]) == (UNKNOWN, frozenset(), 0)


@pytest.mark.parametrize("kind", ["Provenance", "Binary", "VerificationResult"])
def test_labels_that_rise_rise_for_what_is_about_it(stored: Hub, kind: str) -> None:
    stored.put(chart())
    stored.put(note("n", "Observation/o", kind=kind))
    assert stored.row(kind, "n") == (A, 0)
    stored.put(chart("o", "a", "HIV"))
    assert stored.row(kind, "n") == (A, HIV)
    stored.put(chart("o", "a", "PSY"))
    assert stored.row(kind, "n") == stored.row("Observation", "o") == (A, HIV | PSY)


def test_labels_rise_through_notes_on_notes_and_in_circles(stored: Hub) -> None:
    stored.put(chart())
    stored.put(note("1", "Observation/o"))
    stored.put(note("2", "Provenance/1"))
    stored.put(note("1", "Observation/o", "Provenance/2"))
    stored.put(note("3", "Provenance/2"))
    stored.put(chart("o", "a", "HIV"))
    assert {stored.row("Provenance", name) for name in "123"} == {(A, HIV)}
    stored.put(chart("o", "b", "HIV"))
    assert {stored.row("Provenance", name)[0] for name in "123"} <= {B, UNKNOWN}


def test_a_note_becomes_the_other_patients_with_what_it_is_about(stored: Hub) -> None:
    stored.put(chart("o"), chart("p"))
    stored.put(note("n", "Observation/o", "Observation/p"))
    stored.put(chart("p", "b"))
    assert stored.row("Provenance", "n")[0] == SEVERAL
    assert stored.patients("Provenance", "n") == {A, B}
    stored.put(chart("o", "b"))
    assert stored.row("Provenance", "n")[0] == B
    assert stored.patients("Provenance", "n") == set()


def test_what_is_made_later_under_a_known_id_raises_what_was_about_it_already(stored: Hub) -> None:
    stored.put(chart())
    stored.put(note("n", "Observation/o", "Observation/later"))
    stored.put(chart("later", "a", "HIV"))
    assert stored.row("Provenance", "n") == (A, HIV)


def test_what_nobody_could_tell_stays_its_sources_own(stored: Hub) -> None:
    stored.put(note("n", "Observation/later"))
    stored.put(chart("later", "a", "HIV"))
    assert stored.row("Provenance", "n") == (UNKNOWN, HIV)


def test_a_note_in_the_same_commit_is_written_once(stored: Hub) -> None:
    stored.put(chart())
    stored.put(note("n", "Observation/o"))
    stored.put(chart("o", "a", "HIV"), note("n", "Observation/o") | {"recorded": "2026-01-01T00:00:00Z"})
    assert stored.row("Provenance", "n") == (A, HIV)


def test_a_deleted_note_goes_on_to_follow(stored: Hub) -> None:
    stored.put(chart())
    stored.put(note("n", "Observation/o"))
    stored.delete("Provenance", "n")
    stored.put(chart("o", "a", "HIV"))
    assert stored.row("Provenance", "n") == (A, HIV)


def test_a_note_that_is_about_something_else_now_follows_no_more(stored: Hub) -> None:
    stored.put(chart("o"), chart("p"))
    stored.put(note("n", "Observation/o"))
    stored.put(note("n", "Observation/p"))
    stored.put(chart("o", "a", "HIV"))
    assert stored.row("Provenance", "n") == (A, 0)


def test_the_version_and_the_content_of_what_follows_stay(stored: Hub) -> None:
    def body() -> Any:
        with stored.database.read() as connection:
            columns = (t.resource.c.version, t.resource.c.last_updated, t.resource.c.body)
            return connection.execute(select(*columns).where(t.resource.c.type == "Provenance")).one()

    stored.put(chart())
    stored.put(note("n", "Observation/o"))
    before = body()
    stored.put(chart("o", "a", "HIV"))
    assert body() == before


def test_a_deleted_resource_of_several_patients_is_theirs_still(stored: Hub) -> None:
    """It says no more whose it is: it must not be everybody's then."""
    people = [{"actor": of(name), "status": "accepted"} for name in "ab"]
    stored.put({"resourceType": "Appointment", "id": "x", "status": "booked", "participant": people})
    stored.delete("Appointment", "x")
    assert stored.patients("Appointment", "x") == {A, B}
    stranger = Sight(holders=(7,), kinds=-1, guarded=0)
    with stored.database.read() as connection:
        asked = select(t.resource.c.id).where(t.resource.c.type == "Appointment")
        assert connection.execute(asked.where(seen(t.resource, stranger)), named(stranger)).all() == []
        assert len(connection.execute(asked.where(seen(t.resource, EVERYTHING)), named(EVERYTHING)).all()) == 1


@pytest.mark.parametrize("later", ["a note", "a change of a note"])
def test_a_note_that_is_written_while_its_target_rises_has_the_labels_too(stored: Hub, later: str) -> None:
    rounds = 12
    for number in range(rounds):
        stored.put(chart(f"o{number}"), chart(f"p{number}"))
        if later != "a note":
            stored.put(note(f"n{number}", f"Observation/p{number}"))

    def work(thread: int) -> None:
        for number in range(rounds):
            resources: tuple[Callable[[], Resource], ...] = (
                lambda n=number: chart(f"o{n}", "a", "HIV"),  # type: ignore[misc]
                lambda n=number: note(f"n{n}", f"Observation/o{n}", f"Observation/p{n}"),  # type: ignore[misc]
                lambda n=number: chart(f"p{n}", "b", "PSY"),  # type: ignore[misc]
                lambda n=number: note(f"m{n}", f"Provenance/n{n}"),  # type: ignore[misc]
            )
            stored.put(resources[thread]())

    assert together(4, work) == [None] * 4
    for number in range(rounds):
        assert stored.row("Provenance", f"n{number}")[1] == HIV | PSY
        assert stored.patients("Provenance", f"n{number}") == {A, B}
        # where the note on it came first, it is its source's own
        assert stored.row("Provenance", f"m{number}")[1] == HIV | PSY or later == "a note"


def test_labels_that_rose_since_a_row_was_read_are_not_taken_away(stored: Hub) -> None:
    """A writer that decided before holds no lock: its statement must not put the old labels back."""
    rises = BITS["SDV"]

    def raise_meanwhile(changes: Any) -> tuple[()]:
        if armed and changes and changes[0].type == "Observation":
            with other.write() as connection:
                mine = t.resource.update().where(t.resource.c.id == "o")
                connection.execute(mine.values(labels=t.resource.c.labels.bitwise_or(rises)))
        return ()

    armed = False
    other = Database(stored.database.url.render_as_string(False))
    stored.put(chart("o", "a", "HIV"))
    stored.writes = Transactions(stored.database, lambda *_: (), raise_meanwhile, BASE)
    armed = True
    stored.put(chart("o", "a", "HIV") | {"status": "amended"})
    other.close()
    assert stored.row("Observation", "o")[1] == HIV | rises
