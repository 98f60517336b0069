"""docs/feeds.md says what each word of a reject report means."""

from pathlib import Path

from hub.feeds.reject_codes import REJECT_CODES

PAGE = Path(__file__).parents[2] / "docs" / "feeds.md"


def test_every_reject_code_is_explained_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("| code | what to do |")[2].partition("\n## ")[0]
    rows = dict(line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `"))
    assert rows == {f"`{code}`": meaning for code, meaning in REJECT_CODES.items()}
