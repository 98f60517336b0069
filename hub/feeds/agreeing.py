"""A person agrees that a whole file takes away more than its feed allows by itself: it is read once more.

Rules: docs/feeds.md "Whole files". Who agreed is kept with the file, in the transaction that has it read again, so
that whoever is killed meanwhile needs no second word.
Refuses (Problem): a file that was not refused for this, or whose bytes are not kept any more.
"""

import logging

from sqlalchemy import Connection, select, update

from hub.feeds import files, gone
from hub.feeds.files import REFUSED
from hub.feeds.loading import Loading
from hub.inbox import replaying
from hub.problems import Problem
from hub.store.tables_feeds import feed_file, feed_reject

log = logging.getLogger("hub.feeds")
LONGEST = 64


def agree(loading: Loading, seq: int, who: str) -> None:
    """The file waits for its feed's turn. Raises Problem."""
    loading.arriving.must_be_there()
    with loading.database.read() as connection:
        file = files.find(connection, seq)
    if file is None or not loading.arriving.content(file.digest).exists():
        raise Problem("not-found", "There is no such file, or its bytes are not kept any more: have it sent again")
    loading.database.writing(lambda connection: _agreed(connection, seq, who))
    log.info("file %s of %s: %s agreed that it takes so many away", seq, file.feed, who)


def _agreed(connection: Connection, seq: int, who: str) -> None:
    said = (
        select(feed_reject.c.number).where(feed_reject.c.file == seq, feed_reject.c.code == gone.TOO_MANY).limit(1)
    )
    mine = (feed_file.c.seq == seq, feed_file.c.state == REFUSED, said.exists())
    if connection.execute(update(feed_file).where(*mine).values(agreed=who[:LONGEST])).rowcount != 1:
        raise Problem("business-rule", f"This file was not refused as {gone.TOO_MANY}")
    replaying.taken(connection, [seq])
