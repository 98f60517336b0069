"""The stricter consent wins while two persons are one: what one of them permitted and the other did not is denied.

Rules: docs/identity.md "Consents"; known-failures.md SEC-47; 42 CFR 2.31 (a consent is one person's).
Denials are signed at the moment of the merge, and not before any permit that there is: a consent that is signed
later decides anew, and so does a revocation. Whoever is named in two ways (an organization, a class) is denied
where either of them is: that is stricter than it need be, never laxer. Pure. Refuses nothing.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hub.rights.consents import Row
from hub.rights.provisions import ANYONE, EVERYTHING
from hub.search.values import FOREVER, NEVER

__all__ = ["Denial", "Row", "denials", "rows_of"]


class Denial(NamedTuple):
    """To whom, of which labels, and from when on."""

    recipient: int
    labels: int
    low: int
    signed: int


def denials(first: Iterable[Row], second: Iterable[Row], now: int) -> list[Denial]:
    """What must be denied so that the two together open only what each of them opens."""
    one, other = list(first), list(second)
    signed = max((now, *(row[8] for row in (*one, *other) if row[3] and row[8] < FOREVER)))
    found: dict[tuple[int, int], int] = {}
    for rows, others in ((one, other), (other, one)):
        for row in rows:
            if row[3] and row[7] > now:
                for low, labels in _not_permitted(row, others, now):
                    found[row[1], low] = found.get((row[1], low), 0) | labels
    return [Denial(recipient, labels, low, signed) for (recipient, low), labels in sorted(found.items())]


def _not_permitted(permit: Row, others: list[Row], now: int) -> Iterator[tuple[int, int]]:
    """(from when on, labels) that the permit opens and these rows do not."""
    low: dict[int, int] = {}
    for bit in _bits(permit[4]):
        until = _permitted_until(permit, bit, others, now)
        if until < permit[7]:
            low[until] = low.get(until, 0) | bit
    yield from low.items()


def _permitted_until(permit: Row, bit: int, others: list[Row], now: int) -> int:
    """When the other person's rows stop to open this label to the same recipient; NEVER: they do not."""
    if any(not row[3] and row[4] & bit and row[7] > now for row in others):
        return NEVER
    same = (row for row in others if row[3] and row[4] & bit and _is_as_wide(row, permit, now))
    return max((row[7] for row in same), default=NEVER)


def _is_as_wide(row: Row, permit: Row, now: int) -> bool:
    """Whether a permit opens what another one opens, but for the labels and the end."""
    is_same = row[1] in (permit[1], ANYONE) and not permit[5] & ~row[5]
    is_free = row[10] == 0 and (permit[11] or not row[11])
    return is_same and is_free and row[6] <= max(permit[6], now)


def _bits(mask: int) -> Iterator[int]:
    """Each label of a mask; one that is every label is its lower 62 bits."""
    place = 1
    rest = mask & ((1 << 62) - 1)
    while rest:
        if rest & 1:
            yield place
        place, rest = place << 1, rest >> 1


def rows_of(patient: int, kept: Iterable[Iterable[int]]) -> set[Row]:
    """The rows of index_consent of these denials, without their row number."""
    found = dict.fromkeys(Denial(*each) for each in kept)
    return {
        (
            patient,
            each.recipient,
            place,
            False,
            each.labels,
            EVERYTHING,
            each.low,
            FOREVER,
            each.signed,
            0,
            0,
            False,
        )
        for place, each in enumerate(found)
    }
