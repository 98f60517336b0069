"""Broken glass: one patient, one client, an hour at most, an alert, and nothing after it."""

import logging
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from typer.testing import CliRunner

from auth import break_glass, clients
from auth.break_glass import GlassError
from auth.break_glass_commands import break_glass_commands
from auth.clients import Client
from auth.scopes import parse
from auth.sights import access_for
from hub.audit import store
from hub.audit.record import decoded
from hub.search.edges import address
from hub.store import tables
from hub.store.engine import Database
from hub.store.sight import named, seen
from hub.store.tables_audit import audit_pending
from hub.store.tables_glass import break_glass as glass_table

CANARY = "Zqpatientann"
REASON = "The nightly import cannot match this member"
ANN = address("Patient", CANARY)


@pytest.fixture
def hub(database: Database, clock: Any) -> Database:
    """Two patients, an operator and others who might break glass."""
    with database.write() as connection:
        for table in (tables.resource, tables.index_relation, glass_table):
            connection.execute(delete(table))
        for rid, identity in enumerate((CANARY, "ben"), start=1):
            row = {"rid": rid, "type": "Patient", "id": identity, "version": 1, "last_updated": 1, "deleted": False}
            row |= {"body": b"{}", "address": address("Patient", identity), "patient": address("Patient", identity)}
            connection.execute(tables.resource.insert().values(row | {"labels": 0, "source": 0}))
        for name, role in (("ops", "operator"), ("ehr", "ehr"), ("audit", "auditor"), ("feed", "hospital-feeder")):
            clients.add(connection, Client(name, "A Demo Client", role), clock())
    return database


def start(hub: Database, clock: Any, **more: Any) -> break_glass.Glass:
    asked: dict[str, Any] = {"client_id": "ops", "patient": CANARY, "ticket": "INC-7", "reason": REASON}
    asked |= {"minutes": 60, "opened_by": "root", "now": clock()} | more
    return hub.writing(lambda connection: break_glass.start(connection, **asked))


def seen_by(hub: Database, name: str, role: str) -> set[str]:
    sight = access_for(Client(name, "A Demo Client", role), parse("system/*.rs")).sight
    with hub.read() as connection:
        rows = connection.execute(select(tables.resource.c.id).where(seen(tables.resource, sight)), named(sight))
        return {row.id for row in rows}


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch, clock: Any) -> None:
    """The predicate asks the same clock."""
    monkeypatch.setattr("hub.clock.now", clock)


def test_broken_glass_shows_one_patient_to_one_client_until_it_is_over(hub: Database, clock: Any) -> None:
    assert seen_by(hub, "ops", "operator") == set()
    start(hub, clock, minutes=30)
    assert seen_by(hub, "ops", "operator") == {CANARY}
    assert seen_by(hub, "ehr", "ehr") == set()
    clock.move(30 * 60 - 1)
    assert seen_by(hub, "ops", "operator") == {CANARY}
    clock.move(1)
    assert seen_by(hub, "ops", "operator") == set()


def test_it_can_be_closed_before_its_time(hub: Database, clock: Any) -> None:
    glass = start(hub, clock)
    clock.move(60)
    ended = hub.writing(lambda connection: break_glass.end(connection, glass.id, clock()))
    assert seen_by(hub, "ops", "operator") == set()
    assert ended.until == glass.started + 60_000_000
    clock.move(60)
    assert hub.writing(lambda connection: break_glass.end(connection, glass.id, clock())).until == ended.until


def test_what_was_opened_is_kept_and_only_what_is_open_is_an_emergency(hub: Database, clock: Any) -> None:
    glass = start(hub, clock, patient=f"Patient/{CANARY}")
    with hub.read() as connection:
        assert break_glass.is_broken(connection, "ops", clock())
        assert not break_glass.is_broken(connection, "ehr", clock())
    clock.move(3600)
    with hub.read() as connection:
        assert not break_glass.is_broken(connection, "ops", clock())
        (kept,) = break_glass.listed(connection)
    assert kept == glass
    assert (kept.ticket, kept.reason, kept.opened_by, kept.patient) == ("INC-7", REASON, "root", CANARY)


def test_rows_that_are_over_are_swept_by_the_next_one(hub: Database, clock: Any) -> None:
    start(hub, clock)
    clock.move(3600)
    second = start(hub, clock, patient="ben")
    with hub.read() as connection:
        assert [row.rid for row in connection.execute(select(tables.index_relation))] == [-second.id]


def test_an_alert_names_client_and_ticket_and_nothing_of_the_patient(
    hub: Database, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "auth.break_glass"):
        glass = start(hub, clock)
        hub.writing(lambda connection: break_glass.end(connection, glass.id, clock()))
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line.split()[0] for line in lines] == ["BREAK-GLASS"] * 2
    assert all("ops" in line and "INC-7" in line for line in lines)
    assert CANARY not in caplog.text
    assert REASON not in caplog.text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"minutes": 61}, "1 to 60 minutes"),
        ({"minutes": 0}, "1 to 60 minutes"),
        ({"ticket": ""}, "ticket"),
        ({"ticket": "a ticket"}, "ticket"),
        ({"reason": "because  "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"client_id": "nobody"}, "No active client"),
        ({"client_id": "audit"}, "never breaks glass"),
        ({"client_id": "feed"}, "never breaks glass"),
        ({"patient": "nobody"}, "No such patient"),
    ],
)
def test_the_glass_stays_whole(hub: Database, clock: Any, wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(GlassError, match=why):
        start(hub, clock, **wrong)
    with hub.read() as connection:
        assert connection.execute(select(tables.index_relation)).first() is None
        assert break_glass.listed(connection) == []


def test_a_client_switched_off_breaks_no_glass(hub: Database, clock: Any) -> None:
    with hub.write() as connection:
        clients.disable(connection, "ops")
    with pytest.raises(GlassError, match="No active client"):
        start(hub, clock)


def test_a_deleted_patient_is_not_stored(hub: Database, clock: Any) -> None:
    with hub.write() as connection:
        connection.execute(update(tables.resource).values(deleted=True))
    with pytest.raises(GlassError, match="No such patient"):
        start(hub, clock)


def test_the_commands_open_list_and_close(hub: Database, clock: Any) -> None:
    def run(*words: str) -> tuple[int, str]:
        answer = CliRunner().invoke(break_glass_commands(lambda: hub), words)
        return answer.exit_code, answer.output

    asked = ("start", "ops", "--patient", CANARY, "--ticket", "INC-8", "--reason", REASON)
    code, text = run(*asked)
    assert (code, "is broken until" in text) == (0, True)
    number = text.split()[1]
    assert seen_by(hub, "ops", "operator") == {CANARY}
    assert "INC-8" in run("list")[1]
    assert run("end", number) == (0, f"Glass {number} is closed.\n")
    assert seen_by(hub, "ops", "operator") == set()
    assert run(*asked, "--minutes", "61")[0] == 1
    assert run("end", "999")[0] == 1


def test_opening_and_closing_are_recorded_for_the_patient_without_the_reason(hub: Database, clock: Any) -> None:
    with hub.write() as connection:
        connection.execute(delete(audit_pending))
    glass = start(hub, clock)
    hub.writing(lambda connection: break_glass.end(connection, glass.id, clock()))
    with hub.read() as connection:
        rows = connection.execute(select(audit_pending).order_by(audit_pending.c.id)).all()
    begun, ended = (decoded(row.record) for row in rows)
    assert (begun.interaction, begun.client, begun.user) == ("break-glass-start", "ops", "os/root")
    assert (ended.interaction, ended.client) == ("break-glass-end", "ops")
    assert {release.patient for one in (begun, ended) for release in one.releases} == {ANN}
    assert not store.is_disclosure(begun)
    assert REASON not in repr((begun, ended))
