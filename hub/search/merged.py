"""Who was merged into whom, as this process knows it: a search by a former Patient id means the member.

Rules: https://hl7.org/fhir/R4/patient.html#links (a Patient that is replaced by another one), docs/identity.md.
The database decides (hub.store.merges, which brings this up to date); nothing is looked up here, so that a search
costs no more than one look into a table that is mostly empty. A Patient's own links are not followed: who asks
which Patients link to a former one wants just that.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

LINK = ("Patient", "link")  # the search parameter that means the very Patient that it names


@dataclass(slots=True)
class _Known:
    members: Mapping[str, str] = field(default_factory=dict)
    expected: int = 0  # merges that this process is about to do


_known = _Known()
_turn = threading.Lock()


def are_there() -> bool:
    """Whether anybody was merged, or is being merged by this process: if not, nobody need ask."""
    return bool(_known.expected or _known.members)


def member_of(identity: str) -> str:
    """The id of the Patient that somebody is now."""
    return _known.members.get(identity, identity)


def replace(members: Mapping[str, str]) -> None:
    """Let these count: ids of former Patients, and of who they are now."""
    _known.members = members


@contextmanager
def expected() -> Iterator[None]:
    """Somebody may be merged meanwhile: every commit of this process asks the database."""
    with _turn:
        _known.expected += 1
    try:
        yield
    finally:
        with _turn:
            _known.expected -= 1
