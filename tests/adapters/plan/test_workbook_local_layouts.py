"""Kinds without a shipped layout: a deployment's own says what their columns are (docs/plan-workbooks.md)."""

import re
from pathlib import Path

from tests.adapters.plan.workbooks import PROVIDER, book, feed, given, mapped, one

DOCS = Path(__file__).resolve().parents[3] / "docs"
ACTIVITY = """
kinds = ["activity"]
key = ["cin", "last_encounter"]
[[column]]
fact = "cin"
header = "CIN"
type = "cin"
required = true
[[column]]
fact = "last_encounter"
header = "Day"
type = "past"
"""


def test_the_example_of_the_page_reads_an_eligibility_list(tmp_path: Path) -> None:
    text = (DOCS / "plan-workbooks.md").read_text(encoding="utf-8")
    (example,) = [t for t in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "our-eligibility" in t]
    (tmp_path / "our-eligibility.toml").write_text(example, encoding="utf-8")
    of = feed("eligibility", layouts=str(tmp_path))
    path = book(
        tmp_path / "a.xlsx",
        {"Eligible": [["CIN", "Assigned NPI", "Eligible From", "PoF 1"], ["91234567A", PROVIDER, "10/01/2026", 1]]},
    )
    resources = mapped(given(path, of)[0], of)[1]
    assert one(resources, "EpisodeOfCare")["period"] == {"start": "2026-10-01"}
    assert one(resources, "Group")["managingEntity"]["reference"].endswith(PROVIDER)
    assert one(resources, "Observation")["valueBoolean"] is True


def test_an_activity_log_of_a_local_layout_says_what_was_done(tmp_path: Path) -> None:
    (tmp_path / "log.toml").write_text(ACTIVITY, encoding="utf-8")
    of = feed("activity", layouts=str(tmp_path))
    path = book(
        tmp_path / "a.xlsx", {"Any": [["CIN", "Day"], ["91234567A", "2026-10-05"], ["91234567A", "2026-10-06"]]}
    )
    made = mapped(given(path, of)[0], of)[1]
    assert sorted(one["period"]["start"] for one in made) == ["2026-10-05", "2026-10-06"]


def test_without_a_layout_the_file_is_refused(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"Any": [["CIN", "Day"], ["91234567A", "2026-10-05"]]})
    (reject,) = given(path, feed("activity"))[1]
    assert (reject.code, reject.whole) == ("LAYOUT_UNKNOWN", True)


def test_a_layout_that_cannot_be_read_refuses_files_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("kinds = [", encoding="utf-8")
    path = book(tmp_path / "a.xlsx", {"Any": [["CIN"], ["91234567A"]]})
    (reject,) = given(path, feed("mif", layouts=str(tmp_path)))[1]
    assert reject.code == "LAYOUT_UNKNOWN"


def test_of_two_layouts_that_fit_alike_the_feed_names_one(tmp_path: Path) -> None:
    (tmp_path / "log.toml").write_text(ACTIVITY, encoding="utf-8")
    (tmp_path / "log2.toml").write_text('extends = "log"\n', encoding="utf-8")
    path = book(tmp_path / "a.xlsx", {"Any": [["CIN", "Day"], ["91234567A", "2026-10-05"]]})
    (reject,) = given(path, feed("activity", layouts=str(tmp_path)))[1]
    assert "log, log2" in reject.what
    assert len(given(path, feed("activity", layouts=str(tmp_path), layout="log2"))[0]) == 1


def test_a_damaged_file_is_refused_and_raises_nothing(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04 no zip", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfea\x00", b"\x00" * 50):
        path = tmp_path / "bad"
        path.write_bytes(content)
        rejects = given(path, feed("mif"))[1]
        assert len(rejects) == 1, content
        assert rejects[0].whole
