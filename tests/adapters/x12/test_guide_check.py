"""The check against the guide remembers what was right, and finds the same as one that does not."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.x12.guide_check import GuideCheck, Told
from adapters.x12.verdicts import Finding
from tests.adapters.plan.made_834 import coverage, header, member

VARIANTS = (
    member(1),
    member(2),
    member(3, LUI=""),
    member(4, NM1=""),
    member(5, DMG="DMG*D8*tomorrow*F"),
    member(6, coverages=[]),
    member(7, coverages=[coverage(), coverage("957;01")]),
    member(8, REF_0F=""),
    [*member(9), "ZZZ*1"],
    [*member(10)[:3]],
    member(11, INS="INS*Y"),
)
CHECK = GuideCheck("BE", "005010X220A1")
FORGETFUL = GuideCheck("BE", "005010X220A1")


def blocks(members: Sequence[Sequence[str]]) -> list[list[Told]]:
    """The header, each member, the trailer."""
    listed: list[Sequence[str]] = [["ST*834*0001*005010X220A1", *header()], *members, ["SE*1*0001"]]
    made, number = [], 0
    for block in listed:
        made.append([(number + place, number + place, tuple(one.split("*"))) for place, one in enumerate(block, 1)])
        number += len(block)
    return made


def found(check: GuideCheck, told: Sequence[list[Told]], repeats: bool) -> list[Finding]:
    check.begin()
    last = len(told) - 1
    return [
        one for place, block in enumerate(told) for one in check.check(block, repeats and 0 < place < last, ":")
    ]


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(VARIANTS), max_size=12))
def test_a_check_that_remembers_finds_what_one_that_forgets_finds(members: list[list[str]]) -> None:
    told = blocks(members)
    FORGETFUL.right.clear()
    assert found(CHECK, told, repeats=True) == found(FORGETFUL, told, repeats=False)


def test_a_block_of_a_shape_that_fits_is_not_walked_again() -> None:
    check = GuideCheck("BE", "005010X220A1")
    head, *members, _ = blocks([member(number) for number in range(1, 6)])
    check.begin()
    assert [
        check.check(block, repeats, ":") for block, repeats in ((head, False), *((m, True) for m in members[:2]))
    ] == [[]] * 3
    check.walker.walk_errors = None  # whoever walks now stumbles
    assert check.check(members[2], True, ":") == []
    assert check.check(blocks([member(1, LUI="")])[1], True, ":") != []


def test_a_version_that_nobody_has_a_map_of_is_not_known() -> None:
    assert not GuideCheck("BE", "005010X999").knows
    assert CHECK.knows
