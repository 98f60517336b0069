"""The end of a guarded Consent, told to whom it opened itself.

A Consent about a substance use disorder has the label that it opens (42 CFR 2.31, hub.rights.consent_forms). Once
it is revoked (2.31(a)(6)) nothing opens it any more, and whoever relied on it would never be told to stop: the
Consent that ended is hidden from exactly those who have to know.
Here it counts for its own end as it did before: it is told, with its status, patient and organization and no more,
to a client
- that it named as a recipient, for a purpose of the client's, at the moment of its end;
- to whom everything else still lets it be seen: role, scopes, a relation to the patient, all other labels;
- to whom no newer Consent of the patient closes the same labels.
Refuses (None): anything that is not known for sure, such as a permit by a proxy or while the member has Medi-Cal;
a Consent that is about another patient now. What it opened besides itself stays closed.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.fhir import json
from hub.notifications.events import Event
from hub.notifications.topics import CONSENT_REVOKED
from hub.notifications.triggers import revoked
from hub.rights.consents import Row, rules_of
from hub.sight import Sight
from hub.store import consents, read
from hub.store.read import Stored

Resource = dict[str, Any]
TOLD = frozenset(("status", "patient", "organization"))
WHY = "to ask whom a consent named that ended"


def for_its_end(connection: Connection, access: Access, event: Event, base: str) -> Access | None:
    """The access with which this caller is told that a Consent ended; None where it is not told."""
    if event.topic != CONSENT_REVOKED or access.sight.everything:
        return None
    hub = Access.system(WHY)
    stored = read.current(connection, hub, "Consent", event.id)
    before, now = (_content(connection, hub, event.id, event.version - back) for back in (1, 0))
    if stored is None or before is None or not revoked(before, now) or not _is_of_one(before, now, _body(stored)):
        return None
    sight = access.sight
    closed = max(stored.labels, 0) & sight.guarded & ~sight.never
    opened = _opened(rules_of(before, base), sight, event.at) & closed
    if not opened or any(_is_denied(connection, stored.patient, sight, bit) for bit in _bits(opened)):
        return None
    elements = TOLD & sight.elements.get("Consent", TOLD)
    told = replace(sight, guarded=sight.guarded & ~opened, elements={**sight.elements, "Consent": elements})
    return replace(access, sight=told)


def _content(connection: Connection, hub: Access, identity: str, version: int) -> Resource | None:
    return _body(read.version(connection, hub, "Consent", identity, version)) if version > 0 else None


def _body(stored: Stored | None) -> Resource | None:
    return json.stored(stored.body) if stored and stored.body else None


def _is_of_one(*versions: Resource | None) -> bool:
    """Whether those that are there are about one patient."""
    return len({str(each.get("patient")) for each in versions if each is not None}) == 1


def _opened(rows: Collection[Row], sight: Sight, at: int) -> int:
    """The labels that a Consent's rows permitted to this caller at a moment. Pure."""
    permitted = denied = 0
    for _, recipient, _, permit, labels, purposes, low, high, _, _, proxy, medi_cal in rows:
        if recipient not in sight.recipients or not low <= at < high:
            continue
        if not permit:
            denied |= labels
        elif purposes & sight.purposes and not proxy and not medi_cal:
            permitted |= labels
    return permitted & ~denied


def _is_denied(connection: Connection, patient: int, sight: Sight, bit: int) -> bool:
    now = clock.micros(clock.now())
    found = consents.deciding(connection, patient, sight.recipients, sight.purposes, bit, now)
    return any(not row.permit for row in found)


def _bits(mask: int) -> Iterator[int]:
    return (1 << place for place in range(mask.bit_length()) if mask >> place & 1)
