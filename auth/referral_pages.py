"""/auth/referral/<link>: a provider without FHIR reads a referral and answers it.

Rules: docs/referrals.md "A provider without FHIR"; WCAG 2.2 (3.3.1: each fault is named at the top, with a way to
its field); RFC 9110 section 9.2.1 (GET changes nothing: mail scanners follow links); docs/audit.md: each look and
each answer is recorded, never the link itself.
Refuses, with one page for all of it: links that this hub did not make (404), that ended, or whose referral is asked
of another (410). An address that tries too many unknown ones is locked as at the sign-in (429). Forms that are not
from this page (403), and answers to what changed meanwhile (409, with the page as it is now).
"""

from collections.abc import Callable
from dataclasses import replace

from flask import Response, request
from werkzeug.exceptions import HTTPException

from auth.link_locks import LOCKED, LinkLocks
from auth.pages import page
from auth.visit import NotGenuine, Site, Visit, require_genuine
from hub.audit.recorder import WHOLE, About, Recorder, Recording
from hub.problems import Problem
from hub.referrals.answers import DAY_FIELD, DONE_FIELD, LONGEST, REASON_FIELD, STATES, Answer
from hub.referrals.link_desk import LinkDesk, Seen
from hub.referrals.links import PATH
from hub.rest.app import request_id
from hub.rest.peers import Peers, networks

ENDED = "This link does not work, or not any more. Ask whoever sent it to you for a new one."
AGAIN = "This page was open too long, or was opened from elsewhere. Open the link again."
CHANGED = "The referral changed since you opened this page. See below how it stands now."
UNKEPT = "This answer cannot be kept as it is. Change what you wrote, and send it again."
NO_ANSWER = Answer("", "", "", "", {})
Answering = Callable[[Seen, Recording | None], Response]
DEAD = ("not-found", "expired", "throttled")  # what keeps a link from opening
ANSWERABLE = (400, 404, 409, 412, 422)  # what an answer can be refused with; the rest is a fault of ours


class ReferralPages:
    """`audit` records what is shown and sent; None where nothing is recorded."""

    def __init__(self, site: Site, desk: LinkDesk, audit: Recorder | None = None):
        self._site, self._desk, self._audit = site, desk, audit
        self._peers = Peers(networks(site.settings["HUB_TRUSTED_PROXIES"]))
        self._locks = LinkLocks(site, self._peers)

    def show(self, link: str) -> Response:
        """GET."""
        return self._recorded(link, lambda seen, _: self._page(seen, kept="kept" in request.args))

    def answer(self, link: str) -> Response:
        """POST."""

        def answered(seen: Seen, recording: Recording | None) -> Response:
            visit = self._visit()
            require_genuine(visit, request)
            said = self._desk.answer(seen, request.form, recording)
            if said.faults:
                return self._page(seen, 422, said)
            return visit.redirect(f"{PATH}{link}?kept=1")

        return self._recorded(link, answered)

    def _recorded(self, text: str, answer: Answering) -> Response:
        """The answer, once what became of the request is durable. Raises Problem where it cannot be recorded."""
        recording = self._audit.begin(self._about()) if self._audit else None
        try:
            response, seen = self._answered(text, answer, recording)
        except Exception as error:
            if recording is not None:
                recording.finish(_status(error))
            raise
        if recording is not None:
            _record(recording, response.status_code, seen)
        return response

    def _answered(self, text: str, answer: Answering, recording: Recording | None) -> tuple[Response, Seen | None]:
        try:
            seen = self._seen(text, recording)
        except Problem as problem:
            if problem.kind not in DEAD:
                raise
            return page("stop", problem.status, text=LOCKED if problem.kind == "throttled" else ENDED), None
        try:
            return answer(seen, recording), seen
        except NotGenuine:
            return page("stop", 403, text=AGAIN), seen
        except Problem as problem:
            return self._refused(text, problem, recording)

    def _refused(self, text: str, problem: Problem, recording: Recording | None) -> tuple[Response, Seen | None]:
        """The page as it is now, and why the answer was not taken."""
        if problem.status not in ANSWERABLE:
            raise problem
        is_old = problem.kind in ("precondition", "not-found")
        try:
            seen = self._seen(text, recording)
        except Problem as now:
            if now.kind not in DEAD:
                raise
            return page("stop", 410, text=ENDED), None
        return self._page(seen, 409 if is_old else 422, said=NO_ANSWER, told=CHANGED if is_old else UNKEPT), seen

    def _seen(self, text: str, recording: Recording | None) -> Seen:
        """Raises Problem."""
        try:
            self._locks.refuse_locked(request)
            link = self._desk.link(text)
            if recording is not None:
                recording.about = replace(recording.about, id=link.task)
                recording.access = self._desk.access_of(link.owner)
            return self._desk.look(link)
        except Problem as problem:
            if problem.kind == "not-found":
                self._locks.count(request)
            raise

    def _page(
        self, seen: Seen, status: int = 200, said: Answer = NO_ANSWER, told: str = "", kept: bool = False
    ) -> Response:
        return self._visit().page(
            "referral",
            status,
            action=request.path,
            facts=seen.facts,
            state=STATES.get(seen.state, ""),
            version=seen.version,
            choices=seen.choices,
            said=said,
            told=told,
            kept=kept,
            fields=(REASON_FIELD, DONE_FIELD, DAY_FIELD),
            longest=LONGEST,
        )

    def _visit(self) -> Visit:
        """The browser; whoever is signed in there is somebody else."""
        cookies = self._site.cookies
        return Visit(self._site, cookies.token(request) or cookies.new())

    def _about(self) -> About:
        network = self._peers.of(request.environ)
        interaction = "read" if request.method in ("GET", "HEAD") else WHOLE
        return About(interaction, "Task", "", 0, request.method, PATH, request_id(request.environ), network)


def _record(recording: Recording, status: int, seen: Seen | None) -> None:
    """What was asked, and what the page shows: beside a refused answer, it is a look, too. Raises Problem."""
    shows = seen is not None and status not in (303, 403)
    if seen is not None and shows:
        look = recording.recorder.begin(replace(recording.about, interaction="read"))
        look.access = recording.access
        look.finish(200, seen.rows)
    if not shows or recording.about.interaction == WHOLE:
        recording.finish(status)


def _status(error: Exception) -> int:
    """What the pages answer to it."""
    if isinstance(error, Problem):
        return error.status
    return (error.code or 500) if isinstance(error, HTTPException) else 500
