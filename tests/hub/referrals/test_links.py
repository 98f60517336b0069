"""The signed link of a referral: what it says, when it ends, and what is none."""

from datetime import timedelta

import pytest

from hub.referrals.answers import answered, choices
from hub.referrals.links import LONGEST, Link, link_for, opened, signed
from hub.referrals.moves import legal
from tests.hub.referrals.world import HOUSE, START

KEY, OTHER_KEY = b"a secret of the tests, 32 long!!", b"another secret of the tests, 32!"


def test_a_link_says_which_task_for_whom_and_until_when() -> None:
    made = link_for("asked", HOUSE, START, 14, "letter")
    assert opened(signed(made, KEY), KEY) == made
    assert not made.has_ended(START + timedelta(days=14, seconds=-1))
    assert made.has_ended(START + timedelta(days=14))


def test_another_key_opens_nothing_nor_does_a_changed_link() -> None:
    text = signed(link_for("asked", HOUSE, START, 14, "letter"), KEY)
    assert opened(text, OTHER_KEY) is None
    said, _, signature = text.rpartition(".")
    forged = signed(Link("other", HOUSE, 2**40, "letter"), OTHER_KEY).rpartition(".")[0]
    for wrong in ("", ".", said, f"{forged}.{signature}", text[:-1], f"{text}x", "é", "." * LONGEST, text * 9):
        assert opened(wrong, KEY) is None, wrong


@pytest.mark.parametrize(("owner", "days"), [("Patient/robin", 14), ("", 14), (HOUSE, 0), (HOUSE, 91)])
def test_a_link_is_for_an_organization_and_for_some_weeks(owner: str, days: int) -> None:
    with pytest.raises(ValueError):
        link_for("asked", owner, START, days, "letter")


def test_what_an_answer_lacks_is_told_by_field() -> None:
    offered = {one.to: one for one in choices(list(legal("accepted", ["owner"])))}
    assert list(offered) == ["in-progress", "completed", "on-hold", "failed"]
    today = START.date()
    assert answered(offered["in-progress"], {}, today).faults == {}
    assert set(answered(offered["failed"], {"reason": " \n "}, today).faults) == {"reason"}
    assert set(answered(offered["failed"], {"reason": "x" * 501}, today).faults) == {"reason"}
    assert set(answered(offered["failed"], {"reason": "a\x00b"}, today).faults) == {"reason"}
    assert answered(offered["failed"], {"reason": " Moved\r\naway "}, today).reason == "Moved away"
    done = {"done": "Deposit paid (invented)", "day": "2026-11-23"}
    assert answered(offered["completed"], done, today).faults == {}
    for day in ("2026-11-24", "2026-02-30", "23.11.2026", "1999-01-01", "20261123", ""):
        assert set(answered(offered["completed"], {**done, "day": day}, today).faults) == {"day"}, day
    assert set(answered(offered["completed"], {}, today).faults) == {"done", "day"}
