"""Problems: one table of kinds, and the OperationOutcome made from it."""

import pytest

from hub.access import LETTERS, Access
from hub.problems import KINDS, Issue, Problem, outcome

# https://hl7.org/fhir/R4/valueset-issue-type.html
ISSUE_TYPES = frozenset(
    (
        "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired",
        "forbidden", "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found",
        "deleted", "too-long", "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient",
        "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled", "informational",
    )
)  # fmt: skip


def test_every_kind_has_an_issue_type_of_fhir_and_an_error_status() -> None:
    assert {kind.code for kind in KINDS.values()} <= ISSUE_TYPES
    assert all(400 <= kind.status < 600 for kind in KINDS.values())


@pytest.mark.parametrize(
    ("where", "inside"),
    [
        ("Patient.gender", "Bundle.entry[3].resource.gender"),
        ("Patient.contact[0].gender", "Bundle.entry[3].resource.contact[0].gender"),
        ("Patient", "Bundle.entry[3].resource"),
        ("", "Bundle.entry[3]"),
        ("If-Match", "Bundle.entry[3]"),
        ("resourceType", "Bundle.entry[3]"),
    ],
)
def test_a_problem_of_an_entry_names_its_place_in_the_bundle(where: str, inside: str) -> None:
    found = Problem("value", "x", where, headers={"Retry-After": "5"}).within("Bundle.entry[3]")
    assert (found.issues[0].where, found.headers) == (inside, {"Retry-After": "5"})


def test_an_outcome_lists_every_issue() -> None:
    found = Problem.of([Issue("code-invalid", "a", "Patient.gender"), Issue("structure", "b", severity="warning")])
    assert found.status == 422
    assert outcome(found.issues) == {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "error", "code": "code-invalid", "diagnostics": "a", "expression": ["Patient.gender"]},
            {"severity": "warning", "code": "structure", "diagnostics": "b"},
        ],
    }


def test_an_access_covers_its_letters_and_types_only() -> None:
    some = Access("c", frozenset({("Patient", "r"), ("*", "s")}))
    may = {(i, t) for i in LETTERS for t in ("Patient", "Task") if some.may(i, t)}
    assert may == {
        ("read", "Patient"), ("vread", "Patient"), ("history-instance", "Patient"),
        *((i, t) for i in ("search-type", "history-type", "history-system") for t in ("Patient", "Task")),
    }  # fmt: skip
    assert all(Access.system("test").may(i, "Task") for i in LETTERS)
    with pytest.raises(Problem, match="forbidden"):
        some.require("create", "Patient")
