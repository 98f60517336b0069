"""The person-facing side of this wing as one Flask blueprint: authorize, sign-in, patient picker, consent, apps.

Refuses: with a page (400, 403, 405, 413, 500), or at the app's address, where there is one that can be trusted.
What went wrong on our side is logged as a place, never with what was sent.
"""

import logging
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from auth import pages
from auth.apps_pages import PATH as APPS_PATH
from auth.apps_pages import AppsPages
from auth.authorize import PageError, RedirectError
from auth.authorize_pages import AUTHORIZE_PATH, STYLE_URL_PATH, AuthorizePages, smart_style
from auth.launch_endpoint import PATH as LAUNCH_PATH
from auth.launch_endpoint import LaunchEndpoint
from auth.oidc_pages import OidcPages
from auth.recorded import Told
from auth.referral_form_pages import ReferralFormPages
from auth.referral_pages import ReferralPages
from auth.sessions import Lives
from auth.sign_in import Rules
from auth.sign_in_pages import SIGN_IN_PATH, SignInPages
from auth.visit import NotGenuine, Site
from hub.access import Access
from hub.audit.recorder import Recorder
from hub.clock import Clock, now
from hub.problems import Problem, outcome
from hub.referrals.form_desk import FormDesk
from hub.referrals.form_links import PATH as FORM_PATH
from hub.referrals.link_desk import LinkDesk
from hub.referrals.links import PATH as REFERRAL_PATH
from hub.rest.app import HTTP_KINDS
from hub.rest.peers import Peers, networks
from hub.settings import Settings
from hub.store.engine import Database

log = logging.getLogger(__name__)
Guard = Callable[[dict[str, Any]], Access]
MAX_BYTES = 64 * 1024
OURS = "Something went wrong here. Try again in a while."
TEXTS = {
    404: "There is no such page.",
    405: "This page is not opened that way.",
    413: "The request is too long.",
    503: "The hub is busy. Try again in a while.",
    429: "Too many requests came from here. Try again in a while.",
}
NOT_GENUINE = "This page was open too long, or was opened from elsewhere. Go back to your app and start again."


def pages_blueprint(
    database: Database,
    settings: Settings,
    guard: Guard,
    clock: Clock = now,
    oidc_hosts: Collection[str] = (),
    audit: Recorder | None = None,
    desk: LinkDesk | None = None,
    form: FormDesk | None = None,
) -> Blueprint:
    """All pages. `guard`: the access of a request's bearer token, for EHRs that make launches. `oidc_hosts`: hosts
    of another sign-in service that may be plain http; `audit` records what is answered, `desk` opens the links of
    referrals, `form` takes new ones."""
    lives = Lives(settings["HUB_SESSION_IDLE_SECONDS"], settings["HUB_SESSION_SECONDS"])
    site = Site(database, settings, settings.secret_key(), clock, Rules.of(settings), lives)
    found = Blueprint("pages", __name__)
    _add_views(found, site, guard, OidcPages(site, oidc_hosts))
    if desk is not None:
        answers = ReferralPages(site, desk, audit)
        for view, method in ((answers.show, "GET"), (answers.answer, "POST")):
            found.add_url_rule(f"{REFERRAL_PATH}<link>", f"referral {method}", view, methods=[method])
    if form is not None:
        refers = ReferralFormPages(site, form, audit)
        for view, method in ((refers.show, "GET"), (refers.send, "POST")):
            found.add_url_rule(f"{FORM_PATH}<link>", f"refer {method}", view, methods=[method])
    found.before_request(_limit)
    if audit is not None:
        found.after_request(Told(audit, Peers(networks(settings["HUB_TRUSTED_PROXIES"])), _fault))
    for kind, handler in (
        (PageError, lambda error: _stop(400, str(error))),
        (NotGenuine, lambda _: _stop(403, NOT_GENUINE)),
        (Exception, _fault),
    ):
        found.register_error_handler(kind, handler)
    return found


def _add_views(found: Blueprint, site: Site, guard: Guard, oidc: OidcPages) -> None:
    sign_in = SignInPages(site, oidc.name)
    flow = AuthorizePages(site, sign_in.page)
    sign_in.asked = oidc.asked = flow.asked
    oidc.begun, oidc.sign_in_page = sign_in.begun, sign_in.page
    both, post, get = ("GET", "POST"), ("POST",), ("GET",)
    for path, view, methods in (
        (AUTHORIZE_PATH, flow.authorize, both),
        ("/auth/patient", flow.patient, post),
        ("/auth/decision", flow.decision, post),
        (SIGN_IN_PATH, sign_in.sign_in, both),
        ("/auth/sign-out", sign_in.sign_out, post),
        ("/auth/oidc/start", oidc.start, post),
        ("/auth/oidc/callback", oidc.callback, get),
        (APPS_PATH, AppsPages(site).apps, both),
        (LAUNCH_PATH, LaunchEndpoint(site, guard).launch, post),
        (STYLE_URL_PATH, smart_style, get),
        (pages.STYLE_PATH, _style, get),
    ):
        found.add_url_rule(
            path, path.rpartition("/auth/")[2].replace("/", " ").replace(".", " "), view, methods=methods
        )
    found.register_error_handler(RedirectError, flow.told)


def _limit() -> None:
    request.max_content_length = MAX_BYTES
    request.max_form_memory_size = MAX_BYTES


def _style() -> Response:
    response = pages.secured(Response(pages.style(), mimetype="text/css"))
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _stop(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    response = pages.page("stop", status, text=text)
    response.headers.update(headers or {})
    return response


def _fault(error: Exception) -> Response:
    if request.path == LAUNCH_PATH and isinstance(error, HTTPException):
        error = Problem(HTTP_KINDS.get(error.code or 500, "exception"), "The request was refused")
    if request.path == LAUNCH_PATH and isinstance(error, Problem):
        return _told(error)
    if isinstance(error, Problem):
        return _stop(error.status, TEXTS.get(error.status, OURS), error.headers)
    if isinstance(error, HTTPException) and error.code and error.code < 500:
        return _stop(error.code, TEXTS.get(error.code, "The request cannot be read."))
    place = traceback.extract_tb(error.__traceback__)[-1]
    log.error("A page failed: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    return _stop(500, OURS)


def _told(problem: Problem) -> Response:
    response = jsonify(outcome(problem.issues))
    response.status_code = problem.status
    response.headers.update({**problem.headers, "Cache-Control": "no-store"})
    return response
