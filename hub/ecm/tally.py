"""What is stored of ECM in a quarter, read with the Access of who asks, for hub.ecm.counts.

Rules: docs/access.md: every read asks relations, labels and consents: what the caller may not see is not counted.
Of a resource with several pages, one page is in memory at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlalchemy import Connection

from hub.access import Access
from hub.ecm.attempts import Attempt, attempt_of
from hub.ecm.counts import Enrolled, Quarter, Row, counts
from hub.ecm.terms import ECM, OUTREACH, Node, Resource
from hub.fhir import json
from hub.fhir.systems import PROGRAM, REPORTED
from hub.referrals.terms import local
from hub.search import merged
from hub.search.query import Limits, parse
from hub.store import read

PAGE = 500
ATTEMPTS = (("Encounter", "type", "date"), ("Communication", "category", "sent"))
DAY = timedelta(days=1)  # a moment of the hub's zone may be a day earlier, or later, in UTC


@dataclass(frozen=True, slots=True)
class Tally:
    """`base` is the hub's FHIR base."""

    connection: Connection
    access: Access
    base: str

    def rows(self, quarter: Quarter, organization: str = "") -> list[Row]:
        """Of all providers, or of one (`Organization/ID`). Raises Problem where the caller may not search."""
        return counts(quarter, list(self._enrolled(organization)), self._attempts(quarter, organization))

    def _enrolled(self, organization: str) -> Iterator[Enrolled]:
        narrowed = [("organization", organization)] if organization else []
        for episode in self._found("EpisodeOfCare", ("type", f"{PROGRAM}|{ECM}"), *narrowed):
            if episode.get("status") != "entered-in-error" and (member := self._member(episode.get("patient"))):
                yield Enrolled.of(member, episode)

    def _attempts(self, quarter: Quarter, organization: str) -> Iterator[tuple[str, Attempt]]:
        low = (date.fromisoformat(quarter.first) - DAY).isoformat()
        high = (date.fromisoformat(quarter.last) + DAY).isoformat()
        for kind, element, when in ATTEMPTS:
            asked = (element, f"{REPORTED}|{OUTREACH[0]}"), (when, f"ge{low}"), (when, f"le{high}")
            for resource in self._found(kind, *asked):
                found, member = attempt_of(resource), self._member(resource.get("subject"))
                if found and member and self._is_by(found.provider, organization):
                    yield member, found

    def _is_by(self, provider: str, organization: str) -> bool:
        return not organization or local({"reference": provider}, self.base, "Organization") == organization

    def _member(self, reference: Node | None) -> str:
        identity = local(reference, self.base, "Patient").partition("/")[2]
        return merged.member_of(identity) if identity else ""

    def _counting(self, kind: str) -> Access:
        """A plan reads no Communications (docs/access.md); of those that are attempts it is told the number."""
        self.access.require("search-type", "EpisodeOfCare")
        return replace(self.access, grants=self.access.grants | {(kind, "s")})

    def _found(self, kind: str, *pairs: tuple[str, str]) -> Iterator[Resource]:
        query, after = parse(kind, list(pairs), Limits(base=self.base)), list[int]()
        while rows := read.page(self.connection, self._counting(kind), query, after, PAGE):
            yield from (json.stored(row.body) for row in rows if row.body)
            after = read.position(rows[-1])
