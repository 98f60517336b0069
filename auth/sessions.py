"""Who is signed in at a browser: a random cookie, its SHA-256 in the database, an idle and an absolute end.

Rules: OWASP ASVS 7.2 and 7.3 (256 random bits, idle and absolute life, a new value at every sign-in); RFC 6265bis
(`__Host-`, Secure, HttpOnly, SameSite=Lax)
A form's token is made from the cookie with the hub's key: nothing is stored for visitors who have not signed in.
Refuses: cookies of another shape, sessions that are over, and those of disabled accounts.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from flask import Request, Response
from sqlalchemy import Connection, delete, insert, select, true, update

from auth.users import User, user_of
from hub.clock import micros
from hub.sealing import derived
from hub.store.tables_auth import user_account, user_session

NAME = "hub-session"
TOKEN_BYTES = 32
SECOND = 1_000_000
SEEN_EVERY = 60 * SECOND  # what is noted more often would be a write for every page

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """A person at a browser. `created` is when they signed in (microseconds), `methods` how (RFC 8176)."""

    hash: bytes = field(repr=False)
    user: User
    methods: tuple[str, ...]
    created: int


@dataclass(frozen=True, slots=True)
class Lives:
    """How long sessions last: without a request, and at most (seconds)."""

    idle: int
    absolute: int


def token_hash(token: str) -> bytes:
    """What the database keeps of a cookie."""
    return hashlib.sha256(token.encode("ascii")).digest()


def begin(connection: Connection, user: User, methods: tuple[str, ...], now: datetime, lives: Lives) -> str:
    """Sign a person in; the value of the new cookie."""
    token, at = secrets.token_urlsafe(TOKEN_BYTES), micros(now)
    row = {"hash": token_hash(token), "user_id": user.id, "methods": " ".join(methods), "created": at, "seen": at}
    connection.execute(insert(user_session).values(row | {"expires": at + lives.absolute * SECOND}))
    return token


def find(connection: Connection, token: str, now: datetime, lives: Lives) -> tuple[Session, bool] | None:
    """The session of a cookie, and whether it is time to note that it was seen."""
    at, table = micros(now), user_session
    is_it = (table.c.hash == token_hash(token), table.c.expires > at, table.c.seen > at - lives.idle * SECOND)
    joined = select(user_account, table.c.methods, table.c.seen, table.c.created.label("began"))
    joined = joined.join_from(table, user_account, table.c.user_id == user_account.c.id)
    row = connection.execute(joined.where(*is_it, user_account.c.active == true())).first()
    if row is None:
        return None
    session = Session(token_hash(token), user_of(row), tuple(row.methods.split()), row.began)
    return session, row.seen < at - SEEN_EVERY


def seen(connection: Connection, session: Session, now: datetime) -> None:
    """The person is still there."""
    connection.execute(update(user_session).where(user_session.c.hash == session.hash).values(seen=micros(now)))


def end(connection: Connection, token: str) -> None:
    """Sign out at this browser."""
    connection.execute(delete(user_session).where(user_session.c.hash == token_hash(token)))


@dataclass(frozen=True, slots=True)
class Cookies:
    """The cookie of this hub. `secure`: browsers send it over https only, and to this host only."""

    secret_key: bytes = field(repr=False)
    secure: bool

    @property
    def name(self) -> str:
        return f"__Host-{NAME}" if self.secure else NAME

    def token(self, request: Request) -> str:
        """The cookie of a request, or nothing where it has none that could be ours."""
        value = request.cookies.get(self.name, "")
        return value if _TOKEN.fullmatch(value) else ""

    def new(self) -> str:
        """A value for a visitor who has none, so that a form can be told from a forged one."""
        return secrets.token_urlsafe(TOKEN_BYTES)

    def put(self, response: Response, token: str) -> None:
        response.set_cookie(self.name, token, secure=self.secure, httponly=True, samesite="Lax", path="/")

    def form_token(self, token: str) -> str:
        """What each form of this cookie's pages carries."""
        key = derived(self.secret_key, "forms")
        return hmac.new(key, token.encode("ascii"), hashlib.sha256).hexdigest()

    def is_genuine(self, token: str, sent: str) -> bool:
        """Whether a form was made for this cookie."""
        if not token or not sent.isascii():
            return False
        return hmac.compare_digest(self.form_token(token), sent)
