"""The rule that every write of an attempt of outreach keeps: it says on which day, by which method and for which
provider, for the plan is told of each, and the quarter counts it.

Rules: hub.ecm.attempts; docs/ecm.md "Outreach". Files and loads (the hub's own writes) say what they know.
Refuses (422): an attempt without a day, a method or a provider; of another organization than the writer's, also
its change and deletion; of a day to come; a time in units that nobody can add up; methods and staff that are not
configured (`code-invalid`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hub import clock
from hub.access import Access
from hub.ecm.attempts import attempt_of, length_of
from hub.ecm.rule import HasCode
from hub.ecm.terms import METHOD, STAFF, Resource
from hub.problems import Issue, Problem
from hub.referrals.parties import HUB_ROLES, is_named

ELEMENTS = {  # of each type: the day, the provider, the time spent
    "Encounter": ("period", "serviceProvider", "length"),
    "Communication": ("sent", "sender", "extension"),
}


@dataclass(frozen=True, slots=True)
class AttemptRule:
    """`base` is the hub's FHIR base; days are those of `zone`."""

    base: str
    has_code: HasCode
    zone: ZoneInfo
    now: clock.Clock = clock.now

    def __call__(
        self, before: Resource | None, now: Resource | None, access: Access, source: int
    ) -> Resource | None:
        """What is to be written. Raises Problem."""
        if access.role in HUB_ROLES:
            return now
        found = [*self._others(before, access), *(self._issues(now, access) if now else ())]
        if found:
            raise Problem.of(found)
        return now

    def _others(self, before: Resource | None, access: Access) -> Iterator[Issue]:
        """What a provider did, nobody else changes or deletes."""
        was = attempt_of(before or {})
        if before is None or was is None or not was.provider:
            return
        kind = str(before["resourceType"])
        if not is_named(access, before, ELEMENTS[kind][1], self.base):
            yield Issue("business-rule", "This attempt of outreach is another provider's", kind)

    def _issues(self, resource: Resource, access: Access) -> Iterator[Issue]:
        found = attempt_of(resource)
        if found is None:
            return
        kind = str(resource["resourceType"])
        day, provider, time = ELEMENTS[kind]
        today = self.now().astimezone(self.zone).date().isoformat()
        if len(found.day) < len(today):
            yield _wanted("An attempt of outreach says its day", kind, day)
        elif found.day > today:
            yield _wanted("An attempt of outreach that is to come is none yet", kind, day)
        if not found.method:
            told = "An attempt of outreach says its method: the extension outreach-method, or what leaves no choice"
            yield _wanted(told, kind, "extension")
        elif not self.has_code(METHOD, found.method):
            yield _unknown(kind)
        if found.staff and not self.has_code(STAFF, found.staff):
            yield _unknown(kind)
        if length_of(resource) is not None and found.minutes is None:
            yield _wanted("Time spent has a UCUM unit: min, h or s", kind, time)
        if not (found.provider and is_named(access, resource, provider, self.base)):
            yield _wanted("An attempt of outreach names your Organization as its provider", kind, provider)


def _wanted(told: str, kind: str, element: str) -> Issue:
    return Issue("business-rule", told, f"{kind}.{element}")


def _unknown(kind: str) -> Issue:
    return Issue("code-invalid", "This code is not configured (HUB_TERMINOLOGY_DIR)", f"{kind}.extension")
