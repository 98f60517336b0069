"""What was asked and what is answered, without a web framework; and the headers' rules.

Rules: https://hl7.org/fhir/R4/http.html#ops, #prefer, #etag. An Answer's body is JSON always: hub.rest.rendering
writes it in the format that was asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from hub import clock
from hub.audit.recorder import Recording
from hub.fhir import json
from hub.fhir.bundles import ID, etag
from hub.problems import Issue as Issue
from hub.problems import Problem, outcome
from hub.rest import formats
from hub.rest.rendering import FORM as FORM
from hub.rest.rendering import PLAIN, Style
from hub.store.read import Stored

FHIR_JSON = formats.JSON.mime
QUESTIONS = ("GET", "HEAD")  # a search by form, too, once the form is read
PREFERENCES = ("minimal", "representation", "OperationOutcome")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `pairs` are the URL's parameters in order (and a search form's), `query` is the URL's; both
    without `_format` and `_pretty`, which `style` holds. Headers have lower-case names; the body is as it was
    before it was compressed."""

    method: str
    type: str = ""
    id: str = ""
    version: int | None = None
    pairs: Sequence[tuple[str, str]] = ()
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    style: Style = PLAIN
    member: str = ""  # the type, or `*`, that is searched in a compartment
    operation: str = ""  # of `$operation`, without the sign
    audit: Recording | None = None  # what becomes of it is told here, if anybody wants to know

    def prefer(self, name: str) -> str:
        """The value of one preference, such as `return`; empty where none is stated (RFC 7240)."""
        for part in self.headers.get("prefer", "").replace(",", ";").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value.strip('"')
        return ""

    def prefers(self, name: str) -> bool:
        """Whether a preference without a value is stated, such as `respond-async`."""
        stated = self.headers.get("prefer", "").replace(",", ";").split(";")
        return any(part.strip().lower() == name for part in stated)

    @property
    def lenient(self) -> bool:
        """Whether what is unknown may be left out: of a question only. A write without its condition is another."""
        return self.method in QUESTIONS and self.prefer("handling") == "lenient"

    def resource(self) -> dict[str, Any]:
        """The body as a resource. Raises Problem."""
        return formats.sent(self.headers.get("content-type", "")).read(self.body)

    def no_parameters(self) -> None:
        """Refuse what this interaction would otherwise silently leave undone, such as `_elements` on a read."""
        unknown = [name for name, _ in self.pairs]
        if unknown and not self.lenient:
            name = unknown[0][:64]
            raise Problem("not-supported", f"This interaction does not take '{name}' here", name)

    def check_id(self) -> None:
        if not ID.match(self.id):
            raise Problem("value", "An id has 1 to 64 letters, digits, '-' and '.'", "id")


@dataclass(frozen=True, slots=True)
class Answer:
    """`released` are the versions that leave with it, or were written: the audit tells whose they are."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    released: Sequence[Stored] = ()


@lru_cache(maxsize=256)
def http_date(seconds: int) -> str:
    """Seconds since 1970 as RFC 9110 section 5.6.7 writes a date."""
    return formatdate(seconds, usegmt=True)


def version_headers(stored: Stored) -> dict[str, str]:
    """ETag and Last-Modified of a version."""
    return {
        "ETag": etag(stored.version),
        "Last-Modified": http_date(stored.last_updated // 1_000_000),
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
