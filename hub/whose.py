"""Whose the resources of a commit are, how sensitive, and whether their writer may write them: decided inside the
transaction that writes them, so that nothing is ever stored without.

Rules: docs/access.md; hub.rights.facts, labels, relations, consents.
Labels only rise: those of the row, of the new content and of its source all count. Inherited ones guard a row, and
are not written into it (hub.told_labels).
What tells nothing of a patient itself (a Provenance) belongs to whom its targets belong to.
Refuses (`forbidden`): a resource about a patient to whom the writer has no relation now (a hidden and a missing
patient are answered alike), a Patient by who registers none, a Consent that opens its writer's own access or that
of staff, and what granular scopes do not cover. A relation in the writer's own favour is not refused: it does not
count.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from hub import inheriting, told_labels
from hub.access import Access
from hub.problems import Problem
from hub.rewriting import Rewriting
from hub.rights import facts
from hub.rights.consents import opens_own
from hub.rights.directory import DIRECTORY
from hub.rights.facts import Facts
from hub.rights.labels import Part2Sources, is_program, labels_of, raised, with_labels
from hub.rights.relations import without_own, without_performers
from hub.search import merged
from hub.search.edges import address
from hub.search.index import IndexRows
from hub.sight import COVERAGE, NOBODY, OWNED, PROXY, REGISTERED, SHARED, UNKNOWN
from hub.store import arrays
from hub.store.engine import Overtaken, driver
from hub.store.merges import Survivors, denials
from hub.store.read import Stored
from hub.store.sight import covers, related
from hub.store.tables import index_consent
from hub.versions import Change, Of, Target, Work

Resource = dict[str, Any]
SCOPES_DO_NOT_COVER = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
KEPT = OWNED | REGISTERED  # relations that an update leaves alone


class Whose:
    """The answers for one commit. Without `lock` what inherits, or is inherited from, raises Overtaken."""

    def __init__(
        self,
        connection: Connection,
        access: Access,
        base: str,
        part2: Part2Sources,
        held: Mapping[Any, Stored],
        lock: bool,
        rewriting: Rewriting | None = None,
    ):
        self._connection = connection
        self._survivors = Survivors(connection)
        self._rewriting = rewriting
        self._access = access
        self._base = base
        self._part2 = part2
        self._held = held
        self._lock = lock
        self._facts: dict[tuple[str, str], Facts] = {}
        self._fresh: set[tuple[str, str]] = set()
        self._made: dict[int, Of] = {}  # by address, of this commit
        self._source = facts.source_number(access.source)
        self._was_of: dict[int, list[Any]] = {}  # by row number, what the versions before said (`look`)
        self._was_about: dict[int, list[Any]] = {}
        self._was_related: dict[int, list[Any]] = {}

    def labelled(self, target: Target, content: Resource) -> Resource:
        """The resource with all labels that it must have; whose it is, is known from now on."""
        assert target.identity is not None
        kind, identity = target.identity
        if target.fresh:
            self._fresh.add(target.identity)
        old = self._held.get(target.identity)
        if old:
            content = told_labels.given(self._connection, self._access, old, content)
        named = {**content, "id": identity}
        mask = raised(labels_of(named, self._access.source, self._part2), facts.consents_tell(named))
        limited = not (self._access.sight.everything or self._access.sight.all_patients)
        if kind in DIRECTORY and limited and mask & ~(old.labels if old else 0):
            raise Problem("forbidden", "This client hides no directory entry from others", "meta.security")
        own, source = mask, self._owner(kind, old, mask)
        if old and old.labels > 0:
            own, mask = raised(told_labels.own_of(self._connection, old), mask), raised(old.labels, mask)
        found = self._facts[target.identity] = self._survivors.facts(facts.facts_of(named, self._base))
        self._made[address(kind, identity)] = Of(found.patient, mask, source)
        return with_labels(content, own)

    def _owner(self, kind: str, old: Stored | None, mask: int) -> int:
        """Whose own it is: who wrote it first sees it with any label. Not any more where somebody else brings what
        is guarded: that is the other's to release. The hub's own jobs bring nothing."""
        if old is None:
            return self._source
        others = self._source != old.source and (self._source or self._access.brings is not None)
        return SHARED if others and self._brings_guarded(kind, old, mask) else old.source

    def _brings_guarded(self, kind: str, old: Stored, mask: int) -> bool:
        """A client is told which labels there are, and may send them back. A hospital or a feed says all that a
        resource says, so no label that somebody gave it beforehand counts for less; but for a Patient, whom it
        writes from what stands there."""
        says_all = self._access.brings is not None and kind != "Patient"
        fresh = mask if says_all else mask & ~max(old.labels, 0)
        return bool(fresh | (self._access.brings or 0)) or is_program(self._access.source, self._part2)

    def settle(self) -> None:
        """Look up whose those are that say it by what they are about, once all of a commit are known."""
        waiting = [(identity, found) for identity, found in self._facts.items() if found.inherits]
        if not waiting:
            return
        self._need_lock()
        wanted = {each for _, found in waiting for each in found.inherits} - self._made.keys()
        around = inheriting.whose(self._connection, wanted, self._access.sight, lock=True)
        for identity, found in waiting:
            about = {each: self._made.get(each) or around.get(each) for each in found.inherits}
            where = address(*identity)
            mine = self._made[where]
            # a target that is a patient says itself who that is, whomever it is linked with
            told = (of._replace(patient=each) if each in found.patients else of for each, of in about.items() if of)
            got = inheriting.inherited(mine.labels, told)
            self._facts[identity] = Facts(got.patient, got.patients, found.inherits)
            self._made[where] = Of(got.patient, got.labels, mine.source)

    def _need_lock(self) -> None:
        """What a target says must not change between the look at it and the commit."""
        if not self._lock:
            raise Overtaken

    def followed(self, work: Work) -> inheriting.Followed:
        """What is stored and inherits from what this commit changes: it follows."""
        changed = [new for old, new in work.replaced if (old.patient, old.labels) != (new.patient, new.labels)]
        # of an id that was made just now nobody knows yet
        changed += [new for new in work.created if (new.type, new.id) not in self._fresh]
        if not changed:
            return inheriting.Followed()
        addresses = {address(new.type, new.id): Of(new.patient, new.labels, new.source) for new in changed}
        if not self._lock:
            if work.replaced or inheriting.has_notes(self._connection, addresses):
                raise Overtaken
            return inheriting.Followed()
        return inheriting.follow(self._connection, addresses, apart=work.changes.keys())

    def of(self, target: Target) -> Of | None:
        """Whose the resource is that an entry writes."""
        return self._made.get(address(*target.identity)) if target.identity else None

    def check(self, change: Change) -> None:
        """Raise Problem(`forbidden`) where the writer may not write this."""
        if change.type == "Subscription" and change.now is not None:
            self._access.require_whole()
        sight = self._access.sight
        if sight.everything or sight.all_patients or sight.writes_any or change.now is None:
            return
        found = self._facts[change.type, change.id]
        self._check_elements(change)
        if change.type in facts.OWN_PEOPLE:
            return
        if change.type == "Patient" and change.before is None:
            if not sight.kinds & REGISTERED:
                raise Problem("forbidden", "This client registers no members", "Patient")
            return
        old = self._held.get((change.type, change.id))
        if old and found.patient == UNKNOWN and old.patient not in (NOBODY, UNKNOWN):
            raise Problem("forbidden", "This client does not take anything out of a patient's record", change.type)
        patients = found.patients or ({found.patient} - {NOBODY, UNKNOWN})
        if not covers(self._connection, sight, patients):
            raise Problem(
                "forbidden", "This client has nothing to do with the patient that this is about", change.type
            )

    def _check_elements(self, change: Change) -> None:
        """Who sees a part of a resource changes nothing but that part: a whole update would erase the rest."""
        shown = self._access.sight.elements.get(change.type)
        if shown is None or change.before is None or change.now is None:
            return
        names = {*change.before, *change.now} - {"meta"}
        changed = {name for name in names if change.before.get(name) != change.now.get(name)}
        if any(name.removeprefix("_") not in shown for name in changed):
            message = "This client changes only what it is shown; a patch leaves the rest as it is"
            raise Problem("forbidden", message, change.type)

    def covered(self, change: Change, now: IndexRows) -> None:
        """Raise Problem where scopes are granular and the resource has none of what they name."""
        keys = self._access.sight.narrowed.get(change.type)
        if keys is not None and change.now is not None and not keys & now.tokens:
            message = f"The token's scopes do not cover such a {change.type}"
            raise Problem("forbidden", message, headers=SCOPES_DO_NOT_COVER)

    def look(self, changes: Mapping[int, Change]) -> None:
        """What the versions before said, as it was counted then: asked once for all of a commit."""
        older = {rid: change.type for rid, change in changes.items() if _was_there(change)}
        self._was_of = self._rows_of(_PATIENTS, older)
        self._was_about = self._rows_of(_ABOUT, (rid for rid, kind in older.items() if kind in facts.ABOUT))
        speaking = (rid for rid, kind in older.items() if kind in facts.SPEAKS_OF_OTHERS)
        self._was_related = self._rows_of(_RELATIONS, speaking)

    def rows(self, rid: int, change: Change, before: IndexRows, now: IndexRows) -> None:
        """Put in what the resource says of who may see what; `look` was asked before. Raises Problem."""
        found = self._facts.get((change.type, change.id))
        if _was_there(change):
            self._known(rid, change.type, before)
        if change.now is None or found is None:
            # whoever might see the resource may see what it was
            now.patients, now.about = set(before.patients), set(before.about)
            self._check_opened(change, before, now)
            return
        now.patients, now.about = set(found.patients), set(found.inherits)
        if change.type in facts.SPEAKS_OF_OTHERS:
            self._relations(rid, change, change.now, before, now)
        if change.type == "Patient" and merged.are_there():
            now.consents = denials(self._connection, change.id)
        if change.type == facts.CONSENT:
            now.consents = facts.consents(change.now, self._base)
        self._check_opened(change, before, now)

    def _check_opened(self, change: Change, before: IndexRows, now: IndexRows) -> None:
        """Of a Consent, also where it is deleted: a denial that is gone opens what it closed. The hub's own jobs
        delete for nobody's sake."""
        sight = self._access.sight
        is_free = sight.self_only or (sight.everything and change.now is None)
        if change.type != facts.CONSENT or is_free:
            return
        if opens_own(before.consents, now.consents, self._own_recipients(change)):
            message = "A client does not write the Consent that opens its own access, or that of staff"
            raise Problem("forbidden", message, "Consent.provision")

    def _own_recipients(self, change: Change) -> set[int]:
        """To whom the writer opens nothing by a Consent: itself, and all staff that it names now or named before,
        for nobody can tell whose they are. Who acts for the patient, or loads for all, names whom it likes."""
        sight = self._access.sight
        if sight.everything or sight.all_patients or sight.kinds & PROXY:
            return {*sight.recipients}
        return {*sight.recipients, *facts.people_named([change.before, change.now], self._base)}

    def _relations(self, rid: int, change: Change, content: Resource, before: IndexRows, now: IndexRows) -> None:
        made = facts.relations(content, self._base, self._source, self._access.who)
        if change.version > 1:
            said = {row for row in made if not row[2] & KEPT}
            said = self._rewriting.relations(rid, said, before.relations) if self._rewriting else said
            made = said | self._kept(change, before)
        sight = self._access.sight
        if sight.everything:
            now.relations = made
            return
        if change.type == "ServiceRequest" and not sight.all_patients:
            made = without_performers(before.relations, made)
        mine = {row for row in made if row[2] & KEPT}
        # its staff would be itself; and whom a consent waits for, a proxy or coverage, those bring who may not gain
        apart = {*sight.holders, *facts.people_named(content, self._base)}
        apart |= {row[1] for row in made if row[2] & (PROXY | COVERAGE)}
        now.relations = mine | without_own(before.relations, self._known_to_writer(before, made - mine), apart)

    def _kept(self, change: Change, before: IndexRows) -> set[facts.Relation]:
        """Who registered somebody who was merged has to do with who that is now."""
        kept = {row for row in before.relations if row[2] & KEPT}
        if change.type != "Patient" or not kept:
            return kept
        member = self._survivors.one(address("Patient", change.id))
        return {(member, *row[1:]) for row in kept}

    def _known_to_writer(self, before: IndexRows, made: set[facts.Relation]) -> set[facts.Relation]:
        """Nobody hands over whom it has nothing to do with: a Group's new members are the writer's own people."""
        there = {row[0] for row in before.relations}
        fresh = {row[0] for row in made} - there
        seen = there | related(self._connection, self._access.sight, fresh)
        return {row for row in made if row[0] in seen}

    def _known(self, rid: int, kind: str, before: IndexRows) -> None:
        """What the version before said, as it was counted then."""
        before.patients = {row[1] for row in self._was_of[rid]}
        if kind in facts.ABOUT:
            before.about = {row[1] for row in self._was_about[rid]}
            if before.about:
                self._need_lock()
        if kind in facts.SPEAKS_OF_OTHERS:
            before.relations = {(row[1], row[2], row[3], row[4], row[5]) for row in self._was_related[rid]}
        if kind == facts.CONSENT or (kind == "Patient" and merged.are_there()):
            rows = self._connection.execute(_CONSENTS.where(index_consent.c.rid == rid))
            before.consents = {tuple(row) for row in rows}

    def _rows_of(self, statement: str, rids: Iterable[int]) -> dict[int, list[Any]]:
        """By the driver: every update asks."""
        found: dict[int, list[Any]] = {rid: [] for rid in rids}
        for some in inheriting.chunks(found):
            which, values = arrays.among(self._connection.dialect.name, some)
            for row in driver(self._connection).execute(f"{statement} {which}", values).fetchall():
                found[row[0]].append(row)
        return found


def _was_there(change: Change) -> bool:
    return change.before is not None or change.version > 1


_PATIENTS = "SELECT rid, patient FROM index_patient WHERE rid"
_ABOUT = "SELECT rid, target FROM index_about WHERE rid"
_RELATIONS = "SELECT rid, patient, holder, kind, low, high FROM index_relation WHERE rid"
_CONSENTS = select(
    *(index_consent.c[name] for name in ("patient", "recipient", "place", "permit", "labels", "purposes")),
    *(index_consent.c[name] for name in ("low", "high", "signed", "depth", "proxy", "medi_cal")),
)
