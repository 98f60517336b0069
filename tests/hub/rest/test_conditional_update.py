"""PUT with a condition that finds nothing: it creates, and never replaces what it did not find."""

import pytest

from tests.hub.asking import Api, entry, mrn, patient, refused

BY_A = "identifier=https://hospital.invalid/mrn|a"
SENT = patient("1", identifier=mrn("a"))


def test_an_unrelated_resource_of_the_same_id_is_not_replaced(api: Api) -> None:
    api.have(patient("1", identifier=mrn("b")))
    before = api.counts()
    refused(api.put(f"/Patient?{BY_A}", SENT), 409, "conflict")
    answer = api.bundle("transaction", entry("POST", "Patient", patient()), entry("PUT", f"Patient?{BY_A}", SENT))
    assert refused(answer, 409, "conflict")["expression"] == ["Bundle.entry[1].resource.id"]
    assert api.counts() == before
    assert api.get("/Patient/1").json["identifier"] == mrn("b")


def test_it_is_refused_even_where_nothing_would_change(api: Api) -> None:
    api.have(patient("1", identifier=mrn("b")))
    refused(api.put(f"/Patient?{BY_A}", patient("1", identifier=mrn("b"))), 409, "conflict")


@pytest.mark.parametrize("deleted", [False, True])
def test_a_free_id_is_used_as_an_update_would(api: Api, deleted: bool) -> None:
    if deleted:
        api.have(patient("1", identifier=mrn("a")))
        assert api.delete("/Patient/1").status_code == 204
    answer = api.put(f"/Patient?{BY_A}", SENT)
    assert (answer.status_code, answer.json["id"]) == (201, "1")
    assert answer.headers["ETag"] == ('W/"3"' if deleted else 'W/"1"')
    again = api.put(f"/Patient?{BY_A}", SENT | {"active": True})
    assert (again.status_code, again.json["id"]) == (200, "1")


def test_without_an_id_the_hub_draws_one(api: Api) -> None:
    api.have(patient("1", identifier=mrn("b")))
    answer = api.put(f"/Patient?{BY_A}", patient(identifier=mrn("a")))
    assert answer.status_code == 201
    assert answer.json["id"] != "1"
