"""What was asked and what is answered, without a web framework; and the headers' rules.

Rules: https://hl7.org/fhir/R4/http.html#mime-type, #ops, #prefer, #etag
Refuses: media types other than FHIR JSON (415 to read, 406 to write), compressed bodies (415).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from hub import clock
from hub.fhir import json
from hub.fhir.bundles import ID, etag
from hub.problems import Issue as Issue
from hub.problems import Problem, outcome
from hub.store.read import Stored

FHIR_JSON = "application/fhir+json"
JSON_TYPES = frozenset((FHIR_JSON, "application/json", "text/json"))
ACCEPTED = JSON_TYPES | {"*/*", "application/*", "text/*", ""}
FORMATS = JSON_TYPES | {"json", ""}
FORM = "application/x-www-form-urlencoded"
PREFERENCES = ("minimal", "representation", "OperationOutcome")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `pairs` are the URL's parameters in order (and a search form's); headers are lower-case."""

    method: str
    type: str = ""
    id: str = ""
    version: int | None = None
    pairs: Sequence[tuple[str, str]] = ()
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def prefer(self, name: str) -> str:
        """The value of one preference, such as `return`; empty where none is stated (RFC 7240)."""
        for part in self.headers.get("prefer", "").replace(",", ";").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value.strip('"')
        return ""

    def resource(self) -> dict[str, Any]:
        """The body as a resource. Raises Problem."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in JSON_TYPES:
            raise Problem("media-type", f"Send {FHIR_JSON}", "Content-Type")
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise Problem("media-type", "Send the body without Content-Encoding", "Content-Encoding")
        return json.read(self.body)

    def no_parameters(self) -> None:
        """Refuse what this interaction would otherwise silently leave undone, such as `_elements` on a read."""
        unknown = [name for name, _ in self.pairs if name != "_format"]
        if unknown and self.prefer("handling") != "lenient":
            name = unknown[0][:64]
            raise Problem("not-supported", f"This interaction does not take '{name}' here", name)

    def check_id(self) -> None:
        if not ID.match(self.id):
            raise Problem("value", "An id has 1 to 64 letters, digits, '-' and '.'", "id")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def negotiate(asked: Asked) -> None:
    """406 where the client takes no JSON. `_format` overrides Accept."""
    wanted = next((value for name, value in asked.pairs if name == "_format"), None)
    if wanted is not None:
        # a `+` that was not escaped arrives as a space
        if wanted.partition(";")[0].strip().lower().replace(" ", "+") not in FORMATS:
            raise Problem("accept", f"This server writes {FHIR_JSON}", "_format")
        return
    kinds = [part.partition(";")[0].strip().lower() for part in asked.headers.get("accept", "").split(",")]
    if not ACCEPTED.intersection(kinds):
        raise Problem("accept", f"This server writes {FHIR_JSON}", "Accept")


def version_headers(stored: Stored) -> dict[str, str]:
    """ETag and Last-Modified of a version."""
    return {
        "ETag": etag(stored.version),
        "Last-Modified": formatdate(stored.last_updated // 1_000_000, usegmt=True),
    }


def location(base: str, stored: Stored) -> str:
    return f"{base}/{stored.type}/{stored.id}/_history/{stored.version}"


def problem_answer(problem: Problem) -> Answer:
    return Answer(problem.status, json.write(outcome(problem.issues)), problem.headers)


def written(asked: Asked, base: str, status: int, stored: Stored | None) -> Answer:
    """The answer to a write, as `Prefer: return=` wants it."""
    if stored is None:
        return Answer(204)
    headers = version_headers(stored)
    if status == 201:
        headers["Location"] = location(base, stored)
    if stored.body is None:
        return Answer(204, b"", {"ETag": headers["ETag"]})
    match asked.prefer("return"):
        case "minimal":
            return Answer(status, b"", headers)
        case "OperationOutcome":
            said = {
                "resourceType": "OperationOutcome",
                "issue": [{"severity": "information", "code": "informational", "diagnostics": "Stored"}],
            }
            return Answer(status, json.write(said), headers)
    return Answer(status, stored.body, headers)


def instant_of(stored: Stored) -> str:
    return clock.instant(stored.last_updated)
