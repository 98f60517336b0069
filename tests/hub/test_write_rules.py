"""Rules of several rooms for one type: each is asked, with what the one before it left."""

from typing import Any

import pytest

from hub.access import Access
from hub.problems import Problem
from hub.write_rules import Rule, together

WHO = Access.system("a test")


def adding(word: str) -> Rule:
    def rule(before: Any, now: Any, access: Access, source: int) -> Any:
        return {**now, "said": [*now.get("said", ()), word]} if now is not None else None

    return rule


def refusing(before: Any, now: Any, access: Access, source: int) -> Any:
    raise Problem("business-rule", "No", "Task")


def test_rules_of_one_type_are_asked_one_after_the_other() -> None:
    found = together(
        {"Task": adding("one"), "Group": adding("alone")}, {"Task": adding("two")}, {"Task": adding("3")}
    )
    assert found["Task"](None, {}, WHO, 0) == {"said": ["one", "two", "3"]}
    assert found["Group"](None, {"id": "x"}, WHO, 0) == {"id": "x", "said": ["alone"]}


@pytest.mark.parametrize("now", [{"id": "x"}, None], ids=["a write", "a deletion"])
def test_the_second_may_refuse_too(now: Any) -> None:
    with pytest.raises(Problem):
        together({"Task": adding("one")}, {"Task": refusing})["Task"]({"id": "x"}, now, WHO, 0)
