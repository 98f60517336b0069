"""Corrupted 834 files: nothing crashes, and only the member or transaction set that is hit is lost."""

import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.plan.x12_answers import answers
from hub.feeds.records import Given
from tests.adapters.plan.made_834 import body, cin, coverage, header, member
from tests.adapters.plan.made_837 import body as claims
from tests.adapters.plan.made_837 import claim
from tests.adapters.plan.x12_world import Heard, Keeping, feed, read
from tests.adapters.x12.made import file_834, file_837, text

MEMBERS = 12
GARBAGE = st.sampled_from(
    [
        "",
        "*",
        "INS",
        "NM1*IL",
        "REF*1L*",
        "HD*021",
        "DTP*348*D8*99999999",
        "DMG*D8*x",
        "ZZZ*1",
        "\0",
        "Ñ*é",
        "A" * 90,
    ]
)
FILE = file_834(*(body([member(number) for number in range(first, first + 4)]) for first in (1, 5, 9)))


def told(segments: Sequence[str] | bytes, full: bool = True) -> Heard:
    with TemporaryDirectory() as folder:
        content = segments if isinstance(segments, bytes) else list(segments)
        return read(Path(folder), content, feed(validate="full" if full else "envelope"))


def members(found: Heard) -> set[str]:
    return {row.key for row in found.of("member")}


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_the_members_changes_no_resource(order: random.Random, full: bool) -> None:
    listed = [member(number, coverages=[coverage(), coverage("957;01")]) for number in range(1, 7)]
    shuffled = list(listed)
    order.shuffle(shuffled)
    one, other = (told([*file_834([*header(), *_flat(each)])], full) for each in (listed, shuffled))
    assert Keeping(feed()).take(one.rows).resources() == Keeping(feed()).take(other.rows).resources()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_corrupted_segment_costs_its_member_or_its_set_and_nothing_else(data: st.DataObject) -> None:
    """Where an envelope begins or ends (ISA, GS, ST, GE, IEA), more is lost: test_envelopes.py."""
    numbers = {place for place, segment in enumerate(FILE) if segment[:2] not in ("IS", "GS", "ST", "GE", "IE")}
    place = data.draw(st.sampled_from(sorted(numbers)))
    broken = [*FILE[:place], data.draw(GARBAGE), *FILE[place + 1 :]]
    found = told(broken, full=data.draw(st.booleans()))
    of_set = sum(segment.startswith("ST*") for segment in FILE[: place + 1])
    others = {cin(number) for number in range(1, MEMBERS + 1) if (number - 1) // 4 + 1 != of_set}
    assert others <= members(found)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 3000), st.integers(0, 400), st.booleans())
def test_no_bytes_make_the_reader_or_the_answers_fail(garbage: bytes, at: int, length: int, full: bool) -> None:
    content = text(FILE)
    content = content[:at] + garbage + content[at + length :]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "in.x12"
        found = read(Path(folder), content, feed(validate="full" if full else "envelope"))
        assert all(isinstance(one, Given) for one in found.given)
        assert all(isinstance(made, bytes) for _, made in answers(path, found.feed))


def test_ten_percent_of_bad_members_cost_ten_percent(tmp_path: Path) -> None:
    wrong = ["DMG*D8*20260230*F", "DMG*D8*99999999*F", "DMG*D8*tomorrow*F"]
    listed = [member(n, **({"DMG": wrong[n % 3]} if n % 10 == 0 else {})) for n in range(1, 101)]
    for full in ("full", "envelope"):
        found = read(tmp_path, file_834(body(listed)), feed(validate=full))
        assert members(found) == {cin(n) for n in range(1, 101) if n % 10}
        assert len(found.rejects) == 10


def _flat(listed: Sequence[Sequence[str]]) -> list[str]:
    return [segment for one in listed for segment in one]


CLAIMS = file_837(*(claims(claim(f"A{number}"), claim(f"B{number}")) for number in range(3)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_corrupted_claim_costs_its_transaction_set_and_nothing_else(data: st.DataObject) -> None:
    numbers = {place for place, segment in enumerate(CLAIMS) if segment[:2] not in ("IS", "GS", "ST", "GE", "IE")}
    place = data.draw(st.sampled_from(sorted(numbers)))
    broken = [*CLAIMS[:place], data.draw(GARBAGE), *CLAIMS[place + 1 :]]
    of_set = sum(segment.startswith("ST*") for segment in CLAIMS[: place + 1]) - 1
    with TemporaryDirectory() as folder:
        validate = data.draw(st.sampled_from(["full", "envelope"]))
        found = read(Path(folder), broken, feed("plan-837", validate=validate))
        assert answers(Path(folder) / "in.x12", found.feed)
    others = {f"{letter}{number}" for letter in "AB" for number in range(3) if number != of_set}
    assert others <= {row.values["claim"] for row in found.of("claim")}
    assert Keeping(found.feed).take(found.rows).resources()


def test_a_character_that_cannot_be_in_the_segment_that_begins_a_member_costs_this_member() -> None:
    for full in (True, False):
        place = FILE.index(next(segment for segment in FILE if segment.startswith("INS*")))
        found = told([*FILE[:place], FILE[place] + "\0", *FILE[place + 1 :]], full=full)
        assert members(found) == {cin(number) for number in range(2, MEMBERS + 1)}
        assert "X12_SEGMENT" in [code for code, _ in found.rejects]
