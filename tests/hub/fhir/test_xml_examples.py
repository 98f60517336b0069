"""The official R4 examples (CC0) come back from XML as they went in.

All 5,305 are tried when a folder of the unpacked package hl7.fhir.r4.examples 4.0.1 is named by HUB_FHIR_EXAMPLES
or lies in /tmp/exp/package; the test says so when it is not there.
"""

import os
from pathlib import Path

import pytest

from hub.fhir import json, xml

HERE = Path(__file__).resolve().parents[2] / "conformance" / "examples"
PACKAGE = Path(os.environ.get("HUB_FHIR_EXAMPLES", "/tmp/exp/package"))


@pytest.mark.parametrize("path", sorted(HERE.glob("*.json")), ids=lambda path: path.stem)
def test_an_official_example_comes_back_byte_for_byte(path: Path) -> None:
    resource = json.read(path.read_bytes())
    assert json.write(xml.read(xml.write(resource))) == json.write(resource)
    assert xml.read(xml.write(resource, pretty=True)) == resource


def test_the_examples_are_here() -> None:
    assert len(list(HERE.glob("*.json"))) >= 15


@pytest.mark.long
def test_all_official_examples_come_back() -> None:
    files = sorted(PACKAGE.glob("[A-Z]*.json"))
    if not files:
        pytest.skip(f"no official examples in {PACKAGE}: unpack hl7.fhir.r4.examples 4.0.1, set HUB_FHIR_EXAMPLES")
    changed = []
    for path in files:
        resource = json.read(path.read_bytes())
        if json.canonical(xml.read(xml.write(resource))) != json.canonical(resource):
            changed.append(path.stem)  # keys sorted: some examples are not in the official order
    assert changed == []
