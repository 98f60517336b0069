"""References of a commit: literal once it is stored, and (where asked for) leading somewhere."""

from typing import Any

import pytest

from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import entries_of
from hub.problems import Problem
from hub.store import read
from hub.store.engine import Database
from hub.transactions import Result, Transactions, single
from tests.hub.asking import BASE, entry, observation, patient, validator

ALL = Access.system("tests")
WRITES_OBSERVATIONS = Access(
    "w", frozenset({("Observation", "c"), ("Observation", "u"), ("Observation", "r")}), sight=ALL.sight
)
THERE = "https://there.example/r4"


def commit(
    database: Database, *entries: dict[str, Any], access: Access = ALL, strict: bool = False
) -> list[Result]:
    writes = Transactions(database, validator, lambda changes: (), BASE, integrity=strict)
    return writes.commit(entries_of({"type": "transaction", "entry": list(entries)}, 500), access, many=True)


def about(reference: str) -> dict[str, Any]:
    return observation(subject={"reference": reference})


def stored(database: Database, result: Result) -> dict[str, Any]:
    assert result.stored is not None
    with database.read() as connection:
        found = read.current(connection, ALL, result.stored.type, result.stored.id)
    assert found is not None
    assert found.body is not None
    return json.stored(found.body)


# the fullUrl of the entry that refers, the reference, what it becomes (`!`: the new Patient)
REFERENCES = {
    "relative": (f"{THERE}/Observation/o", "Patient/temporary", "!"),
    "relative, a version": (f"{THERE}/Observation/o/_history/1", "Patient/temporary", "!"),
    "absolute": (f"{THERE}/Observation/o", f"{THERE}/Patient/temporary", "!"),
    "absolute, from a urn": ("urn:uuid:o", f"{THERE}/Patient/temporary", "!"),
    "absolute, from nowhere": ("", f"{THERE}/Patient/temporary", "!"),
    "relative, from a urn": ("urn:uuid:o", "Patient/temporary", "Patient/temporary"),
    "relative, from nowhere": ("", "Patient/temporary", "Patient/temporary"),
    "relative, from another server": (
        "https://other.example/r4/Observation/o",
        "Patient/temporary",
        "Patient/temporary",
    ),
    "relative, from what is no type": (f"{THERE}/Thing/o", "Patient/temporary", "Patient/temporary"),
    "another": (f"{THERE}/Observation/o", "Patient/another", "Patient/another"),
}


@pytest.mark.parametrize(("full_url", "reference", "becomes"), REFERENCES.values(), ids=REFERENCES)
def test_a_reference_is_read_against_the_full_url_of_its_entry(
    swept: Database, full_url: str, reference: str, becomes: str
) -> None:
    referring = entry("POST", "Observation", about(reference), **({"full_url": full_url} if full_url else {}))
    new = entry("POST", "Patient", patient("temporary"), full_url=f"{THERE}/Patient/temporary")
    made, target = commit(swept, referring, new)
    assert target.stored is not None
    wanted = f"Patient/{target.stored.id}" if becomes == "!" else becomes
    assert stored(swept, made)["subject"]["reference"] == wanted


def test_two_entries_have_no_full_url_in_common(swept: Database) -> None:
    twice = [entry("POST", "Patient", patient(), full_url="urn:uuid:p") for _ in range(2)]
    with pytest.raises(Problem) as caught:
        commit(swept, *twice)
    assert (caught.value.kind, caught.value.issues[0].where) == ("duplicate", "Bundle.entry[1]")


def test_what_is_deleted_is_not_referred_to_by_its_full_url(swept: Database) -> None:
    with pytest.raises(Problem) as caught:
        commit(
            swept,
            entry("DELETE", "Patient/1", full_url="urn:uuid:p"),
            entry("POST", "Observation", about("urn:uuid:p")),
        )
    assert caught.value.kind == "unresolved"


UUID = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"
SPELLED = {
    "a uuid": (UUID, UUID),
    "its digits in capitals": (UUID, "urn:uuid:C757873D-EC9A-4326-A141-556F43239520"),
    "all of it in capitals": (UUID, UUID.upper()),
    "the fullUrl in capitals": (UUID.upper(), UUID),
    "an oid": ("urn:oid:1.2.3", "urn:oid:1.2.3"),
    "an oid in capitals": ("urn:oid:1.2.3", "URN:OID:1.2.3"),
}


@pytest.mark.parametrize(("full_url", "reference"), SPELLED.values(), ids=SPELLED)
def test_names_are_resolved_however_they_are_spelled_and_refused_where_nobody_has_them(
    swept: Database, full_url: str, reference: str
) -> None:
    referring = entry("POST", "Observation", about(reference))
    made, new = commit(swept, referring, entry("POST", "Patient", patient(), full_url=full_url))
    assert new.stored is not None
    assert stored(swept, made)["subject"]["reference"] == f"Patient/{new.stored.id}"
    for others in ([], [entry("POST", "Patient", patient(), full_url="urn:uuid:another")]):
        with pytest.raises(Problem) as caught:
            commit(swept, referring, *others)
        assert (caught.value.kind, caught.value.issues[0].where) == ("unresolved", "Bundle.entry[0]")


def test_two_spellings_are_one_full_url(swept: Database) -> None:
    twice = [entry("POST", "Patient", patient(), full_url=url) for url in (UUID, UUID.upper())]
    with pytest.raises(Problem) as caught:
        commit(swept, *twice)
    assert caught.value.kind == "duplicate"


def test_systems_and_values_of_identifiers_are_no_references(swept: Database) -> None:
    named = [{"system": "urn:oid:1.2.3", "value": "urn:oid:1.2.4"}, {"system": "urn:ietf:rfc:3986", "value": UUID}]
    made, _ = commit(
        swept,
        entry("POST", "Patient", patient(identifier=named)),
        entry("POST", "Patient", patient(), full_url="urn:oid:1.2.3"),
    )
    assert stored(swept, made)["identifier"] == named


MISSING = {
    "never there": "Patient/none",
    "a version of what was never there": "Patient/none/_history/1",
    "by the hub's own address": f"{BASE}/Patient/none",
    "deleted": "Patient/deleted",
    "of another type": "Group/there",
}
FINE = {
    "there": "Patient/there",
    "a version": "Patient/there/_history/1",
    "by the hub's own address": f"{BASE}/Patient/there",
    "in the same Bundle": "Patient/new",
    "itself": "Observation/o",
    "on another server": "https://there.example/r4/Patient/none",
    "a name of something else": "urn:invented:1.2.3",
}


@pytest.fixture
def prepared(swept: Database) -> Database:
    commit(swept, *(entry("PUT", f"Patient/{name}", patient(name)) for name in ("there", "deleted")))
    commit(swept, entry("DELETE", "Patient/deleted"))
    return swept


@pytest.mark.parametrize("reference", MISSING.values(), ids=MISSING)
def test_a_reference_to_nothing_is_refused_where_integrity_is_asked_for(prepared: Database, reference: str) -> None:
    """J23"""
    wrong = entry("PUT", "Observation/o", observation("o", subject={"reference": reference}))
    with pytest.raises(Problem) as caught:
        commit(prepared, entry("POST", "Patient", patient()), wrong, strict=True)
    assert (caught.value.status, caught.value.kind) == (422, "reference-missing")
    assert caught.value.issues[0].where == "Bundle.entry[1].resource"
    commit(prepared, wrong)


@pytest.mark.parametrize("reference", FINE.values(), ids=FINE)
def test_what_leads_somewhere_or_leaves_the_hub_is_fine(prepared: Database, reference: str) -> None:
    pointing = {"reference": reference}
    parts = {"derivedFrom": [pointing]} if "Observation" in reference else {"subject": pointing}
    right = entry("PUT", "Observation/o", observation("o", **parts))
    commit(prepared, right, entry("PUT", "Patient/new", patient("new")), strict=True)


def test_what_is_deleted_in_the_same_commit_is_not_there(prepared: Database) -> None:
    with pytest.raises(Problem) as caught:
        commit(
            prepared,
            entry("DELETE", "Patient/there"),
            entry("POST", "Observation", about("Patient/there")),
            strict=True,
        )
    assert caught.value.kind == "reference-missing"


def test_what_may_not_be_seen_is_answered_like_what_is_not_there(prepared: Database) -> None:
    answers = []
    for target in ("Patient/there", "Patient/none"):
        with pytest.raises(Problem) as caught:
            commit(prepared, entry("POST", "Observation", about(target)), access=WRITES_OBSERVATIONS, strict=True)
        answers.append(caught.value.issues)
    assert answers[0] == answers[1]
    assert answers[0][0].kind == "reference-missing"


def test_one_resource_alone_is_asked_too(prepared: Database) -> None:
    writes = Transactions(prepared, validator, lambda changes: (), BASE, integrity=True)
    with pytest.raises(Problem) as caught:
        writes.commit([single("POST", "Observation", resource=about("Patient/none"))], ALL)
    assert (caught.value.status, caught.value.issues[0].where) == (422, "Observation")
