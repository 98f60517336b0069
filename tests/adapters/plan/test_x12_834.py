"""An 834 in the shape of DHCS becomes rows: plan, members, coverages (docs/plan-834.md)."""

from pathlib import Path
from typing import Any

import pytest

from adapters.plan.x12_answers import answers
from hub.feeds.records import DIRECTORY, PERSON, Whole
from tests.adapters.plan.made_834 import PLAN, body, cin, coverage, header, large, member
from tests.adapters.plan.x12_world import Heard, feed, heard, read
from tests.adapters.x12.made import file_834, group, interchange, text, transaction

MEMBERS = frozenset(("member",))


def one_member(tmp_path: Path, **changed: Any) -> Heard:
    return read(tmp_path, file_834(body([member(1, **changed)])), feed(validate="envelope"))


def test_a_file_becomes_its_plan_its_members_and_their_coverages(tmp_path: Path) -> None:
    found = read(tmp_path, file_834(body([member(1), member(2)])))
    assert [(row.kind, row.key, row.stage, row.line) for row in found.rows] == [
        ("plan", PLAN, DIRECTORY, 7),
        ("member", cin(1), PERSON, 8),
        ("enrolled", cin(1), PERSON, 8),
        ("coverage", f"{cin(1)}|LTC|010|2026-11-01", PERSON, 22),
        ("member", cin(2), PERSON, 31),
        ("enrolled", cin(2), PERSON, 31),
        ("coverage", f"{cin(2)}|LTC|010|2026-11-01", PERSON, 45),
    ]
    assert found.rejects == []
    assert {row.subject for row in found.rows[1:4]} == {cin(1)}


@pytest.mark.parametrize(
    ("changed", "name", "value"),
    [
        ({}, "subscriber", "INV0000001"),
        ({}, "cin", "90000001A"),
        ({"REF_F6": "REF*F6*1EG4TE5MK73"}, "medicare_number", "1EG4TE5MK73"),
        ({}, "renewal_month", "2027-05"),
        ({"REF_17": "REF*17*;20261015;202611"}, "death_date", "2026-10-15"),
        ({"INS": "INS*Y*18*001*AI*A*C**AC***D8*20261016"}, "death_date", "2026-10-16"),
        ({}, "reporting_month", "2026-11"),
        ({}, "card_issue_date", "2020-01-01"),
        ({}, "county", "19"),
        ({}, "aid_code", "60"),
        ({}, "case_number", "CASE000001"),
        ({}, "residence_flag", "W"),
        ({"REF_DX": "REF*DX*H9999;006;20250201;;;"}, "policy_start", "2025-02-01"),
        ({"REF_Q4": "REF*Q4*PROVIDER1;"}, "provider_id", "PROVIDER1"),
        ({}, "last_name", "INVENTED1"),
        ({"NM1": "NM1*IL*1*INVENTED*ANY*M**JR"}, "suffix", "JR"),
        ({}, "telecoms", [{"kind": "TE", "number": "5550000001"}]),
        (
            {"PER": "PER*IP**HP*5550001*CP*5550002"},
            "telecoms",
            [{"kind": "HP", "number": "5550001"}, {"kind": "CP", "number": "5550002"}],
        ),
        ({}, "races", [":RET:2054-5"]),
        ({"DMG": "DMG*D8*19600101*F**7"}, "races", ["7"]),
        ({"DMG": "DMG*D8*19600101*F**:RET:2054-5^:RET:2135-2"}, "races", [":RET:2054-5", ":RET:2135-2"]),
        ({}, "languages", [{"kind": "LD", "code": "SPA", "use": "7"}]),
        ({}, "maintenance", "001"),
        ({"REF_QQ": "REF*QQ*;;202003;202003"}, "refs.QQ", ["", "", "202003", "202003"]),
        ({}, "refs.ZZ", ["01001", "", "", "", "", "30401", "", "", "", ""]),
        ({}, "address.city", "LOS ANGELES"),
        ({"N4": "N4*SANTA MONICA*CA*90401"}, "address.city", "SANTA MONICA"),
        ({}, "address.county", "19"),
        (
            {"NM1_31": "NM1*31*1", "N3_31": "N3*PO BOX 1", "N4_31": "N4*LONG BEACH CA*CA*90801"},
            "mailing_address.city",
            "LONG BEACH",
        ),
        ({"NM1_36": "NM1*36*1*EMPLOYER", "N3_36": "N3*ELSEWHERE"}, "address.lines", ["1 EXAMPLE STREET"]),
    ],
)
def test_a_fact_of_a_member_has_its_name(tmp_path: Path, changed: Any, name: str, value: Any) -> None:
    found: Any = one_member(tmp_path, **changed).one("member")
    for part in name.split("."):
        found = found[part]
    assert found == value


@pytest.mark.parametrize(
    ("loop", "name", "value"),
    [
        (coverage(), "hcp", "010"),
        (coverage(), "hcp_status", "01"),
        (coverage(), "start", "2026-11-01"),
        (coverage(), "end", "2026-11-30"),
        (coverage(share="1237"), "share_of_cost", "1237"),
        (coverage(), "medicare", {"a": "2", "b": "2", "d": "2"}),
        (coverage(), "aid_codes", [{"code": "60", "status": "401"}, {"code": "80", "status": "891"}]),
        (coverage(), "primary_aid", "60"),
        (coverage(), "county", "19"),
        (coverage(), "refs.ZZ", ["", "", "10"]),
        (coverage(code="024"), "maintenance", "024"),
    ],
)
def test_a_fact_of_a_coverage_has_its_name(tmp_path: Path, loop: list[str], name: str, value: Any) -> None:
    found: Any = one_member(tmp_path, coverages=[loop]).one("coverage")
    for part in name.split("."):
        found = found[part]
    assert found == value


def test_each_plan_and_month_is_a_coverage_of_its_own(tmp_path: Path) -> None:
    loops = [coverage("010;S1", "20261001", "20261031"), coverage("010;01"), coverage("957;01")]
    keys = [row.key for row in one_member(tmp_path, coverages=loops).of("coverage")]
    assert keys == [f"{cin(1)}|LTC|{rest}" for rest in ("010|2026-10-01", "010|2026-11-01", "957|2026-11-01")]


def test_the_last_word_of_a_member_on_one_coverage_counts(tmp_path: Path) -> None:
    loops = [coverage("010;P4", end="20261031"), coverage("010;01")]
    assert one_member(tmp_path, coverages=loops).one("coverage")["hcp_status"] == "01"


def test_a_coverage_told_in_error_is_taken_back(tmp_path: Path) -> None:
    (row,) = one_member(tmp_path, coverages=[coverage(code="002")]).of("coverage")
    assert row.deleted


@pytest.mark.parametrize(
    ("changed", "reject"),
    [
        ({"REF_1L": ""}, ("REQUIRED", "REF*1L")),
        ({"REF_1L": "REF*1L*1234"}, ("IDENTIFIER", "REF*1L")),
        ({"NM1": "NM1*IL*1**ANY"}, ("REQUIRED", "NM103")),
        ({"DMG": "DMG*D8*19800230*F"}, ("DATE", "DMG02")),
        ({"DMG": "DMG*D8*29990101*F"}, ("DATE", "DMG02")),
        ({"DMG": "DMG*D8*18000101*F"}, ("DATE", "DMG02")),
        ({"REF_17": "REF*17*202613;;"}, ("DATE", "REF*17")),
        ({"INS": "INS*Y*18*099*AI*A*C**AC"}, ("CODE", "INS03")),
    ],
)
def test_a_member_with_a_fault_is_rejected_and_only_that_member(
    tmp_path: Path, changed: dict[str, str], reject: tuple[str, str]
) -> None:
    found = read(tmp_path, file_834(body([member(1, **changed), member(2)])), feed(validate="envelope"))
    assert found.rejects == [reject]
    assert [row.key for row in found.of("member")] == [cin(2)]
    assert len(found.of("coverage")) == 1


@pytest.mark.parametrize(
    ("loop", "reject"),
    [
        (coverage(start="20261301"), ("DATE", "DTP*348")),
        (["HD*021**LTC*010;01"], ("REQUIRED", "DTP*348")),
        (["HD*021**LTC", "DTP*348*D8*20261101"], ("REQUIRED", "HD04")),
        (coverage(code="099"), ("CODE", "HD01")),
        (coverage(share="free"), ("TYPE", "AMT*R")),
    ],
)
def test_a_coverage_with_a_fault_is_rejected_and_only_that_coverage(
    tmp_path: Path, loop: list[str], reject: tuple[str, str]
) -> None:
    found = one_member(tmp_path, coverages=[loop, coverage("957;01")])
    assert found.rejects == [reject]
    assert len(found.of("member")) == len(found.of("coverage")) == 1


def test_an_unusual_cin_is_taken_with_a_warning(tmp_path: Path) -> None:
    found = one_member(tmp_path, REF_1L="REF*1L*12345678B")
    assert found.warnings == [("IDENTIFIER", "REF*1L")]
    assert found.one("member")["cin"] == "12345678B"


def test_a_feed_may_know_its_members_by_the_subscriber_number(tmp_path: Path) -> None:
    segments = file_834(body([member(1, REF_1L="")]))
    found = read(tmp_path, segments, feed(member_key="subscriber", validate="envelope"))
    assert [row.key for row in found.of("member")] == ["INV0000001"]
    assert found.rejects == []


def test_with_full_validation_a_member_who_breaks_the_guide_is_rejected(tmp_path: Path) -> None:
    segments = file_834(body([member(1), member(2, NM1=""), member(3, LUI="LUI*XX*SPA**7"), member(4)]))
    found = read(tmp_path, segments)
    assert [code for code, _ in found.rejects] == ["X12_SEGMENT", "X12_SEGMENT"]
    assert [row.key for row in found.of("member")] == [cin(1), cin(4)]


def test_a_fault_outside_of_the_members_rejects_the_transaction_set(tmp_path: Path) -> None:
    bad = [segment for segment in body([member(1)]) if not segment.startswith("BGN")]
    found = read(tmp_path, file_834(bad, body([member(2)])))
    assert [row.key for row in found.of("member")] == [cin(2)]
    assert found.rejects == [("X12_SEGMENT", "QTY")]  # that is where BGN is missed


def test_without_full_validation_only_the_envelope_is_checked(tmp_path: Path) -> None:
    segments = file_834(body([member(3, LUI="LUI*XX*SPA**7")]))
    assert len(read(tmp_path, segments, feed(validate="envelope")).of("member")) == 1


def test_nothing_of_a_file_is_taken_whose_envelope_is_wrong(tmp_path: Path) -> None:
    found = read(tmp_path, [*file_834(body([member(1)]))[:-1], "IEA*1*000000009"])
    assert found.rows == []
    assert [one.whole for one in found.given] == [True]  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["4", "RX"])
def test_a_full_file_says_that_its_plan_has_no_other_members(tmp_path: Path, kind: str) -> None:
    found = read(tmp_path, file_834(body([member(1)], kind=kind)))
    assert found.wholes == [Whole(MEMBERS, {"plan": PLAN})]


def test_a_deployment_may_name_its_full_files(tmp_path: Path) -> None:
    segments = file_834(body([member(1)], name="DHCS834-MO-20261101-Invented Plan"))
    assert read(tmp_path, segments).wholes == []
    assert read(tmp_path, segments, feed(full_names=["DHCS834-MO"])).wholes == [Whole(MEMBERS, {"plan": PLAN})]


@pytest.mark.parametrize(
    "bodies",
    [
        [body([member(1), member(2, REF_1L="REF*1L*1234")], kind="4")],
        [body([member(1), member(2, NM1="")], kind="4")],
        [[*header("4", count=3), *member(1)]],
        [body([member(1)], kind="4"), [s for s in body([member(2)], kind="4") if not s.startswith("BGN")]],
    ],
)
def test_a_full_file_with_a_fault_says_of_nobody_that_they_are_gone(
    tmp_path: Path, bodies: list[list[str]]
) -> None:
    found = read(tmp_path, file_834(*bodies))
    assert found.wholes == []
    assert ("NOT_WHOLE", "") in found.warnings


def test_a_full_file_that_counts_wrongly_says_of_nobody_that_they_are_gone(tmp_path: Path) -> None:
    segments = file_834(body([member(1)], kind="4"))
    miscounted = ["SE*9*0001" if one.startswith("SE*") else one for one in segments]
    found = read(tmp_path, miscounted, feed(counts="warn"))
    assert len(found.of("member")) == 1
    assert found.wholes == []
    assert found.warnings == [("COUNT", "ST"), ("NOT_WHOLE", "")]


def test_a_full_file_one_of_whose_groups_is_rejected_says_of_nobody_that_they_are_gone(tmp_path: Path) -> None:
    groups = [group([transaction(body([member(one)], kind="4"))], str(one)) for one in (1, 2)]
    groups[1][-1] = "GE*1*7"
    found = read(tmp_path, interchange(groups))
    assert len(found.of("member")) == 1
    assert found.wholes == []


def test_a_full_and_a_change_set_in_one_file_are_no_full_file(tmp_path: Path) -> None:
    found = read(tmp_path, file_834(body([member(1)], kind="4"), body([member(2)], kind="2")))
    assert found.wholes == []


def test_a_wrong_count_of_members_is_a_warning(tmp_path: Path) -> None:
    found = read(tmp_path, file_834([*header(count=2), *member(1)]))
    assert found.warnings == [("COUNT", "QTY*TO")]
    assert len(found.of("member")) == 1


def test_a_plan_is_told_once_in_a_file(tmp_path: Path) -> None:
    sets = [transaction(body([member(number)]), f"{number:04}") for number in (1, 2)]
    assert len(read(tmp_path, interchange([group(sets)])).of("plan")) == 1


def test_a_plan_without_number_has_no_members(tmp_path: Path) -> None:
    segments = [s for s in file_834(body([member(1)])) if not s.startswith("N1*IN")]
    segments = [s.replace("SE*", "SE*0") if s.startswith("SE*") else s for s in segments]
    found = read(
        tmp_path, [s if not s.startswith("SE*") else "SE*28*0001" for s in segments], feed(validate="envelope")
    )
    assert ("REQUIRED", "N1*IN") in found.rejects
    assert found.of("member") == []


def test_a_large_file_is_read_row_by_row(tmp_path: Path) -> None:
    found = heard(large(tmp_path / "large.834", 500), feed(validate="envelope"))
    assert len(found.of("member")) == len({row.key for row in found.of("member")}) == 500
    assert found.rejects == []


@pytest.mark.parametrize("code", ["099", "024"])
def test_a_matter_of_business_is_no_matter_of_the_999(tmp_path: Path, code: str) -> None:
    """C20: an unknown maintenance code, and a termination before the addition: the member is rejected, or waits."""
    segments = file_834(body([member(1, maintenance=code), member(2)]))
    found = read(tmp_path, segments)
    ((_, answer),) = answers(tmp_path / "in.x12", found.feed)
    assert b"IK5*A~\nAK9*A*1*1*1~" in answer
    assert found.rejects == ([("CODE", "INS03")] if code == "099" else [])
    assert cin(1) not in {row.key for row in found.of("enrolled")}
    assert cin(2) in {row.key for row in found.of("enrolled")}


def test_a_file_may_be_in_latin_1_where_its_feed_says_so(tmp_path: Path) -> None:
    content = text(file_834(body([member(1, last="NUÑEZ")]))).decode().encode("latin-1")
    assert read(tmp_path, content).rejects == [("X12_SEGMENT", "NM1")]
    assert read(tmp_path, content, feed(encoding="latin-1")).one("member")["last_name"] == "NUÑEZ"
