"""The rows that a change writes are the difference of all rows, whichever members changed."""

from typing import Any

import pytest

from hub.search.index import index_change, index_rows

BASE = "https://hub.example/fhir"
TASK: dict[str, Any] = {
    "resourceType": "Task",
    "id": "t1",
    "status": "requested",
    "intent": "order",
    "for": {"reference": "Patient/p1"},
    "focus": {"reference": "ServiceRequest/s1"},
    "requester": {"reference": "Practitioner/d1"},
    "owner": {"reference": "Practitioner/d1"},
    "authoredOn": "2026-10-20T09:00:00Z",
}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "name": [{"family": "Testperson", "given": ["Quillon"]}],
    "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "a@example.org"}],
    "deceasedBoolean": False,
    "meta": {"versionId": "1"},
}
CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": (TASK, {}),
    "a code": (TASK, {"status": "completed"}),
    "a date": (TASK, {"authoredOn": "2026-10-21T09:00:00Z"}),
    "one of two references to the same": (TASK, {"owner": {"reference": "Practitioner/d2"}}),
    "a reference goes": (TASK, {"owner": None}),
    "the patient": (TASK, {"for": {"reference": "Patient/p2"}}),
    "what is usual goes": (TASK, {"authoredOn": None}),
    "what is not usual comes": (TASK, {"groupIdentifier": {"value": "g"}}),
    "telecom": (PATIENT, {"telecom": [{"system": "phone", "value": "2"}]}),
    "a name goes": (PATIENT, {"name": None}),
    "another type of a choice": (PATIENT, {"deceasedBoolean": None, "deceasedDateTime": "2026-01-01"}),
    "a tag": (PATIENT, {"meta": {"versionId": "2", "tag": [{"system": "urn:s", "code": "c"}]}}),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_writes_the_difference_of_all_rows(case: str) -> None:
    before, members = CHANGES[case]
    now = {name: value for name, value in {**before, **members}.items() if value is not None}
    whole_before, whole_now = index_rows(before, BASE), index_rows(now, BASE)
    some_before, some_now = index_change(before, now, BASE)
    for table in ("tokens", "dates", "strings", "numbers", "edges"):
        was, is_ = getattr(some_before, table), getattr(some_now, table)
        assert was - is_ == getattr(whole_before, table) - getattr(whole_now, table), table
        assert is_ - was == getattr(whole_now, table) - getattr(whole_before, table), table
