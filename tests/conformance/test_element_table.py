"""The shipped table of elements is plain, grouped, and cut from definitions as the builder says."""

import csv
from pathlib import Path
from typing import Any

from conformance.definitions.element_table import rows

TABLE = Path(__file__).resolve().parents[2] / "hub" / "fhir" / "r4_elements.csv"
SYSTEM_STRING = {"code": "http://hl7.org/fhirpath/System.String"}


def element(path: str, *codes: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "min": 0, "max": "1", "type": [{"code": code} for code in codes]} | more


def definition(kind: str, *elements: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "snapshot": {"element": list(elements)}}


def test_the_rows_of_a_holder_stand_together_and_holders_are_sorted() -> None:
    body = TABLE.read_bytes()
    assert b"\r" not in body
    assert b'"' not in body  # so that a line is split at its commas
    found = list(csv.DictReader(body.decode("ascii").splitlines()))
    holders = [row["holder"] for row in found]
    assert holders == sorted(holders)
    assert len({(row["holder"], row["name"]) for row in found}) == len(found) == 7391


def test_elements_become_rows() -> None:
    thing = definition(
        "resource",
        element("Thing"),
        element("Thing.id", type=[SYSTEM_STRING], isSummary=True),
        element("Thing.value[x]", "string", "Quantity", min=1, isModifier=True),
        element("Thing.part", "BackboneElement", max="*"),
        element("Thing.part.id", type=[SYSTEM_STRING], representation=["xmlAttr"]),
        element("Thing.part.none", "string", max="0"),
        element("Thing.part.part", max="3", contentReference="#Thing.part"),
    )
    extension = definition(
        "complex-type", element("Extension.url", type=[SYSTEM_STRING], min=1, representation=["xmlAttr"])
    )
    assert rows([thing, extension, definition("primitive-type", element("string.value", "string"))]) == [
        ("Extension", "url", "uri", "1", "1", "a"),
        ("Thing", "id", "id", "0", "1", "s"),
        ("Thing", "value[x]", "string Quantity", "1", "1", "m"),
        ("Thing", "part", "Thing.part", "0", "*", ""),
        ("Thing.part", "id", "string", "0", "1", "a"),
        ("Thing.part", "part", "Thing.part", "0", "3", ""),
    ]
