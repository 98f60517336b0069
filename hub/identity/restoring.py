"""What a resource says, put back as it was before a merge, as far as one can tell after others have edited it.
Pure.

Rules: docs/identity.md "Unmerge". A place that nobody touched is written back. Where the list around it was
edited, it is written back if all references of its kind came from the merge, or if none was lost or added; a
reference that somebody took away stays away. What is left is ambiguous: a person decides (`lost`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.fhir.reference_places import form

Texts = Mapping[str, str]  # by pointer


@dataclass(frozen=True, slots=True)
class Restored:
    """`texts` are to be written; `lost` are pointers that nobody can tell any more."""

    texts: Texts
    lost: tuple[str, ...]


def restored(now: Texts, then: Texts, before: Texts) -> Restored:
    """`now` and `then` are the references to the member, in the current version and in the one that the merge
    wrote; `before` what stood at those that it rewrote."""
    if now.keys() == then.keys():
        return Restored({pointer: text for pointer, text in before.items() if pointer in now}, ())
    texts: dict[str, str] = {}
    lost: list[str] = []
    for kind in sorted({form(pointer) for pointer in before}):
        mine = {pointer: text for pointer, text in before.items() if form(pointer) == kind}
        here, there = (_of(kind, one) for one in (now, then))
        found = _of_one_kind(here, there, mine)
        texts |= found or {}
        lost += [] if found is not None else sorted(mine)
    return Restored(texts, tuple(lost))


def _of(kind: str, found: Texts) -> list[str]:
    return [pointer for pointer in found if form(pointer) == kind]


def _of_one_kind(here: list[str], there: list[str], mine: Texts) -> Texts | None:
    """None where it is ambiguous."""
    if not here:
        return {}
    if set(here) == set(there):
        return {pointer: mine[pointer] for pointer in here if pointer in mine}
    if set(there) <= mine.keys() and len(here) <= len(there):  # all of them came from the merge
        texts = list(mine.values())
        return dict(zip(here, texts, strict=False))
    return None
