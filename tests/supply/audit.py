"""`make audit`: whether something is known against a locked version (pip-audit, https://pypi.org/project/pip-audit/).

Exit code 1 where something is known that nobody passed over. What is passed over is a row of ignored.csv, with a
reason and the day on which that ends. Where the service of advisories is not reached, nothing was audited: this
says so and ends with 0, for it says nothing about the hub. Whether it is reached shows a version of which
everybody knows that it is bad: a registry's mirror may answer without advisories, and then pip-audit finds
nothing wrong with anything.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOCKS = ("requirements.lock", *(f"tests/{folder}requirements.lock" for folder in ("", "bench/", "supply/")))
KNOWN_BAD = "jinja2==2.10\n"  # CVE-2019-10906 and others
SECONDS = 300
Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """Something that is known against a version, by all its names: PYSEC, GHSA, CVE."""

    package: str
    version: str
    ids: tuple[str, ...]
    mended_in: tuple[str, ...]

    def __str__(self) -> str:
        mended = f", mended in {', '.join(self.mended_in)}" if self.mended_in else ", not mended yet"
        return f"{self.package} {self.version}: {' '.join(self.ids)}{mended}"


@dataclass(frozen=True, slots=True)
class Ignored:
    """One advisory that is passed over until a day, and why."""

    id: str
    package: str
    decided: date
    until: date
    reason: str


def ignored(table: Path = HERE / "ignored.csv") -> list[Ignored]:
    """Refuses a row without a reason, or of more than half a year."""
    with table.open(encoding="utf-8", newline="") as file:
        return [_row(row) for row in csv.DictReader(file)]


def _row(row: dict[str, str]) -> Ignored:
    decided, until = date.fromisoformat(row["decided"]), date.fromisoformat(row["until"])
    if not row["reason"].strip() or not 0 < (until - decided).days <= 183:
        raise ValueError(f"ignored.csv: {row['id']} needs a reason, and an end within half a year of its decision")
    return Ignored(row["id"], row["package"], decided, until, row["reason"])


def known(report: Report) -> Iterator[Known]:
    for package in report["dependencies"]:
        for each in package.get("vulns", ()):
            ids = (each["id"], *each.get("aliases", ()))
            yield Known(package["name"], package["version"], ids, tuple(each.get("fix_versions", ())))


def unaudited(report: Report) -> list[str]:
    """Packages of which the service knows nothing at all."""
    return sorted(each["name"] for each in report["dependencies"] if "skip_reason" in each)


def is_reached(report: Report | None) -> bool:
    """Whether what is known to be bad is told: the service is there and has advisories."""
    return report is not None and any(known(report))


def counts(one: Known, table: list[Ignored], today: date) -> bool:
    return not any(row.package == one.package and row.id in one.ids and today <= row.until for row in table)


def audit(*locks: str, hashed: bool = True) -> Report | None:
    """What pip-audit says of lock files; none where it could not ask."""
    files = [word for lock in locks for word in ("-r", lock)]
    words = [
        "--disable-pip",
        "--progress-spinner=off",
        "--format=json",
        "--require-hashes" if hashed else "--no-deps",
    ]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *words, *files],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        report: Report = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return report


def told(report: Report, table: list[Ignored], today: date) -> tuple[list[str], list[Known]]:
    """Lines for who reads on, and what makes the audit fail."""
    found = sorted(set(known(report)), key=str)
    bad = [one for one in found if counts(one, table, today)]
    lines = [f"passed over, see ignored.csv: {one}" for one in found if one not in bad]
    lines += [f"VULNERABLE: {one}" for one in bad]
    used = {name for one in found for name in one.ids}
    lines += [f"ignored.csv: {row.id} is known against nothing any more" for row in table if row.id not in used]
    if missing := unaudited(report):
        lines.append(f"not audited, the service does not have them: {' '.join(missing)}")
    audited = len({each["name"] for each in report["dependencies"]}) - len(missing)
    return [*lines, f"{audited} packages audited, {len(bad)} known vulnerabilities that count"], bad


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "known_bad.txt"
        canary.write_text(KNOWN_BAD, encoding="utf-8")
        reached = is_reached(audit(str(canary), hashed=False))
    report = audit(*LOCKS) if reached else None
    if report is None:
        print(
            "NOT AUDITED: the service of advisories is not reached from this machine. Run `make audit` where it is."
        )
        return 0
    lines, bad = told(report, ignored(), datetime.now(UTC).date())
    print("\n".join(lines))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
