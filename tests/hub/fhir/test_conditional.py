"""Entries and references by an identifier."""

from uuid import NAMESPACE_URL, uuid5

import pytest

from hub.fhir import conditional


def test_what_separates_values_in_a_search_is_escaped_in_one() -> None:
    assert conditional.query("urn:a b", "1|2,3$4\\5") == "identifier=urn:a%20b|1%5C%7C2%5C%2C3%5C%244%5C%5C5"


@pytest.mark.parametrize("value", ["V1", "V" * 1000])
def test_one_identifier_has_one_full_url(value: str) -> None:
    expected = f"urn:uuid:{uuid5(NAMESPACE_URL, f'urn:a|Encounter|{value}')}"
    assert [conditional.full_url("urn:a", "Encounter", value) for _ in range(2)] == [expected] * 2


def test_long_texts_of_a_sender_are_not_remembered() -> None:
    conditional._url_of.cache_clear()
    conditional.full_url("urn:a", "Encounter", "V1")
    conditional.full_url("urn:a", "Encounter", "V" * 1000)
    assert conditional._url_of.cache_info().currsize == 1
