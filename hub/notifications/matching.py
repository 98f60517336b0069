"""The Subscriptions of one topic, found by what they narrow it by: an event of one member looks at those that ask
for this member, for who is to do it, for a panel this member is in, and at those that narrow by nothing such; not
at ten thousand others.

Each stands under the values of one of its conditions, the most selective: `RANKS`. What is found is only a
candidate: all its conditions are asked of the resource afterwards (hub.notifications.filters). Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.notifications import filters
from hub.notifications.filters import Condition, Panel
from hub.notifications.subscriptions import Subscription
from hub.notifications.topics import PANEL
from hub.search.criterion import Criterion
from hub.search.parameters import Parameter
from hub.search.values import references
from hub.search.wanted import ReferenceValue, TokenValue

Key = tuple[str, str]  # a parameter's code, and an id or an address
# the fewer resources one value of it has, the earlier; other references come between these and panels
RANKS: Mapping[str, int] = {"_id": 0, "patient": 1, "subject": 1, PANEL: 3}
OTHERS = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """`every` Subscription of the topic; `groups` are the panels that any of them names, `silent` the
    ids of those that are sent nothing."""

    every: Sequence[Subscription] = ()
    groups: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    _by_key: Mapping[Key, Sequence[Subscription]] = field(default_factory=dict)
    _parameters: Mapping[str, Parameter] = field(default_factory=dict)
    _rest: Sequence[Subscription] = ()

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self.every)

    def __len__(self) -> int:
        return len(self.every)

    def candidates(
        self, resource: dict[str, Any], panels: Iterable[str], base: str = ""
    ) -> dict[str, Subscription]:
        """By id those that may want an event of this resource, whose member is in these panels."""
        found = {one.id: one for one in self._rest}
        for key in self._keys(resource, panels, base):
            found |= {one.id: one for one in self._by_key.get(key, ())}
        return found

    def _keys(self, resource: dict[str, Any], panels: Iterable[str], base: str) -> Iterator[Key]:
        yield from ((PANEL, group) for group in panels)
        for code, parameter in self._parameters.items():
            if code == "_id":
                yield code, resource["id"]
                continue
            for node in parameter.walk(resource):
                for _, text in references(node, base):
                    yield code, text
                    yield code, text.partition("|")[0]


def asked_for(every: Sequence[Subscription]) -> Asked:
    """The Subscriptions of one topic, each under its keys."""
    by_key: dict[Key, list[Subscription]] = {}
    parameters: dict[str, Parameter] = {}
    rest: list[Subscription] = []
    for one in every:
        chosen = min(filter(_is_selective, one.filters), key=_rank, default=None)
        if chosen is None:
            rest.append(one)
            continue
        if isinstance(chosen, Criterion):
            parameters[chosen.parameter.code] = chosen.parameter
        for key in _values(chosen):
            by_key.setdefault(key, []).append(one)
    groups = filters.named(condition for one in every for condition in one.filters)
    silent = frozenset(one.id for one in every if one.is_silent)
    return Asked(tuple(every), groups, silent, by_key, parameters, tuple(rest))


def _is_selective(condition: Condition) -> bool:
    if isinstance(condition, Panel):
        return True
    is_plain = not condition.modifier and all(isinstance(v, ReferenceValue) for v in condition.values)
    return is_plain or condition.parameter.code == "_id"


def _rank(condition: Condition) -> tuple[int, int]:
    if isinstance(condition, Panel):
        return RANKS[PANEL], len(condition.groups)
    return RANKS.get(condition.parameter.code, OTHERS), len(condition.values)


def _values(condition: Condition) -> Iterator[Key]:
    if isinstance(condition, Panel):
        yield from ((PANEL, group) for group in condition.groups)
        return
    for value in condition.values:
        if isinstance(value, ReferenceValue):
            yield condition.parameter.code, value.value
        elif isinstance(value, TokenValue):
            yield condition.parameter.code, value.code
