"""A hospital merges two of its numbers (A34, A40): the members follow, in the transaction that ends the message.

Rules: hub.identity.feeds; bad-input.md V19 to V22; known-failures.md SEC-47.
Refuses: a number that nobody has brought yet (the message waits: `waiting`), a merge that was made the other way
round (`refused`, 207) and numbers whose persons contradict (`unmatched`): of both a person is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.adt.known import patients
from adapters.adt.local_tables import LocalTables
from adapters.adt.members import number, systems
from fhir_mappings.adt.facilities import Facility
from fhir_mappings.adt.member_keys import MergeKeys
from fhir_mappings.adt.records import AdtMessage
from hub import clock
from hub.access import Access
from hub.identity import feeds, former, persons
from hub.identity.candidates import recorded
from hub.identity.desk import Desk, Registry
from hub.identity.patient import person_of
from hub.inbox import work as inbox
from hub.inbox.messages import Message
from hub.store.rids import new_rid
from hub.worker import Park

Token = tuple[str, str]
CIRCLE, CONTRADICTION = "circle", "contradiction"
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

    def __call__(self, groups: Sequence[MergeKeys], record: AdtMessage, message: Message) -> None:
        """Raises Park."""
        facility = self.tables.facilities().of(record.facility)
        try:
            doubt = self.registry.decide(lambda desk: self._merged(desk, groups, facility, message))
        except feeds.Unknown:
            raise Park("waiting", "204: nobody has brought the number that is merged", "MRG-1") from None
        if doubt:
            raise Park(*REFUSALS[doubt])

    def _merged(self, desk: Desk, groups: Sequence[MergeKeys], facility: Facility, message: Message) -> str:
        """What keeps it from being done, so that the question to a person is kept."""
        who = f"adt {message.feed} {message.control_id}"
        for group in groups:
            kept, gone = (self._numbers(desk, tokens, facility) for tokens in (group.kept, group.absorbed))
            try:
                feeds.join(desk, kept, gone, who)
            except feeds.Circle:
                return CIRCLE
            except feeds.Doubtful:
                return CONTRADICTION
        inbox.processed(desk.connection, message.seq, clock.micros(self.registry.now()))
        return ""

    def _numbers(self, desk: Desk, tokens: Sequence[Token], facility: Facility) -> list[feeds.Number]:
        return [self._known(desk, token, facility) for token in tokens]

    def _known(self, desk: Desk, token: Token, facility: Facility) -> feeds.Number:
        """A number that a Patient has, and no source person: stored before anybody asked."""
        mine = number(token, facility, self.cin_system)
        if persons.find(desk.connection, *mine) is None:
            found = patients(desk.connection, Access.system("identity"), *token)
            if len(found) == 1:
                said = person_of(found[0], mine[0], systems(facility, self.cin_system))
                member = former.member_of(desk.connection, found[0]["id"])
                record = {name: found[0][name] for name in ("identifier", "name", "birthDate") if name in found[0]}
                whole = recorded(said, record)
                persons.put(desk.connection, new_rid(desk.now), *mine, member, whole, desk.now)
        return mine
