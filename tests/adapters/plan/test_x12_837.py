"""837P and 837I become rows: a claim as it was told, each time it was told (docs/plan-837.md)."""

from pathlib import Path
from typing import Any

import pytest

from adapters.plan.x12_answers import answers
from hub.feeds.records import ABOUT
from tests.adapters.plan.made_834 import cin
from tests.adapters.plan.made_837 import (
    DOCTOR,
    NPI,
    body,
    claim,
    header,
    institutional,
    professional,
    provider,
    revenue,
    subscriber,
)
from tests.adapters.plan.x12_world import Heard, feed, read
from tests.adapters.x12.made import V837I, file_837

FEED = feed("plan-837", validate="envelope")
FULL = feed("plan-837")


def one_claim(tmp_path: Path, segments: list[str]) -> Heard:
    return read(tmp_path, file_837(body(segments)), FEED)


def at(node: Any, path: str) -> Any:
    for part in path.split("."):
        node = node[int(part)] if part.isdigit() else node[part]
    return node


def test_a_claim_is_a_row_of_its_own_subject(tmp_path: Path) -> None:
    (row,) = one_claim(tmp_path, claim()).rows
    assert (row.kind, row.key, row.subject, row.stage) == (
        "claim",
        f"{NPI}|CLAIM1|2026-11-05T08:15:00|1",
        f"claim:{NPI}|CLAIM1",
        ABOUT,
    )


def test_a_professional_claim_is_right_by_the_guide(tmp_path: Path) -> None:
    found = read(tmp_path, file_837(body(claim(), claim("CLAIM2"))), FULL)
    assert found.rejects == []
    assert len(found.of("claim")) == 2


def test_an_institutional_claim_is_right_by_the_guide(tmp_path: Path) -> None:
    stay = institutional("11:A:1", lines=[revenue("0120"), revenue("0450", "99284")])
    found = read(tmp_path, file_837(body(stay), version=V837I), FULL)
    assert found.rejects == []
    assert len(found.of("claim")) == 1


@pytest.mark.parametrize(
    ("segments", "path", "value"),
    [
        (claim(), "claim", "CLAIM1"),
        (claim(), "place", "11"),
        (claim(), "frequency", "1"),
        (claim(), "subscriber", cin(1)),
        (claim(), "billing", {"name": "INVENTED CLINIC", "npi": NPI}),
        (claim(), "rendering", {"name": "INVENTED DOCTOR", "npi": DOCTOR}),
        (claim(), "diagnoses", [{"use": "ABK", "code": "E119"}, {"use": "ABF", "code": "I10"}]),
        (claim(), "lines.0.code", "99213"),
        (claim(), "lines.0.from", "2026-11-03"),
        (claim(), "lines.0.diagnoses", [1]),
        (
            claim(lines=[professional("H2016:U6:GQ:95:KX", points="1:2")]),
            "lines.0.modifiers",
            ["U6", "GQ", "95", "KX"],
        ),
        (claim(lines=[professional("H2016:U6", points="1:2")]), "lines.0.diagnoses", [1, 2]),
        (claim(lines=[[professional()[0], "DTP*472*RD8*20261101-20261103"]]), "lines.0.to", "2026-11-03"),
        (claim(lines=[[*professional(), "REF*6R*LINE9"]]), "lines.0.control", "LINE9"),
        (claim(more=["REF*F8*EARLIER"]), "original", "EARLIER"),
        (claim(more=["REF*D9*HOUSE1"]), "clearinghouse", "HOUSE1"),
        (claim(more=["AMT*D*120.5"]), "adjudicated", True),
        (claim(more=["AMT*D*120.5"]), "paid", "120.5"),
        (claim(lines=[[*professional(), "SVD*99999*100*HC:99213**1"]]), "adjudicated", True),
        (claim(lines=[[*professional(), "SVD*99999*100*HC:99213**1"]]), "lines.0.paid", "100"),
        (institutional("11:A:1"), "bill_type", "11"),
        (institutional("11:A:1"), "from", "2026-11-01"),
        (institutional("11:A:1"), "to", "2026-11-04"),
        (institutional("11:A:1"), "admitted", "2026-11-01"),
        (institutional("11:A:1"), "admission_type", "1"),
        (institutional("11:A:1"), "admission_source", "7"),
        (institutional("11:A:1"), "patient_status", "01"),
        (institutional("11:A:1"), "diagnoses.0.on_admission", "Y"),
        (institutional("11:A:1"), "attending.npi", DOCTOR),
        (
            institutional("11:A:1", more=["HI*BBR:0DTJ4ZZ:D8:20261102"]),
            "procedures",
            [{"use": "BBR", "code": "0DTJ4ZZ", "on": "2026-11-02"}],
        ),
        (institutional("11:A:1", lines=[revenue("450")]), "lines.0.revenue", "0450"),
    ],
)
def test_a_fact_of_a_claim_has_its_name(tmp_path: Path, segments: list[str], path: str, value: Any) -> None:
    assert at(one_claim(tmp_path, segments).one("claim"), path) == value


def test_the_number_of_a_members_card_begins_with_the_cin(tmp_path: Path) -> None:
    found = read(tmp_path, file_837(body(claim(), member=f"{cin(1)}29180")), FEED)
    assert found.one("claim")["subscriber"] == cin(1)


@pytest.mark.parametrize(
    ("segments", "reject"),
    [
        (body(claim(""), claim("GOOD")), ("REQUIRED", "CLM01")),
        (body(claim("BAD", lines=[professional(on="20260230")]), claim("GOOD")), ("DATE", "DTP*472")),
        (body(claim("BAD", lines=[professional()[:1]]), claim("GOOD")), ("REQUIRED", "DTP*472")),
        ([*body(claim("GOOD")), *subscriber(3, member="1234"), *claim("BAD")], ("IDENTIFIER", "NM1*IL")),
        ([*body(claim("GOOD")), "HL*3*1*22*0", *claim("BAD")], ("REQUIRED", "NM1*IL")),
        ([*body(claim("GOOD")), *subscriber(3), "HL*4*3*23*0", "PAT*19", *claim("BAD")], ("UNSUPPORTED", "HL*23")),
    ],
)
def test_a_claim_with_a_fault_is_rejected_and_only_that_claim(
    tmp_path: Path, segments: list[str], reject: tuple[str, str]
) -> None:
    found = read(tmp_path, file_837(segments), FEED)
    assert found.rejects == [reject]
    assert [row.values["claim"] for row in found.rows] == ["GOOD"]


def test_with_full_validation_a_claim_that_breaks_the_guide_is_rejected(tmp_path: Path) -> None:
    bad = [segment.replace("SV1*HC", "SV1*QQ") for segment in claim("BAD")]
    found = read(tmp_path, file_837(body(claim("GOOD"), bad)), FULL)
    assert found.rejects == [("X12_SEGMENT", "SV1")]
    assert [row.values["claim"] for row in found.rows] == ["GOOD"]


def test_the_claims_of_a_subscriber_whose_segments_are_wrong_are_rejected(tmp_path: Path) -> None:
    wrong = [segment for segment in subscriber(3) if not segment.startswith("SBR")]
    found = read(tmp_path, file_837([*body(claim("GOOD")), *wrong, *claim("BAD")]), FULL)
    assert [row.values["claim"] for row in found.rows] == ["GOOD"]
    assert ("REFERENCE", "HL*22") in found.rejects


def test_each_claim_is_of_the_provider_and_member_above_it(tmp_path: Path) -> None:
    other = [*provider(3, DOCTOR), *subscriber(4, 3, cin(2)), *claim("OTHER")]
    found = read(tmp_path, file_837([*body(claim()), *other]), FEED)
    told = [(row.values["billing"]["npi"], row.values["subscriber"], row.values["claim"]) for row in found.rows]
    assert told == [(NPI, cin(1), "CLAIM1"), (DOCTOR, cin(2), "OTHER")]


@pytest.mark.parametrize("frequency", ["7", "8"])
def test_a_claim_under_a_new_number_tells_the_one_that_it_replaces(tmp_path: Path, frequency: str) -> None:
    found = one_claim(tmp_path, claim("NEW", f"11:B:{frequency}", more=["REF*F8*CLAIM1"]))
    (row,) = found.of("replaced")
    assert row.subject == f"claim:{NPI}|CLAIM1"
    assert row.values["by"] == "NEW"


def test_a_replacement_under_its_own_number_is_one_row(tmp_path: Path) -> None:
    found = one_claim(tmp_path, claim("CLAIM1", "11:B:7", more=["REF*F8*CLAIM1"]))
    assert [row.kind for row in found.rows] == ["claim"]


def test_a_line_without_lx_is_a_line(tmp_path: Path) -> None:
    segments = [
        segment for segment in claim(lines=[professional(), professional("H0043:U6")]) if segment[:3] != "LX*"
    ]
    lines = one_claim(tmp_path, segments).one("claim")["lines"]
    assert [(line["number"], line["code"]) for line in lines] == [("1", "99213"), ("2", "H0043")]


def test_a_version_that_is_not_taken_is_answered_and_not_read(tmp_path: Path) -> None:
    """C18."""
    found = read(tmp_path, file_837(body(claim()), version="004010X098A1"), FEED)
    assert found.rows == []
    assert found.rejects == [("UNSUPPORTED", "GS08"), ("UNSUPPORTED", "ST")]
    ((_, answer),) = answers(tmp_path / "in.x12", FEED)
    assert b"AK9*R*1*1*0*2~" in answer


def test_a_claim_told_before_any_subscriber_is_rejected(tmp_path: Path) -> None:
    found = read(tmp_path, file_837([*header(), *provider(), *claim()]), FEED)
    assert found.rejects == [("REQUIRED", "NM1*IL")]
