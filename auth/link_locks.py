"""An address that tries unknown links of referrals is locked for a while, as at the sign-in.

Rules: docs/sign-in.md; auth.throttle. Links to answer and links to the form count together.
Refuses (Problem `throttled`): everything from a locked address; more forms than MOST_FORMS by one link, or from one
address, within the time of a lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Request

from auth import throttle
from auth.throttle import Counter
from auth.visit import Site
from hub.problems import Problem
from hub.rest.peers import Peers

MOST_FORMS = 30
LOCKED = "Too many requests came from here. Try again in a while."


@dataclass(frozen=True, slots=True)
class LinkLocks:
    site: Site
    peers: Peers

    def refuse_locked(self, request: Request) -> None:
        """Raises Problem."""
        key, now = self._key(request), self.site.clock()
        if self.site.database.reading(lambda connection: throttle.is_locked(connection, key, now)):
            raise Problem("throttled", "Too many unknown links came from this address")

    def count(self, request: Request) -> None:
        """One unknown link more from this address."""
        self._begin([Counter(self._key(request), self.site.rules.address_failures)])

    def count_form(self, request: Request, link: str) -> None:
        """One form more. Raises Problem."""
        said = (("referral form", link), ("referral forms from", self.peers.of(request.environ)))
        counters = [Counter(throttle.key_of(self.site.secret_key, *one), MOST_FORMS) for one in said]
        if self._begin(counters):
            raise Problem("throttled", "Too many forms came by this link, or from this address")

    def _begin(self, counters: Sequence[Counter]) -> int:
        rules, now = self.site.rules, self.site.clock()
        return self.site.database.writing(
            lambda connection: throttle.begin(connection, counters, now, rules.minutes)
        )

    def _key(self, request: Request) -> bytes:
        return throttle.key_of(self.site.secret_key, "referral link", self.peers.of(request.environ))
