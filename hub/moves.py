"""Which statuses follow on which, by whom, and what each step must bring: how any table of moves is read. Pure.

The tables stand in their rooms (hub.referrals.moves, hub.ecm.moves) and in the page that is printed from each.
Refuses (Issue, `business-rule`): a move without a row, one by somebody else than its row names, one without what it
must bring. An illegal move names those that are legal.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hub.problems import Issue

NEW = "-"  # the resource is not there yet


@dataclass(frozen=True, slots=True)
class Move:
    """From one status to another. `who` are the parties that may, `needs` what it must bring."""

    source: str
    to: str
    who: tuple[str, ...]
    needs: tuple[str, ...] = ()
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Moves:
    """A table of moves of one `kind` of resource, which people call `noun`. `over` are the statuses from which it
    does not go on; `said` and `where` tell each need in words, and at which element it is missed."""

    rows: tuple[Move, ...]
    kind: str
    noun: str
    over: frozenset[str]
    said: Mapping[str, str]
    where: Mapping[str, str]

    def move(self, source: str, to: str) -> Move | None:
        return next((one for one in self.rows if (one.source, one.to) == (source, to)), None)

    def legal(self, source: str, who: Iterable[str]) -> Iterator[Move]:
        """The moves from a status that one of these parties may make."""
        parties = set(who)
        return (one for one in self.rows if one.source == source and parties & set(one.who))

    def refused(self, source: str, to: str, parties: frozenset[str]) -> list[Issue]:
        """What keeps these parties from this move."""
        found = self.move(source, to)
        if found is not None and parties & set(found.who):
            return []
        return [Issue("business-rule", self._illegal(source, to, found, parties), f"{self.kind}.status")]

    def missing(self, needs: Iterable[str], status: str, there: Mapping[str, bool]) -> list[Issue]:
        """What a resource of this status must bring and does not."""
        return [
            Issue(
                "business-rule", f"{self._a(self.kind)} that is {status} needs {self.said[need]}", self.where[need]
            )
            for need in needs
            if not there[need]
        ]

    def _illegal(self, source: str, to: str, found: Move | None, parties: frozenset[str]) -> str:
        where = f"A new {self.noun}" if source == NEW else f"{self._a(self.noun)} that is {source}"
        why = f"{where} becomes {to} by {' or '.join(found.who)} only" if found else f"{where} does not become {to}"
        named = [f"{one.to}{self._with(one)}" for one in self.legal(source, parties)]
        who = " and ".join(sorted(parties)) or "nobody who has a part in it"
        told = ", ".join(named) or ("none: it is over" if source in self.over else "none")
        return f"{why}. Legal for {who}: {told}"

    def _with(self, one: Move) -> str:
        return f" (with {' and '.join(self.said[need] for need in one.needs)})" if one.needs else ""

    @staticmethod
    def _a(noun: str) -> str:
        return f"{'An' if noun[0] in 'AEIOUaeiou' else 'A'} {noun}"
