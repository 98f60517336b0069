"""What a row of a CSV says of its release: labels, consents, and the notice of 42 CFR 2.32.

Rules: 42 CFR 2.32(a)(1): the notice travels with each row that is released under Part 2 (the resource carries the
label then, hub.release). A cell that a spreadsheet would take for a formula begins with an apostrophe.
Refuses: nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

RELATED = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-sec-label-related-artifact"
NO_REDISCLOSURE = "NORDSCLCD"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("labels", "consents", "notice")
Resource = Mapping[str, Any]


def released_cells(resource: Resource, notice: str) -> dict[str, str]:
    """The cells of COLUMNS."""
    return {
        "labels": " ".join(one.get("code", "") for one in resource.get("meta", {}).get("security", ())),
        "consents": " ".join(_consents(resource)),
        "notice": notice if is_under_part2(resource) else "",
    }


def is_under_part2(resource: Resource) -> bool:
    """Whether it was released with the obligation not to redisclose."""
    return any(one.get("code") == NO_REDISCLOSURE for one in resource.get("meta", {}).get("security", ()))


def safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _consents(resource: Resource) -> Iterator[str]:
    for label in resource.get("meta", {}).get("security", ()):
        for extension in label.get("extension", ()):
            if extension.get("url") == RELATED:
                yield extension.get("valueRelatedArtifact", {}).get("url", "")
