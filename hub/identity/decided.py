"""What waits for a review knows when the person has answered: a pair of source persons is in review no more.

Rules: docs/identity.md "Review"; hub.inbox.waits. A pair is named by the numbers of its source persons, which are
the hub's own and say nothing of anybody.
Refuses: nothing. A pair that nobody reviews (held apart already) is waited for by nobody.
"""

from collections.abc import Iterable
from itertools import combinations

from sqlalchemy import Connection

from hub.identity import pairs, persons
from hub.identity.feeds import Number
from hub.identity.pairs import IN_REVIEW
from hub.inbox.messages import Awaited

REVIEW = "identity-review"


def between(connection: Connection, numbers: Iterable[int]) -> Awaited | None:
    """The first open review between two of these source persons."""
    for one, other in combinations(dict.fromkeys(numbers), 2):
        pair = pairs.find(connection, one, other)
        if pair is not None and pair.state == IN_REVIEW:
            return REVIEW, f"{pair.low}/{pair.high}"
    return None


def among(connection: Connection, numbers: Iterable[Number]) -> Awaited | None:
    """The same, of source persons by what their sources call them."""
    found = (persons.find(connection, *number) for number in numbers)
    return between(connection, [one.person for one in found if one is not None])


def is_decided(connection: Connection, key: str) -> bool:
    """Whether the person has answered. Linked persons are a pair no more, distinct ones are held apart."""
    low, _, high = key.partition("/")
    pair = pairs.find(connection, int(low), int(high))
    return pair is None or pair.state != IN_REVIEW
