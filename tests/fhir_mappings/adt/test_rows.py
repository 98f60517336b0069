"""The engine of the row tables."""

from fhir_mappings.adt.rows import filled


def test_what_is_empty_is_left_out_and_zero_and_false_are_values() -> None:
    said = {"none": None, "text": "", "list": [], "object": {}, "zero": 0, "no": False, "word": "x"}
    assert filled(said) == {"zero": 0, "no": False, "word": "x"}
