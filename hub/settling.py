"""How the worker settles work: what became of each row, and what is written along with that, in one commit.

What is written along (a delivery log) is not worth the settling: where both fail, the rows are settled alone.
Else a log that cannot be written would bring the work again, and a receiver its notice twice.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from hub import outbox
from hub.problems import Problem
from hub.store.engine import Database

log = logging.getLogger("hub.worker")
Result = TypeVar("Result")


def settle(
    database: Database,
    work: Callable[[Connection, Sequence[outbox.Outcome]], Result],
    outcomes: Sequence[outbox.Outcome],
) -> Result:
    """`work` settles rows by these outcomes. Run again, it changes nothing that the first run did."""
    try:
        return database.writing(lambda connection: work(connection, outcomes))
    except Exception as error:
        if not any(map(outbox.has_along, outcomes)):
            raise
        log.error("what is written along with work: %s", named(error))
    alone = [outbox.alone(outcome) for outcome in outcomes]
    return database.writing(lambda connection: work(connection, alone))


def named(error: Exception) -> str:
    """An error without its text, which may hold what a person must not see."""
    if isinstance(error, Problem):
        return error.kind
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{type(error).__name__} at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
