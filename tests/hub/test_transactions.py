"""The one writer: all or nothing, versions without gaps, one of each, and no one waits for ever."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, select

from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry, entries_of
from hub.problems import Problem
from hub.store import read
from hub.store.engine import Database
from hub.transactions import Change, Result, Transactions, single
from tests.hub.asking import BASE, WRITTEN, entry, mrn, observation, patient, validator

ALL = Access.system("tests")
BY = "identifier=https://hospital.invalid/mrn|"


def events(changes: Sequence[Change]) -> Iterable[dict[str, Any]]:
    """One outbox row a change."""
    for change in changes:
        row = {"kind": "event", "key": f"{change.type}/{change.id}/{change.version}", "payload": b"{}"}
        yield row | {"state": "waiting", "due": change.at, "created": change.at}


def writer(database: Database, now: clock.Clock = clock.now) -> Transactions:
    return Transactions(database, validator, events, BASE, now)


def bundle(*entries: dict[str, Any]) -> list[Entry]:
    return entries_of({"type": "transaction", "entry": list(entries)}, 500)


def put(writes: Transactions, resource: dict[str, Any], **parts: Any) -> Result:
    found = single("PUT", resource["resourceType"], id=resource["id"], resource=resource, **parts)
    return writes.commit([found], ALL)[0]


def everything(database: Database) -> dict[str, list[Any]]:
    """All rows of every table that a commit writes."""
    with database.read() as connection:
        return {t.name: sorted(map(tuple, connection.execute(select(t))), key=repr) for t in WRITTEN}


def current(database: Database, resource_type: str, identity: str) -> dict[str, Any]:
    with database.read() as connection:
        found = read.current(connection, ALL, resource_type, identity)
    assert found is not None
    assert found.body is not None
    return json.stored(found.body)


GOOD = (
    entry("DELETE", "Patient/gone"),
    entry("PUT", "Patient/kept", patient("kept", active=True, identifier=mrn("kept"))),
    entry("POST", "Patient", patient(name=[{"family": "new"}], birthDate="1980"), full_url="urn:uuid:new"),
    entry("POST", "Observation", observation(subject={"reference": "urn:uuid:new"})),
    entry("PUT", f"Patient?{BY}found", patient(identifier=mrn("found"), gender="other")),
)
BAD = {
    "a stale version": entry("PUT", "Observation/x", observation("x"), ifMatch='W/"3"'),
    "no such resource to refer to": entry(
        "POST", "Observation", observation(subject={"reference": "Patient?_id=none"})
    ),
    "several matches": entry("DELETE", "Observation?status=final"),
    "a bad code": entry("POST", "Observation", observation(status="perhaps")),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_commit_that_fails_at_any_entry_leaves_everything_as_it_was(swept: Database, bad: dict[str, Any]) -> None:
    writes = writer(swept)
    for start in (
        patient("gone", identifier=mrn("gone")),
        patient("kept"),
        patient("found", identifier=mrn("found")),
    ):
        put(writes, start)
    for identity in ("o1", "o2"):
        put(writes, observation(identity))
    before = everything(swept)
    for place in range(len(GOOD) + 1):
        with pytest.raises(Problem) as caught:
            writes.commit(bundle(*GOOD[:place], bad, *GOOD[place:]), ALL, many=True)
        assert caught.value.issues[0].where.startswith(f"Bundle.entry[{place}]")
        assert everything(swept) == before
    results = writes.commit(bundle(*GOOD), ALL, many=True)
    assert [result.status for result in results] == [204, 200, 201, 201, 200]


class Undo(Exception):
    pass


def _fail(*_: Any) -> None:
    raise Undo


def test_what_fails_inside_a_commit_undoes_it(swept: Database) -> None:
    before = everything(swept)
    with pytest.raises(Undo):
        writer(swept).commit(bundle(*GOOD), ALL, inside=_fail, many=True)
    assert everything(swept) == before


def test_effects_that_fail_undo_the_commit(swept: Database) -> None:
    before = everything(swept)
    with pytest.raises(Undo):
        put(Transactions(swept, validator, _fail, BASE), patient("1"))
    assert everything(swept) == before


def test_inside_sees_what_the_commit_wrote(swept: Database) -> None:
    seen: list[int] = []

    def look(connection: Connection) -> None:
        found = read.current(connection, ALL, "Patient", "1")
        assert found is not None
        seen.append(found.version)

    writer(swept).commit(bundle(entry("PUT", "Patient/1", patient("1"))), ALL, inside=look)
    assert seen == [1]


def test_the_outbox_has_a_row_for_each_change_and_none_for_what_changed_nothing(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("1"))
    put(writes, patient("1"))
    writes.commit([single("DELETE", "Patient", id="1")], ALL)
    writes.commit([single("DELETE", "Patient", id="1")], ALL)
    put(writes, patient("1"))
    assert [row[2] for row in everything(swept)["outbox"]] == ["Patient/1/1", "Patient/1/2", "Patient/1/3"]


def test_an_outbox_row_that_is_there_already_stays_as_it_is(swept: Database) -> None:
    def twice(changes: Sequence[Change]) -> Iterable[dict[str, Any]]:
        for row in events(changes):
            yield row | {"key": "one"}
            yield row | {"key": "one", "payload": b"second"}

    writes = Transactions(swept, validator, twice, BASE)
    put(writes, patient("1"))
    put(writes, patient("2"))
    assert [(row[2], bytes(row[4])) for row in everything(swept)["outbox"]] == [("one", b"{}")]


def test_changes_say_what_was_and_what_is(swept: Database) -> None:
    seen: list[Change] = []

    def keep(changes: Sequence[Change]) -> Iterable[dict[str, Any]]:
        seen.extend(changes)
        return ()

    writes = Transactions(swept, validator, keep, BASE)
    put(writes, patient("1"))
    put(writes, patient("1", active=True))
    writes.commit([single("DELETE", "Patient", id="1")], ALL)
    told = [(c.version, c.before and c.before.get("active", "-"), c.now and c.now.get("active", "-")) for c in seen]
    assert told == [(1, None, "-"), (2, "-", True), (3, True, None)]
    assert {(c.type, c.id, c.who) for c in seen} == {("Patient", "1", "hub")}


def test_a_clock_that_jumps_back_makes_nothing_older(swept: Database) -> None:
    start = clock.now()
    moments = {70: start, 71: start - timedelta(days=400), 72: start - timedelta(days=1), 73: start}
    times = [put(writer(swept, lambda: at), patient("1", birthDate=f"19{n}")).stored for n, at in moments.items()]  # noqa: B023
    stamps = [found.last_updated for found in times if found]
    assert stamps == sorted(set(stamps))
    assert [found.version for found in times if found] == [1, 2, 3, 4]


def test_references_between_entries_become_literal_wherever_they_stand(swept: Database) -> None:
    sent = observation(
        subject={"reference": "urn:uuid:p"},
        extension=[{"url": "https://x.invalid", "valueReference": {"reference": "urn:uuid:p"}},
                   {"url": "https://x.invalid", "valueUri": "urn:uuid:p"}],
        identifier=[{"system": "urn:ietf:rfc:3986", "value": "urn:uuid:p"}],
        note=[{"text": "urn:uuid:p is only mentioned"}],
    )  # fmt: skip
    made, _ = writer(swept).commit(
        bundle(entry("POST", "Observation", sent), entry("PUT", "Patient/p", patient("p"), full_url="urn:uuid:p")),
        ALL,
        many=True,
    )
    assert made.stored is not None
    found = current(swept, "Observation", made.stored.id)
    assert found["subject"] == {"reference": "Patient/p"}
    assert found["extension"][0]["valueReference"] == {"reference": "Patient/p"}
    assert found["extension"][1]["valueUri"] == "Patient/p"
    assert found["identifier"][0]["value"] == "urn:uuid:p", "a string, not a URI"
    assert found["note"][0]["text"] == "urn:uuid:p is only mentioned"


def test_a_reference_to_what_a_condition_found_points_there(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("p", identifier=mrn("1")))
    entries = (
        entry("POST", "Patient", patient(identifier=mrn("1")), full_url="urn:uuid:p", ifNoneExist=f"{BY}1"),
        entry("PUT", "Observation/o", observation("o", subject={"reference": "urn:uuid:p"})),
        entry("PUT", "Observation/q", observation("q", subject={"reference": f"Patient?{BY}1"})),
    )
    assert [r.status for r in writes.commit(bundle(*entries), ALL, many=True)] == [200, 201, 201]
    for identity in ("o", "q"):
        assert current(swept, "Observation", identity)["subject"]["reference"] == "Patient/p"


def test_a_conditional_reference_sees_the_commits_own_writes_and_not_what_it_deletes(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("old", identifier=mrn("1")))
    referring = entry("PUT", "Observation/o", observation("o", subject={"reference": f"Patient?{BY}1"}))
    new = entry("PUT", "Patient/new", patient("new", identifier=mrn("1")))
    with pytest.raises(Problem) as caught:
        writes.commit(bundle(referring, new), ALL, many=True)
    assert caught.value.kind == "multiple-matches"
    with pytest.raises(Problem) as caught:
        writes.commit(bundle(referring, entry("DELETE", "Patient/old")), ALL, many=True)
    assert caught.value.kind == "no-match"
    writes.commit(bundle(referring, new, entry("DELETE", "Patient/old")), ALL, many=True)
    assert current(swept, "Observation", "o")["subject"]["reference"] == "Patient/new"
    renamed = entry("PUT", "Patient/new", patient("new", identifier=mrn("2")))
    with pytest.raises(Problem) as caught:
        writes.commit(bundle(referring, renamed), ALL, many=True)
    assert caught.value.kind == "no-match"


OF_X = "organization.name=X"


def test_a_conditional_reference_that_looks_further_finds_what_its_commit_updates(swept: Database) -> None:
    writes = writer(swept)
    put(writes, {"resourceType": "Organization", "id": "x", "name": "X"})
    at_x = {"managingOrganization": {"reference": "Organization/x"}}
    put(writes, patient("p", identifier=mrn("1"), **at_x))
    for condition, update, found in (
        (OF_X, patient("p", active=True, identifier=mrn("1"), **at_x), True),
        (f"{OF_X}&{BY}1", patient("p", active=False, identifier=mrn("1"), **at_x), True),
        (f"{OF_X}&{BY}1", patient("p", identifier=mrn("2"), **at_x), False),
        (OF_X, None, False),
    ):
        referring = entry("PUT", "Observation/o", observation("o", subject={"reference": f"Patient?{condition}"}))
        change = entry("PUT", "Patient/p", update) if update else entry("DELETE", "Patient/p")
        if found:
            writes.commit(bundle(referring, change), ALL, many=True)
            assert current(swept, "Observation", "o")["subject"]["reference"] == "Patient/p"
            assert current(swept, "Patient", "p")["active"] is (update or {})["active"]
            continue
        with pytest.raises(Problem) as caught:
            writes.commit(bundle(referring, change), ALL, many=True)
        assert caught.value.kind == "no-match"


def test_a_conditional_create_is_answered_with_the_version_its_commit_leaves(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("p", identifier=mrn("1")))
    create = entry("POST", "Patient", patient(identifier=mrn("1")), ifNoneExist=f"{BY}1")
    for number, changed in enumerate((patient("p", identifier=mrn("1"), active=True), patient("p")), start=2):
        found, updated = writes.commit(bundle(create, entry("PUT", "Patient/p", changed)), ALL, many=True)
        assert (found.status, updated.status) == (200, 200)
        assert found.stored == updated.stored
        assert found.stored is not None
        assert found.stored.version == number


def test_a_conditional_create_does_not_find_what_its_commit_deletes(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("old", identifier=mrn("1")))
    create = entry("POST", "Patient", patient(identifier=mrn("1")), ifNoneExist=f"{BY}1")
    created, deleted = writes.commit(bundle(create, entry("DELETE", "Patient/old")), ALL, many=True)
    assert (created.status, deleted.status) == (201, 204)


def test_a_deletion_with_a_resource_along_deletes(swept: Database) -> None:
    writes = writer(swept)
    put(writes, patient("1"))
    (done,) = writes.commit(bundle(entry("DELETE", "Patient/1", patient("1", active=True))), ALL, many=True)
    assert (done.status, done.stored and done.stored.deleted) == (204, True)


def test_a_commit_of_the_most_entries_is_one_version_each(swept: Database) -> None:
    names = (f"p{n}" for n in count())
    entries = bundle(
        *(entry("PUT", f"Patient/{name}", patient(name)) for name, _ in zip(names, range(500), strict=False))
    )
    writes = writer(swept)
    assert {r.status for r in writes.commit(entries, ALL, many=True)} == {201}
    assert {r.status for r in writes.commit(entries, ALL, many=True)} == {200}
    assert len(everything(swept)["history"]) == 0
