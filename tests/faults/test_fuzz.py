"""R25, with small numbers; the large ones: python -m tests.faults.fuzz 1000000"""

from pathlib import Path

import pytest

from tests.faults import fuzz, fuzzed

COUNTS = {"json": 300, "bundle": 200, "xml": 300, "search": 250, "cursor": 200, "x12": 150}
OTHERS = 1000


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
def test_every_parser_takes_or_refuses_what_was_mutated(migrated_sqlite: Path, tmp_path: Path, times: int) -> None:
    with fuzzed.parsers(tmp_path, migrated_sqlite) as parsers:
        found = [
            fuzz.run(fuzz.Parser(*each), times * COUNTS.get(each.name, OTHERS), seed=times) for each in parsers
        ]
    assert [each.crashes + each.hangs for each in found if not each.is_clean] == []
    for each in found:
        print(each.row())
        assert each.refused, each.parser


def test_a_crash_and_a_hang_are_seen() -> None:
    def check(data: bytes) -> bool:
        if data != b"seed":
            raise KeyError
        return True

    found = fuzz.run(fuzz.Parser("broken", [b"seed"], [b"x"], check), 5, 1)
    assert (found.inputs, found.is_clean) == (5, False)
    assert "KeyError" in found.crashes[0]
