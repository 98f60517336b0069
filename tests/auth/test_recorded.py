"""What happens at /auth is recorded before its answer leaves, without secrets and without what was typed."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select
from typer.testing import CliRunner

from auth import clients, users
from auth.blueprint import blueprint
from auth.guard import Guard
from auth.key_commands import key_commands
from auth.pages_blueprint import pages_blueprint
from auth.signing_keys import SigningKeys
from auth.user_commands import user_commands
from hub.audit import journal
from hub.audit.journal import Journal
from hub.audit.record import Record, decoded
from hub.audit.recorder import Recorder
from hub.clock import now as real
from hub.search.edges import address as number
from hub.store.engine import Database
from hub.store.tables_audit import audit_pending
from tests.auth.browsing import (
    APP,
    PASSWORD,
    VERIFIER,
    Browser,
    address,
    app_client,
    emptied,
    have,
    have_user,
    patient,
    settings,
    told,
)
from tests.auth.browsing import BACK as BACK_TO
from tests.auth.conftest import EHR, HandClock

SCOPE = "launch/patient openid offline_access patient/Observation.r"
TYPED = "Zqtyped"


@dataclass
class Watched:
    """The pages and endpoints of a hub that records, and what it recorded."""

    database: Database
    folder: Path
    app: Flask
    seen: int = 0

    @property
    def browser(self) -> Browser:
        return Browser(self.app)

    def new(self) -> list[Record]:
        """What was recorded since this was asked last, in the journal."""
        found = [
            one for path in sorted(self.folder.glob("*.journal")) for one in journal.read(path, 0, 9999).records
        ]
        fresh, self.seen = found[self.seen :], len(found)
        return [decoded(one) for one in fresh]

    def changes(self) -> list[tuple[str, str]]:
        """What went along with transactions."""
        with self.database.read() as connection:
            rows = connection.execute(select(audit_pending).order_by(audit_pending.c.id)).all()
        return [(record.interaction, record.query) for row in rows for record in [decoded(row.record)]]


@pytest.fixture
def hub(registered: Database, clock: HandClock, tmp_path: Path) -> Iterator[Watched]:
    emptied(registered)
    user = have_user(registered)
    assert user
    with registered.write() as connection:
        clients.add(connection, app_client(), real())
    have(registered, patient("ann", "Ann", "Invented"), patient("bob", "Bob", "Invented"))
    _forget(registered)
    audit = Recorder(registered, Journal(tmp_path / "audit"))
    app, guard = Flask("test"), Guard(registered, clock)
    app.register_blueprint(blueprint(registered, settings(), clock, audit=audit))
    app.register_blueprint(pages_blueprint(registered, settings(), guard.access_of, clock, audit=audit))
    yield Watched(registered, tmp_path / "audit", app)
    audit.journal.close()
    emptied(registered)


def _forget(database: Database) -> None:
    with database.write() as connection:
        connection.execute(delete(audit_pending))


def robin(hub: Watched) -> str:
    with hub.database.read() as connection:
        return users.found(connection, "robin").id


def test_signing_in_failing_and_signing_out_are_told_by_account(hub: Watched) -> None:
    browser = hub.browser
    page = browser.get("/auth/sign-in")
    assert hub.new() == []
    browser.sign_in(page, "robin", "wrong " + TYPED)
    browser.sign_in(page, TYPED.lower(), PASSWORD)
    answer = browser.follow(browser.sign_in(page))
    browser.send(answer, "/auth/sign-out")
    known, unknown, right, out = hub.new()
    assert (known.interaction, known.status, known.user) == ("sign-in", 403, robin(hub))
    assert (unknown.interaction, unknown.status, unknown.user) == ("sign-in", 403, "")
    assert (right.interaction, right.succeeded, right.user) == ("sign-in", True, robin(hub))
    assert (out.interaction, out.user) == ("sign-out", robin(hub))
    assert right.network
    assert right.request
    assert TYPED.lower() not in repr((known, unknown)).lower()


def test_a_whole_way_is_told_step_by_step_and_no_step_tells_a_secret(hub: Watched) -> None:
    browser = hub.browser
    page = browser.to(address(scope=SCOPE))
    _, shown = hub.new()
    everyone = {number("Patient", "ann"), number("Patient", "bob")}
    assert (shown.interaction, shown.user, shown.client) == ("patient-picker", robin(hub), APP)
    assert {release.patient for release in shown.releases} == everyone
    browser.send(page, "/auth/patient", having="search", search=f"{TYPED} Ann")
    (searched,) = hub.new()
    assert (searched.interaction, searched.releases) == ("patient-picker", ())
    consent = browser.send(page, "/auth/patient", having="patient", patient="bob")
    (chosen,) = hub.new()
    assert [release.patient for release in chosen.releases] == [number("Patient", "bob")]
    code = told(browser.allow(consent))["code"]
    (given,) = hub.new()
    assert (given.interaction, given.client, given.user, given.succeeded) == (
        "authorization",
        APP,
        robin(hub),
        True,
    )
    assert [release.patient for release in given.releases] == [number("Patient", "bob")]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK_TO, "client_id": APP}
    body = browser.post("/auth/token", form | {"code_verifier": VERIFIER}).get_json()
    refused = browser.post("/auth/token", form | {"code_verifier": VERIFIER})
    assert refused.status_code == 400
    token, again = hub.new()
    assert (token.interaction, token.status, token.client, token.user) == ("token", 200, APP, robin(hub))
    assert (again.interaction, again.status, again.client) == ("token", 400, APP)
    browser.post("/auth/revoke", {"token": body["refresh_token"], "client_id": APP})
    (revoked,) = hub.new()
    assert (revoked.interaction, revoked.status, revoked.client) == ("revocation", 200, APP)
    kept = repr((shown, searched, chosen, given, token, again, revoked))
    for secret in (code, body["access_token"], body["refresh_token"], VERIFIER, TYPED, "Invented"):
        assert secret not in kept


def test_a_person_who_does_not_allow_it_is_told(hub: Watched) -> None:
    page = hub.browser
    consent = page.to(address(scope="openid fhirUser user/Patient.rs"))
    hub.new()
    page.send(consent, "/auth/decision", having="scope", decision="deny")
    (one,) = hub.new()
    assert (one.interaction, one.status, one.user) == ("authorization", 403, robin(hub))
    assert one.query == "/auth/decision?error=access_denied"


def test_backends_are_told_whether_they_get_a_token_or_not(hub: Watched, forge: Any) -> None:
    web = hub.browser
    token = web.post("/auth/token", forge.form()).get_json()["access_token"]
    assert web.post("/auth/token", {"grant_type": "client_credentials", "scope": "x"}).status_code in (400, 401)
    assert web.post("/auth/introspect", {"token": token}).status_code == 401
    given, refused, asked = hub.new()
    assert (given.status, given.client, given.query) == (200, EHR, "/auth/token?scope=system%2FPatient.rs")
    assert (refused.interaction, refused.client, refused.succeeded) == ("token", "", False)
    assert (asked.interaction, asked.status) == ("introspection", 401)
    assert token not in repr((given, refused, asked))


def test_a_launch_tells_whom_it_is_about(hub: Watched) -> None:
    assert hub.browser.post("/auth/launch", "{}").status_code == 401
    (one,) = hub.new()
    assert (one.interaction, one.status, one.releases) == ("launch", 401, ())


@pytest.mark.parametrize(("number_", "status"), [(errno.ENOSPC, 507), (errno.EIO, 503)])
def test_what_cannot_be_recorded_is_not_answered(
    number_: int, status: int, hub: Watched, forge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal.os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(number_, "broken")))
    page = hub.browser.get("/auth/sign-in")
    for answer in (hub.browser.post("/auth/token", forge.form()), hub.browser.sign_in(page)):
        assert answer.status_code == status
        assert "access_token" not in answer.text
        assert "Location" not in answer.headers


def test_what_everybody_may_ask_is_not_recorded(hub: Watched) -> None:
    for path in ("/.well-known/smart-configuration", "/auth/sign-in", "/auth/smart-style.json"):
        assert hub.browser.get(path).status_code == 200
    assert hub.new() == []


def test_changes_of_clients_people_and_keys_go_along_with_their_transaction(hub: Watched) -> None:
    with hub.database.write() as connection:
        clients.add(connection, app_client("another"), real())
        clients.disable(connection, "another")
        users.set_password(connection, "robin", "a new hash", real())
        users.set_active(connection, "robin", False, real())
    keys = SigningKeys(hub.database, b"a secret of the tests, 32 long!!")
    kid = keys.rotate()
    assert keys.retire(kid)
    assert not keys.retire(kid)
    found = hub.changes()
    assert ("client-change", "clients add another role=custodian") in found
    assert ("client-change", "clients change another active=false") in found
    assert ("user-change", f"users change {robin(hub)} password_hash") in found
    assert ("user-change", f"users change {robin(hub)} active=false") in found
    assert [each for each in found if each[0] == "key-change"] == [
        ("key-change", f"keys rotate {kid}"),
        ("key-change", f"keys retire {kid}"),
    ]
    assert "a new hash" not in repr(found)


def test_a_change_that_is_undone_is_not_told(hub: Watched) -> None:
    def work(connection: Any) -> None:
        clients.disable(connection, EHR)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        hub.database.writing(work)
    assert hub.changes() == []


def test_commands_tell_who_runs_them(hub: Watched) -> None:
    run = CliRunner()
    assert run.invoke(user_commands(lambda: hub.database, settings), ["unlock", "robin"]).exit_code == 0
    assert run.invoke(key_commands(lambda: hub.database, settings), ["rotate"]).exit_code == 0
    with hub.database.read() as connection:
        records = [decoded(row.record) for row in connection.execute(select(audit_pending))]
    assert {record.interaction for record in records} == {"user-change", "key-change"}
    assert all(record.user.startswith("os/") and record.client == "hub" for record in records)
