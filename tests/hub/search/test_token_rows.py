"""The rows that a token adds to the index: as many as there are ways to ask for it."""

from hub.search.hashes import key
from hub.search.index import index_rows

PATIENT = {
    "resourceType": "Patient",
    "id": "1",
    "gender": "female",
    "identifier": [{"system": "urn:x", "value": "1"}, {"value": "2"}],
}


def test_a_parameter_whose_tokens_never_have_a_system_has_one_row_a_token() -> None:
    rows = index_rows(PATIENT).tokens
    assert key("Patient", "gender", "c", "female") in rows
    assert key("Patient", "gender", "nc", "female") not in rows


def test_an_identifier_has_a_row_for_each_way_to_ask() -> None:
    rows = index_rows(PATIENT).tokens
    wanted = [("c", "1"), ("sc", "urn:x", "1"), ("s", "urn:x"), ("c", "2"), ("nc", "2")]
    assert {key("Patient", "identifier", *form) for form in wanted} <= rows
    assert key("Patient", "identifier", "nc", "1") not in rows
