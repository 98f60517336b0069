"""/auth/authorize and what follows: sign in, choose a patient, allow or not, and back to the app with a code.

Rules: RFC 6749 section 4.1, SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/app-launch.html; OpenID
Connect Core 3.1.2.1 (`prompt`, `max_age`)
Each step carries the whole request and judges it anew: what a form says is never believed, and nothing is kept for
those who leave. Patients are chosen by POST: no address holds one.
Refuses: see auth.authorize; launches that are used, over, for another app or person; patients the person may not
see; people whom the app is not for (`access_denied`).
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from sqlalchemy import Connection

from auth import authorization_codes, authorize, clients, consent_screen, launch, patient_picker, persons
from auth import scopes as smart
from auth.authorize import Asked, PageError, RedirectError
from auth.launch import Launch
from auth.pages import redirect, secured
from auth.patient_picker import Choice, Found
from auth.recorded import note
from auth.sessions import SECOND, Session
from auth.visit import FORM, Site, Visit, require_genuine, visit_of
from hub.access import Access
from hub.clock import micros

AUTHORIZE_PATH = "/auth/authorize"
STYLE_URL_PATH = "/auth/smart-style.json"
REFUSED = 403  # as the audit tells what is told to the app by a redirect
GRACE_SECONDS = 30  # from a sign-in back to here, whatever max_age says


@dataclass(frozen=True, slots=True)
class Step:
    """A request that may be put before the person who is signed in. `text` is the request as forms carry it."""

    visit: Visit
    asked: Asked
    text: str
    session: Session
    launch: Launch

    @property
    def site(self) -> Site:
        return self.visit.site

    def access(self, patient: str = "") -> Access:
        return persons.patients_of(self.asked.client, self.session.user, self.site.fhir_base, patient)

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        values = {"app": self.asked.client.name, "request": self.text, "problem": "", **values}
        return self.visit.page(name, status, (self.asked.target,), **values)


class AuthorizePages:
    """The steps, each a view. `sign_in_page` shows the form that leads back here."""

    def __init__(self, site: Site, sign_in_page: Any):
        self._site = site
        self._sign_in_page = sign_in_page

    def authorize(self) -> Response:
        """GET and POST /auth/authorize."""
        if request.method == "GET":
            text = request.query_string.decode("latin-1")
            return self._begin(visit_of(self._site, request), text)
        text = _posted()
        asked = self.asked(text)
        # a form from another site brings no cookie: the browser comes back with it by GET
        return redirect(f"{AUTHORIZE_PATH}?{urlencode(authorize.pairs_of(text))}", (asked.target,))

    def patient(self) -> Response:
        """POST /auth/patient: a search, or a choice."""
        step = self._step(request.form.get("request", ""))
        if isinstance(step, Response):
            return step
        if "patient" not in request.form:
            return self._picker(step, request.form.get("search", ""))
        chosen = self._read(lambda c: _allowed(c, step, request.form["patient"]))
        return self._consent(step, chosen) if chosen else self._picker(step, "", "This patient cannot be chosen.")

    def decision(self) -> Response:
        """POST /auth/decision: yes or no."""
        step = self._step(request.form.get("request", ""))
        if isinstance(step, Response):
            return step
        scopes = consent_screen.chosen(step.asked.scopes, request.form.getlist("scope"))
        if request.form.get("decision") != "allow" or not consent_screen.opens_something(scopes):
            raise step.asked.refused("access_denied", "The person did not allow it")
        note(detail=urlencode({"scope": smart.written_like(scopes, step.asked.scope_text)}))
        code = self._site.database.writing(lambda c: self._issue(c, step, scopes, request.form.get("patient", "")))
        return self._answered(step.asked, code=code)

    def told(self, error: RedirectError) -> Response:
        """The app is told of an error, at the address that was checked."""
        note(interaction="authorization", status=REFUSED, detail=urlencode({"error": error.error}))
        address = self._address(
            error.redirect_uri, error.state, error=error.error, error_description=error.description
        )
        return redirect(address, (authorize.source_of(error.redirect_uri),))

    def asked(self, text: str) -> Asked:
        """The request in a form or query, judged. Raises PageError, RedirectError."""
        pairs = authorize.pairs_of(text)

        def find(client_id: str) -> clients.Client | None:
            found: clients.Client | None = self._read(lambda connection: clients.find(connection, client_id))
            return found

        asked = authorize.read(pairs, find, self._site.fhir_base, self._site.clock())
        note(client=asked.client.id)
        return asked

    def _begin(self, visit: Visit, text: str) -> Response:
        step = self._entered(visit, text)
        if isinstance(step, Response):
            return step
        if "none" in step.asked.prompt:
            raise step.asked.refused("consent_required", "The person must be asked")
        if step.launch.patient:
            chosen = self._read(lambda c: _allowed(c, step, step.launch.patient))
            if chosen is None:
                raise step.asked.refused("access_denied", "The person may not see what the launch is about")
            return self._consent(step, chosen)
        if not step.asked.needs_patient:
            return self._consent(step, None)
        return self._picker(step, "")

    def _step(self, text: str) -> Step | Response:
        """The step that a form belongs to. Raises NotGenuine."""
        visit = visit_of(self._site, request)
        require_genuine(visit, request)
        return self._entered(visit, text)

    def _entered(self, visit: Visit, text: str) -> Step | Response:
        """The request put before who is signed in, or the sign-in page."""
        asked = self.asked(text)
        opened = self._launch(asked)
        session = visit.session if visit.session and self._is_fresh(asked, visit.session) else None
        if session is None:
            if "none" in asked.prompt:
                raise asked.refused("login_required", "Nobody is signed in")
            response: Response = self._sign_in_page(visit, text, asked)
            return response
        note(user=session.user.id, role=" ".join(session.user.roles))
        if opened.user and opened.user != session.user.id:
            raise asked.refused("access_denied", "The launch is for another person")
        if persons.client_of(asked.client, session.user) is None:
            raise asked.refused("access_denied", "The app is not for this person")
        return Step(visit, asked, text, session, opened)

    def _launch(self, asked: Asked) -> Launch:
        if not asked.launch:
            return Launch()
        found: Launch | None = self._read(lambda c: launch.find(c, asked.client, asked.launch, self._site.clock()))
        if found is None:
            raise asked.refused("invalid_request", "The launch is unknown, used, or over")
        return found

    def _is_fresh(self, asked: Asked, session: Session) -> bool:
        """prompt=login is taken out of the request by the sign-in that it asks for."""
        if asked.prompt & authorize.SIGN_IN_AGAIN:
            return False
        age = (micros(self._site.clock()) - session.created) // SECOND
        return asked.max_age is None or age <= max(asked.max_age, GRACE_SECONDS)

    def _picker(self, step: Step, text: str, problem: str = "") -> Response:
        user, now = step.session.user, self._site.clock()
        mine = self._read(lambda c: patient_picker.own(c, step.access, user, now))
        if mine is not None and len(mine) == 1 and not problem:
            return self._consent(step, mine[0], own=True)
        found = Found(mine) if mine is not None else self._read(lambda c: self._search(c, step, text))
        _shown(found.choices, own=mine is not None)
        values = {"choices": found.choices, "more": found.more, "search": text, "searchable": mine is None}
        return step.page("patient", 403 if problem else 200, problem=problem, **values)

    def _search(self, connection: Connection, step: Step, text: str) -> Found:
        return patient_picker.search(connection, step.access(), text, self._site.fhir_base)

    def _consent(self, step: Step, chosen: Choice | None, own: bool = False) -> Response:
        asked = step.asked
        _shown((chosen,) if chosen else (), own)
        return step.page("consent", lines=consent_screen.lines(asked.scopes), patient=chosen, target=asked.target)

    def _issue(self, connection: Connection, step: Step, scopes: smart.Scopes, patient: str) -> str:
        """A code, and the launch is used, in one transaction."""
        asked, session, now = step.asked, step.session, self._site.clock()
        context = self._context(connection, step, patient)
        if asked.launch and not launch.use(connection, asked.launch, now):
            raise asked.refused("invalid_request", "The launch is unknown, used, or over")
        return authorization_codes.issue(
            connection,
            asked.client,
            session.user.id,
            asked.redirect_uri,
            smart.written_like(scopes, asked.scope_text),
            asked.challenge,
            asked.nonce,
            context,
            now,
            session=session.hash,
            signed_in=session.created,
        )

    def _context(self, connection: Connection, step: Step, patient: str) -> dict[str, Any]:
        """What the app is told beside the token; the patient is judged again, now."""
        told = {"need_patient_banner": not step.asked.launch, **step.launch.told()}
        if not step.launch.patient and step.asked.needs_patient:
            told["patient"] = patient
        if "patient" in told and _allowed(connection, step, told["patient"]) is None:
            raise step.asked.refused("access_denied", "The patient cannot be chosen")
        note(patients=(told["patient"],) if "patient" in told else ())
        return {**told, "smart_style_url": self._site.base_url + STYLE_URL_PATH}

    def _answered(self, asked: Asked, **told: str) -> Response:
        return redirect(self._address(asked.redirect_uri, asked.state, **told), (asked.target,))

    def _address(self, redirect_uri: str, state: str, **told: str) -> str:
        return authorize.answer(redirect_uri, **told, state=state, iss=self._site.base_url)

    def _read(self, work: Any) -> Any:
        return self._site.database.reading(work)


def _allowed(connection: Connection, step: Step, patient: str) -> Choice | None:
    """The patient, if the person may choose them: one of their own, or one they may see."""
    mine = patient_picker.own(connection, step.access, step.session.user, step.site.clock())
    if mine is not None:
        return next((choice for choice in mine if choice.id == patient), None)
    return patient_picker.one(connection, step.access(patient), patient)


def _shown(choices: tuple[Choice, ...], own: bool) -> None:
    """Whose names the page tells. The consent screen alone, without a patient, tells of nobody."""
    if choices or request.method == "POST":
        note(interaction="patient-picker", patients=tuple(choice.id for choice in choices), own=own)


def _posted() -> str:
    """The form of another site, as it was sent."""
    if request.mimetype != FORM:
        raise PageError("The request is not a form.")
    request.max_content_length = authorize.MAX_BYTES
    return request.get_data(cache=False).decode("utf-8", "replace")


def smart_style() -> Response:
    """What apps may look like beside this hub. https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#styling"""
    import json

    found = {
        "color_background": "#ffffff",
        "color_error": "#b3261e",
        "color_highlight": "#0b5394",
        "color_modal_backdrop": "",
        "color_success": "#2e7d32",
        "color_text": "#1b1b1b",
        "dim_border_radius": "5px",
        "dim_font_size": "16px",
        "dim_spacing_size": "16px",
        "font_family_body": "system-ui, sans-serif",
        "font_family_heading": "system-ui, sans-serif",
    }
    response = secured(Response(json.dumps(found), mimetype="application/json"))
    response.headers["Cache-Control"] = "public, max-age=3600"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response
