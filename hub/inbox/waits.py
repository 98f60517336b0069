"""Parked messages go on by themselves when what they wait for is there.

A parked message names one thing by kind and key (hub.inbox.messages.Awaited), such as a row of a code table; who
parks messages of a kind gives the look-up that says whether it is there now. A look round asks for each thing once
and puts all its messages back to `received`; their order is that of `seq`, as ever. Nothing is told and so no
telling can be missed: a row that comes while its message is being parked is seen at the next look.
A message that waits for nothing that has a name stays where it is, until a person replays it.
Refuses: nothing. A look-up that fails is named in the log, and asked again at the next look.
"""

import logging
from collections.abc import Callable, Mapping

from sqlalchemy import Connection, literal, select, tuple_, update

from hub.inbox.messages import Awaited
from hub.inbox.replaying import AGAIN, IS_KEPT
from hub.store.engine import Database
from hub.store.tables import inbox

log = logging.getLogger("hub.inbox")
CHUNK = 1000  # messages of one transaction; things that one statement names
KIND, KEY = 32, 128  # what the columns hold
LookUp = Callable[[Connection, str], bool]


def awaited(connection: Connection, after: Awaited = ("", "")) -> list[Awaited]:
    """The next things that messages wait for, in order of kind and key."""
    columns = inbox.c.awaits_kind, inbox.c.awaits_key
    wanted = select(*columns).where(
        inbox.c.awaits_kind.is_not(None), tuple_(*columns) > tuple_(*map(literal, after))
    )
    found = connection.execute(wanted.distinct().order_by(*columns).limit(CHUNK))
    return [(kind, key) for kind, key in found]


def go_on(database: Database, look_ups: Mapping[str, LookUp]) -> int:
    """One look round; how many messages go on."""
    number, after = 0, ("", "")
    while things := _next(database, after):
        for kind, key in things:
            if kind in look_ups and _is_there(database, look_ups[kind], kind, key):
                number += _again(database, (kind, key))
        after = things[-1]
    return number


def _next(database: Database, after: Awaited) -> list[Awaited]:
    with database.read() as connection:
        return awaited(connection, after)


def _is_there(database: Database, look_up: LookUp, kind: str, key: str) -> bool:
    try:
        with database.read() as connection:
            return look_up(connection, key)
    except Exception as error:  # one broken table must not hold up what waits for others
        log.error("what messages wait for was not looked up (%s): %s", kind, type(error).__name__)
        return False


def _again(database: Database, thing: Awaited) -> int:
    number = 0
    while taken := database.writing(lambda connection: _chunk(connection, thing)):
        number += taken
    log.info("%s messages go on: what they waited for is there (%s)", number, thing[0])
    return number


def _chunk(connection: Connection, thing: Awaited) -> int:
    """In order, the oldest first. An emptied message waits for nothing any more."""
    mine = (inbox.c.awaits_kind == thing[0], inbox.c.awaits_key == thing[1])
    oldest = select(inbox.c.seq).where(*mine).order_by(inbox.c.seq).limit(CHUNK).with_for_update()
    seqs = list(connection.execute(oldest).scalars())
    connection.execute(update(inbox).where(inbox.c.seq.in_(seqs), IS_KEPT).values(AGAIN))
    no_more = {"awaits_kind": None, "awaits_key": None}
    connection.execute(update(inbox).where(inbox.c.seq.in_(seqs), *mine).values(no_more))
    return len(seqs)
