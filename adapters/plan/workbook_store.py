"""What a caller may see of the members of a panel, as charts. Everything is read with the caller's Access.

Rules: docs/access.md; 42 CFR 2.32: a table has no place for the notice that must travel with a Part 2 record, so
what would need it does not go into one, whoever asks. Types that the caller's role does not read (a plan reads no
CarePlan) are left out, and named (`unread`). What a provider's file owes the plan of the member's ECM and its role
does not read otherwise (why it ended, how a member was reached out to) is read for the file alone
(adapters.plan.workbook_owed): patients, labels and consents are asked as ever.
Refuses (Problem): a caller who may not read what a file cannot be without (`NEEDED`), a panel that is not there for
the caller.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from adapters.plan.workbook_owed import owed_to, reading
from fhir_mappings.plan.workbook_chart import Chart
from fhir_mappings.plan.workbook_terms import POPULATION, REPORTED
from hub.access import Access
from hub.feeds.records import Resource
from hub.fhir import json
from hub.leaving import leaving
from hub.problems import Problem
from hub.rights.labels import PART2
from hub.rights.part2 import NO_REDISCLOSURE
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.read import Stored

CHUNK = 500
TYPES = (
    "EpisodeOfCare",
    "CareTeam",
    "CarePlan",
    "Procedure",
    "Encounter",
    "Communication",
    "ServiceRequest",
    "Task",
    "Observation",
)
NEEDED = ("EpisodeOfCare", "CareTeam")
ONLY: Mapping[str, Sequence[tuple[str, str]]] = {"Observation": (("code", f"{REPORTED}|,{POPULATION}|"),)}
# by which a provider's people are found who are on no panel
HOLDING = (("ServiceRequest", "performer"), ("Task", "owner"), ("EpisodeOfCare", "organization"))


Tell = Callable[[Sequence[Stored]], None]  # records a disclosure before it happens; raises where it cannot


def nobody(rows: Sequence[Stored]) -> None:
    """Where nothing leaves the house."""


@dataclass(frozen=True, slots=True)
class Charts:
    """`base` is the hub's own FHIR base URL. `tell` gets the versions that go into the file."""

    connection: Connection
    access: Access
    base: str
    tell: Tell = nobody

    @property
    def unread(self) -> tuple[str, ...]:
        there = {*NEEDED, *owed_to(self.access)}
        return tuple(one for one in TYPES if one not in there and not self.access.may("search-type", one))

    def read(self, reference: str) -> Resource | None:
        """What `Type/id` names, or None."""
        kind, _, identity = reference.partition("/")
        row = read.current(self.connection, self.access, kind, identity)
        found = self._left([row] if row and not row.deleted else [], self.access)
        return found[0] if found else None

    def must_be(self, reference: str) -> Resource:
        """Raises Problem `not-found`."""
        if (found := self.read(reference)) is None:
            raise Problem("not-found", f"{reference} is not there")
        return found

    def find(self, kind: str, *pairs: tuple[str, str], access: Access | None = None) -> Iterator[Resource]:
        """What a search of the caller finds."""
        query, after = parse(kind, list(pairs), Limits(base=self.base)), list[int]()
        while rows := read.page(self.connection, access or self.access, query, after, CHUNK):
            yield from self._left(rows, access or self.access)
            after = read.position(rows[-1])

    def _left(self, rows: Sequence[Stored], access: Access) -> list[Resource]:
        open_ones = [row for row in rows if not max(row.labels, 0) & PART2]
        found = leaving(self.connection, access, open_ones, self.base).rows
        bodies = [(row, json.stored(row.body)) for row in found if row.body]
        kept = [(row, body) for row, body in bodies if not _needs_notice(body)]
        self.tell([row for row, _ in kept])
        return [body for _, body in kept]

    def chart(self, patient: Resource) -> Chart:
        reference = f"Patient/{patient['id']}"
        kinds = [kind for kind in TYPES if kind in NEEDED or self.access.may("search-type", kind)]
        found = [one for kind in kinds for one in self.find(kind, ("patient", reference), *ONLY.get(kind, ()))]
        owed = {(one["resourceType"], one["id"]): one for one in self._owed(reference)}
        found = [*(one for one in found if (one["resourceType"], one["id"]) not in owed), *owed.values()]
        return Chart(patient, found, dict(self._others(found)))

    def _owed(self, patient: str) -> Iterator[Resource]:
        for kind, what in owed_to(self.access).items():
            for one in self.find(kind, ("patient", patient), what.marked, access=reading(self.access, kind)):
                yield what.part(one)

    def _others(self, found: Sequence[Resource]) -> Iterator[tuple[str, Resource]]:
        """The practitioners of care teams, and lead care managers; a role stands for who has it."""
        who = {str(p.get("member", {}).get("reference", "")) for one in found for p in one.get("participant", ())}
        who |= {str(one.get("careManager", {}).get("reference", "")) for one in found}
        for reference in sorted(who):
            if reference.startswith(("Practitioner/", "PractitionerRole/")) and (one := self.read(reference)):
                behind = self.read(str(one.get("practitioner", {}).get("reference", ""))) if _is_role(one) else one
                if behind:
                    yield reference, {**behind, "telecom": one.get("telecom") or behind.get("telecom", [])}

    def members(self, panel: str, start: str) -> Iterator[Resource]:
        """The Patients of a Group, or of an Organization's work; without those who left it before `start`."""
        references = self._of_group(panel, start) if panel.startswith("Group/") else self._of_work(panel)
        for reference in dict.fromkeys(references):
            if patient := self.read(reference):
                yield patient

    def _of_group(self, panel: str, start: str) -> Iterator[str]:
        for member in self.must_be(panel).get("member", ()):
            is_here = not member.get("inactive") or str(member.get("period", {}).get("end", ""))[:10] >= start
            if is_here:
                yield str(member.get("entity", {}).get("reference", ""))

    def _of_work(self, organization: str) -> Iterator[str]:
        for kind, name in HOLDING:
            for one in self.find(kind, (name, organization)):
                subject: Any = one.get("subject") or one.get("for") or one.get("patient") or {}
                yield str(subject.get("reference", ""))


def _is_role(resource: Resource) -> bool:
    return bool(resource["resourceType"] == "PractitionerRole")


def _needs_notice(resource: Resource) -> bool:
    return any(one.get("code") == NO_REDISCLOSURE for one in resource.get("meta", {}).get("security", ()))
