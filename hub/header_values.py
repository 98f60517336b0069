"""What a Subscription's header lines say, apart from the Subscription: a line is stored and answered as `Name:
(set)`, its value is sealed in a table of its own, and only whoever sends notices reads it.

Rules: https://hl7.org/fhir/R4/subscription-definitions.html#Subscription.channel.header (it may hold a credential);
OWASP Secrets Management: a secret is not where everybody reads who may read what it belongs to.
A line that comes back as `Name: (set)` keeps its value, as long as the endpoint and the client that set it are the
same. The hub's own writes keep all.
Refuses (`business-rule`): `(set)` where no value is kept, or where it would go to another endpoint or come from
another client: who may change a Subscription must not learn the value by having it sent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.problems import Problem
from hub.store import header_values as store
from hub.store.header_values import TYPE as TYPE
from hub.store.header_values import Sealed
from hub.versions import Result, Target

SET = "(set)"
PURPOSE = "values of subscription headers"
WHERE = "Subscription.channel.header"
UNKNOWN = "A header line reads (set), and no value is kept for it: send the value"
ELSEWHERE = "Header values are kept for the endpoint they were set for: send them anew with another one"
ANOTHERS = "Header values are kept for the client that set them: send the values of your own"
NO_KEY = "This hub has no key to keep the values of header lines with"
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """`values` by the header's name in small letters; `owner` is the client that set them."""

    subscription: str
    owner: str
    endpoint: str
    values: Mapping[str, str]

    def sealed(self, key: bytes, version: int, at: int) -> Sealed:
        from hub.sealing import seal  # cryptography: not for everybody who writes

        return Sealed(version, seal(key, PURPOSE, json.write(asdict(self)), at / 1_000_000))


def opened(key: bytes, subscription: str, sealed: Sealed | None) -> Kept | None:
    """What was kept for this Subscription; None where that cannot be read (another key, another's row)."""
    from hub.sealing import unseal

    content = unseal(key, PURPOSE, sealed.headers) if sealed else None
    if content is None:
        return None
    kept = Kept(**json.stored(content))
    return kept if kept.subscription == subscription else None


def parted(lines: Iterable[Any]) -> tuple[list[Any], dict[str, str]]:
    """The lines as they are stored, and the values by name; a line that is no header has no value. Pure."""
    shown: list[Any] = []
    values: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":") if isinstance(line, str) else ("", "", "")
        values |= {name.strip().lower(): value.strip()} if colon else {}
        shown.append(f"{name.strip()}: {SET}" if colon else line and SET)
    return shown, values


def without_values(subscription: Resource) -> tuple[Resource, dict[str, str]]:
    """A Subscription as it is stored, and the values of its header lines. Pure."""
    lines = subscription.get("channel", {}).get("header")
    if not lines:
        return subscription, {}
    shown, values = parted(lines)
    return {**subscription, "channel": {**subscription["channel"], "header": shown}}, values


def read(connection: Connection, key: bytes, subscription: str, version: int, endpoint: str) -> Mapping[str, str]:
    """The values that go with what this version sends to its endpoint, by name in small letters."""
    sealed = store.find(connection, subscription)
    kept = opened(key, subscription, sealed) if sealed and sealed.version <= version else None
    return kept.values if kept and kept.endpoint == endpoint else {}


class HeaderValues:
    """The values that one commit brings, keeps and forgets. Its caller holds the Subscriptions."""

    def __init__(self, connection: Connection, access: Access, key: bytes | None):
        self._connection = connection
        self._access = access
        self._key = key
        self._wanted: dict[str, Kept | None] = {}
        self._changed: dict[str, tuple[int, Kept | None]] = {}

    def parted(self, target: Target, content: Resource | None) -> Resource | None:
        """What is stored of an entry's resource. Raises Problem."""
        if target.found is not None or target.identity is None or target.identity[0] != TYPE:
            return content
        name = target.identity[1]
        if content is None:
            self._wanted[name] = None
            return None
        shown, values = without_values(content)
        self._wanted[name] = self._merged(name, shown["channel"].get("endpoint", ""), values) if values else None
        return shown

    def _merged(self, name: str, endpoint: str, values: Mapping[str, str]) -> Kept:
        if self._key is None:
            raise Problem("not-supported", NO_KEY, WHERE)
        before = opened(self._key, name, store.find(self._connection, name))
        owner = self._owner(name, before)
        wanted = Kept(name, owner, endpoint, values)
        marked = [header for header, value in values.items() if value == SET]
        if not marked:
            return wanted
        if before is None or not before.values.keys() >= set(marked):
            raise Problem("business-rule", UNKNOWN, WHERE)
        if before.owner != owner:
            raise Problem("business-rule", ANOTHERS, WHERE)
        if before.endpoint != endpoint:
            raise Problem("business-rule", ELSEWHERE, WHERE)
        return replace(wanted, values={**values, **{header: before.values[header] for header in marked}})

    def _owner(self, name: str, before: Kept | None) -> str:
        if self._access.role != "system":
            return self._access.who
        return before.owner if before else store.owner_of(self._connection, name)

    def written(self, target: Target, result: Result) -> None:
        """What became of the entry."""
        name = target.identity[1] if target.identity and target.identity[0] == TYPE else ""
        if name in self._wanted:
            self._changed[name] = (result.stored.version if result.stored else 0, self._wanted.pop(name))

    def store(self, at: int) -> None:
        """Write it, after the resources."""
        if self._changed:
            store.count_change(self._connection)
        for name, (version, kept) in sorted(self._changed.items()):
            before = opened(self._key, name, store.find(self._connection, name)) if kept and self._key else None
            if kept is None or self._key is None:
                store.put(self._connection, name, None)
            elif kept != before:
                store.put(self._connection, name, kept.sealed(self._key, version, at))
