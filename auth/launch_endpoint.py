"""POST /auth/launch: an EHR that is about to start an app says what is open in it, and gets the address to open.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/app-launch.html#launch-app-ehr-launch leaves open
how an EHR and its authorization server talk; here it is JSON, with the EHR's own token.
Refuses: clients of other roles and tokens of persons (403), people and apps that are not there, and patients the
EHR itself may not see (400).
"""

from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, request
from sqlalchemy import Connection

from auth import clients, launch, users
from auth.launch import Launch, LaunchError
from auth.recorded import note
from auth.visit import Site
from hub.access import Access
from hub.fhir import json
from hub.problems import Problem

PATH = "/auth/launch"
ROLES = frozenset(("ehr", "county-behavioral-health"))
MAX_BYTES = 16 * 1024


class LaunchEndpoint:
    """`guard`: the access of a request's token."""

    def __init__(self, site: Site, guard: Any):
        self._site = site
        self._guard = guard

    def launch(self) -> Response:
        access: Access = self._guard(request.environ)
        note(client=access.who, user=access.user, role=access.role)
        if access.role not in ROLES or access.user:
            raise Problem("forbidden", "Launches are made by the backend of an EHR")
        request.max_content_length = MAX_BYTES
        asked = json.read(request.get_data(cache=False))
        try:
            told = self._site.database.writing(lambda connection: self._made(connection, access, asked))
        except LaunchError as error:
            raise Problem("invalid", str(error)) from None
        response = jsonify(told)
        response.status_code = 201
        response.headers["Cache-Control"] = "no-store"
        return response

    def _made(self, connection: Connection, access: Access, asked: dict[str, Any]) -> dict[str, Any]:
        parts = {name: asked.pop(name, "") for name in ("client", "patient", "encounter", "user")}
        if not all(isinstance(part, str) for part in parts.values()):
            raise LaunchError("client, patient, encounter and user are strings")
        client = clients.find(connection, parts["client"])
        if client is None:
            raise LaunchError("There is no such app")
        made = Launch(parts["patient"], parts["encounter"], user_id(connection, parts["user"]), asked)
        launch.check(made)
        launch.require_visible(connection, access, made)
        seconds = self._site.settings["HUB_LAUNCH_SECONDS"]
        note(patients=(made.patient,) if made.patient else (), detail=urlencode({"app": client.id}))
        value = launch.create(connection, client, made, self._site.clock(), seconds)
        return {
            "launch": value,
            "launch_url": launch.url(client, self._site.fhir_base, value),
            "expires_in": seconds,
        }


def user_id(connection: Connection, login: str) -> str:
    """The id of an account; empty for no login. Raises LaunchError."""
    if not login:
        return ""
    user = users.find(connection, login)
    if user is None or not user.active:
        raise LaunchError("There is no such person")
    return user.id
