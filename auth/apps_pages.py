"""/auth/apps: the apps a person gave access, each with a button that ends it.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/conformance.html (`management_endpoint`); 45 CFR
170.315(g)(10)(vi): a patient can revoke an app within an hour. Here the tokens are gone with the answer, and no
process remembers one longer than ten seconds.
Refuses: others' apps; the person is who is signed in, never what a form says.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Response, request
from sqlalchemy import Connection, delete, select, update

from auth import consent_screen, users
from auth import scopes as smart
from auth.client_words import CLIENT_ID
from auth.recorded import note
from auth.sign_in_pages import SIGN_IN_PATH
from auth.visit import Site, require_genuine, visit_of
from hub.clock import micros, moment
from hub.store.tables import client, token
from hub.store.tables_auth import authorization_code, refresh_token

PATH = "/auth/apps"


@dataclass(frozen=True, slots=True)
class App:
    """An app with access: which client, since and until what day, and to what, in words."""

    client: str
    name: str
    since: str
    until: str
    lines: tuple[str, ...]


def listed(connection: Connection, user: str, now: int) -> list[App]:
    """The apps that have access in this person's name."""
    found: dict[str, App] = {}
    for table in (refresh_token, token):
        is_live = (table.c.user_id == user, table.c.expires > now)
        joined = select(client.c.name, table).join_from(table, client, table.c.client == client.c.id)
        if table is refresh_token:
            joined = joined.where(refresh_token.c.used == 0)
        for row in connection.execute(joined.where(*is_live).order_by(table.c.issued.desc())):
            lines = tuple(line.text for line in consent_screen.lines(smart.parse(row.scopes)))
            app = App(row.client, row.name, _day(row.issued), _day(row.expires), lines)
            found.setdefault(row.client, app)
    return sorted(found.values(), key=lambda app: app.name)


def revoke(connection: Connection, user: str, client_id: str, now: int) -> None:
    """End what an app has in a person's name: tokens go, refresh tokens and codes can no longer be used."""
    users.held(connection, user)  # a refresh that is under way ends first, and what it gave is found below
    connection.execute(delete(token).where(token.c.user_id == user, token.c.client == client_id))
    for table in (refresh_token, authorization_code):
        mine = (table.c.user_id == user, table.c.client == client_id, table.c.used == 0)
        connection.execute(update(table).where(*mine).values(used=now))


def _day(microseconds: int) -> str:
    return moment(microseconds).date().isoformat()


class AppsPages:
    def __init__(self, site: Site):
        self._site = site

    def apps(self) -> Response:
        """GET and POST /auth/apps."""
        visit = visit_of(self._site, request)
        if visit.session is None:
            return visit.redirect(SIGN_IN_PATH)
        user, now = visit.session.user.id, micros(self._site.clock())
        if request.method == "POST":
            require_genuine(visit, request)
            chosen = request.form.get("client", "")
            note(user=user, detail=urlencode({"app": chosen}))
            if CLIENT_ID.fullmatch(chosen):
                self._site.database.writing(lambda connection: revoke(connection, user, chosen, now))
        found = self._site.database.reading(lambda connection: listed(connection, user, now))
        return visit.page("apps", apps=found, done=request.method == "POST")
