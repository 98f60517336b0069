"""The page of the mapping says of each column what becomes of it, and is current."""

from pathlib import Path

import pytest

from adapters.hmis import mapping_page
from adapters.hmis.columns import FILES

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_page_of_the_hmis_mapping_is_current() -> None:
    stale = "python -m adapters.hmis.mapping_page > docs/hmis-mapping.md"
    assert (DOCS / "hmis-mapping.md").read_text(encoding="utf-8") == mapping_page.page(), stale


def test_it_names_every_column() -> None:
    page = mapping_page.page()
    keys = {found[0].name for found in FILES.values()}
    named = {column.name for found in FILES.values() for column in found}
    assert [name for name in sorted(named - keys) if f"`{name}`" not in page] == []


def test_a_column_that_nobody_explains_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping_page, "KEPT", {**mapping_page.KEPT, "Funder": ""})
    with pytest.raises(LookupError):
        mapping_page.page()
