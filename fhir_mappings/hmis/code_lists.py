"""HUD's code lists, from code_lists.csv: list, name, code, label.

Rules: HMIS CSV Format Specifications FY2026, appendix of lists (numbering as in FY2024). A code of these is a
coding in a code system of the hub's own, one a list, because HUD publishes no URI; HUD's words are its display.
Refuses: a code without a row (Unmapped): the subject waits until the list has it.
"""

import csv
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from hub.feeds.records import Unmapped
from hub.fhir.systems import OWN

Concept = dict[str, Any]

TABLE = "HMIS list "
DOES_NOT_KNOW, PREFERS_NOT, NOT_COLLECTED = "8", "9", "99"
WORKER_CANNOT_TELL, NO_EXIT_INTERVIEW = "37", "30"
ABSENT_SYSTEM = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
# what HUD calls missing, as FHIR calls it (https://hl7.org/fhir/R4/valueset-data-absent-reason.html)
ABSENT: Final[Mapping[str, str]] = {
    DOES_NOT_KNOW: "asked-unknown",
    PREFERS_NOT: "asked-declined",
    NOT_COLLECTED: "unknown",
    WORKER_CANNOT_TELL: "unknown",
    NO_EXIT_INTERVIEW: "unknown",
}


def _lists() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    text = files("fhir_mappings.hmis").joinpath("code_lists.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["list"], {})[row["code"]] = row["label"]
        NAMES[row["list"]] = row["name"]
    return found


NAMES: Final[dict[str, str]] = {}
LISTS: Final[Mapping[str, Mapping[str, str]]] = _lists()


def system(codes: str) -> str:
    """The code system of a list, such as .../CodeSystem/hmis/3.12."""
    return f"{OWN}CodeSystem/hmis/{codes}"


def label(codes: str, code: str, column: str) -> str:
    """HUD's words. Raises Unmapped."""
    try:
        return LISTS[codes][code]
    except KeyError:
        raise Unmapped(f"{TABLE}{codes}", code, column) from None


def concept(codes: str, code: str, column: str) -> Concept:
    """The code as a CodeableConcept. Raises Unmapped."""
    words = label(codes, code, column)
    return {"coding": [{"system": system(codes), "code": code, "display": words}], "text": words}


def absent(code: str) -> Concept:
    """Why there is no value: what HUD's code says, `unknown` for an empty cell."""
    return {"coding": [{"system": ABSENT_SYSTEM, "code": ABSENT.get(code, "unknown")}]}


def valued(codes: str, code: str, column: str) -> Concept:
    """`valueCodeableConcept`, or `dataAbsentReason` where the source itself does not know. Raises Unmapped."""
    if not code:
        return {"dataAbsentReason": absent(code)}
    words = label(codes, code, column)
    if code in ABSENT:
        return {"dataAbsentReason": {**absent(code), "text": words}}
    return {"valueCodeableConcept": concept(codes, code, column)}
