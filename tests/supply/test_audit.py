"""`make audit`: what is known fails it, what is passed over does not until its day, silence is no good news."""

from datetime import date
from pathlib import Path

import pytest

from tests.supply.audit import LOCKS, Ignored, Known, Report, ignored, is_reached, told
from tests.supply.licences import ROOT

TODAY = date(2026, 11, 23)
FLAW = {
    "id": "PYSEC-2019-217",
    "fix_versions": ["2.10.1"],
    "aliases": ["GHSA-462w-v97r-4m45", "CVE-2019-10906"],
    "description": "…",
}


def report(*vulns: dict[str, object]) -> Report:
    """As pip-audit 2.10 writes it: one package with what is known, one that is well, one that is not there."""
    return {
        "dependencies": [
            {"name": "jinja2", "version": "2.10", "vulns": list(vulns)},
            {"name": "flask", "version": "3.1.3", "vulns": []},
            {"name": "ours", "skip_reason": "Dependency not found on PyPI and could not be audited: ours (1.0)"},
        ],
        "fixes": [],
    }


def passed_over(until: date, id: str = "CVE-2019-10906", package: str = "jinja2") -> list[Ignored]:
    return [Ignored(id, package, date(2026, 11, 1), until, "templates are our own")]


def test_what_is_known_fails_the_audit_and_is_named_with_its_remedy() -> None:
    lines, bad = told(report(FLAW), [], TODAY)
    assert bad == [
        Known("jinja2", "2.10", ("PYSEC-2019-217", "GHSA-462w-v97r-4m45", "CVE-2019-10906"), ("2.10.1",))
    ]
    assert lines == [
        "VULNERABLE: jinja2 2.10: PYSEC-2019-217 GHSA-462w-v97r-4m45 CVE-2019-10906, mended in 2.10.1",
        "not audited, the service does not have them: ours",
        "2 packages audited, 1 known vulnerabilities that count",
    ]


def test_what_is_passed_over_counts_again_the_day_after_its_end() -> None:
    assert told(report(FLAW), passed_over(TODAY), TODAY)[1] == []
    assert len(told(report(FLAW), passed_over(date(2026, 11, 22)), TODAY)[1]) == 1


def test_one_advisory_of_one_package_is_passed_over_and_no_other() -> None:
    assert len(told(report(FLAW), passed_over(TODAY, id="CVE-2000-1"), TODAY)[1]) == 1
    assert len(told(report(FLAW), passed_over(TODAY, package="flask"), TODAY)[1]) == 1
    lines, _ = told(report(), passed_over(TODAY), TODAY)
    assert lines[0] == "ignored.csv: CVE-2019-10906 is known against nothing any more"


def test_a_service_that_knows_nothing_of_what_is_bad_is_not_reached() -> None:
    assert is_reached(report(FLAW))
    assert not is_reached(report())
    assert not is_reached(None)


@pytest.mark.parametrize(
    "row",
    ["CVE-1,jinja2,2026-11-01,2026-12-01, ", "CVE-1,jinja2,2026-11-01,2027-11-01,later", "CVE-1,jinja2,,,why"],
)
def test_a_row_without_a_reason_or_an_end_is_refused(tmp_path: Path, row: str) -> None:
    table = tmp_path / "ignored.csv"
    table.write_text(f"id,package,decided,until,reason\n{row}\n")
    with pytest.raises(ValueError):
        ignored(table)


def test_the_table_reads_and_every_lock_file_is_audited() -> None:
    assert all(row.reason for row in ignored())
    locks = (ROOT / "requirements.lock", *ROOT.glob("tests/**/requirements.lock"))
    assert {str(path.relative_to(ROOT)) for path in locks} == set(LOCKS)
