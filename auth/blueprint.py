"""The web side of this wing: POST /auth/token and the SMART configuration, as one Flask blueprint.

Rules: RFC 6749 section 5.2 (errors are JSON, never a page, never cached)
Refuses: other methods on the token endpoint (405).
"""

import logging
import traceback
from collections.abc import Collection

from authlib.oauth2.rfc6749.errors import OAuth2Error
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from auth.discovery import FHIR_PATH, TOKEN_PATH, WELL_KNOWN, smart_configuration, token_url
from auth.keys import Keys
from auth.token_endpoint import TokenServer
from hub.clock import Clock, now
from hub.problems import Problem
from hub.settings import Settings
from hub.store.engine import Database

log = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def blueprint(
    database: Database, settings: Settings, clock: Clock = now, jwks_hosts: Collection[str] = ()
) -> Blueprint:
    """Token endpoint and discovery. `jwks_hosts`: hosts whose registered JWKS address may be http."""
    found = Blueprint("auth", __name__)
    server = TokenServer(
        database, Keys(jwks_hosts), token_url(settings.base_url), settings["HUB_TOKEN_SECONDS"], clock
    )

    def token() -> Response:
        if request.method != "POST":
            return _error(405, "invalid_request", {"Allow": "POST"})
        answer: Response = server.create_token_response(request)
        return answer

    def configuration() -> Response:
        return jsonify(smart_configuration(settings.base_url))

    found.add_url_rule(TOKEN_PATH, "token", token, methods=METHODS, provide_automatic_options=False)
    for path in (WELL_KNOWN, FHIR_PATH + WELL_KNOWN):
        found.add_url_rule(path, "configuration", configuration, methods=("GET",))
    found.register_error_handler(OAuth2Error, _oauth_error)
    found.register_error_handler(Exception, _fault)
    return found


def _oauth_error(error: OAuth2Error) -> Response:
    status, body, headers = error()
    return _error(status, body.pop("error"), dict(headers), **body)


def _fault(error: Exception) -> Response:
    """What went wrong on our side, or in the HTTP layer; the log gets a place, not the content."""
    if isinstance(error, Problem):
        code = "temporarily_unavailable" if error.status == 503 else "server_error"
        return _error(error.status, code, error.headers)
    if isinstance(error, HTTPException) and error.code and error.code < 500:
        return _error(error.code, "invalid_request", {})
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("Token endpoint failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    return _error(500, "server_error", {})


def _error(status: int, code: str, headers: dict[str, str], **more: str) -> Response:
    answer = jsonify({"error": code, **more})
    answer.status_code = status
    answer.headers.update({**headers, "Cache-Control": "no-store", "Pragma": "no-cache"})
    return answer
