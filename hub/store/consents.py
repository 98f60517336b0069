"""Which Consents decide, with their ids: for an auditor who asks why, and for what must travel with a release.

Rules: docs/consent.md; 42 CFR 2.32(b): what is disclosed by a consent goes with the consent or with what it covers.
The decision itself is one predicate (hub.store.sight); these are the same words over `index_consent`, and a test
compares both with a third one in plain Python. Nothing here reads what a resource says.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, or_, select
from sqlalchemy.sql.selectable import FromClause

from hub.rights.labels import BITS, SUD_BITS
from hub.sight import COVERAGE, PROXY, Sight
from hub.store.tables import index_consent, index_relation, resource

# what 42 CFR 2.32 is about, and what else tells of substance use: if a consent opens that, it may be such a record
RELEASED_BY_CONSENT = tuple(bit for bit in BITS.values() if bit & SUD_BITS)
CHUNK = 500  # patients a statement

_c = index_consent.alias("c")
_d = index_consent.alias("d")


@dataclass(frozen=True, slots=True)
class Deciding:
    """A row that speaks of the label to the one who asks, now. `consent` is the Consent's id; `depth` 0 is its root
    provision. `holds`: purpose, proxy and coverage are as a permit wants them. `is_overruled`: by a newer, a
    stricter or an inner one."""

    consent: str
    permit: bool
    recipient: int
    low: int
    high: int
    signed: int
    depth: int
    proxy: int
    medi_cal: bool
    holds: bool
    is_overruled: bool
    type: str = "Consent"  # Patient: the stricter consent wins, while others are merged into it

    @property
    def opens(self) -> bool:
        return self.permit and self.holds and not self.is_overruled


def _speaks(row: FromClause, bit: ColumnElement[int] | int) -> ColumnElement[bool]:
    """To the one who asks, of the label, now."""
    now: Any = bindparam("now")
    return and_(
        row.c.recipient.in_(bindparam("recipients", expanding=True)),
        row.c.labels.bitwise_and(bit) != 0,
        row.c.low <= now,
        row.c.high > now,
    )


def _related(kind: int, *of: ColumnElement[bool]) -> ColumnElement[bool]:
    x = index_relation
    now: Any = bindparam("now")
    return exists().where(x.c.patient == _c.c.patient, x.c.kind == kind, x.c.low <= now, x.c.high > now, *of)


def _holds() -> ColumnElement[bool]:
    return and_(
        _c.c.permit,
        _c.c.purposes.bitwise_and(bindparam("purposes")) != 0,
        or_(_c.c.proxy == 0, _related(PROXY, index_relation.c.holder == _c.c.proxy)),
        or_(~_c.c.medi_cal, _related(COVERAGE)),
    )


def _overruled(bit: ColumnElement[int] | int) -> ColumnElement[bool]:
    """By a denial that is newer, or as new and not around the row."""
    together = and_(_d.c.signed == _c.c.signed, or_(_d.c.rid != _c.c.rid, _d.c.depth >= _c.c.depth))
    newer = or_(_d.c.signed > _c.c.signed, together)
    return exists().where(_d.c.patient == _c.c.patient, ~_d.c.permit, _speaks(_d, bit), newer)


_BIT: Any = bindparam("bit")
_TOLD = ("permit", "recipient", "low", "high", "signed", "depth", "proxy", "medi_cal")
_DECIDING = (
    select(
        resource.c.id,
        *(_c.c[name] for name in _TOLD),
        _holds().label("holds"),
        and_(_c.c.permit, _overruled(_BIT)).label("is_overruled"),
        resource.c.type,
    )
    .join(resource, resource.c.rid == _c.c.rid)
    .where(_c.c.patient == bindparam("patient"), _speaks(_c, _BIT))
    # the stricter of two that are as new comes first
    .order_by(_c.c.signed.desc(), _c.c.permit, _c.c.depth.desc(), _c.c.rid.desc(), _c.c.place, _c.c.recipient)
)
_RELIED_ON = (
    select(_c.c.patient, resource.c.id)
    .distinct()
    .join(resource, resource.c.rid == _c.c.rid)
    .where(_c.c.patient.in_(bindparam("patients", expanding=True)), _speaks(_c, _BIT), _holds(), ~_overruled(_BIT))
    .order_by(_c.c.patient, resource.c.id)
)


def deciding(
    connection: Connection, patient: int, recipients: Collection[int], purposes: int, label_bit: int, now: int
) -> list[Deciding]:
    """What permits and denies one label of a patient to these recipients, the newest first. The label is open where
    one of them `opens`; where none does, it is closed."""
    asked = {"patient": patient, "recipients": list(recipients), "purposes": purposes, "bit": label_bit, "now": now}
    rows = connection.execute(_DECIDING, asked)
    return [Deciding(row[0], bool(row[1]), *row[2:8], bool(row[8]), bool(row[9]), row[10]) for row in rows]


def relied_on(
    connection: Connection, wanted: Mapping[int, int], sight: Sight, now: int
) -> dict[tuple[int, int], list[str]]:
    """By patient and label of substance use the ids of the Consents that open that to this caller now; what none
    opens is left out. `wanted`: by patient the labels of what shall leave. Empty for a caller who needs none."""
    found: dict[tuple[int, int], list[str]] = {}
    bits = [bit for bit in RELEASED_BY_CONSENT if not sight.everything and sight.guarded & ~sight.never & bit]
    asked: dict[str, Any] = {"recipients": list(sight.recipients), "purposes": sight.purposes, "now": now}
    for bit in bits:
        for chunk in _chunks([patient for patient, labels in wanted.items() if labels & bit]):
            for patient, consent in connection.execute(_RELIED_ON, {**asked, "patients": chunk, "bit": bit}):
                found.setdefault((patient, bit), []).append(consent)
    return found


def opening(relied: Mapping[tuple[int, int], Sequence[str]], patient: int, labels: int) -> list[str]:
    """The Consents without which these labels of a patient would not be open, of those that are `relied_on`; none
    where one of the labels is closed."""
    found = [relied.get((patient, bit), ()) for bit in RELEASED_BY_CONSENT if labels & bit]
    return sorted({each for consents in found for each in consents}) if all(found) else []


def _chunks(patients: Collection[int]) -> Iterator[Sequence[int]]:
    each = iter(sorted(set(patients)))
    while chunk := list(islice(each, CHUNK)):
        yield chunk
