"""What a write of one type must keep beside what validates it, decided where the former version is known: rules
that the front door hands in by value, asked in the one way into the store (hub.transactions).

A rule gets the version before and the one to be written (None: there is none), who writes and whose data it is; it
gives what is to be written. It may refuse (Problem). A rule that is Leading also says which references must lead to
something that is here once the commit is done, and is about whom it should be about. A merge of two members is
asked nothing: it changes only whom resources are about.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.problems import Problem
from hub.resolution import Content, Links
from hub.search import merged
from hub.search.values import references
from hub.store import read
from hub.store.read import Stored
from hub.versions import Target

Resource = dict[str, Any]
Rule = Callable[[Resource | None, Resource | None, Access, int], Resource | None]


class Lead(NamedTuple):
    """A reference that must lead to a resource of this type with a `subject` that is `patient` (an id; empty: any).
    `where` is the element, `told` the refusal: the same for what is missing and for what is another's."""

    reference: Any
    kind: str
    patient: str
    where: str
    told: str


@runtime_checkable
class Leading(Protocol):
    def leads(self, before: Resource | None, now: Resource, access: Access) -> Iterable[Lead]:
        """Of a version that the rule lets be written."""


def together(*tables: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules of several rooms: those of one type one after the other."""
    found: dict[str, Rule] = {}
    for table in tables:
        for kind, rule in table.items():
            found[kind] = _Both(found[kind], rule) if kind in found else rule
    return found


@dataclass(frozen=True, slots=True)
class _Both:
    """Two rules of one type; it leads where they do."""

    first: Rule
    second: Rule

    def __call__(
        self, before: Resource | None, now: Resource | None, access: Access, source: int
    ) -> Resource | None:
        kept = self.first(before, now, access, source)
        return self.second(before, kept, access, source) if kept is not None or now is None else None

    def leads(self, before: Resource | None, now: Resource, access: Access) -> Iterable[Lead]:
        for rule in (self.first, self.second):
            if isinstance(rule, Leading):
                yield from rule.leads(before, now, access)


class WriteRules:
    """The rules of one commit, by type."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        access: Access,
        held: Mapping[Any, Stored],
        connection: Connection,
        links: Links,
        contents: Sequence[Content],
        base: str,
    ):
        self._rules = rules
        self._access = access
        self._held = held
        self._connection = connection
        self._links = links
        self._contents = contents
        self._base = base

    def kept(self, target: Target, resource: Resource | None) -> Resource | None:
        """What is to be written of this. Raises Problem."""
        rule = self._rules.get(target.entry.type)
        if rule is None or target.identity is None or target.found is not None:
            return resource
        old = self._held.get(target.identity)
        asked = target.entry.if_match
        if asked is not None and (old is None or asked != old.version):
            return resource  # refused soon, as it is about another version (hub.versions)
        before = json.stored(old.body) if old and old.body else None
        if before is None and resource is None:
            return None
        kept = rule(before, resource, self._access, old.source if old else 0)
        if kept is not None and isinstance(rule, Leading):
            for lead in rule.leads(before, kept, self._access):
                self._must_lead(lead)
        return kept

    def _must_lead(self, lead: Lead) -> None:
        """Whoever may see it: who wrote it need not read it again."""
        named = [identity for identity in references(lead.reference, self._base) if identity[0] == lead.kind]
        found = self._there(named[0][0], named[0][1]) if len(named) == 1 and named[0][0] else None
        if found is None or (lead.patient and lead.patient not in self._subjects(found)):
            raise Problem("business-rule", lead.told, lead.where)

    def _subjects(self, resource: Resource) -> set[str]:
        said = references(resource.get("subject"), self._base)
        return {merged.member_of(identity) for kind, identity in said if kind == "Patient"}

    def _there(self, kind: str, identity: str) -> Resource | None:
        """What will be stored under this identity once the commit is done."""
        for target, resource in self._contents:
            if target.identity == (kind, identity) and target.found is None:
                return self._links.literal(target.entry, resource) if resource else None
        row = read.current(self._connection, Access.system("where a reference leads"), kind, identity)
        return json.stored(row.body) if row and row.body else None
