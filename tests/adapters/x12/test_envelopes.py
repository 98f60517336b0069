"""Rows C15 to C19 of the bad input: each fault of an envelope gets its code (docs/plan-834.md "Answers")."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.plan.x12_834 import BLOCKS, TAKEN
from adapters.x12.answers import file_999, ta1_file
from adapters.x12.examination import Rules, examine, rules_of
from adapters.x12.rejects import envelope_rejects
from adapters.x12.verdicts import Examined
from tests.adapters.plan.made_834 import body, member
from tests.adapters.x12.made import file_834, group, interchange, replaced, text, transaction

AT = datetime(2026, 11, 2, 8, 15, tzinfo=UTC)
GOOD = file_834(body([member(1)]), body([member(2)]))
RULES = Rules(TAKEN, BLOCKS)
Segments = list[str]


def found(tmp_path: Path, segments: Iterable[str], seen: Iterable[str] = (), rules: Rules = RULES) -> Examined:
    path = tmp_path / "a.834"
    path.write_bytes(text(segments))
    return examine(path, replace(rules, seen=frozenset(seen)))


def answered(examined: Examined) -> list[str]:
    both = ta1_file(examined, AT) + file_999(examined, AT)
    told = both.decode().split("~\n")
    return [line for line in told if line.startswith(("TA1", "AK9", "IK5"))]


def without(segments: Segments, start: str) -> Segments:
    return [segment for segment in segments if not segment.startswith(start)]


def nth(segments: Segments, start: str, by: Callable[[str], str]) -> Segments:
    """The first one that begins so changed."""
    place = next(place for place, segment in enumerate(segments) if segment.startswith(start))
    return [*segments[:place], by(segments[place]), *segments[place + 1 :]]


def test_a_good_file_is_accepted(tmp_path: Path) -> None:
    assert answered(found(tmp_path, GOOD)) == ["IK5*A", "IK5*A", "AK9*A*2*2*2"]


def test_a_ta1_is_sent_where_it_is_asked_for(tmp_path: Path) -> None:
    asking = interchange([group([transaction(body([member()]))])], asks="1")
    assert answered(found(tmp_path, asking))[0] == "TA1*000000001*261101*1930*A*000"


@pytest.mark.parametrize(
    ("case", "segments", "note"),
    [
        ("C15 ISA too short", nth(GOOD, "ISA", lambda isa: isa[:-6] + isa[-5:]), "022"),
        ("C15 two separators are one", nth(GOOD, "ISA", lambda isa: isa[:-1] + "^"), "022"),
        ("C15 a letter separates", nth(GOOD, "ISA", lambda isa: isa[:-1] + "Q"), "022"),
        ("C16 ISA13 differs from IEA02", nth(GOOD, "IEA", lambda iea: "IEA*1*000000002"), "001"),
        ("IEA01 counts wrong", nth(GOOD, "IEA", lambda iea: "IEA*2*000000001"), "021"),
        ("no IEA", GOOD[:-1], "023"),
        ("an unknown version of the ISA", nth(GOOD, "ISA", lambda isa: isa.replace("00501", "00200")), "017"),
        ("ISA13 is no number", [s.replace("000000001", "00000000A") for s in GOOD], "018"),
        ("a segment outside of a set", [*GOOD[:2], "REF*38*X", *GOOD[2:]], "024"),
    ],
)
def test_an_interchange_with_a_fault_is_rejected_by_a_ta1(
    tmp_path: Path, case: str, segments: Segments, note: str
) -> None:
    examined = found(tmp_path, segments)
    (ta1,) = answered(examined)
    assert ta1.split("*")[4:] == ["R", note], case
    assert examined.taken() == frozenset()


def test_the_same_isa13_twice_is_a_duplicate(tmp_path: Path) -> None:
    """C16."""
    examined = found(tmp_path, [*GOOD, *GOOD])
    assert [one.note for one in examined.interchanges] == ["", "025"]
    assert examined.taken() == {1, 2}


def test_an_isa13_that_came_in_an_earlier_file_is_a_duplicate(tmp_path: Path) -> None:
    """C16."""
    seen = "ZZ|CADHCS_5010_834|30|999999991|000000001"
    assert [one.note for one in found(tmp_path, GOOD, [seen]).interchanges] == ["025"]


@pytest.mark.parametrize(
    ("case", "segments", "ak9"),
    [
        ("C17 GS06 differs from GE02", nth(GOOD, "GE", lambda ge: "GE*2*9"), "AK9*R*2*2*0*4"),
        ("GE01 counts wrong", nth(GOOD, "GE", lambda ge: "GE*3*1"), "AK9*R*3*2*0*5"),
        ("no GE", without(GOOD, "GE"), "AK9*R*2*2*0*3"),
        ("C18 unsupported GS08", [s.replace("X*005010X220A1", "X*004010X095A1") for s in GOOD], "AK9*R*2*2*0*2"),
        ("C18 unsupported GS01", nth(GOOD, "GS", lambda gs: gs.replace("GS*BE", "GS*HC")), "AK9*R*2*2*0*1"),
    ],
)
def test_a_group_with_a_fault_is_rejected_whole(tmp_path: Path, case: str, segments: Segments, ak9: str) -> None:
    examined = found(tmp_path, segments)
    assert answered(examined) == [ak9], case
    assert examined.taken() == frozenset()


@pytest.mark.parametrize(
    ("case", "segments", "ik5"),
    [
        ("C17 SE01 counts wrong", nth(GOOD, "SE", lambda se: "SE*99*0001"), "IK5*R*4"),
        ("C17 SE02 differs", nth(GOOD, "SE", lambda se: se.replace("*0001", "*0009")), "IK5*R*3"),
        ("no SE", nth(GOOD, "SE", lambda se: "REF*ZX*19"), "IK5*R*2"),
        ("C18 unsupported ST01", nth(GOOD, "ST", lambda s: s.replace("834", "820")), "IK5*R*1"),
        ("C18 unsupported ST03", nth(GOOD, "ST", lambda s: s.replace("X220A1", "X095")), "IK5*R*I6"),
        ("ST02 is too short", [*replaced(GOOD, "ST*834*0001", "ST*834*1*005010X220A1")], "IK5*R*7*3"),
    ],
)
def test_one_bad_transaction_set_does_not_hurt_the_other(
    tmp_path: Path, case: str, segments: Segments, ik5: str
) -> None:
    """C19: IK5 R for it, AK9 P, the other is taken."""
    examined = found(tmp_path, segments)
    assert answered(examined) == [ik5, "IK5*A", "AK9*P*2*2*1"], case
    assert examined.taken() == {2}


def test_a_control_number_comes_once_in_its_group(tmp_path: Path) -> None:
    sets = [transaction(body([member(number)]), "0001") for number in (1, 2)]
    assert answered(found(tmp_path, interchange([group(sets)]))) == ["IK5*A", "IK5*R*23", "AK9*P*2*2*1"]


def test_one_rejected_group_does_not_hurt_the_other(tmp_path: Path) -> None:
    groups = [group([transaction(body([member(number)]))], str(number)) for number in (1, 2)]
    groups[0][-1] = "GE*1*7"
    assert found(tmp_path, interchange(groups)).taken() == {2}


@pytest.mark.parametrize(
    ("segments", "answer"),
    [
        (
            nth(GOOD, "IEA", lambda iea: "IEA*2*000000001"),
            ["TA1*000000001*261101*1930*E*021", "IK5*A", "IK5*A", "AK9*A*2*2*2"],
        ),
        (nth(GOOD, "GE", lambda ge: "GE*3*1"), ["IK5*A", "IK5*A", "AK9*E*3*2*2*5"]),
        (nth(GOOD, "SE", lambda se: "SE*99*0001"), ["IK5*E*4", "IK5*A", "AK9*E*2*2*2"]),
    ],
)
def test_a_feed_may_take_what_is_counted_wrongly_with_errors(
    tmp_path: Path, segments: Segments, answer: list[str]
) -> None:
    rules = rules_of(TAKEN, BLOCKS, {"counts": "warn"})
    examined = found(tmp_path, segments, rules=rules)
    assert answered(examined) == answer
    assert examined.taken() == {1, 2}
    assert [(one.code, one.severity) for one in envelope_rejects(examined)] == [("COUNT", "warning")]


@pytest.mark.parametrize("cut", ["SE", "GE", "IEA"])
def test_a_feed_that_takes_wrong_counts_takes_nothing_that_is_cut_off(tmp_path: Path, cut: str) -> None:
    rules = rules_of(TAKEN, BLOCKS, {"counts": "warn"})
    one_set = file_834(body([member(1)]))
    assert found(tmp_path, without(one_set, cut), rules=rules).taken() == frozenset()


def test_an_empty_file_is_empty_and_a_text_is_no_x12(tmp_path: Path) -> None:
    assert found(tmp_path, []).unreadable == "EMPTY"
    assert found(tmp_path, ["Dear sir or madam " * 20]).unreadable == "X12_ENVELOPE"
