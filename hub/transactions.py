"""The one writer: entries in, all or nothing, with versions, search index and outbox in one database transaction.

Rules: https://hl7.org/fhir/R4/http.html#transaction (order: DELETE, POST, PUT and PATCH; conditional interactions;
references between entries), #ops (If-Match, ids), #patch, and docs/adr/0004.
Refuses: what the scopes do not cover, what validation refuses, one identity twice, unresolved references,
stale If-Match, conditions that match several resources. Nothing of a refused commit is stored.
An update that changes nothing makes no new version: sending a file again leaves no trace.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from hub import clock, targets, traced
from hub.access import Access
from hub.decided import Along as Along
from hub.decided import Decided
from hub.entries import check_identity, named
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.header_values import HeaderValues
from hub.members import Members
from hub.problems import Issue, Problem
from hub.resolution import Content, Links
from hub.rewriting import Rewriting
from hub.rights.labels import NO_PART2, Part2Sources
from hub.search import custom
from hub.search.index import IndexRows, index_change, index_rows
from hub.search.query import Query
from hub.shown_part import ShownPart
from hub.sight import ALL
from hub.store import merges, parameters, write
from hub.store.batch import AGE, Batch
from hub.store.calls import OUTBOX
from hub.store.conditions import Ahead
from hub.store.engine import Database, Overtaken
from hub.store.read import Stored
from hub.store.turns import begin_to_write
from hub.versions import Change as Change
from hub.versions import Result as Result
from hub.versions import Target, Work, patched
from hub.whose import Whose
from hub.write_rules import Rule, WriteRules

Resource = dict[str, Any]
# resource, its type, whether it may hold conditional references, who writes it
Validate = Callable[[Resource, str, bool, str], Iterable[Issue]]
Inside = Callable[[Connection], None]
INTERACTION = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
LONG_AGO = AGE // 4  # microseconds: who took so long to decide stamps anew
ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2}
Effects = Callable[[Sequence[Change]], Iterable[Mapping[str, Any]]]


class Transactions:
    """Commits entries. `validate` gives the issues of a resource, `effects` the outbox rows of changes; `deletes`
    is how many resources one conditional delete may delete, `integrity` whether local references must lead
    somewhere; `header_key` seals what Subscriptions send along (hub.header_values); `rules` are asked by type
    (hub.write_rules)."""

    def __init__(
        self,
        database: Database,
        validate: Validate,
        effects: Effects,
        base: str,
        now: clock.Clock = clock.now,
        deletes: int = 1,
        integrity: bool = False,
        part2: Part2Sources = NO_PART2,
        audit: Callable[[Sequence[Entry], Access], Along] | None = None,
        header_key: bytes | None = None,
        rules: Mapping[str, Rule] | None = None,
    ):
        self._database = database
        self._validate = validate
        self._effects = effects
        self._base = base
        self._now = now
        self._deletes = deletes
        self._integrity = integrity
        self._part2 = part2
        self._audit = audit
        self._header_key = header_key
        self._rules = rules or {}
        self._rewriting: Rewriting | None = None

    @property
    def database(self) -> Database:
        return self._database

    @property
    def base(self) -> str:
        return self._base

    @property
    def part2(self) -> Part2Sources:
        return self._part2

    def within(self, database: Database) -> "Transactions":
        """The same, in a transaction that has begun already (hub.store.joined)."""
        other = copy(self)
        other._database = database
        return other

    def rewriting(self, rewriting: Rewriting) -> "Transactions":
        """The same, for a merge (hub.identity): it changes nothing but whom resources are about."""
        other = copy(self)
        other._rewriting, other._validate, other._integrity, other._rules = rewriting, lambda *_: (), False, {}
        return other

    def commit(
        self,
        entries: Sequence[Entry],
        access: Access,
        inside: Inside | None = None,
        many: bool = False,
        audit: Along | None = None,
    ) -> list[Result]:
        """Do all entries or none; results in the entries' order. `inside` runs in the same database
        transaction, last. `many`: errors name the entry of a Bundle. `audit` makes the records that are written in
        the same transaction, too; the hub's own writes have the usual one. Raises Problem."""
        entries = traced.brought(entries)
        audit = audit or (self._audit(entries, access) if self._audit else None)
        parameters.look(self._database)
        if self._rewriting is None:
            merges.look(self._database)
        for entry in entries:
            with named(entry, many):
                self._check(entry, access, many)
        with traced.committing(entries):
            results = self._committed(entries, access, inside, many, audit)
        self._database.call(OUTBOX)
        return results

    def _committed(
        self, entries: Sequence[Entry], access: Access, inside: Inside | None, many: bool, audit: Along | None
    ) -> list[Result]:
        if inside is None and targets.are_simple(entries):
            with suppress(Overtaken):
                return self._database.at_once(
                    lambda c: self._decided(c, entries, access, many, lock=False).recorded(c, audit), self._written
                )
        return self._database.writing(lambda c: self._apply(c, entries, access, inside, many, audit))

    def commit_all(
        self, parts: Sequence[tuple[Sequence[Entry], Access]], access: Access, inside: Inside
    ) -> list[Result]:
        """What the hub itself writes for several reasons, in one commit: each part's entries have their records in
        the audit by the part's access, everything else goes by `access`. Raises Problem."""
        entries = [entry for part, _ in parts for entry in part]
        placed = [replace(entry, place=place) for place, entry in enumerate(entries)]
        return self.commit(placed, access, inside, many=True, audit=self._audits(parts))

    def _audits(self, parts: Sequence[tuple[Sequence[Entry], Access]]) -> Along | None:
        if self._audit is None:
            return None
        made = [(len(entries), self._audit(entries, access)) for entries, access in parts]

        def rows(connection: Connection, results: Sequence[Result], batch: Batch) -> list[tuple[int, bytes]]:
            left = iter(results)
            return [row for count, along in made for row in along(connection, list(islice(left, count)), batch)]

        return rows

    def _check(self, entry: Entry, access: Access, many: bool) -> None:
        access.require(INTERACTION[entry.method], entry.type)
        if entry.method == "PATCH":  # what it finds, tests and leaves as it was tells what is stored
            access.require("read", entry.type)
        if entry.query or entry.if_none_exist:
            access.require("search-type", entry.type)
        if entry.resource is None:
            return
        check_identity(entry)
        self._must_be_valid(entry.resource, entry, access.who, many)

    def _must_be_valid(self, resource: Resource, entry: Entry, who: str, many: bool) -> None:
        if issues := list(self._validate(resource, entry.type, many, who)):
            raise Problem.of(issues)

    def _apply(
        self,
        connection: Connection,
        entries: Sequence[Entry],
        access: Access,
        inside: Inside | None,
        many: bool,
        audit: Along | None,
    ) -> list[Result]:
        # all words at once, in one order: two writers never wait for each other in a circle
        begin_to_write(connection, filter(None, map(targets.word, entries)))
        decided = self._decided(connection, entries, access, many, lock=True).recorded(connection, audit)
        write.store(connection, decided.batch)
        if decided.parameters:
            parameters.keep(connection, decided.parameters)
        decided.headers.store(clock.micros(self._now()))
        decided.members.store()
        if inside is not None:
            inside(connection)
        return decided.results

    def _written(self, connection: Connection, decided: Decided) -> list[Result]:
        """Write what was decided without a lock. Raises Overtaken where another writer came first."""
        now = clock.micros(self._now())
        if connection.dialect.name == "sqlite" or now - (decided.batch.stamp or now) > LONG_AGO:
            decided = decided.stamped(now)
        write.store(connection, decided.batch, alone=True)
        return decided.results

    def _decided(
        self, connection: Connection, entries: Sequence[Entry], access: Access, many: bool, lock: bool
    ) -> Decided:
        """Without `lock` only the store sees whether another writer came first (Overtaken)."""
        found = self._targets(connection, entries, access, many)
        if not lock and targets.need_turns(found):
            raise Overtaken
        held = self._held(connection, found, access, lock)
        if targets.changed_since(found, held, self._base):
            raise Overtaken
        work = Work(clock.micros(self._now()), held, access.who)
        part = ShownPart(connection, access.sight, self._base)
        members = Members(connection, self._base, lock, merging=self._rewriting is not None)
        contents = members.led([(target, self._content(target, work, part, many)) for target in found], held)
        links = Links(connection, access, self._base, contents)
        whose = Whose(connection, access, self._base, self._part2, held, lock, self._rewriting)
        headers = HeaderValues(connection, access, self._header_key)
        rules = WriteRules(self._rules, access, held, connection, links, contents, self._base)
        results = self._do(work, links, whose, headers, rules, contents, many)
        changes = list(work.changes.values())
        searched = [change for change in changes if change.type == parameters.TYPE]
        batch = replace(self._batch(work, whose, lock), persons=_persons(found, access))
        batch = replace(batch, outbox=traced.with_rows(batch.outbox, found))
        members.settle(work.changes.items())
        return Decided([results[id(entry)] for entry in entries], batch, searched, headers, members)

    def _held(
        self, connection: Connection, found: Sequence[Target], access: Access, lock: bool
    ) -> dict[tuple[str, str], Stored]:
        """The current versions that the client may see; who chooses an id must see what has it. Raises Problem."""
        held = write.held(connection, access.sight, targets.may_be_there(found), lock)
        if access.sight.everything:
            return held
        if access.sight.all_patients:  # a load replaces what it may not read; it patches and deletes nothing of it
            there = [t.identity for t in found if t.identity and t.identity not in held and t.entry.method == "PUT"]
            return held | write.held(connection, ALL, there, lock)
        for target in found:
            if target.entry.method == "PUT" and not target.fresh and target.identity not in held:
                raise Problem("method", "There is no such resource here; a new one gets its id from the hub")
        return held

    def _targets(
        self, connection: Connection, entries: Sequence[Entry], access: Access, many: bool
    ) -> list[Target]:
        asked: list[tuple[Entry, Query | None]] = []
        for entry in sorted(entries, key=lambda entry: ORDER[entry.method]):
            with named(entry, many):
                asked.append((entry, targets.query_of(entry, self._base)))
        ahead = Ahead(connection, access, [query for _, query in asked if query])
        found: list[Target] = []
        for entry, query in asked:
            with named(entry, many):
                found += targets.targets_of(
                    connection, entry, query, access, found, self._base, self._deletes, ahead
                )
        targets.refuse_twice(found)
        return found

    def _content(self, target: Target, work: Work, part: ShownPart, many: bool) -> Resource | None:
        """What is to be written; a patch is applied, and what it makes checked, now that its resource is locked."""
        entry, old = target.entry, work.held.get(target.identity) if target.identity else None
        if entry.method == "PUT" and entry.resource and old and old.body and not part.is_whole(entry.type):
            with named(entry, many):
                return part.update(entry.type, json.stored(old.body), entry.resource)
        if entry.method != "PATCH":
            return entry.resource
        with named(entry, many):
            made = patched(replace(entry, patch=part.patch(entry.type, entry.patch)), old)
            self._must_be_valid(made, entry, work.who, many)
            return made

    def _do(
        self,
        work: Work,
        links: Links,
        whose: Whose,
        headers: HeaderValues,
        rules: WriteRules,
        contents: Sequence[Content],
        many: bool,
    ) -> dict[int, Result]:
        results: dict[int, Result] = {}
        literals = [self._literal(links, whose, rules, *content, many) for content in contents]
        whose.settle()
        for (target, _), literal in zip(contents, literals, strict=True):
            entry = target.entry
            with named(entry, many):
                kept = headers.parted(target, literal)
                result = work.do(target, kept, None if literal is None else whose.of(target))
                headers.written(target, result)
            # of several deletions of one entry there is no one version to tell
            results[id(entry)] = Result(result.status, None) if id(entry) in results else result
        for target, newer in work.overtaken(target for target, _ in contents):
            results[id(target.entry)] = newer
        if self._integrity and (lost := links.missing()):
            with named(lost, many):
                raise Problem("reference-missing", "A reference leads to nothing here", lost.type)
        return results

    def _literal(
        self,
        links: Links,
        whose: Whose,
        rules: WriteRules,
        target: Target,
        resource: Resource | None,
        many: bool,
    ) -> Resource | None:
        """What is to be written, with literal references and with its labels."""
        with named(target.entry, many):
            literal = rules.kept(target, resource and links.literal(target.entry, resource))
            if literal is None or target.identity is None:
                return None
            return literal if target.found else whose.labelled(target, literal)

    def _batch(self, work: Work, whose: Whose, lock: bool) -> Batch:
        whose.look(work.changes)
        index = {rid: self._rows(rid, change, whose) for rid, change in work.changes.items()}
        followed = whose.followed(work)
        outbox = list(self._effects(list(work.changes.values())))
        merge = lock and custom.current().merging
        return Batch(work.created, work.replaced, index | followed.index, outbox, merge, followed.facts)

    def _rows(self, rid: int, change: Change, whose: Whose) -> tuple[IndexRows, IndexRows]:
        """The index rows before and now, as far as they may differ. Raises Problem where the writer may not."""
        whose.check(change)
        if change.before is not None and change.now is not None:
            before, now = index_change(change.before, change.now, self._base)
        else:
            before, now = (
                IndexRows() if resource is None else index_rows(resource, self._base)
                for resource in (change.before, change.now)
            )
        whose.covered(change, now)
        whose.rows(rid, change, before, now)
        return before, now


def _persons(found: Iterable[Target], access: Access) -> dict[tuple[str, str], int]:
    """The source persons that the targets came with."""
    named = ((target.identity, target.entry.person or access.person) for target in found)
    return {identity: person for identity, person in named if identity and person}


def single(method: str, resource_type: str, **parts: Any) -> Entry:
    """The entry of a plain REST interaction."""
    return replace(Entry(method, resource_type), **parts)
