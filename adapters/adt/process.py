"""Hospital messages from the inbox: parse, find the member, map the whole visit, commit; or wait in a state.

An Encounter is made from all messages of its visit, in the order of their events (fhir_mappings.adt.visit), so the
order of arrival does not matter. A message becomes `processed` in the same transaction as its resources. Messages
about different people share one transaction (`together`): where that fails each is done alone, so that one bad
message costs the others nothing but time.
A cancel of a visit that nobody has told of makes none: it waits (`waiting`, 204), and counts with the first message
of its visit.
Events of no visit (A28, A31, A60) are about the person alone. A merge (A34, A40) goes to the function that this
handler is given, whole and with nothing else; without one it waits (`unmatched`).
A member is found by CIN or by the hospital's record number; nobody is guessed: two different members, or a CIN
whose person has another name and birth date, wait for a person (`unmatched`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from adapters.adt import known as store
from adapters.adt.awaited import SPEAKABLE, awaited
from adapters.adt.local_tables import LocalTables
from adapters.adt.members import Members, of_numbers
from adapters.adt.message import parse
from adapters.adt.planning import ACCESS, Draft, Later, Plan, Planner, draft_of
from adapters.adt.readings import facility_code, reading
from fhir_mappings.adt.events import EVENTS, MERGE
from fhir_mappings.adt.member_keys import MergeKeys, merge_keys
from fhir_mappings.adt.problems import AdtProblem, UnknownFacility, UnmappedCode, Unmatched, Unreadable
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.alerts.notification_adt import is_notification
from hub import clock
from hub.inbox import held as held_messages
from hub.inbox import work as inbox
from hub.inbox.messages import LATE, Message
from hub.problems import Problem
from hub.store.engine import Database
from hub.traced import brought, of_try
from hub.transactions import Transactions
from hub.worker import Park

log = logging.getLogger("hub.adt")
SOURCE = "adt"
TRIES = 5
CHANGED_MEANWHILE = ("precondition", "conflict", "multiple-matches")
TOO_LATE = "The messages that it would be put together with were emptied"

# merges the persons of one message and settles the message in the same transaction; raises AdtProblem or Problem
Merging = Callable[[Sequence[MergeKeys], AdtMessage, Message], None]


class Overtaken(Exception):
    """Another message of the visit was processed while this one was mapped."""


def cannot_merge(groups: Sequence[MergeKeys], record: AdtMessage, message: Message) -> None:
    """Until somebody can: the merge waits for a person. Raises Unmatched."""
    raise Unmatched("A merge of two persons waits for the identity store", "MRG-1")


@dataclass(frozen=True, slots=True)
class _Merge:
    """A message that merges, taken apart."""

    message: Message
    record: AdtMessage
    groups: Sequence[MergeKeys]


Outcome = Exception | None  # why a message was not processed


@dataclass(frozen=True, slots=True)
class Processor:
    """The worker's handler for messages of source `adt`."""

    database: Database
    transactions: Transactions
    tables: LocalTables
    cin_system: str
    now: clock.Clock = clock.now
    merge: Merging = cannot_merge
    acknowledge: Callable[[Connection, Message], None] = lambda connection, message: None  # as it is processed
    members: Members | None = None  # None: only the numbers of stored Patients are looked at

    def __call__(self, message: Message) -> None:
        """Commit the message's visit. Raises Park (wait in a named state) or Problem."""
        (outcome,) = self.together([message])
        if outcome is not None:
            raise outcome

    def together(self, messages: Sequence[Message]) -> list[Outcome]:
        """What became of each: None where it was processed, else what `__call__` raises. In their order, as far as
        they are about one person."""
        ended: dict[int, Outcome] = {}
        for group in _groups(self._drafts(messages, ended)):
            ended |= self._group(group)
        return [_told(ended[message.seq]) for message in messages]

    def _drafts(self, messages: Sequence[Message], ended: dict[int, Outcome]) -> Iterator[Draft | _Merge]:
        for message in messages:
            try:
                yield self._draft(message)
            except (AdtProblem, Problem) as refusal:
                ended[message.seq] = refusal

    def _draft(self, message: Message) -> Draft | _Merge:
        record, facilities = self._read(message), self.tables.facilities()
        if EVENTS[record.event].scope == MERGE:
            facility = facilities.of(record.facility)
            return _Merge(message, record, merge_keys(record, facility, self.cin_system))
        return draft_of(message, record, facilities, self.cin_system)

    def _read(self, message: Message) -> AdtMessage:
        if not is_notification(message.raw):
            return parse(message.raw)
        facility = self.tables.facilities().of(facility_code(message.feed))
        return reading(message.raw, facility, self.cin_system, self.tables.codes())

    def _group(self, group: Sequence[Draft | _Merge]) -> dict[int, Outcome]:
        drafts = [one for one in group if isinstance(one, Draft)]
        outcomes = {one.message.seq: self._merged(one) for one in group if isinstance(one, _Merge)}
        while drafts:
            outcomes |= self._done(drafts)
            drafts = [one for one in drafts if isinstance(outcomes[one.message.seq], Later)]
        return outcomes

    def _merged(self, merge: _Merge) -> Outcome:
        try:
            self.merge(merge.groups, merge.record, merge.message)
        except Exception as error:
            return error
        return None

    def _done(self, drafts: Sequence[Draft]) -> dict[int, Outcome]:
        """All in one transaction, or each in its own."""
        if len(drafts) > 1:
            try:
                return self._once(drafts)
            except Exception as error:  # whose fault it is, each alone will tell
                log.info("%s messages together: %s; each is done alone", len(drafts), type(error).__name__)
        return {draft.message.seq: self._alone(draft) for draft in drafts}

    def _alone(self, draft: Draft) -> Outcome:
        for attempt in range(1, TRIES + 1):
            try:
                return self._once([draft])[draft.message.seq]
            except inbox.Lost as lost:
                return lost
            except Overtaken:
                if attempt == TRIES:
                    return Problem("busy", "Other messages of this visit kept changing it")
            except Problem as problem:
                if attempt == TRIES or problem.kind not in CHANGED_MEANWHILE:
                    return problem
            except Exception as error:
                return error
        raise AssertionError("unreachable")

    def _once(self, drafts: Sequence[Draft]) -> dict[int, Outcome]:
        """Raises Overtaken, Problem: nothing is written then."""
        planner = Planner(self.tables, self.cin_system, self.members)
        with self.database.read() as connection:
            found = planner.plans(connection, drafts)
        plans = [plan for plan in found if isinstance(plan, Plan)]
        if plans:
            parts = [(brought(plan.entries, of_try(plan.draft.message)), plan.draft.access) for plan in plans]
            self.transactions.commit_all(parts, ACCESS, partial(self._settle, plans))
        outcomes = (plan if isinstance(plan, Exception) else None for plan in found)
        return {draft.message.seq: outcome for draft, outcome in zip(drafts, outcomes, strict=True)}

    def _settle(self, plans: Sequence[Plan], connection: Connection) -> None:
        """In the transaction that writes: who they are, and that the messages are processed. Raises Overtaken,
        Lost."""
        told = inbox.seqs_told_of(connection, [plan.draft.subject for plan in plans])
        if any(told[plan.draft.subject] - {plan.draft.message.seq} != plan.others for plan in plans):
            raise Overtaken
        if self.members is not None and not self._settled(connection, self.members, plans):
            raise Overtaken
        now = clock.micros(self.now())
        for plan in plans:
            if plan.held:
                seqs = [one.seq for one in plan.held]
                held_messages.processed(connection, seqs, store.VISIT, plan.draft.subject, now)
        inbox.processed_together(connection, [(plan.draft.message, plan.draft.subject) for plan in plans], now)
        for plan in plans:
            self.acknowledge(connection, plan.draft.message)

    def _settled(self, connection: Connection, members: Members, plans: Sequence[Plan]) -> bool:
        """Keep who they are. False: somebody else decided meanwhile."""
        new = {t for plan in plans if not plan.member.patient_id for t in plan.draft.keys.tokens}
        made = store.patients_of(connection, ACCESS, new) if new else {}
        asked = []
        for plan in plans:
            tokens = plan.draft.keys.tokens
            identity = plan.member.patient_id or next(iter(of_numbers(connection, ACCESS, tokens, made)), "")
            if plan.resolved:
                asked.append((plan.resolved, identity, plan.draft.record, plan.draft.keys))
        return members.settle_all(connection, asked)


def _groups(drafts: Iterable[Draft | _Merge]) -> Iterator[list[Draft | _Merge]]:
    """In their order: those that have nothing in common with each other together, a merge by itself."""
    group: list[Draft | _Merge] = []
    names: set[object] = set()
    for one in drafts:
        mine = one.names if isinstance(one, Draft) else frozenset[object]()
        if group and (isinstance(one, _Merge) or isinstance(group[0], _Merge) or names & mine):
            yield group
            group, names = [], set()
        group.append(one)
        names |= mine
    if group:
        yield group


def _told(outcome: Outcome) -> Outcome:
    """As the worker wants it."""
    if isinstance(outcome, AdtProblem):
        code = outcome.code if isinstance(outcome, Unreadable) else ""
        return Park(outcome.state, _reason(outcome), outcome.where, awaited(outcome), code)
    return Park(LATE, TOO_LATE, "PV1-19") if isinstance(outcome, store.Emptied) else outcome


def _reason(problem: AdtProblem) -> str:
    """With the code or facility that wants a row in its table, where it looks like a code."""
    if isinstance(problem, UnmappedCode | UnknownFacility) and SPEAKABLE.fullmatch(problem.code):
        return f"{problem.reason}: {problem.code}"
    return problem.reason
