"""People who sign in: their login, who they are in FHIR, their roles, and how they prove themselves.

Rules: https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-identity-data
(`fhirUser` is a Patient, Practitioner, PractitionerRole, RelatedPerson or Person)
Refuses (UserError): logins and fhirUsers of another shape, unknown roles, a login or an outside identity twice.
A person who is disabled, or gets another password, is signed out everywhere; a disabled one's apps lose their
tokens as well.
"""

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from auth.recorded import changed, told
from auth.roles import ROLES
from hub.clock import micros
from hub.store import tables
from hub.store import tables_auth as own

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")
FHIR_USER = re.compile(r"(Patient|Practitioner|PractitionerRole|RelatedPerson|Person)/[A-Za-z0-9.-]{1,64}")
ORGANIZATION = re.compile(r"Organization/[A-Za-z0-9.-]{1,64}")
ID_BYTES = 16

_account = own.user_account


class UserError(Exception):
    """That cannot be done to this account; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class User:
    """A person's account. `fhir_user` is such as `Practitioner/1`, or empty; `issuer` and `subject` name the person
    at another sign-in service."""

    id: str
    login: str
    name: str
    fhir_user: str = ""
    roles: tuple[str, ...] = ()
    organization: str = ""
    active: bool = True
    issuer: str = ""
    subject: str = field(default="", repr=False)
    password_hash: str = field(default="", repr=False)
    totp_secret: bytes | None = field(default=None, repr=False)
    totp_step: int = field(default=0, repr=False)

    @property
    def fhir_type(self) -> str:
        """The type of `fhir_user`."""
        return self.fhir_user.partition("/")[0]


def login_of(text: str) -> str:
    """A login as it is stored and counted: what people type differently is one."""
    return unicodedata.normalize("NFKC", text).strip().casefold()[:256]


def add(connection: Connection, user: User, now: datetime) -> User:
    """Make an account; its id is made here. Raises UserError."""
    login = login_of(user.login)
    _check(user, login)
    if find(connection, login):
        raise UserError("There is an account with this login already")
    values = {
        "id": secrets.token_hex(ID_BYTES),
        "login": login,
        "name": user.name.strip(),
        "password_hash": user.password_hash,
        "fhir_user": user.fhir_user,
        "roles": " ".join(user.roles),
        "organization": user.organization,
        "totp_secret": user.totp_secret,
        "active": True,
        "created": micros(now),
        "changed": micros(now),
    }
    connection.execute(insert(_account).values(values))
    added = found(connection, login)
    changed(connection, "user-change", f"users add {added.id} roles={'+'.join(added.roles)}")
    return added


def _check(user: User, login: str) -> None:
    unknown = [role for role in user.roles if role not in ROLES]
    if not LOGIN.fullmatch(login):
        raise UserError("A login is 1 to 128 small letters, digits or . _ @ + -")
    if not user.name.strip():
        raise UserError("An account has a name")
    if user.fhir_user and not FHIR_USER.fullmatch(user.fhir_user):
        raise UserError("The fhirUser is such as Practitioner/1, Patient/1, RelatedPerson/1 or Person/1")
    if user.organization and not ORGANIZATION.fullmatch(user.organization):
        raise UserError("The organization is such as Organization/harbor")
    if unknown:
        raise UserError(f"There is no role {unknown[0]!r}; roles are {', '.join(ROLES)}")


def find(connection: Connection, login: str) -> User | None:
    """The account with this login, active or not. What cannot be a login is not looked for."""
    wanted = login_of(login)
    if not LOGIN.fullmatch(wanted):
        return None
    row = connection.execute(select(_account).where(_account.c.login == wanted)).first()
    return user_of(row) if row else None


def by_id(connection: Connection, identity: str) -> User | None:
    """The account with this id, active or not."""
    row = connection.execute(select(_account).where(_account.c.id == identity)).first()
    return user_of(row) if row else None


def held(connection: Connection, identity: str) -> User | None:
    """The same, and nobody changes it, nor gives or ends a token in its name, until this transaction is over."""
    row = connection.execute(select(_account).where(_account.c.id == identity).with_for_update()).first()
    return user_of(row) if row else None


def stands(connection: Connection, user: User) -> bool:
    """Whether the account is still switched on, and proved by what proved it before; held as by `held`."""
    now = held(connection, user.id)
    return now is not None and now.active and _proofs(now) == _proofs(user)


def _proofs(user: User) -> tuple[object, ...]:
    return user.password_hash, user.totp_secret, user.issuer, user.subject


def by_subject(connection: Connection, issuer: str, subject: str) -> User | None:
    """The account that is linked to a person of another sign-in service."""
    is_it = (_account.c.issuer == issuer, _account.c.subject == subject)
    row = connection.execute(select(_account).where(*is_it)).first()
    return user_of(row) if row else None


def found(connection: Connection, login: str) -> User:
    """The account with this login. Raises UserError."""
    user = find(connection, login)
    if user is None:
        raise UserError("There is no account with this login")
    return user


def listed(connection: Connection) -> list[User]:
    """Every account, by login."""
    return [user_of(row) for row in connection.execute(select(_account).order_by(_account.c.login))]


def set_active(connection: Connection, login: str, active: bool, now: datetime) -> User:
    """Switch an account off (signed out everywhere, its apps' tokens gone) or on again."""
    user = _changed(connection, login, {"active": active}, now)
    if not active:
        _sign_out(connection, user.id)
        for table in (own.refresh_token, own.authorization_code, tables.token):
            connection.execute(delete(table).where(table.c.user_id == user.id))
    return user


def set_password(connection: Connection, login: str, password_hash: str, now: datetime) -> User:
    """Replace the password; the person is signed out everywhere."""
    user = _changed(connection, login, {"password_hash": password_hash}, now)
    _sign_out(connection, user.id)
    return user


def set_second_factor(connection: Connection, login: str, sealed: bytes | None, now: datetime) -> User:
    """Replace the second factor, or take it away; the person is signed out everywhere."""
    user = _changed(connection, login, {"totp_secret": sealed, "totp_step": 0}, now)
    _sign_out(connection, user.id)
    return user


def link(connection: Connection, login: str, issuer: str, subject: str, now: datetime) -> User:
    """This account is that person of another sign-in service, signed out everywhere. An empty subject ends it."""
    known = by_subject(connection, issuer, subject)
    if known and known.login != login_of(login):
        raise UserError("Another account is linked to this subject")
    values = {"issuer": issuer, "subject": subject} if subject else {"issuer": None, "subject": None}
    user = _changed(connection, login, values, now)
    _sign_out(connection, user.id)
    return user


def use_step(connection: Connection, user: User, step: int) -> bool:
    """Mark a code as used; False where it, or a later one, was used meanwhile."""
    fresh = (_account.c.id == user.id, _account.c.totp_step < step)
    return connection.execute(update(_account).where(*fresh).values(totp_step=step)).rowcount == 1


def signed_in(connection: Connection, user: User, now: datetime, password_hash: str = "") -> None:
    """Note a sign-in; `password_hash`: the same password, hashed with today's costs."""
    values: dict[str, Any] = {"last_sign_in": micros(now)}
    if password_hash:
        values["password_hash"] = password_hash
    connection.execute(update(_account).where(_account.c.id == user.id).values(values))


def _changed(connection: Connection, login: str, values: Mapping[str, Any], now: datetime) -> User:
    user = found(connection, login)
    change = update(_account).where(_account.c.id == user.id)
    connection.execute(change.values({**values, "changed": micros(now)}))
    changed(connection, "user-change", f"users change {user.id} {told(values)}")
    return found(connection, login)


def _sign_out(connection: Connection, identity: str) -> None:
    connection.execute(delete(own.user_session).where(own.user_session.c.user_id == identity))


def user_of(row: Row[Any]) -> User:
    """The account in a row of `user_account`."""
    return User(
        row.id,
        row.login,
        row.name,
        row.fhir_user,
        tuple(row.roles.split()),
        row.organization,
        bool(row.active),
        row.issuer or "",
        row.subject or "",
        row.password_hash,
        row.totp_secret,
        row.totp_step,
    )
