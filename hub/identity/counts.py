"""How often names, birth dates, phones and addresses occur among the persons of this hub
(hub.identity.frequencies).

Rules: docs/identity.md "Frequencies". Names and birth dates are counted in a sample (the oldest and the newest
SAMPLE persons), anew every hour at most and scaled to all; phones and addresses at each question, because a guard
wants to know of this very one, up to MOST.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from hub.identity.candidates import said_by
from hub.identity.frequencies import Counted
from hub.identity.persons import read
from hub.search.hashes import key
from hub.store.identity_keys import having
from hub.store.tables_identity import source_person

SAMPLE = 4000
MOST = 500
EVERY = 3600.0  # seconds
ALONE = ("phone", "address")


@dataclass(slots=True)
class _Sampled:
    at: float = float("-inf")
    total: int = 0
    questions: int = 0  # since somebody looked how many there are

    def is_outgrown(self, connection: Connection, questions: int) -> bool:
        """There are twice as many: looked at after every eighth as many questions, for each brings one at most."""
        self.questions += questions
        if self.total >= SAMPLE or 8 * self.questions < self.total:
            return False
        self.questions = 0
        return _total(connection, 2 * SAMPLE) >= 2 * self.total + 10

    counted: Counted = field(default_factory=Counted)


_sampled: dict[object, _Sampled] = {}


@dataclass(frozen=True, slots=True)
class Stored:
    """Frequencies by the database; `total` is that of the sample's moment."""

    connection: Connection
    sampled: _Sampled
    asked: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.sampled.total

    def count(self, kind: str, value: str) -> int:
        if kind in ALONE:
            return self._of_this_one(kind, value)
        in_sample = self.sampled.counted.count(kind, value)
        return round(in_sample * self.total / max(1, self.sampled.counted.total))

    def _of_this_one(self, kind: str, value: str) -> int:
        if (kind, value) not in self.asked:
            self.asked[kind, value] = having(self.connection, key("identity", kind, value), MOST)
        return self.asked[kind, value]


def frequencies(connection: Connection, now: Callable[[], float] = time.monotonic, questions: int = 1) -> Stored:
    """Of this database, counted within the last hour; while there are few, anew as soon as there are twice as
    many. `questions`: how many persons it is asked for."""
    mine = _sampled.setdefault(connection.engine.url, _Sampled())
    if now() - mine.at > EVERY or mine.is_outgrown(connection, questions):
        mine = _sampled[connection.engine.url] = _Sampled(
            now(), _total(connection, None), counted=_sample(connection)
        )
    return Stored(connection, mine)


def _total(connection: Connection, most: int | None) -> int:
    some = select(source_person.c.person).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def _sample(connection: Connection) -> Counted:
    counted = Counted()
    number = source_person.c.person
    rows = {
        row.person: row
        for order in (number, number.desc())
        for row in connection.execute(select(source_person).order_by(order).limit(SAMPLE))
    }
    counted.add(said_by(read(row)) for row in rows.values())
    return counted
