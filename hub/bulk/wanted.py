"""What an export is to hold, as its job keeps it; and the walks that find it. Pure.

Rules: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters
`since` and `until` are microseconds: a resource is in when it changed after the one and not after the other, so
that an export that begins where another ended misses nothing and brings nothing twice. `until` is the
transactionTime at the latest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hub.sight import NOBODY, UNKNOWN

BINARY = "Binary"
SYSTEM, PATIENT, GROUP = "system", "patient", "group"
CHANGED, OF_MEMBERS, OF_SEVERAL, LISTED = "changed", "members", "several", "listed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`types` are those that the client may have. `members`: only what belongs to the job's patients; `listed`:
    these row numbers besides. `filters` are searches by type, one of which must find a resource; `elements` are
    names by type, and by "" for all. `narrowed`: what the scopes at kick-off narrowed each type to. `ignored` are
    the parameters that lenient handling left out, `request` is the URL that asked, `time` the transactionTime."""

    level: str
    types: Sequence[str]
    time: int
    request: str
    since: int | None = None
    until: int | None = None
    members: bool = False
    listed: Sequence[int] = ()
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    elements: Mapping[str, Sequence[str]] = field(default_factory=dict)
    narrowed: Mapping[str, Sequence[int]] = field(default_factory=dict)
    ignored: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> "Wanted":
        return cls(**asked)

    @property
    def last(self) -> int:
        """The time after which nothing is in."""
        return self.time if self.until is None else min(self.time, self.until)

    def has(self, kind: str, patient: int, changed: int) -> bool:
        """Whether a resource of this type and patient (hub.sight) that changed at this time is in. What a Binary
        holds, a DocumentReference tells of: it is read where that says, and not exported (STU2, export.html)."""
        if kind == BINARY:
            return False
        if changed > self.last or (self.since is not None and changed <= self.since):
            return False
        return self.level == SYSTEM or patient not in (NOBODY, UNKNOWN)

    def names_of(self, kind: str) -> list[str]:
        """The elements that were asked for of a type; none: all."""
        return [*self.elements.get(kind, ()), *self.elements.get("", ())]


@dataclass(frozen=True, slots=True)
class Walk:
    """One way through what is stored. `after` is the place before its first resource."""

    way: str
    type: str = ""
    after: Sequence[Any] = ()


def walks(wanted: Wanted) -> Iterator[Walk]:
    """Every resource that is in is met by one of these, and by one alone."""
    if wanted.listed:
        yield Walk(LISTED)
    if wanted.members:
        yield Walk(OF_MEMBERS, after=(_LEAST, "", _LEAST))
        yield Walk(OF_SEVERAL, after=("", _LEAST))
        return
    for kind in wanted.types:
        yield Walk(CHANGED, kind, (_LEAST if wanted.since is None else wanted.since, _MOST))


_LEAST, _MOST = -(2**63), 2**63 - 1
