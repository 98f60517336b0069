"""One error type, one table of kinds, one OperationOutcome builder.

Rules: FHIR R4 https://hl7.org/fhir/R4/http.html#Status-Codes and
https://hl7.org/fhir/R4/valueset-issue-type.html
Everything a caller did wrong is raised as a `Problem`; nobody else writes an OperationOutcome.
Messages name elements, parameters and limits, never the content of a resource (they may be logged).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of problem answers: the HTTP status and the FHIR issue-type code."""

    status: int
    code: str


KINDS: Mapping[str, Kind] = {
    # the request cannot be read
    "structure": Kind(400, "structure"),
    "value": Kind(400, "value"),
    "required": Kind(400, "required"),
    "invalid": Kind(400, "invalid"),
    "duplicate": Kind(400, "duplicate"),
    "contradiction": Kind(400, "conflict"),
    "unresolved": Kind(400, "not-found"),
    "not-supported": Kind(400, "not-supported"),
    "too-costly": Kind(400, "too-costly"),
    "string-too-long": Kind(400, "too-long"),
    "search-too-long": Kind(400, "too-long"),
    # the content breaks a rule
    "code-invalid": Kind(422, "code-invalid"),
    "invariant": Kind(422, "invariant"),
    "business-rule": Kind(422, "business-rule"),
    "processing": Kind(422, "processing"),
    "extension": Kind(422, "extension"),
    "reference-target": Kind(422, "invalid"),
    "profile-required": Kind(422, "required"),
    "profile-structure": Kind(422, "structure"),
    "profile-value": Kind(422, "value"),
    "reference-missing": Kind(422, "not-found"),
    "test-failed": Kind(422, "conflict"),
    "key-reused": Kind(422, "conflict"),
    "definition": Kind(422, "not-supported"),
    "definition-taken": Kind(422, "duplicate"),
    # who may do what
    "login": Kind(401, "login"),
    "forbidden": Kind(403, "forbidden"),
    "throttled": Kind(429, "throttled"),
    # where
    "unknown-type": Kind(404, "not-supported"),
    "not-found": Kind(404, "not-found"),
    "deleted": Kind(410, "deleted"),
    "expired": Kind(410, "not-found"),
    "method": Kind(405, "not-supported"),
    "accept": Kind(406, "not-supported"),
    "media-type": Kind(415, "not-supported"),
    "too-long": Kind(413, "too-long"),
    "too-many": Kind(413, "too-costly"),
    # versions and matches
    "conflict": Kind(409, "conflict"),
    "precondition": Kind(412, "conflict"),
    "no-match": Kind(412, "not-found"),
    "multiple-matches": Kind(412, "multiple-matches"),
    # our own faults
    "exception": Kind(500, "exception"),
    "busy": Kind(503, "transient"),
    "no-space": Kind(507, "no-store"),
}


_IN_RESOURCE = re.compile(r"[A-Z][A-Za-z]+((?:\..+)?)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong, at one place. `kind` is a key of KINDS, `where` a FHIRPath such as `Patient.gender`."""

    kind: str
    message: str
    where: str = ""
    severity: str = "error"


class Problem(Exception):
    """Raised where a rule is broken; carries all issues found and any headers the answer needs."""

    def __init__(self, kind: str, message: str, where: str = "", headers: Mapping[str, str] | None = None):
        super().__init__(kind, message)
        self.issues: tuple[Issue, ...] = (Issue(kind, message, where),)
        self.headers: dict[str, str] = dict(headers or {})

    @classmethod
    def of(cls, issues: Iterable[Issue]) -> "Problem":
        """A problem with several issues; the first one decides the status."""
        every = tuple(issues)
        problem = cls(every[0].kind, every[0].message, every[0].where)
        problem.issues = every
        return problem

    @property
    def kind(self) -> str:
        return self.issues[0].kind

    @property
    def status(self) -> int:
        return KINDS[self.kind].status

    def within(self, where: str) -> "Problem":
        """The same problem, seen from a place further out, such as `Bundle.entry[3]`."""
        found = Problem.of(Issue(i.kind, i.message, _inside(where, i.where), i.severity) for i in self.issues)
        found.headers = self.headers
        return found

    def __str__(self) -> str:
        return "; ".join(f"{i.kind}: {i.message}" + (f" ({i.where})" if i.where else "") for i in self.issues)


def _inside(outer: str, inner: str) -> str:
    """`Bundle.entry[3]` and `Patient.gender` as `Bundle.entry[3].resource.gender`; other names are left off."""
    found = _IN_RESOURCE.match(inner)
    return f"{outer}.resource{found[1]}" if found else outer


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The OperationOutcome for these issues. https://hl7.org/fhir/R4/operationoutcome.html"""
    return {"resourceType": "OperationOutcome", "issue": [_issue(i) for i in issues]}


def _issue(issue: Issue) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "severity": issue.severity,
        "code": KINDS[issue.kind].code if issue.kind in KINDS else issue.kind,
        "diagnostics": issue.message,
    }
    if issue.where:
        entry["expression"] = [issue.where]
    return entry


class CannotStart(Exception):
    """What keeps the hub from starting, as a sentence for who starts it."""
