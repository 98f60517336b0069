"""Our expansions have the codes of the official ones (npm package hl7.fhir.r4.expansions@4.0.1).

The package is no part of the project: without it this file is skipped. Abstract and no longer active codes are
left out of the comparison: the official expansions have them in some value sets and not in others.
"""

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from conformance.terminology.value_sets import Codes, Unknown
from tests.conformance.terminology.asking import shipped

PACKAGES = Path(os.environ.get("FHIR_PACKAGES", "/work/shared/packages"))
PACKAGE = PACKAGES / "hl7.fhir.r4.expansions-4.0.1.tgz"
EXPLAINED = {
    "http://hl7.org/fhir/ValueSet/c80-doc-typecodes": "the official expansion stops at 1,000 of 6,401 codes",
    "http://hl7.org/fhir/ValueSet/detectedissue-category": "it leaves out children given as the property `child`",
    "http://terminology.hl7.org/ValueSet/v3-ActPharmacySupplyType": "it leaves out children given as `child`",
    "http://dicom.nema.org/medical/dicom/current/output/chtml/part16/sect_CID_29.html": "not in the definitions",
}
NOT_HERE = 56  # value sets over systems whose content is not here: 43 of SNOMED CT, 6 of LOINC, 7 of others


def official() -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {}
    with tarfile.open(PACKAGE) as archive:
        for member in archive:
            if member.name.startswith("package/ValueSet-") and member.name.endswith(".json"):
                file = archive.extractfile(member)
                resource = json.load(file) if file else {}
                if "expansion" in resource:
                    found[resource["url"]] = set(flat(resource["expansion"].get("contains", ())))
    return found


def flat(nodes: Any) -> list[tuple[str, str]]:
    own = [(node["system"], node["code"]) for node in nodes if "code" in node]
    return own + [pair for node in nodes for pair in flat(node.get("contains", ()))]


def differs(codes: Codes, expected: set[tuple[str, str]]) -> bool:
    entries = list(codes.entries())
    everything = {(entry.system, entry.code) for entry in entries}
    chosen = {(e.system, e.code) for e in entries if not e.inactive and not e.abstract}
    return not chosen <= expected <= everything


@pytest.mark.long
@pytest.mark.skipif(not PACKAGE.exists(), reason="the official expansions are not on this machine")
def test_every_value_set_whose_content_is_here_has_the_official_codes() -> None:
    others, not_here, same = set(), 0, 0
    for url, expected in official().items():
        codes = shipped().codes(url)
        try:
            if codes is None or differs(codes, expected):
                others.add(url)
            else:
                same += 1
        except Unknown:
            not_here += 1
    assert others == set(EXPLAINED)
    assert not_here == NOT_HERE
    assert same > 480
