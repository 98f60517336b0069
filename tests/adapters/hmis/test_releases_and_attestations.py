"""The two files of the hub's own layout: releases of information, attestations of a loss of housing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.hmis.attestations import read_attestations
from adapters.hmis.releases import read_releases
from conformance.validation import structure
from fhir_mappings.hmis import imminent_loss, release_consent
from hub import clock
from hub.feeds.records import Feed, Reject, Row, Unmapped, Whole
from hub.rights.consents import rules_of
from hub.rights.labels import HMIS, labels_of
from hub.rights.part2 import NO_PART2
from hub.search.edges import address
from tests.adapters.hmis.exports import kept

SYSTEM = "https://hmis.example/coc"
AGENCIES = {"Harbor Clinic": "Organization/harbor", "Bridge Housing": "Organization/bridge"}
ROI = Feed("example-roi", "hmis-roi", SYSTEM, options={"agencies": AGENCIES})
LOSS = Feed("example-loss", "hmis-attestation", SYSTEM)
HEAD = "roi_id,personal_id,start,end,agencies,form,revoked"
BASE = "http://hub.test/fhir"


def releases(tmp_path: Path, *lines: str, feed: Feed = ROI, head: str = HEAD) -> list[Any]:
    path = tmp_path / "roi.csv"
    path.write_text("\n".join([head, *lines, ""]))
    return list(read_releases(path, feed))


def consent(tmp_path: Path, line: str, feed: Feed = ROI) -> dict[str, Any]:
    given = releases(tmp_path, line, feed=feed)
    assert [one for one in given if isinstance(one, Reject)] == []
    (subject,) = kept(given, feed).values()
    assert release_consent.about(subject) == "c-1"
    (made,) = release_consent.consents(subject, "Patient/p1")
    assert list(structure.validate({**made, "id": "x"})) == []
    return made


def opened(made: dict[str, Any]) -> dict[int, int]:
    """Labels by recipient."""
    return {row[1]: row[4] for row in rules_of(made, BASE) if row[3]}


def test_a_release_opens_hmis_to_the_agencies_that_it_names(tmp_path: Path) -> None:
    made = consent(tmp_path, "r-1,c-1,2026-01-01,2027-01-01,Harbor Clinic; Bridge Housing,written,")
    assert opened(made) == {address("Organization", one): HMIS for one in ("harbor", "bridge")}
    assert labels_of(made, "", NO_PART2) == HMIS
    assert made["provision"]["period"] == {"start": "2026-01-01", "end": "2027-01-01"}


def test_a_release_that_was_revoked_opens_nothing(tmp_path: Path) -> None:
    made = consent(tmp_path, "r-1,c-1,2026-01-01,2027-01-01,Harbor Clinic,written,2026-02-01")
    assert (made["status"], made["provision"]["period"]["end"], opened(made)) == ("inactive", "2026-02-01", {})


def test_a_revocation_does_not_wait_for_an_agency_that_nobody_knows(tmp_path: Path) -> None:
    made = consent(tmp_path, "r-1,c-1,2026-01-01,2027-01-01,Somewhere Else,written,2026-02-01")
    assert (made["status"], opened(made)) == ("inactive", {})


def test_a_release_to_an_agency_that_nobody_knows_waits(tmp_path: Path) -> None:
    with pytest.raises(Unmapped):
        consent(tmp_path, "r-1,c-1,2026-01-01,2027-01-01,Harbor Clinic;Somewhere Else,written,")


def test_a_release_that_begins_later_opens_nothing_before(tmp_path: Path) -> None:
    made = consent(tmp_path, "r-1,c-1,2126-01-01,2127-01-01,Harbor Clinic,written,")
    (low,) = {row[6] for row in rules_of(made, BASE)}
    assert low > clock.micros(clock.now())


def test_a_verbal_release_ends_as_soon_as_the_feed_says(tmp_path: Path) -> None:
    line = "r-1,c-1,2026-01-01,2027-01-01,Harbor Clinic,verbal,"
    short = replace(ROI, options={"agencies": AGENCIES, "verbal_days": 30})
    assert consent(tmp_path, line)["provision"]["period"]["end"] == "2027-01-01"
    assert consent(tmp_path, line, short)["provision"]["period"]["end"] == "2026-01-31"
    assert consent(tmp_path, line)["category"][1]["coding"][0]["code"] == "verbal"


def test_a_refusal_denies_hmis_to_everybody(tmp_path: Path) -> None:
    made = consent(tmp_path, "r-1,c-1,2026-01-01,,,refused,")
    assert [(row[3], row[4]) for row in rules_of(made, BASE)] == [(False, HMIS)]


def test_a_release_that_is_gone_from_a_whole_file_is_over(tmp_path: Path) -> None:
    feed = replace(ROI, options={**ROI.options, "whole": True})
    line = "r-1,c-1,2026-01-01,2027-01-01,Harbor Clinic,written,"
    given = releases(tmp_path, line, feed=feed)
    assert isinstance(given[-1], Whole)
    assert not any(isinstance(one, Whole) for one in releases(tmp_path, line))
    assert not any(isinstance(one, Whole) for one in releases(tmp_path, line, "r-2,c-1,x,,,written,", feed=feed))
    (subject,) = kept(given, feed).values()
    gone = replace(subject, rows=[replace(row, deleted=True) for row in subject.rows])
    assert release_consent.consents(gone, "Patient/p1")[0]["status"] == "inactive"


BAD = {
    "r-1,,2026-01-01,2027-01-01,Harbor Clinic,written,": ("REQUIRED", "personal_id"),
    "r-1,c-1,,2027-01-01,Harbor Clinic,written,": ("REQUIRED", "start"),
    "r-1,c-1,2026-01-01,,Harbor Clinic,written,": ("REQUIRED", "end"),
    "r-1,c-1,2026-01-01,2027-01-01,;,written,": ("REQUIRED", "agencies"),
    "r-1,c-1,2026-01-01,2025-01-01,Harbor Clinic,written,": ("DATE", "end"),
    "r-1,c-1,2026-02-30,2127-01-01,Harbor Clinic,written,": ("DATE", "start"),
    "r-1,c-1,2026-01-01,2027-01-01,Harbor Clinic,shouted,": ("CODE", "form"),
    "r-1,c-1,2026-01-01,2027-01-01,Harbor Clinic,written,soon": ("DATE", "revoked"),
}


@pytest.mark.parametrize("line", BAD)
def test_a_release_that_says_too_little_is_refused(tmp_path: Path, line: str) -> None:
    found = releases(tmp_path, line)
    assert [(one.code, one.column) for one in found] == [BAD[line]]


def test_a_file_without_a_column_is_refused(tmp_path: Path) -> None:
    (found,) = releases(tmp_path, head=HEAD.replace(",revoked", ""))
    assert (found.code, found.column, found.whole) == ("HEADER_MISSING", "revoked", True)


LOSS_HEAD = "attestation_id,personal_id,cin,attested_date,expected_loss_date,attested_by"


def attestations(tmp_path: Path, *lines: str) -> list[Any]:
    path = tmp_path / "loss.csv"
    path.write_text("\n".join([LOSS_HEAD, *lines, ""]))
    return list(read_attestations(path, LOSS))


@pytest.mark.parametrize(
    ("expected", "code"), [("2026-01-01", "at-risk-30"), ("2026-01-31", "at-risk-30"), ("2026-02-01", "not-shown")]
)
def test_a_loss_within_thirty_days_is_imminent(tmp_path: Path, expected: str, code: str) -> None:
    given = attestations(tmp_path, f"a-1,c-1,,2026-01-01,{expected},Example Case Manager")
    (subject,) = kept(given, LOSS).values()
    assert imminent_loss.about(subject) == "c-1"
    (made,) = imminent_loss.observations(subject, "Patient/p1")
    assert list(structure.validate({**made, "id": "x"})) == []
    assert made["valueCodeableConcept"]["coding"][0]["code"] == code
    assert made["component"][0]["code"]["coding"][0]["code"] == "ATTESTED-30"


def test_an_attestation_may_name_the_member_by_cin(tmp_path: Path) -> None:
    (subject,) = kept(attestations(tmp_path, "a-1,,91234567A,2026-01-01,2026-01-10,Example"), LOSS).values()
    assert imminent_loss.about(subject) == "91234567A"


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ("a-1,,,2026-01-01,2026-01-10,Example", "REQUIRED", "personal_id"),
        ("a-1,c-1,91234567A,2026-01-01,2026-01-10,Example", "REQUIRED", "personal_id"),
        ("a-1,,912,2026-01-01,2026-01-10,Example", "IDENTIFIER", "cin"),
        ("a-1,c-1,,2026-01-10,2026-01-01,Example", "DATE", "expected_loss_date"),
        ("a-1,c-1,,2126-01-10,2126-01-11,Example", "DATE", "attested_date"),
        ("a-1,c-1,,2026-01-10,2026-01-11,", "REQUIRED", "attested_by"),
    ],
)
def test_an_attestation_that_says_too_little_is_refused(tmp_path: Path, line: str, code: str, column: str) -> None:
    found = [one for one in attestations(tmp_path, line) if not isinstance(one, Row)]
    assert (found[0].code, found[0].column) == (code, column)
