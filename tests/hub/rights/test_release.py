"""What leaves carries its labels; what is under 42 CFR Part 2 also the notice and the consents."""

import json as plain
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hub.fhir import json
from hub.release import bundle_notice, bundle_security, carried, needs_notice, released
from hub.rights.labels import (
    COUNSELLING,
    HIV,
    LABELS,
    NO_PART2,
    OTHER,
    PART2,
    PSY,
    SUD,
    closed,
    labels_of,
    with_labels,
)
from hub.rights.part2 import BASIS, DISPLAY, NOTICE, RELATED, SHORT_NOTICE

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PACKAGE = Path("/work/shared/packages/BUILT-hl7.fhir.uv.security-label-ds4p-1.0.0.tgz")
RECORD = PART2 | SUD
BODY = b'{"resourceType":"Observation","id":"o","meta":{"versionId":"1"},"valueQuantity":{"value":72.50}}'


def act(code: str) -> dict[str, str]:
    return {"system": ACT_CODE, "code": code}


def codes(codings: list[dict[str, Any]]) -> list[str]:
    return [coding["code"] for coding in codings]


def of(body: bytes) -> dict[str, Any]:
    return dict(plain.loads(body)["meta"])


def test_without_labels_the_bytes_are_those_stored() -> None:
    assert released(BODY, 0, ["Consent/a"]) is BODY


def test_an_old_version_gets_the_labels_of_its_row() -> None:
    meta = of(released(BODY, HIV | PSY, []))
    assert codes(meta["security"]) == ["R", "PSY", "HIV"]
    assert "extension" not in meta
    assert meta["versionId"] == "1"
    assert b"72.50" in released(BODY, HIV, [])


def test_a_resource_that_has_them_leaves_as_it_is_stored() -> None:
    stored = json.write(with_labels(json.stored(BODY), HIV))
    assert released(stored, HIV, ["Consent/a"]) is stored


@pytest.mark.parametrize(
    ("labels", "consents", "noticed"),
    [
        (RECORD, [], True),
        (RECORD, ["Consent/a"], True),
        (closed(COUNSELLING), [], True),
        (SUD, ["Consent/a"], True),
        (SUD, [], False),
        (HIV | PSY, ["Consent/a"], False),
        (OTHER, ["Consent/a"], False),
        (0, ["Consent/a"], False),
    ],
)
def test_the_notice_goes_with_each_part_2_record_and_what_a_consent_released_of_substance_use(
    labels: int, consents: list[str], noticed: bool
) -> None:
    assert needs_notice(labels, consents) is noticed
    assert (SHORT_NOTICE.encode() in released(BODY, labels, consents)) is noticed
    assert ("NORDSCLCD" in codes(bundle_security([0, labels], consents))) is noticed
    assert (b"NORDSCLCD" in released(BODY, labels, consents)) is noticed


def test_a_part_2_record_says_why_and_under_which_consents() -> None:
    meta = of(released(BODY, RECORD, ["Consent/b", "Consent/a", "Consent/b"]))
    assert codes(meta["security"]) == ["R", "42CFRPart2", "SUD", "NORDSCLCD"]
    assert meta["security"][-1] == {
        "extension": [
            {"url": BASIS, "valueCoding": act("42CFRPart2")},
            {"url": RELATED, "valueRelatedArtifact": {"type": "justification", "url": "Consent/a"}},
            {"url": RELATED, "valueRelatedArtifact": {"type": "justification", "url": "Consent/b"}},
        ],
        **act("NORDSCLCD"),
        "display": "no redisclosure without consent directive",
    }
    assert meta["extension"] == [{"url": DISPLAY, "valueAnnotation": {"text": SHORT_NOTICE}}]


def test_what_is_not_known_to_be_a_part_2_record_is_not_called_one() -> None:
    meta = of(released(BODY, SUD, ["Consent/a"]))
    assert [one["url"] for one in meta["security"][-1]["extension"]] == [RELATED]
    assert "42CFRPart2" not in codes(meta["security"])


@pytest.mark.skipif(not PACKAGE.exists(), reason="the DS4P package is not on this machine")
def test_the_extensions_are_those_of_ds4p() -> None:
    with tarfile.open(PACKAGE) as package:
        for url, value in ((BASIS, "Coding"), (RELATED, "RelatedArtifact"), (DISPLAY, "Annotation")):
            file = package.extractfile(f"package/{url.rsplit('/', 1)[1]}.json")
            assert file is not None
            definition = plain.load(file)
            assert definition["url"] == url
            elements = {e["path"]: e for e in definition["differential"]["element"]}
            types = [t["code"] for e in elements.values() for t in e.get("type", ()) if "value" in e["path"]]
            assert types == [value]


@pytest.mark.parametrize("labels", [RECORD, SUD, closed(COUNSELLING), HIV, OTHER, RECORD | OTHER])
@pytest.mark.parametrize("consents", [[], ["Consent/a"], ["Consent/a", "Consent/b"]])
def test_who_sends_a_released_copy_back_changes_nothing(labels: int, consents: list[str]) -> None:
    stored = with_labels({**json.stored(BODY), "meta": {"extension": [{"url": "https://x.example"}]}}, labels)
    copy = carried(stored, labels, consents)
    assert labels_of(copy, "", NO_PART2) == labels
    assert with_labels(copy, labels) == stored
    assert carried(copy, labels, consents) == copy


def test_nobody_learns_of_the_consents_of_another_recipient() -> None:
    mine = carried(json.stored(BODY), RECORD, ["Consent/mine"])
    assert b"Consent/mine" not in released(json.write(with_labels(mine, RECORD)), RECORD, ["Consent/yours"])
    assert b"Consent/mine" not in released(json.write(mine), RECORD, ["Consent/yours"])


def test_what_a_client_says_itself_of_redisclosure_is_kept() -> None:
    stored = with_labels({**json.stored(BODY), "meta": {"security": [act("NORDSCLCD")]}}, RECORD)
    assert codes(stored["meta"]["security"]).count("NORDSCLCD") == 1
    copy = carried(stored, RECORD, [])
    assert codes(copy["meta"]["security"]).count("NORDSCLCD") == 2
    assert with_labels(copy, RECORD) == stored


def test_a_bundle_is_as_sensitive_as_its_entries() -> None:
    assert bundle_security([]) == bundle_security([0, 0]) == []
    assert codes(bundle_security([0, HIV, PSY])) == ["R", "PSY", "HIV"]
    assert codes(bundle_security([HIV, OTHER])) == ["V", "HIV"]
    assert codes(bundle_security([RECORD, HIV], ["Consent/a"])) == ["R", "42CFRPart2", "SUD", "HIV", "NORDSCLCD"]
    for label in LABELS:
        held = {"resourceType": "Bundle", "meta": {"security": bundle_security([label.bit])}}
        assert labels_of(held, "", NO_PART2) == closed(label.bit)


def test_a_search_answer_carries_the_whole_notice_and_the_consents() -> None:
    entry = bundle_notice(["Consent/b", "Consent/a"])
    assert entry["search"] == {"mode": "outcome"}
    issues = entry["resource"]["issue"]
    assert [(one["severity"], one["code"]) for one in issues] == [("information", "informational")] * 2
    assert issues[0]["diagnostics"] == NOTICE
    assert issues[1]["diagnostics"].endswith(": Consent/a, Consent/b")
    assert len(bundle_notice([])["resource"]["issue"]) == 1
