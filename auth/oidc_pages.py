"""/auth/oidc: a person signs in at another service, and comes back as an account that was linked by an operator.

What is under way is kept sealed in a cookie of this browser alone, for ten minutes.
Refuses: answers without that cookie, or with another `state` or `iss`; people no account is linked to; disabled
accounts; roles that need a second factor where the other service does not say there was one (`amr` has `mfa`).
"""

import hmac
import logging
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import msgspec
from flask import Response, request

from auth import users
from auth.oidc import Begun, OidcError, Provider
from auth.sign_in import MANY, SignedIn
from auth.sign_in_pages import REFUSED
from auth.users import User
from auth.visit import Site, Visit, require_genuine, visit_of
from hub.sealing import seal, unseal

log = logging.getLogger(__name__)

CALLBACK_PATH = "/auth/oidc/callback"
PURPOSE = "sign-in elsewhere"
SECONDS = 600
MOST_REQUEST = 2800  # a cookie has 4 KB
UNREACHABLE = "The other service cannot be reached. Try again in a while."


class OidcPages:
    """`asked`, `begun` and `sign_in_page` are those of the other pages."""

    def __init__(self, site: Site, http_hosts: Collection[str] = ()):
        self._site = site
        self._provider = _provider(site, http_hosts)
        self.asked: Any = None
        self.begun: Any = None
        self.sign_in_page: Any = None

    @property
    def name(self) -> str:
        """The other service, as the button says it; empty where there is none."""
        return self._provider.name if self._provider else ""

    def start(self) -> Response:
        """POST /auth/oidc/start."""
        visit = visit_of(self._site, request)
        require_genuine(visit, request)
        text = request.form.get("request", "")
        asked = self.asked(text) if text else None
        if self._provider is None or len(text) > MOST_REQUEST:
            return self._refused(visit, text, asked, "configuration")
        begun, now = Begun.new(), self._site.clock()
        try:
            address = self._provider.authorize_url(begun, now)
        except OidcError as error:
            return self._refused(visit, text, asked, str(error), UNREACHABLE)
        kept = msgspec.json.encode({**asdict(begun), "request": text})
        # shown, not redirected to: a policy on forms would have to name every address the service redirects to
        response = visit.page("elsewhere", address=address, service=self._provider.name)
        self._put(response, seal(self._site.secret_key, PURPOSE, kept, now.timestamp()).decode())
        return response

    def callback(self) -> Response:
        """GET /auth/oidc/callback."""
        visit = visit_of(self._site, request)
        kept = self._kept()
        text = kept.pop("request") if kept else ""
        asked = self.asked(text) if text else None
        try:
            if not kept or self._provider is None:
                raise OidcError("no-cookie")
            found = self._person(self._provider, Begun(**kept))
        except OidcError as error:
            return self._forgotten(self._refused(visit, text, asked, str(error)))
        response: Response = self.begun(visit, found, text, asked)
        return self._forgotten(response)

    def _person(self, provider: Provider, begun: Begun) -> SignedIn:
        told = request.args
        if not hmac.compare_digest(told.get("state", "").encode(), begun.state.encode()):
            raise OidcError("state")
        if told.get("iss", provider.issuer) != provider.issuer:
            raise OidcError("iss")
        if "code" not in told:
            raise OidcError("no-code")
        claims = provider.claims(told["code"], begun, self._site.clock())
        said = claims.get("amr", ())
        methods = tuple(word for word in said if isinstance(word, str)) if isinstance(said, list) else ()
        user = self._site.database.reading(lambda c: users.by_subject(c, provider.issuer, claims["sub"]))
        self._require(user, methods)
        assert user is not None
        self._site.database.writing(lambda c: users.signed_in(c, user, self._site.clock()))
        return SignedIn(user, methods[:8])

    def _require(self, user: User | None, methods: tuple[str, ...]) -> None:
        if user is None or not user.active:
            raise OidcError("no-account")
        if self._site.rules.wants_second_factor(user) and MANY not in methods:
            raise OidcError("second-factor")

    def _refused(self, visit: Visit, text: str, asked: Any, reason: str, problem: str = REFUSED) -> Response:
        log.warning("Sign-in elsewhere refused: %s", reason)
        response: Response = self.sign_in_page(visit, text, asked, problem=problem, status=403)
        return response

    @property
    def _cookie(self) -> str:
        return self._site.cookies.name.replace("session", "elsewhere")

    def _put(self, response: Response, value: str) -> None:
        secure = self._site.cookies.secure
        options: dict[str, Any] = {"secure": secure, "httponly": True, "samesite": "Lax", "path": "/"}
        response.set_cookie(self._cookie, value, max_age=SECONDS, **options)

    def _kept(self) -> dict[str, str]:
        sealed = request.cookies.get(self._cookie, "").encode()
        found = unseal(self._site.secret_key, PURPOSE, sealed, self._site.clock().timestamp(), SECONDS)
        return msgspec.json.decode(found) if found else {}

    def _forgotten(self, response: Response) -> Response:
        response.delete_cookie(self._cookie, path="/", secure=self._site.cookies.secure, httponly=True)
        return response


def _provider(site: Site, http_hosts: Collection[str]) -> Provider | None:
    issuer = site.settings["HUB_OIDC_ISSUER"]
    if not issuer:
        return None
    identity, secret = site.settings["HUB_OIDC_CLIENT_ID"], site.settings["HUB_OIDC_CLIENT_SECRET"]
    return Provider(issuer, identity, secret, site.base_url + CALLBACK_PATH, http_hosts)
