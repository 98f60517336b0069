"""Accounts: what they are, how people prove themselves, and what an operator does with them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from auth import passwords, second_factor, sessions, throttle, users
from auth.sign_in import Attempt, Rules, SignedIn, decide
from auth.user_commands import user_commands
from auth.users import User, UserError
from hub.clock import micros
from hub.clock import now as real
from hub.sealing import seal, unseal
from hub.store import tables, tables_auth
from hub.store.engine import Database
from tests.auth.browsing import PASSWORD, emptied, have_user, settings
from tests.auth.conftest import HandClock

KEY = settings().secret_key()
RULES = Rules(failures=3, address_failures=6, minutes=15, strong_roles=("auditor",))


@pytest.fixture
def people(database: Database) -> Iterator[Database]:
    emptied(database)
    yield database
    emptied(database)


def attempt(
    database: Database,
    clock: HandClock,
    login: str = "robin",
    password: str = PASSWORD,
    code: str = "",
    at: str = "a",
) -> SignedIn | None:
    return decide(database, KEY, RULES, Attempt(login, password, code, at), clock())


@pytest.mark.parametrize(
    "change",
    [
        {"login": ""},
        {"login": "two words"},
        {"login": "-dash"},
        {"name": " "},
        {"fhir_user": "Robin"},
        {"fhir_user": "Device/1"},
        {"fhir_user": "https://elsewhere.example/Practitioner/1"},
        {"organization": "harbor"},
        {"roles": ("root",)},
    ],
)
def test_an_account_of_another_shape_is_refused(people: Database, change: dict[str, str]) -> None:
    parts = {"id": "", "login": "robin", "name": "Robin Demo", "roles": ("ehr",)}
    with pytest.raises(UserError), people.write() as connection:
        users.add(connection, User(**{**parts, **change}), real())  # type: ignore[arg-type]


def test_a_login_is_one_whatever_its_letters(people: Database, clock: HandClock) -> None:
    have_user(people, "Robin@Harbor.example")
    with pytest.raises(UserError):
        have_user(people, "ROBIN@harbor.example")
    assert attempt(people, clock, " robin@HARBOR.example ")


def test_a_password_is_kept_as_argon2id_and_nowhere_else(people: Database) -> None:
    have_user(people)
    with people.read() as connection:
        row = connection.execute(select(tables_auth.user_account)).one()
    assert row.password_hash.startswith("$argon2id$")
    assert PASSWORD not in str(row._asdict())
    assert PASSWORD not in repr(users.find(connection, "robin"))
    assert row.password_hash not in repr(users.find(connection, "robin"))


@pytest.mark.parametrize("password", ["short", "x" * 11, "x" * 1025, "robin@harbor"])
def test_what_cannot_be_a_password_is_refused(password: str) -> None:
    with pytest.raises(passwords.PasswordError):
        passwords.hashed(password, "ROBIN@HARBOR", 12)


def test_a_password_typed_with_other_code_points_is_the_same() -> None:
    kept = passwords.hashed("cafe\u0301 au lait!", "robin", 12)
    assert passwords.matches(kept, "caf\u00e9 au lait!")
    assert not passwords.matches(kept, "cafe au lait!")


@pytest.mark.parametrize("stored", ["", "not a hash", "$argon2id$v=19$broken"])
def test_an_account_without_a_usable_hash_matches_nothing(stored: str) -> None:
    assert not passwords.matches(stored, "")
    assert not passwords.matches(stored, "nobody has this password")


def test_the_right_password_signs_in_and_nothing_else_does(people: Database, clock: HandClock) -> None:
    identity = have_user(people)
    found = attempt(people, clock)
    assert found
    assert (found.user.id, found.methods) == (identity, ("pwd",))
    for login, password in (("robin", ""), ("robin", "wrong"), ("nobody", PASSWORD), ("", "")):
        assert attempt(people, clock, login, password, at=login) is None


def test_a_disabled_account_does_not_sign_in_and_loses_what_it_had(people: Database, clock: HandClock) -> None:
    identity = have_user(people)
    lives = sessions.Lives(900, 9000)
    user = people.reading(lambda c: users.by_id(c, identity))
    assert user
    cookie = people.writing(lambda c: sessions.begin(c, user, ("pwd",), clock(), lives))
    row = {"hash": b"h", "family": "f", "client": "app", "user_id": identity, "scopes": "openid", "context": "{}"}
    row |= {"signed_in": 0, "issued": 0, "expires": micros(clock()) * 2}
    token = {"hash": b"t", "client": "app", "scopes": "openid", "issued": 0, "expires": 1, "user_id": identity}
    with people.write() as connection:
        connection.execute(tables_auth.refresh_token.insert().values(row))
        connection.execute(tables.token.insert().values(token))
        users.set_active(connection, "robin", False, clock())
        for table in (tables_auth.refresh_token, tables_auth.user_session, tables.token):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
    assert attempt(people, clock) is None
    with people.write() as connection:
        users.set_active(connection, "robin", True, clock())
        assert sessions.find(connection, cookie, clock(), lives) is None
    assert attempt(people, clock)


def test_a_new_password_signs_out_everywhere(people: Database, clock: HandClock) -> None:
    have_user(people)
    found = attempt(people, clock)
    assert found
    lives = sessions.Lives(900, 9000)
    with people.write() as connection:
        cookie = sessions.begin(connection, found.user, found.methods, clock(), lives)
        assert sessions.find(connection, cookie, clock(), lives)
        users.set_password(connection, "robin", passwords.hashed("another password", "robin", 12), clock())
        assert sessions.find(connection, cookie, clock(), lives) is None
    assert attempt(people, clock) is None
    assert attempt(people, clock, password="another password")


def test_a_login_is_locked_after_some_failures_and_for_the_right_password_too(
    people: Database, clock: HandClock
) -> None:
    have_user(people)
    for _ in range(3):
        assert attempt(people, clock, password="wrong") is None
    assert attempt(people, clock) is None
    clock.move(14 * 60)
    assert attempt(people, clock, at="b") is None
    clock.move(2 * 60)
    assert attempt(people, clock)


def test_a_success_forgets_the_failures_before_it(people: Database, clock: HandClock) -> None:
    have_user(people)
    for _ in range(3):
        for _ in range(2):
            assert attempt(people, clock, password="wrong", at=str(clock())) is None
        assert attempt(people, clock, at=str(clock()))
        clock.move(1)


def test_a_login_that_nobody_has_is_locked_alike(people: Database, clock: HandClock) -> None:
    """SEC: no difference tells who has an account."""
    for number in range(3):
        assert attempt(people, clock, "nobody", at=str(number)) is None
    counter = throttle.Counter(throttle.key_of(KEY, "login", "nobody"), 3)
    with people.write() as connection:
        assert throttle.begin(connection, (counter,), clock(), 15) > micros(clock())


def test_an_address_is_locked_whatever_logins_it_tries(people: Database, clock: HandClock) -> None:
    have_user(people)
    for number in range(6):
        assert attempt(people, clock, f"guess-{number}") is None
    assert attempt(people, clock) is None
    assert attempt(people, clock, at="b")


def test_a_success_gives_the_address_back_one_attempt_and_not_all(people: Database, clock: HandClock) -> None:
    have_user(people)
    for number in range(5):
        assert attempt(people, clock, f"guess-{number}") is None
    assert attempt(people, clock)
    assert attempt(people, clock, "guess-5") is None
    assert attempt(people, clock) is None


def test_attempts_are_counted_before_their_passwords_are_looked_at(people: Database, clock: HandClock) -> None:
    counter = throttle.Counter(b"k" * 32, 3)
    with people.write() as connection:
        locks = [throttle.begin(connection, (counter,), clock(), 15) for _ in range(5)]
    assert [bool(lock) for lock in locks] == [False, False, False, True, True]


def test_the_database_holds_neither_logins_nor_addresses_of_failures(people: Database, clock: HandClock) -> None:
    attempt(people, clock, "mistyped-password", at="192.0.2.7")
    with people.read() as connection:
        rows = connection.execute(select(tables_auth.sign_in_failure)).all()
    assert len(rows) == 2
    assert b"mistyped" not in b"".join(row.key for row in rows)
    assert b"192" not in b"".join(row.key for row in rows)


def test_old_failures_are_swept(people: Database, clock: HandClock) -> None:
    attempt(people, clock, "nobody")
    with people.write() as connection:
        assert throttle.forget(connection, clock(), 15) == 0
        assert throttle.forget(connection, clock() + timedelta(minutes=16), 15) == 2


def with_factor(database: Database, clock: HandClock) -> pyotp.TOTP:
    secret = second_factor.new_secret()
    sealed = second_factor.sealed(KEY, secret, clock())
    database.writing(lambda c: users.set_second_factor(c, "robin", sealed, clock()))
    return pyotp.TOTP(secret)


def test_a_second_factor_is_asked_for_where_there_is_one(people: Database, clock: HandClock) -> None:
    have_user(people)
    app = with_factor(people, clock)
    assert attempt(people, clock) is None
    assert attempt(people, clock, code="000000") is None
    found = attempt(people, clock, code=f"{app.at(clock())[:3]} {app.at(clock())[3:]}")
    assert found
    assert found.methods == ("pwd", "otp", "mfa")


def test_a_code_works_once_and_no_code_before_it_works(people: Database, clock: HandClock) -> None:
    have_user(people)
    app = with_factor(people, clock)
    code, before = app.at(clock()), app.at(clock() - timedelta(seconds=30))
    assert attempt(people, clock, code=code)
    assert attempt(people, clock, code=code) is None
    assert attempt(people, clock, code=before, at="b") is None
    clock.move(30)
    assert attempt(people, clock, code=app.at(clock()), at="c")


def test_a_code_that_two_use_at_once_works_for_one(people: Database, clock: HandClock) -> None:
    have_user(people)
    with people.write() as connection:
        user = users.found(connection, "robin")
        assert [users.use_step(connection, user, 7), users.use_step(connection, user, 7)] == [True, False]


@pytest.mark.parametrize("seconds", [-90, 90])
def test_a_code_of_another_time_is_refused(people: Database, clock: HandClock, seconds: int) -> None:
    have_user(people)
    app = with_factor(people, clock)
    assert attempt(people, clock, code=app.at(clock() + timedelta(seconds=seconds))) is None


def test_a_role_that_needs_a_second_factor_does_not_get_in_without(people: Database, clock: HandClock) -> None:
    have_user(people, roles=("auditor",))
    assert attempt(people, clock) is None
    app = with_factor(people, clock)
    assert attempt(people, clock, code=app.at(clock()))


def test_a_second_factor_is_stored_sealed(people: Database, clock: HandClock) -> None:
    have_user(people)
    secret = with_factor(people, clock).secret
    with people.read() as connection:
        kept = connection.execute(select(tables_auth.user_account.c.totp_secret)).scalar_one()
    assert secret.encode() not in bytes(kept)
    assert second_factor.opened(KEY, kept) == secret
    with pytest.raises(ValueError, match="another key"):
        second_factor.opened(b"x" * 32, kept)


def test_what_is_sealed_opens_with_its_key_and_purpose_only(clock: HandClock) -> None:
    at = clock().timestamp()
    sealed = seal(KEY, "a", b"content", at)
    assert unseal(KEY, "a", sealed, at + 9, 10) == b"content"
    assert unseal(KEY, "a", sealed, at + 11, 10) is None
    assert unseal(KEY, "b", sealed) is None
    assert unseal(b"x" * 32, "a", sealed) is None
    assert unseal(KEY, "a", sealed[:-1] + b"x") is None


def test_a_subject_is_linked_to_one_account(people: Database) -> None:
    have_user(people, "robin")
    have_user(people, "kim")
    with people.write() as connection:
        users.link(connection, "robin", "https://op.example", "s-1", real())
        with pytest.raises(UserError):
            users.link(connection, "kim", "https://op.example", "s-1", real())
        found = users.by_subject(connection, "https://op.example", "s-1")
        assert found
        assert found.login == "robin"
        assert users.by_subject(connection, "https://other.example", "s-1") is None
        users.link(connection, "robin", "https://op.example", "", real())
        assert users.by_subject(connection, "https://op.example", "s-1") is None


def test_operators_manage_accounts_by_commands(people: Database, tmp_path: Path, clock: HandClock) -> None:
    chosen = settings(HUB_OIDC_ISSUER="https://op.example")
    app = user_commands(lambda: people, lambda: chosen)
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == code, done.output
        return done.output

    add = ("add", "robin", "--name", "Robin Demo", "--role", "plan", "--password-file", str(secret))
    assert "otpauth://totp/" in run(*add)
    assert "already" in run(*add, code=1)
    run("totp", "robin", "--remove")
    for _ in range(5):
        attempt(people, clock, password="wrong")
    assert "robin" in run("list")
    assert attempt(people, clock) is None
    assert "Unlocked" in run("unlock", "robin")
    assert attempt(people, clock, at="d")
    run("disable", "robin")
    assert attempt(people, clock, at="b") is None
    run("enable", "robin")
    run("unlock", "robin")
    secret.write_text("short")
    assert "characters" in run("password", "robin", "--password-file", str(secret), code=1)
    secret.write_text("quite another password")
    run("password", "robin", "--password-file", str(secret))
    assert attempt(people, clock, password="quite another password", at="c")
    run("link", "robin", "--subject", "s-1")
    with people.read() as connection:
        assert users.by_subject(connection, "https://op.example", "s-1")
    run("disable", "nobody", code=1)
