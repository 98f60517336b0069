"""The web side of this wing for programs: tokens, keys and discovery, as one Flask blueprint.

Rules: RFC 6749 section 5.2 (errors are JSON, never a page, never cached); RFC 7009, RFC 7662, RFC 7591; SMART App
Launch 2.2 (discovery is application/json whatever is accepted; browsers of any origin may ask these endpoints: they
read no cookie)
Refuses: other methods on these endpoints (405).
"""

import logging
import traceback
from collections.abc import Callable, Collection
from functools import partial
from hashlib import sha256
from typing import Any

from authlib.oauth2.rfc6749.errors import OAuth2Error
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException, NotFound

from auth import brands, discovery, registration, token_form
from auth.certificates import thumbprint_of
from auth.client_authentication import Authentication
from auth.exchange import Exchange, Lives
from auth.id_token import Issuer
from auth.introspection import Introspection
from auth.keys import Keys
from auth.recorded import Told
from auth.revocation import Revocation
from auth.signing_keys import SigningKeys
from auth.token_endpoint import TokenServer
from hub.audit.recorder import Recorder
from hub.clock import Clock, now
from hub.problems import Problem
from hub.rest.peers import Peers, networks
from hub.settings import Settings
from hub.store.engine import Database

log = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LONGEST_USER_TOKEN_SECONDS = 3600
DAY = 86_400
NOT_CACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
KEYS_CACHED = {"Cache-Control": "public, max-age=300"}
PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept",
    "Access-Control-Max-Age": "600",
}

View = Callable[[], Response]


def blueprint(
    database: Database,
    settings: Settings,
    clock: Clock = now,
    jwks_hosts: Collection[str] = (),
    audit: Recorder | None = None,
) -> Blueprint:
    """Token endpoints and discovery. `jwks_hosts`: hosts whose registered JWKS address may be http; `audit` records
    what is answered."""
    found = Blueprint("auth", __name__)
    keys = Keys(jwks_hosts)
    authentication = Authentication(database, keys, discovery.token_url(settings.base_url))
    signing_keys = SigningKeys(database, settings.secret_key(), clock)
    issuer = Issuer(settings.base_url, settings.fhir_base)
    exchange = Exchange(issuer, _lives(settings))
    seconds = settings["HUB_TOKEN_SECONDS"]
    shown = partial(thumbprint_of, settings=settings)
    server = TokenServer(database, authentication, exchange, signing_keys, seconds, clock, shown)
    _add(found, discovery.TOKEN_PATH, lambda: server.create_token_response(request))
    _add(found, discovery.REVOKE_PATH, _revoke(Revocation(database, authentication, clock)))
    _add(found, discovery.INTROSPECT_PATH, _introspect(Introspection(database, authentication, issuer, clock)))
    if settings["HUB_REGISTRATION"] != "off":
        register = registration.Registration(database, settings, keys, clock)
        _add(found, discovery.REGISTER_PATH, lambda: _told(register.answer(request), 201, NOT_CACHED))
    _add_discovery(found, settings, signing_keys)
    found.register_error_handler(OAuth2Error, _oauth_error)
    found.register_error_handler(Exception, _fault)
    found.after_request(_for_every_origin)
    if audit is not None:
        found.after_request(Told(audit, Peers(networks(settings["HUB_TRUSTED_PROXIES"])), _fault))
    return found


def _lives(settings: Settings) -> Lives:
    access = min(settings["HUB_USER_TOKEN_SECONDS"], LONGEST_USER_TOKEN_SECONDS)
    return Lives(access, settings["HUB_REFRESH_DAYS"] * DAY)


def _add(found: Blueprint, path: str, serve: View) -> None:
    """An endpoint for POST. A browser that asks first whether it may is told so."""

    def view() -> Response:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return Response(status=204, headers=PREFLIGHT)
        return serve() if request.method == "POST" else _error(405, "invalid_request", {"Allow": "POST"})

    name = path.rpartition("/")[2]
    found.add_url_rule(path, name, view, methods=METHODS, provide_automatic_options=False)


def _revoke(revocation: Revocation) -> View:
    def view() -> Response:
        form = token_form.read(request, token_form.ABOUT_TOKEN_FORM)
        revocation.answer(form, request.headers.get("Authorization", ""))
        return Response(status=200, headers=NOT_CACHED)

    return view


def _introspect(introspection: Introspection) -> View:
    def view() -> Response:
        form = token_form.read(request, token_form.ABOUT_TOKEN_FORM)
        return _told(introspection.answer(form, request.headers.get("Authorization", "")), 200, NOT_CACHED)

    return view


def _add_discovery(found: Blueprint, settings: Settings, signing_keys: SigningKeys) -> None:
    def configuration() -> Response:
        return _told(discovery.smart_configuration(settings))

    def openid() -> Response:
        return _told(discovery.openid_configuration(settings))

    def jwks() -> Response:
        return _told(signing_keys.published(), 200, KEYS_CACHED)

    for path in (discovery.WELL_KNOWN, discovery.FHIR_PATH + discovery.WELL_KNOWN):
        found.add_url_rule(path, "configuration", configuration, methods=("GET",))
    found.add_url_rule(discovery.OPENID_CONFIGURATION, "openid", openid, methods=("GET",))
    found.add_url_rule(discovery.JWKS_PATH, "jwks", jwks, methods=("GET",))
    found.add_url_rule(discovery.BRANDS_PATH, "brands", lambda: _brands(settings), methods=("GET",))


def _brands(settings: Settings) -> Response:
    try:
        found = brands.bundle(settings.brands_file, settings.fhir_base)
    except FileNotFoundError:
        raise NotFound from None
    answer = _told(found, 200, KEYS_CACHED)
    answer.content_type = "application/fhir+json"
    answer.set_etag(sha256(answer.get_data()).hexdigest()[:32], weak=True)
    answer.make_conditional(request)
    return answer


def _told(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    answer = jsonify(content)
    answer.status_code = status
    answer.headers.update(headers or {})
    return answer


def _for_every_origin(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _oauth_error(error: OAuth2Error) -> Response:
    status, body, headers = error()
    return _error(status, body.pop("error"), dict(headers), **body)


def _fault(error: Exception) -> Response:
    """What went wrong on our side, or in the HTTP layer; the log gets a place, not the content."""
    if isinstance(error, Problem):
        code = "temporarily_unavailable" if error.status in (429, 503, 507) else "server_error"
        return _error(error.status, code, error.headers)
    if isinstance(error, HTTPException) and error.code and error.code < 500:
        return _error(error.code, "invalid_request", {})
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("Token endpoint failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    return _error(500, "server_error", {})


def _error(status: int, code: str, headers: dict[str, str], **more: str) -> Response:
    return _told({"error": code, **more}, status, {**headers, **NOT_CACHED})
