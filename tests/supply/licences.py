"""docs/licences.md: what the hub is made of that others wrote, and under which licence.

    .venv/bin/python -m tests.supply.licences > docs/licences.md

Packages are those of requirements.lock, as installed: name, version, licence and home page are what their
metadata say (https://packaging.python.org/en/latest/specifications/core-metadata/). Data of others is
tests/supply/content.csv. Refuses: a package of another version than the lock's, or without a licence.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
_HOME = ("homepage", "home", "website", "source", "source code", "repository", "github", "code", "documentation")
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package. `licence` is an SPDX expression where its author wrote one, else the author's words."""

    name: str
    version: str
    licence: str
    home: str


def pins(lock: Path) -> dict[str, str]:
    """Name -> version of a lock file."""
    return dict(_PIN.findall(lock.read_text(encoding="utf-8")))


def rows(name: str) -> list[Row]:
    """A table beside this file."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def packages(lock: Path) -> Iterator[Package]:
    for name, version in pins(lock).items():
        found = distribution(name)
        if found.version != version:
            raise ValueError(f"{name} {found.version} is installed, {lock.name} has {version}: install it first")
        told = found.metadata
        classifiers = [each for each in told.get_all("Classifier") or () if each.startswith("License :: ")]
        last = classifiers[0].rpartition(" :: ")[2] if classifiers else ""
        licence = told.get("License-Expression") or (told.get("License") or "").strip() or last
        if not licence or "\n" in licence:
            raise ValueError(f"{name} names no licence in its metadata")
        yield Package(name, version, licence, _home(told.get("Home-page"), told.get_all("Project-URL") or []))


def _home(said: str | None, links: list[str]) -> str:
    """The home page; else the most likely of the labelled addresses."""
    labelled = {label.strip().lower(): url.strip() for label, _, url in (link.partition(",") for link in links)}
    return said or next((labelled[label] for label in _HOME if label in labelled), "")


def allowed(licence: str, table: frozenset[str]) -> bool:
    """Whether an SPDX expression (OR, AND; no brackets) can be kept with what the table allows."""
    return any(all(part in table for part in choice.split(" AND ")) for choice in licence.split(" OR "))


def page(lock: Path = ROOT / "requirements.lock") -> str:
    lines = (f"| {one.name} | {one.version} | {one.licence} | <{one.home}> |\n" for one in packages(lock))
    own = (f"| {row['licence']} | {row['why']} |\n" for row in rows("allowed_licences.csv"))
    content = (
        f"| {_files(row)} | {row['what']} | {row['whose']} | {row['licence']} |\n"
        for row in rows("content.csv")
        if row["whose"] != "hub"
    )
    return HEAD + "".join(lines) + ALLOWED + "".join(own) + CONTENT + "".join(content) + TAIL


def _files(row: Row) -> str:
    return ", ".join(f"`{pattern}`" for pattern in row["files"].split())


HEAD = """# Licences

What the hub is made of that others wrote. This page is printed (`python -m tests.supply.licences >
docs/licences.md`); `make test` fails when it is not what is locked, or when a licence comes in that nobody
allowed. Why each package is there: [dependencies.md](dependencies.md). The same list for machines, with hashes:
`make sbom` writes a CycloneDX SBOM to `dist/`. What is known against these versions: `make audit`.

## Packages

All of `requirements.lock`, with what their own metadata say.

| package | version | licence | home page |
| --- | --- | --- | --- |
"""
ALLOWED = """
**psycopg and psycopg-binary are LGPL-3.0.** The hub uses them as unchanged libraries, which asks nothing of the
hub's own code; who gives the hub to others gives them along as they are, with their licence, so that they can be
exchanged. psycopg-binary brings PostgreSQL's client library and what that is linked with, each under its own
licence, which are in the package. **asyncssh** is used under the EPL-2.0. No package comes under the GPL alone.

## Allowed

| licence, in the words of the metadata | why |
| --- | --- |
"""
CONTENT = """
Anything else fails the test until somebody has looked, and written a row into `tests/supply/allowed_licences.csv`.

## Data of others in this repository

| files | what | whose | licence |
| --- | --- | --- | --- |
"""
TAIL = """
All other tables are the hub's own. Each shipped file of data is a row of `tests/supply/content.csv`; a new one
without a row fails the test. Not shipped, and so not listed: packages of implementation guides that a deployment
loads (`HUB_FHIR_PACKAGES`), official code lists that it brings (`HUB_TERMINOLOGY_DIR`), and the samples of test
packages ([dependencies.md](dependencies.md)).
"""

if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
