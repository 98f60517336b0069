"""One request of a browser to these pages: its cookie, who is signed in, and whether its form is genuine.

Refuses (NotGenuine): a form without the token of this browser's cookie, or sent from another site's page
(https://owasp.org/www-community/attacks/csrf).
"""

from dataclasses import dataclass, field
from typing import Any

from flask import Request, Response

from auth import sessions
from auth.pages import page, redirect
from auth.sessions import Cookies, Lives, Session
from auth.sign_in import Rules
from hub.clock import Clock
from hub.settings import Settings
from hub.store.engine import Database

FORM = "application/x-www-form-urlencoded"


class NotGenuine(Exception):
    """The form was not made for this browser, or the browser forgot its cookie."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages work with."""

    database: Database
    settings: Settings
    secret_key: bytes = field(repr=False)
    clock: Clock
    rules: Rules
    lives: Lives

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def fhir_base(self) -> str:
        return self.settings.fhir_base

    @property
    def cookies(self) -> Cookies:
        return Cookies(self.secret_key, self.base_url.startswith("https://"))


@dataclass(frozen=True, slots=True)
class Visit:
    """`token` is the cookie's value, sent or new; `session` is there where somebody is signed in."""

    site: Site
    token: str = field(repr=False)
    session: Session | None = None

    @property
    def form_token(self) -> str:
        return self.site.cookies.form_token(self.token)

    def page(self, name: str, status: int = 200, targets: tuple[str, ...] = (), **values: Any) -> Response:
        """A page with what every form needs, and the cookie."""
        values = {"user": self.session.user if self.session else None, "form_token": self.form_token, **values}
        return self.with_cookie(page(name, status, targets, **values))

    def redirect(self, address: str, targets: tuple[str, ...] = ()) -> Response:
        return self.with_cookie(redirect(address, targets))

    def with_cookie(self, response: Response) -> Response:
        self.site.cookies.put(response, self.token)
        return response


def visit_of(site: Site, request: Request) -> Visit:
    """Who is at the browser."""
    token = site.cookies.token(request)
    if not token:
        return Visit(site, site.cookies.new())
    now = site.clock()
    found = site.database.reading(lambda connection: sessions.find(connection, token, now, site.lives))
    if found is None:
        return Visit(site, token)
    session, is_due = found
    if is_due:
        site.database.writing(lambda connection: sessions.seen(connection, session, now))
    return Visit(site, token, session)


def require_genuine(visit: Visit, request: Request) -> None:
    """Raises NotGenuine. The cookie must have been sent: a new one vouches for nothing."""
    sent = visit.site.cookies.token(request)
    elsewhere = request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
    if elsewhere or request.mimetype != FORM:
        raise NotGenuine
    if not visit.site.cookies.is_genuine(sent, request.form.get("form_token", "")):
        raise NotGenuine
