"""What nobody foresaw: told as a problem that says nothing, and logged by its place, not by its data."""

import logging
import traceback

from hub.problems import Problem

log = logging.getLogger("hub.rest")


def as_problem(error: Exception) -> Problem:
    """The problem an exception is, or 500 for it."""
    if isinstance(error, Problem):
        return error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    log.error("unforeseen %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return Problem("exception", "The hub failed; the request was not carried out")
