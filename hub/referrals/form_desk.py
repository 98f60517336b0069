"""Takes what somebody wrote into the form for referrals: it is kept as a file of the hub's own feed, before anybody
is thanked, and goes the way of files from there (docs/feeds.md): who it is about the hub's matching decides, and
what is doubtful waits for a person.

Rules: docs/referrals.md "No wrong door". What is answered never depends on who somebody is: nothing is looked up.
Refuses (Problem): a link that this hub did not make (`not-found`), one that ended, a hub that coordinates nothing
(`expired`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4
from zoneinfo import ZoneInfo

from hub import clock
from hub.fhir import json
from hub.fhir.bundles import ID
from hub.problems import Problem
from hub.referrals.form import Filled, filled
from hub.referrals.form_links import FormLink, opened

Keep = Callable[[str, bytes], bool]  # a number and what was written: False where the number has other words already
ECM = "ecm"


@dataclass(frozen=True, slots=True)
class FormDesk:
    """`organization` is the hub's own, to which is referred; `services` are the codes that the form offers, with
    their names, made at first use; `keep` makes it durable."""

    organization: str
    services: Callable[[], Mapping[str, str]]
    keep: Keep
    zone: ZoneInfo
    secret_key: bytes = field(repr=False)
    now: clock.Clock = clock.now

    def link(self, text: str) -> FormLink:
        """Raises Problem."""
        found = opened(text, self.secret_key)
        if found is None:
            raise Problem("not-found", "There is no such form")
        if found.has_ended(self.now()) or not self.organization:
            raise Problem("expired", "The form is closed")
        return found

    def take(self, link: FormLink, form: Mapping[str, str]) -> Filled:
        """What was written; it is kept where it has no faults. `number` of the form is that of this filling: sent
        twice it is one referral. Raises Problem where it cannot be kept."""
        today = self.now().astimezone(self.zone).date()
        said = filled(form, self.services(), today)
        if not said.faults:
            content = {**said.values, "service_name": self.services()[said.values["service"]]}
            asks = {"organization": link.organization, "owner": self.organization, "day": today.isoformat()}
            number = form.get("number", "")
            if not ID.fullmatch(number) or not self._kept(number, {**content, **asks}):
                self._kept(new_number(), {**content, **asks})
        return said

    def _kept(self, number: str, content: Mapping[str, str]) -> bool:
        return self.keep(number, json.write({**content, "number": number}) + b"\n")


def new_number() -> str:
    return str(uuid4())
