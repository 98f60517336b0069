"""How long the inbox keeps the bytes of messages that nobody will read again.

Rules: docs/inbox.md "Retention"; 42 CFR 438.3(u) (https://www.ecfr.gov/current/title-42/section-438.3): plans and
their subcontractors keep records for ten years. So the default keeps everything.
A message is emptied, never deleted: its row with digest, keys, state and reason stays, and what is sent again is
still a duplicate. Only what is not put together with later messages is emptied:
- of a subject (such as a visit) all processed messages at once, when the newest is older than the policy, nothing
  about it is under way, and its source says that it is over;
- what was processed about no subject, and what a person has not looked at for as long as the other policy says.
A message that comes after that and would be put together with emptied ones waits for a person (`late`).
Refuses: nothing. One turn looks at so many rows, and no more; the next goes on where it ended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, func, select, update

from hub.inbox.messages import PROCESSED, RECEIVED, SUBJECT, fitting
from hub.inbox.replaying import IS_KEPT
from hub.inbox.work import PARKED
from hub.store.engine import Database
from hub.store.tables import inbox

LOOKED_AT = 500  # rows of one turn and state
DAY = 24 * 60 * 60 * 1_000_000
EMPTY = {"raw": b""}
UNDER_WAY = (RECEIVED, *sorted(PARKED))
IsOver = Callable[[Connection, str], bool]


@dataclass
class Retention:
    """A chore. Days of 0 keep. `over`, by source: whether a subject is over. Holds where its last turn ended."""

    database: Database
    processed_days: int
    parked_days: int
    over: Mapping[str, IsOver]
    _after: dict[str, int] = field(default_factory=dict)

    def turn(self, now: int) -> int:
        """How many messages were emptied."""
        number = 0
        if self.processed_days:
            number += self._processed(now - self.processed_days * DAY)
        if self.parked_days:
            number += sum(self._parked(state, now - self.parked_days * DAY) for state in sorted(PARKED))
        return number

    def _old(self, state: str, before: int) -> list[tuple[int, str, str | None]]:
        """The next rows of a state that are old and not emptied: number, source, subject."""
        after = self._after.get(state, -1)
        walked = select(inbox.c.seq).where(inbox.c.state == state, inbox.c.seq > after).order_by(inbox.c.seq)
        with self.database.read() as connection:
            seqs = list(connection.execute(walked.limit(LOOKED_AT)).scalars())
            old = and_(func.coalesce(inbox.c.processed, inbox.c.received) < before, IS_KEPT)
            columns = inbox.c.seq, inbox.c.source, inbox.c.subject
            found = connection.execute(select(*columns).where(inbox.c.seq.in_(seqs), old).order_by(inbox.c.seq))
            rows = [(seq, source, subject) for seq, source, subject in found]
        self._after[state] = seqs[-1] if len(seqs) == LOOKED_AT else -1
        return rows

    def _parked(self, state: str, before: int) -> int:
        seqs = [seq for seq, _, _ in self._old(state, before)]
        return self._emptied(state, seqs)

    def _processed(self, before: int) -> int:
        old = self._old(PROCESSED, before)
        number = self._emptied(PROCESSED, [seq for seq, _, subject in old if subject is None])
        about = dict.fromkeys((source, subject) for _, source, subject in old if subject is not None)
        return number + sum(self._subject(source, subject, before) for source, subject in about)

    def _subject(self, source: str, subject: str, before: int) -> int:
        with self.database.read() as connection:
            if source not in self.over or not self.over[source](connection, subject):
                return 0
        return self.database.writing(lambda connection: _empty_subject(connection, subject, before))

    def _emptied(self, state: str, seqs: list[int]) -> int:
        """Those of them that are still in that state."""
        if not seqs:
            return 0
        mine = (inbox.c.seq.in_(seqs), inbox.c.state == state)
        return self.database.writing(
            lambda connection: connection.execute(update(inbox).where(*mine).values(EMPTY)).rowcount
        )


def _empty_subject(connection: Connection, subject: str, before: int) -> int:
    """All that is processed of a subject, where nothing of it is young or under way."""
    mine = inbox.c.subject == fitting(subject, SUBJECT)
    rows = connection.execute(select(inbox.c.seq, inbox.c.state, inbox.c.processed).where(mine)).all()
    if any(row.state in UNDER_WAY or (row.processed or before) >= before for row in rows):
        return 0
    seqs = [row.seq for row in rows if row.state == PROCESSED]
    return connection.execute(update(inbox).where(inbox.c.seq.in_(seqs), IS_KEPT).values(EMPTY)).rowcount
