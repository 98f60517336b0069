"""/auth/refer/<link>: anybody whom an organization gave its link refers somebody.

Rules: docs/referrals.md "No wrong door"; WCAG 2.2 (3.3.1: each fault is named at the top, with a way to its field;
3.3.2: labels and hints; 1.3.5: what the browser may fill in about who writes); RFC 9110 section 9.2.1 (GET changes
nothing); docs/audit.md: each form is recorded, never what stands in it.
What is answered never depends on who somebody is: the page thanks for what it keeps, and nothing is looked up.
Refuses, with one page for all of it: links that this hub did not make (404), that ended (410). Forms that are not
from this page (403), with faults (422), too long (413), too many (429).
"""

from flask import Response, request

from auth.link_locks import LOCKED, LinkLocks
from auth.pages import page
from auth.referral_access import access_of_form
from auth.visit import NotGenuine, Site, Visit, require_genuine
from hub.audit.recorder import About, Recorder
from hub.problems import Problem
from hub.referrals.form import EMPTY, MEMBER, RELATIONS, WHO, WISH, Filled
from hub.referrals.form_desk import FormDesk, new_number
from hub.referrals.form_links import PATH, FormLink
from hub.rest.app import request_id
from hub.rest.peers import Peers, networks

ENDED = "This form is closed, or the address is not whole. Ask whoever gave it to you for a new one."
AGAIN = "This page was open too long, or was opened from elsewhere. Open the address again."
DEAD = ("not-found", "expired", "throttled")
PARTS = (("Who you are", WHO), ("Who needs help", MEMBER), ("What is needed", WISH))


class ReferralFormPages:
    """`audit` records what is sent; None where nothing is recorded."""

    def __init__(self, site: Site, desk: FormDesk, audit: Recorder | None = None):
        self._site, self._desk, self._audit = site, desk, audit
        self._peers = Peers(networks(site.settings["HUB_TRUSTED_PROXIES"]))
        self._locks = LinkLocks(site, self._peers)

    def show(self, link: str) -> Response:
        """GET."""
        try:
            self._link(link)
        except Problem as problem:
            return _dead(problem)
        return page("thanks", 200, again=request.path) if "kept" in request.args else self._page(EMPTY)

    def send(self, link: str) -> Response:
        """POST. Raises Problem where it cannot be kept, or not recorded: then nobody is thanked."""
        try:
            found = self._link(link)
            visit = self._visit()
            require_genuine(visit, request)
            self._locks.count_form(request, link)
            said = self._desk.take(found, request.form)
        except NotGenuine:
            return page("stop", 403, text=AGAIN)
        except Problem as problem:
            return _dead(problem)
        if said.faults:
            return self._page(said, 422, request.form.get("number", ""))
        self._record(found)
        return visit.redirect(f"{PATH}{link}?kept=1")

    def _link(self, text: str) -> FormLink:
        """Raises Problem."""
        self._locks.refuse_locked(request)
        try:
            return self._desk.link(text)
        except Problem as problem:
            if problem.kind == "not-found":
                self._locks.count(request)
            raise

    def _page(self, said: Filled, status: int = 200, number: str = "") -> Response:
        return self._visit().page(
            "refer",
            status,
            action=request.path,
            number=number or new_number(),
            parts=PARTS,
            said=said,
            choices={"relation": RELATIONS, "service": self._desk.services()},
        )

    def _visit(self) -> Visit:
        """The browser; whoever is signed in there is somebody else."""
        cookies = self._site.cookies
        return Visit(self._site, cookies.token(request) or cookies.new())

    def _record(self, link: FormLink) -> None:
        """Raises Problem."""
        if self._audit is None:
            return
        network = self._peers.of(request.environ)
        about = About("create", "Task", "", 0, request.method, PATH, request_id(request.environ), network)
        recording = self._audit.begin(about)
        recording.access = access_of_form(link.organization)
        recording.finish(303)


def _dead(problem: Problem) -> Response:
    if problem.kind not in DEAD:
        raise problem
    return page("stop", problem.status, text=LOCKED if problem.kind == "throttled" else ENDED)
