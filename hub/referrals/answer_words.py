"""The words by which a file answers a referral, and the moves that they are: a table.

Rules: docs/moves.md (what each move needs). A sender with words of its own says so in its feed (`words`).
"""

from collections.abc import Iterable, Mapping

ANSWERS: Mapping[str, str] = {
    "accept": "accepted",
    "decline": "rejected",
    "start": "in-progress",
    "wait": "on-hold",
    "resume": "requested",
    "complete": "completed",
    "fail": "failed",
}


def legal_words(statuses: Iterable[str]) -> str:
    """For a line of a report; the moves that no file makes are left out."""
    given = set(statuses)
    return ", ".join(word for word, status in ANSWERS.items() if status in given) or "none: it is over"
