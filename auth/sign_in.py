"""Whether somebody is who they say: login, password and, where there is one, the second factor, judged together.

Rules: NIST SP 800-63B-4; OWASP ASVS 6.3 (no answer tells which logins there are, or which part was wrong)
Refuses (None): unknown, locked and disabled accounts, wrong passwords, wrong or used codes, and a role that must
have a second factor without one; all of them alike and after the same work.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from auth import passwords, second_factor, throttle, users
from auth.recorded import note
from auth.users import User
from hub.settings import Settings
from hub.store.engine import Database

log = logging.getLogger(__name__)

PASSWORD, ONE_TIME, MANY = "pwd", "otp", "mfa"  # RFC 8176


@dataclass(frozen=True, slots=True)
class Rules:
    """How often somebody may fail, how long they wait then, and which roles need a second factor."""

    failures: int
    address_failures: int
    minutes: int
    strong_roles: Collection[str]

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        names = (
            "HUB_SIGN_IN_FAILURES",
            "HUB_SIGN_IN_ADDRESS_FAILURES",
            "HUB_SIGN_IN_LOCK_MINUTES",
            "HUB_MFA_ROLES",
        )
        return cls(*(settings[name] for name in names))

    def wants_second_factor(self, user: User) -> bool:
        return any(role in self.strong_roles for role in user.roles)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody typed, and where from."""

    login: str
    password: str = field(repr=False)
    code: str = field(repr=False)
    address: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who it is, and how they proved it (RFC 8176)."""

    user: User
    methods: tuple[str, ...]


def decide(database: Database, secret_key: bytes, rules: Rules, attempt: Attempt, now: datetime) -> SignedIn | None:
    """The person behind an attempt."""
    login = users.login_of(attempt.login)
    keys = login_key(secret_key, login), throttle.key_of(secret_key, "address", attempt.address)
    counters = (
        throttle.Counter(keys[0], rules.failures),
        throttle.Counter(keys[1], rules.address_failures),
    )
    locked = database.writing(lambda c: throttle.begin(c, counters, now, rules.minutes))
    with database.read() as connection:
        user = users.find(connection, login)
    usable = user is not None and user.active and not locked
    right = passwords.matches(user.password_hash if user and usable else "", attempt.password)
    note(user=user.id if user else "")
    if not (user and right):
        log.warning("Sign-in refused: %s", "locked" if locked else "credentials")
        return None
    return database.writing(lambda c: _finish(c, secret_key, rules, user, attempt, keys, now))


def login_key(secret_key: bytes, login: str) -> bytes:
    """What a login is counted by."""
    return throttle.key_of(secret_key, "login", users.login_of(login))


def _finish(
    connection: Connection,
    secret_key: bytes,
    rules: Rules,
    user: User,
    attempt: Attempt,
    keys: tuple[bytes, bytes],
    now: datetime,
) -> SignedIn | None:
    methods: tuple[str, ...] = (PASSWORD,)
    if user.totp_secret is not None:
        secret = second_factor.opened(secret_key, user.totp_secret)
        code = "".join(attempt.code.split())
        step = second_factor.step_of(secret, code, now, user.totp_step)
        if step is None or not users.use_step(connection, user, step):
            log.warning("Sign-in refused: second factor")
            return None
        methods = (PASSWORD, ONE_TIME, MANY)
    elif rules.wants_second_factor(user):
        log.warning("Sign-in refused: a role without its second factor")
        return None
    throttle.forgive(connection, *keys)
    fresh = passwords.rehashed(attempt.password) if passwords.is_stale(user.password_hash) else ""
    users.signed_in(connection, user, now, fresh)
    return SignedIn(replace(user, password_hash=fresh or user.password_hash), methods)
