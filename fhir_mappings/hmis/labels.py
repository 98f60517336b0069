"""What is sensitive in an HMIS row: labels from its codes (sensitive_codes.csv) and from the project that wrote it.

Rules: docs/labels.md. Everything that HMIS says of a person has the label HMIS: it leaves with a release of
information only (docs/hmis.md "Consent"). A project of a victim service provider, or for survivors, is SDV; one for
persons with HIV is HIV. A substance use disorder that a client tells of is SUD; it is a record under 42 CFR Part 2
only where the deployment says that the project is such a program (`part2_projects` of the feed).
Refuses nothing.
"""

import csv
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

from hub.feeds.records import Feed, Resource
from hub.fhir.systems import ACT_CODE, SECURITY_LABEL

HMIS: Final = {"system": SECURITY_LABEL, "code": "HMIS"}
PART2_PROJECTS = "part2_projects"  # option of the feed: their ProjectIDs
PART2, SDV = "42CFRPart2", "SDV"
Labels = frozenset[str]
NONE: Final[Labels] = frozenset()


def _codes() -> dict[tuple[str, str], str]:
    text = files("fhir_mappings.hmis").joinpath("sensitive_codes.csv").read_text(encoding="utf-8")
    return {(row["list"], row["code"]): row["label"] for row in csv.DictReader(text.splitlines())}


SENSITIVE: Final[Mapping[tuple[str, str], str]] = _codes()


def of_code(codes: str, code: str) -> Labels:
    """The labels of a code of a HUD list."""
    found = SENSITIVE.get((codes, code))
    return frozenset((found,)) if found else NONE


def of_project(project: Mapping[str, Any], feed: Feed) -> Labels:
    """The labels of all that a project writes."""
    found = set(of_code("2.02.7", project.get("TargetPopulation", "")))
    if is_of_victims(project):
        found.add(SDV)
    if project.get("ProjectID") in feed.options.get(PART2_PROJECTS, ()):
        found.add(PART2)
    return frozenset(found)


def is_of_victims(project: Mapping[str, Any]) -> bool:
    return project.get("VictimServiceProvider") == "1" or project.get("TargetPopulation") == "1"


def labelled(resource: Resource, labels: Iterable[str] = ()) -> Resource:
    """The resource with the label of HMIS and these."""
    security = [dict(HMIS), *({"system": ACT_CODE, "code": code} for code in sorted(labels))]
    return {**resource, "meta": {**resource.get("meta", {}), "security": security}}
