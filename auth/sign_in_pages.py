"""/auth/sign-in and /auth/sign-out: a session begins and ends.

Rules: OWASP ASVS 7.2.4 (a new cookie at every sign-in); RFC 9700 section 4.11 (no open redirector: after a sign-in
the browser goes on to a request that was judged, or to the person's apps)
Refuses: whatever auth.sign_in refuses, with one page for all of it.
"""

from dataclasses import replace
from typing import Any

from flask import Response, request

from auth import authorize, sessions, users
from auth.authorize import Asked
from auth.recorded import note
from auth.sign_in import Attempt, SignedIn, decide
from auth.visit import Site, Visit, require_genuine, visit_of
from hub.rest.peers import Peers, networks

SIGN_IN_PATH = "/auth/sign-in"
AUTHORIZE_PATH = "/auth/authorize"
APPS_PATH = "/auth/apps"
REFUSED = "This does not work. Check what you typed, or try again later."


class SignInPages:
    """`asked` judges the request that a form carries."""

    def __init__(self, site: Site, elsewhere: str = ""):
        self._site = site
        self._elsewhere = elsewhere
        self._peers = Peers(networks(site.settings["HUB_TRUSTED_PROXIES"]))
        self.asked: Any = None

    def page(self, visit: Visit, text: str = "", asked: Asked | None = None, **values: Any) -> Response:
        """The form. `text`: the request that is gone on with afterwards."""
        values = {"app": asked.client.name if asked else "", "problem": "", "login": "", "status": 200, **values}
        targets = (asked.target,) if asked else ()
        return Visit(self._site, visit.token).page(
            "sign_in", values.pop("status"), targets, request=text, elsewhere=self._elsewhere, **values
        )

    def sign_in(self) -> Response:
        """GET and POST /auth/sign-in."""
        visit = visit_of(self._site, request)
        if request.method == "GET":
            return visit.redirect(APPS_PATH) if visit.session else self.page(visit)
        require_genuine(visit, request)
        form = request.form
        text = form.get("request", "")
        asked = self.asked(text) if text else None
        attempt = Attempt(
            form.get("login", ""), form.get("password", ""), form.get("code", ""), self._peers.of(request.environ)
        )
        found = decide(self._site.database, self._site.secret_key, self._site.rules, attempt, self._site.clock())
        if found is None:
            return self.page(visit, text, asked, problem=REFUSED, login=attempt.login[:256], status=403)
        return self.begun(visit, found, text, asked)

    def begun(self, visit: Visit, found: SignedIn, text: str, asked: Asked | None) -> Response:
        """A new session, and on to what was asked."""
        now, site = self._site.clock(), self._site
        note(user=found.user.id)

        def change(connection: Any) -> str:
            if not users.stands(connection, found.user):  # another password, while this one was looked at
                return ""
            sessions.end(connection, visit.token)
            return sessions.begin(connection, found.user, found.methods, now, site.lives)

        token = site.database.writing(change)
        if not token:
            return self.page(visit, text, asked, problem=REFUSED, status=403)
        signed_in = replace(visit, token=token)
        if asked is None:
            return signed_in.redirect(APPS_PATH)
        query = authorize.after_sign_in(authorize.pairs_of(text))
        return signed_in.redirect(f"{AUTHORIZE_PATH}?{query}", (asked.target,))

    def sign_out(self) -> Response:
        """POST /auth/sign-out."""
        visit = visit_of(self._site, request)
        note(user=visit.session.user.id if visit.session else "")
        require_genuine(visit, request)
        self._site.database.writing(lambda connection: sessions.end(connection, visit.token))
        return Visit(self._site, self._site.cookies.new()).redirect(SIGN_IN_PATH)
