"""A die that falls the same on every machine and Python version.

Rule: https://docs.python.org/3/library/random.html#notes-on-reproducibility promises only `random()` for
one seed, so everything here is made of that and nothing else of the module is used.
"""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """One stream of chance per purpose: a new question in one file leaves the answers of the others alone."""

    def __init__(self, *purpose: object) -> None:
        self._random = Random("/".join(str(part) for part in purpose))  # noqa: S311 a demo, not a secret

    def below(self, limit: int) -> int:
        """An integer from 0 to limit - 1."""
        return int(self._random.random() * limit)

    def between(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return low + self.below(high - low + 1)

    def happens(self, share: float) -> bool:
        return self._random.random() < share

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def several(self, options: Sequence[T], count: int) -> tuple[T, ...]:
        """Up to `count` different options, in the order drawn."""
        left = list(options)
        return tuple(left.pop(self.below(len(left))) for _ in range(min(count, len(left))))
