"""The file of feeds: what stands in it counts, and what cannot be used stops the hub."""

from pathlib import Path

import pytest

from hub.feeds.configured import feeds
from hub.fhir.systems import ACT_CODE, OWN
from hub.problems import CannotStart
from tests.hub.feeds.toy import TOY

WHOLE = """
[feeds.example]
kind = "toy"
system = "https://toy.example/x"
organization = "Organization/example"
security = ["PSY", { system = "https://toy.example/labels", code = "own" }]
mode = "atomic"
layout = "second"
clients = ["one"]
dated = "x-%Y-%m-%d"
latest = "arrived"
"""
COMMON = {"cin_system": "https://toy.example/cin"}


def written(folder: Path, text: str) -> Path:
    path = folder / "feeds.toml"
    path.write_text(text)
    return path


def test_a_feed_is_as_its_table_says(tmp_path: Path) -> None:
    found = feeds(written(tmp_path, WHOLE), {"toy": TOY}, COMMON)["example"]
    assert (found.kind, found.system, found.atomic, found.layout) == (
        "toy",
        "https://toy.example/x",
        True,
        "second",
    )
    assert [one["system"] for one in found.security] == [ACT_CODE, "https://toy.example/labels"]
    assert found.options == COMMON | {"clients": ["one"]}
    assert (found.dated, found.by_arrival) == ("x-%Y-%m-%d", True)


def test_each_kind_has_a_feed_of_its_own_name(tmp_path: Path) -> None:
    found = feeds(tmp_path / "nothing.toml", {"toy": TOY}, COMMON)
    assert found["toy"].system == OWN + "feed/toy"
    assert found["toy"].options == COMMON


@pytest.mark.parametrize(
    "text",
    [
        'feeds = "x"',
        "[feeds",
        '[feeds.x]\nkind = "other"',
        "[feeds.x]",
        '[feeds.X]\nkind = "toy"',
        '[feeds.x]\nkind = "toy"\nmode = "some"',
        '[feeds.x]\nkind = "toy"\nlatest = "some"',
        '[feeds.x]\nkind = "toy"\ndated = "x%Y"',
        '[feeds.x]\nkind = "toy"\ndated = "x%Y%m%p"',
        '[feeds.x]\nkind = "toy"\ndated = "x%Y%m%m"',
        '[feeds.x]\nkind = "toy"\nsystem = 1',
        '[feeds.x]\nkind = "toy"\nsecurity = [1]',
    ],
)
def test_what_cannot_be_used_stops_the_hub(tmp_path: Path, text: str) -> None:
    with pytest.raises(CannotStart):
        feeds(written(tmp_path, text), {"toy": TOY}, COMMON)
