"""Broken glass: for an hour at most, one client sees one patient's record without any other relation.

Rules: docs/access.md. It is opened at the admin host, with a ticket and a reason, and every opening and closing is
a line of the log that an alert is made from (WARNING; neither the patient nor the reason stands in it).
Its row in index_relation has an end of its own: no process need run for it to be over.
Refuses (GlassError): clients that are not active or whose role never breaks glass, more than an hour, no ticket, no
reason, a patient who is not stored.
"""

import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select, true, update

from auth.clients import find
from auth.recorded import changed
from auth.roles import NO_GLASS
from hub.clock import MICROSECOND, instant, micros
from hub.rights.facts import client_number
from hub.search.edges import address
from hub.sight import GRANTED
from hub.store.tables import index_relation, resource
from hub.store.tables_glass import break_glass

log = logging.getLogger(__name__)

MOST_MINUTES = 60
REASON = (10, 500)  # characters, at least and at most
_TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/#-]{0,63}")


class GlassError(Exception):
    """The glass stays whole; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Glass:
    """One opening. Times are microseconds; it is over at `until`."""

    id: int
    client: str
    patient: str
    ticket: str
    reason: str
    started: int
    until: int
    opened_by: str


def start(
    connection: Connection,
    client_id: str,
    patient: str,
    ticket: str,
    reason: str,
    minutes: int,
    opened_by: str,
    now: datetime,
) -> Glass:
    """Open one patient's record to one client from now on."""
    identity = patient.removeprefix("Patient/")
    _check(ticket, reason, minutes)
    _check_client(connection, client_id, now)
    _check_patient(connection, identity)
    began = micros(now)
    values: dict[str, Any] = {"client": client_id, "patient": identity, "ticket": ticket, "reason": reason.strip()}
    values |= {"started": began, "until": began + timedelta(minutes=minutes) // MICROSECOND, "opened_by": opened_by}
    made = connection.execute(insert(break_glass).values(values).returning(break_glass)).one()
    glass = _glass(made)
    connection.execute(delete(index_relation).where(index_relation.c.rid < 0, index_relation.c.high <= began))
    connection.execute(insert(index_relation).values(_relation(glass)))
    changed(
        connection, "break-glass-start", f"break-glass start {glass.id}", client_id, f"os/{opened_by}", identity
    )
    log.warning(
        "BREAK-GLASS %d opened by %s for client %s, ticket %s, until %s",
        glass.id,
        opened_by,
        client_id,
        ticket,
        instant(glass.until),
    )
    return glass


def end(connection: Connection, number: int, now: datetime) -> Glass:
    """Close it before its time."""
    row = connection.execute(select(break_glass).where(break_glass.c.id == number)).first()
    if row is None:
        raise GlassError("There is no broken glass of this number")
    connection.execute(delete(index_relation).where(index_relation.c.rid == -number))
    ended = and_(break_glass.c.id == number, break_glass.c.until > micros(now))
    connection.execute(update(break_glass).where(ended).values(until=micros(now)))
    changed(connection, "break-glass-end", f"break-glass end {number}", row.client, patient=row.patient)
    log.warning("BREAK-GLASS %d closed, client %s, ticket %s", number, row.client, row.ticket)
    return _glass(connection.execute(select(break_glass).where(break_glass.c.id == number)).one())


def listed(connection: Connection, limit: int = 50) -> list[Glass]:
    """The latest first, over or not."""
    statement = select(break_glass).order_by(break_glass.c.id.desc()).limit(limit)
    return [_glass(row) for row in connection.execute(statement)]


def is_broken(connection: Connection, client_id: str, now: datetime) -> bool:
    """Whether a client has broken glass now, for whomever: what it asks has ETREAT among its purposes."""
    open_now = select(true()).where(break_glass.c.client == client_id, break_glass.c.until > micros(now)).limit(1)
    return connection.execute(open_now).first() is not None


def _check(ticket: str, reason: str, minutes: int) -> None:
    if not 1 <= minutes <= MOST_MINUTES:
        raise GlassError(f"Glass is broken for 1 to {MOST_MINUTES} minutes")
    if not _TICKET.fullmatch(ticket):
        raise GlassError("A ticket is up to 64 letters, digits or . _ / # -")
    if not REASON[0] <= len(reason.strip()) <= REASON[1]:
        raise GlassError(f"A reason has {REASON[0]} to {REASON[1]} characters")


def _check_client(connection: Connection, client_id: str, now: datetime) -> None:
    client = find(connection, client_id)
    if client is None or not client.usable(now):
        raise GlassError("No active client with this id is registered")
    if client.role in NO_GLASS:
        raise GlassError(f"The role {client.role} never breaks glass")


def _check_patient(connection: Connection, identity: str) -> None:
    stored = select(true()).where(
        resource.c.type == "Patient", resource.c.id == identity, resource.c.deleted.is_(False)
    )
    if connection.execute(stored).first() is None:
        raise GlassError("No such patient is stored")


def _relation(glass: Glass) -> dict[str, int]:
    return {
        "patient": address("Patient", glass.patient),
        "holder": client_number(glass.client),
        "kind": GRANTED,
        "low": glass.started,
        "high": glass.until,
        "rid": -glass.id,
    }


def _glass(row: Row[Any]) -> Glass:
    return Glass(**row._asdict())
