"""A hospital merges two of its numbers (A34, A40): the members follow, in the transaction that ends the message.

Rules: hub.identity.feeds; bad-input.md V19 to V22; known-failures.md SEC-47.
Refuses: a number that nobody has brought yet (the message waits: `waiting`, and goes on by itself when it comes), a
merge that was made the other way round (`refused`, 207) and numbers whose persons contradict (`unmatched`): of each
a person is asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from adapters.adt.known import patients
from adapters.adt.local_tables import LocalTables
from adapters.adt.members import number, systems
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.member_keys import MergeKeys
from fhir_mappings.adt.records import AdtMessage
from hub import clock
from hub.access import Access
from hub.identity import awaited, decided, feeds, former, persons
from hub.identity.candidates import recorded
from hub.identity.desk import Desk, Registry
from hub.identity.patient import person_of
from hub.inbox import work as inbox
from hub.inbox.messages import Awaited, Message
from hub.store.rids import new_rid
from hub.worker import Park

Token = tuple[str, str]
CIRCLE, CONTRADICTION = "circle", "contradiction"
NUMBER = "number"  # what a merge waits for (hub.inbox.waits): a source and its number, in two lines
LONGEST = 128  # of what is waited for; a longer one a person replays
# state, reason and place of what a person has to look at
REFUSALS = {
    CIRCLE: ("refused", "207: the other number was merged into this one before", "MRG-1"),
    CONTRADICTION: ("unmatched", "The persons of the two numbers contradict each other", "MRG-1"),
}


@dataclass(frozen=True, slots=True)
class Merges:
    """What adapters.adt.process is given for merges."""

    registry: Registry
    tables: LocalTables
    cin_system: str
    acknowledge: Callable[[Connection, Message], None] = lambda connection, message: None  # as it is processed

    def __call__(self, groups: Sequence[MergeKeys], record: AdtMessage, message: Message) -> None:
        """Raises Park."""
        facility = self.tables.facilities().of(record.facility)
        try:
            doubt = self.registry.decide(lambda desk: self._merged(desk, groups, facility, message))
        except _Lacking as found:
            self.registry.decide(partial(self._asked, found, message))
            why = ("waiting", "204: nobody has brought the number that is merged", "MRG-1")
            raise Park(*why, awaits=_awaits(found.gone)) from None
        if doubt:
            question = self._question(groups, facility) if doubt == CONTRADICTION else None
            raise Park(*REFUSALS[doubt], awaits=question)

    def _question(self, groups: Sequence[MergeKeys], facility: Facility) -> Awaited | None:
        """The open review between the persons of these numbers."""
        numbers = [number(token, facility, self.cin_system) for g in groups for token in (*g.kept, *g.absorbed)]
        with self.registry.database.read() as connection:
            return decided.among(connection, numbers)

    def _merged(self, desk: Desk, groups: Sequence[MergeKeys], facility: Facility, message: Message) -> str:
        """What keeps it from being done, so that the question to a person is kept. Raises _Lacking."""
        doubt = next(filter(None, (self._joined(desk, group, facility, message) for group in groups)), "")
        awaited.end(desk, message.seq)
        if not doubt:
            inbox.processed(desk.connection, message, clock.micros(self.registry.now()))
            self.acknowledge(desk.connection, message)
        return doubt

    def _joined(self, desk: Desk, group: MergeKeys, facility: Facility, message: Message) -> str:
        kept, gone = (self._numbers(desk, tokens, facility) for tokens in (group.kept, group.absorbed))
        try:
            feeds.join(desk, kept, gone, f"adt {message.feed} {message.control_id}")
        except feeds.Unknown:
            raise _Lacking(kept, gone) from None
        except feeds.Circle:
            return CIRCLE
        except feeds.Doubtful:
            return CONTRADICTION
        return ""

    def _asked(self, lacking: "_Lacking", message: Message, desk: Desk) -> None:
        found = (persons.find(desk.connection, *each) for each in lacking.kept)
        member = next((one.patient for one in found if one is not None and one.patient), "")
        awaited.ask(desk, message.seq, f"{message.feed} {message.control_id}", member)

    def is_there(self, connection: Connection, what: str) -> bool:
        """Whether somebody has brought a number that a merge waits for."""
        source, _, key = what.partition("\n")
        found = persons.find(connection, source, key)
        if found is not None:
            return bool(found.patient)
        token = (self.cin_system, key.removeprefix("cin|")) if key.startswith("cin|") else (source, key)
        return len(patients(connection, Access.system("identity"), [token])) == 1

    def _numbers(self, desk: Desk, tokens: Sequence[Token], facility: Facility) -> list[feeds.Number]:
        return [self._known(desk, token, facility) for token in tokens]

    def _known(self, desk: Desk, token: Token, facility: Facility) -> feeds.Number:
        """A number that a Patient has, and no source person: stored before anybody asked."""
        mine = number(token, facility, self.cin_system)
        if persons.find(desk.connection, *mine) is None:
            found = patients(desk.connection, Access.system("identity"), [token])
            if len(found) == 1:
                said = person_of(found[0], mine[0], systems(facility, self.cin_system))
                member = former.member_of(desk.connection, found[0]["id"])
                record = {name: found[0][name] for name in ("identifier", "name", "birthDate") if name in found[0]}
                whole = recorded(said, record)
                persons.put(desk.connection, new_rid(desk.now), *mine, member, whole, desk.now)
        return mine


class _Lacking(Exception):
    """Nobody has brought any of the numbers that go."""

    def __init__(self, kept: Sequence[feeds.Number], gone: Sequence[feeds.Number]):
        super().__init__()
        self.kept, self.gone = kept, gone


def _awaits(gone: Sequence[feeds.Number]) -> tuple[str, str] | None:
    """The first of them is the hospital's own."""
    what = "\n".join(gone[0])
    return (NUMBER, what) if len(what) <= LONGEST else None
