"""docs/retention.md says of each table of the database how long its rows are kept."""

import importlib
import pkgutil
import re
from pathlib import Path

import hub.store
from hub.store.tables import metadata

PAGE = Path(__file__).parents[2] / "docs" / "retention.md"


def tables() -> set[str]:
    for module in pkgutil.iter_modules(hub.store.__path__):
        if module.name.startswith("tables"):
            importlib.import_module(f"hub.store.{module.name}")
    return set(metadata.tables)


def test_each_table_is_told_once() -> None:
    page = PAGE.read_text(encoding="utf-8").partition("\n## Files")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE)
    told = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert len(told) == len(set(told))
    assert set(told) == tables()
