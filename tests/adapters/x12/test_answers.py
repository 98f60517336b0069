"""TA1 and 999 are X12 themselves: a reader that nobody here wrote takes them (docs/plan-834.md "Answers")."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.plan import x12_834
from adapters.plan.x12_answers import answers
from adapters.x12.envelopes import Taken
from adapters.x12.examination import Blocks, Rules, examine
from hub.feeds.records import Feed
from tests.adapters.plan.made_834 import body, coverage, member
from tests.adapters.x12.made import file_834, text, written

AT = datetime(2026, 11, 2, 16, 15, tzinfo=UTC)
FEED = Feed("example", "plan-834", "https://plan.example/feed")
NO_NAME = body([member(1), member(2, NM1=""), member(3)])
ANSWERS = Rules(Taken("FA", "999", frozenset(("005010X231A1",))), Blocks(lambda segment: "", frozenset()))


def made(tmp_path: Path, segments: list[str]) -> dict[str, str]:
    path = written(tmp_path / "in.834", segments)
    return {name: content.decode() for name, content in answers(path, FEED, lambda: AT)}


def test_a_999_says_what_is_wrong_where_and_never_a_value(tmp_path: Path) -> None:
    found = made(tmp_path, file_834(NO_NAME))
    lines = found["in.834.999"].split("~\n")
    assert lines[:4] == [
        "ISA*00*          *00*          *30*999999991      *ZZ*CADHCS_5010_834*261102*0815*^*00501*000000001*0*T*:",
        "GS*FA*999999991*CADHCS_5010_834*20261102*081500*1*X*005010X231A1",
        "ST*999*0001*005010X231A1",
        "AK1*BE*1*005010X220A1",
    ]
    assert lines[4] == "AK2*834*0001*005010X220A1"
    assert [line for line in lines if line.startswith(("IK3*PER", "IK3*NM1"))] == ["IK3*PER*37**1", "IK3*NM1*42**3"]
    assert lines[-6:] == ["IK5*E*5", "AK9*E*1*1*1", f"SE*{len(lines) - 5}*0001", "GE*1*1", "IEA*1*000000001", ""]


def test_an_element_that_is_wrong_is_named_by_its_place_and_number(tmp_path: Path) -> None:
    found = made(tmp_path, file_834(body([member(1, LUI="LUI*LD*SPA**99")])))
    assert "IK3*LUI*19**8~\nIK4*4*1303*7~\nIK5*E*5~" in found["in.834.999"]


def test_no_answer_holds_a_value_of_the_file(tmp_path: Path) -> None:
    wrong = member(7, last="CANARY", DMG="DMG*D8*CANARY", REF_1L="REF*1L*CANARY", LUI="LUI*CANARY*SPA**7")
    told = "".join(made(tmp_path, file_834(body([wrong]))).values())
    assert "IK3*DMG" in told
    assert "CANARY" not in told


@pytest.mark.parametrize(
    "segments",
    [
        file_834(body([member()])),
        file_834(NO_NAME),
        file_834(body([member(1, DMG="DMG*D8*randomDoB*F**:RET:2054-5", N4="N4*X*CA*90019**CY")])),
        [*file_834(body([member(1)]), body([member(2)]))[:-1], "IEA*1*000000009"],
        [s.replace("SE*", "SE*9") for s in file_834(body([member(1)]), body([member(2)]))],
    ],
)
def test_every_999_is_right_by_its_own_guide(tmp_path: Path, segments: list[str]) -> None:
    for name, content in made(tmp_path, segments).items():
        if not name.endswith(".999"):
            continue
        path = tmp_path / name
        path.write_text(content)
        found = examine(path, ANSWERS)
        sets = [one for i in found.interchanges for g in i.groups for one in g.sets]
        assert [i.note for i in found.interchanges] == [""]
        assert [(one.faults, one.findings) for one in sets] == [([], [])]


def test_what_is_no_interchange_gets_no_answer(tmp_path: Path) -> None:
    assert made(tmp_path, ["no X12"]) == {}


def test_a_broken_isa_is_answered_with_as_much_as_there_is(tmp_path: Path) -> None:
    (tmp_path / "in.834").write_bytes(text(file_834(body([member()]))).replace(b"*T*:", b"*T*Q", 1))
    ((name, content),) = answers(tmp_path / "in.834", FEED, lambda: AT)
    assert name == "in.834.ta1"
    assert b"TA1*000000001*261101*1930*R*022~" in content
    assert b"*30*999999991      *ZZ*CADHCS_5010_834*" in content


def test_rows_and_answers_come_of_one_judgement(tmp_path: Path) -> None:
    path = written(tmp_path / "in.834", file_834(body([member(1, coverages=[coverage("")])])))
    first = x12_834.examined(path, x12_834.rules(FEED))
    assert x12_834.examined(path, x12_834.rules(FEED)) is first
