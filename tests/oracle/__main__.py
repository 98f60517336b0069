"""make oracle: our $validate and the HL7 validator on the same resources, and where they disagree.

Development only. Needs the packages (HUB_FHIR_PACKAGES, else ../shared/packages), Java, Maven and npm.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from conformance.packages.catalog import Catalog
from conformance.profiles.terms import LibraryCodes
from conformance.profiles.validate import Validator
from conformance.terminology.load import library
from hub.fhir.json import read
from hub.problems import Problem
from tests.oracle import java, report
from tests.oracle.corpus import GUIDES, Guide, examples
from tests.oracle.mutations import broken
from tests.oracle.report import Case

MOST_BROKEN = 2  # examples of one profile that are broken, too: the HL7 validator takes 50 ms a resource
ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    packages = Path(os.environ.get("HUB_FHIR_PACKAGES") or ROOT.parent / "shared/packages")
    if not list(packages.glob("*.tgz")):
        print(f"No packages in {packages}: set HUB_FHIR_PACKAGES.")
        return 2
    work = java.default_work()
    work.mkdir(parents=True, exist_ok=True)
    java.prepare(work, packages)
    cases = [case for guide in GUIDES for case in _cases(guide, packages, work)]
    text = report.text(cases)
    print(text)
    (ROOT / "docs/oracle.md").write_text(text)
    return 0


def _cases(guide: Guide, packages: Path, work: Path) -> list[Case]:
    folder = work / guide.name.replace("#", "-")
    names = _write(examples(packages / guide.archive), folder)
    needs = [name.removeprefix("BUILT-").removesuffix(".tgz") for name in guide.needs]
    cached = ["#".join(name.rsplit("-", 1)) for name in needs]
    theirs = java.run(work, [*cached, guide.name], folder)
    validator = _validator([packages / name for name in (guide.archive, *guide.needs)], packages, work)
    return [
        Case(guide.name, *names[name], _ours(validator, folder / name), theirs.get(name, ["FATAL||no answer"]))
        for name in sorted(names)
    ]


def _write(resources: dict[str, dict[str, Any]], folder: Path) -> dict[str, tuple[str, str]]:
    """The corpus as files; the example and the mutation by file name."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    names = {}
    seen: Counter[str] = Counter()
    for example, resource in resources.items():
        like = str((resource["resourceType"], resource.get("meta", {}).get("profile")))
        seen[like] += 1
        every = [("as published", resource), *(broken(resource) if seen[like] <= MOST_BROKEN else ())]
        for place, (mutation, content) in enumerate(every):
            name = f"{example}~{place:02}.json"
            names[name] = (example, mutation)
            (folder / name).write_text(json.dumps(content))
    return names


def _validator(guides: list[Path], packages: Path, work: Path) -> Validator:
    core = list(packages.glob("hl7.fhir.r4.core-*.tgz"))
    catalog = Catalog.of_files([*guides, *core, *java.extra_packages(work)])
    return Validator(catalog, LibraryCodes(library(catalog)))


def _ours(validator: Validator, path: Path) -> list[str]:
    try:
        issues = validator.validate(read(path.read_bytes()))
    except Problem as problem:
        issues = list(problem.issues)
    return [f"{each.kind}|{each.where}|{each.message}" for each in issues if each.severity == "error"]


if __name__ == "__main__":
    sys.exit(main())
