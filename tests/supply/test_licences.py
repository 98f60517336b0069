"""docs/licences.md is what is locked and shipped, and nothing comes under a licence that nobody allowed."""

from fnmatch import fnmatch

import pytest

from tests.supply.licences import ROOT, allowed, page, pins, rows

ROOMS = ("hub", "fhir_mappings", "adapters", "auth", "conformance")
CODE = {".py", ".pyc", ".md", ".mako"}
ALLOWED = frozenset(row["licence"] for row in rows("allowed_licences.csv"))
PAGE = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")


def packages_of_the_page() -> dict[str, tuple[str, str]]:
    """Package -> (version, licence)."""
    table = PAGE.partition("## Packages")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {name: (version, licence) for name, version, licence, *_ in lines[2:]}


def test_the_page_is_what_is_installed() -> None:
    """When this fails: .venv/bin/python -m tests.supply.licences > docs/licences.md"""
    assert page() == PAGE


def test_the_page_has_every_locked_package_with_its_version() -> None:
    assert {name: version for name, (version, _) in packages_of_the_page().items()} == pins(
        ROOT / "requirements.lock"
    )


def test_every_licence_was_allowed_by_somebody() -> None:
    told = packages_of_the_page()
    assert {name: licence for name, (_, licence) in told.items() if not allowed(licence, ALLOWED)} == {}
    assert told["psycopg"][1] == "LGPL-3.0-only"


def test_no_allowed_licence_is_there_for_nothing() -> None:
    told = " ".join(licence for _, licence in packages_of_the_page().values())
    assert [licence for licence in ALLOWED if licence not in told] == []


@pytest.mark.parametrize(
    ("licence", "fits"),
    [
        ("MIT", True),
        ("EPL-2.0 OR GPL-2.0-or-later", True),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("MIT AND GPL-3.0-only", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_the_gpl_alone_and_the_unknown_are_not_allowed(licence: str, fits: bool) -> None:
    assert allowed(licence, ALLOWED) is fits


def test_every_shipped_file_of_data_says_whose_it_is() -> None:
    patterns = {pattern for row in rows("content.csv") for pattern in row["files"].split()}
    shipped = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix not in CODE
    ]
    assert len(shipped) > 80
    assert [name for name in shipped if not any(fnmatch(name, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in shipped)] == []
    assert [row["files"] for row in rows("content.csv") if row["whose"] != "hub" and not row["licence"]] == []
