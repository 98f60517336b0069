"""The message channel: an event about a hospital stay as a FHIR message, with all that it must hold.

Rules: https://hl7.org/fhir/R4/subscription-definitions.html#Subscription.channel.type (`message`: a Bundle with a
MessageHeader, sent to the endpoint, which is the receiver's [base]/$process-message). How a message is built comes
from above (fhir_mappings.alerts): the hub's core knows no guide.
What the stay refers to goes along as the owner may see it now, one resource at a time: the same question as for a
read (hub.notifications.looking). What the owner may not see is left out, and is not referred to.
Refuses (nothing is told): a stay whose Patient the owner may not see.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from hub.access import Access
from hub.fhir import json
from hub.notifications.bundles import Item
from hub.notifications.events import Event
from hub.notifications.looking import seen
from hub.notifications.subscriptions import Resource, Subscription
from hub.search.values import references
from hub.store.engine import Database

MOST = 100  # resources in a message
# what goes along, and whose own references are followed further
ALONG = ("Patient", "Condition", "Practitioner", "PractitionerRole", "Organization", "Location")
FOLLOWED = ("Encounter", "Condition", "PractitionerRole", "Location")
PATIENT = "Patient"


@dataclass(frozen=True, slots=True)
class Tidings:
    """What a message is made of: the event's topic and moment (microseconds), the stay at the event, and what goes
    along, by `Type/id`. `message` is the same at every try, `endpoint` where it goes."""

    event: Event
    focus: Resource
    along: Mapping[str, Resource]
    message: UUID
    endpoint: str


Build = Callable[[Tidings], Resource]


@dataclass(frozen=True, slots=True)
class Messages:
    """`access_of`: a client's access now, None for nobody; `build` makes the Bundle."""

    database: Database
    access_of: Callable[[str], Access | None]
    base: str
    build: Build

    def __call__(self, asked: Subscription, owner: str, item: Item, message: UUID) -> tuple[Resource, list[Item]]:
        """The Bundle, and what it tells; nothing where the owner may not see what it must hold."""
        access = self.access_of(owner)
        with self.database.read() as connection:
            along = self._along(connection, access, item) if access is not None else {}
        if not any(name.startswith(f"{PATIENT}/") for name in along):
            return {}, []
        made = self.build(Tidings(item.event, item.focus, along, message, asked.endpoint))
        return made, [replace(item, along=tuple(_event(item.event, one) for one in along.values()))]

    def _along(self, connection: Connection, access: Access, item: Item) -> dict[str, Resource]:
        found: dict[str, Resource] = {}
        waiting, known = list(self._named(item.focus)), set[str]()
        while waiting and len(found) < MOST:
            kind, identity = waiting.pop(0)
            name = f"{kind}/{identity}"
            if name in known:
                continue
            known.add(name)
            current = replace(item.event, type=kind, id=identity, version=0)
            left = seen(connection, access, current, self.base)
            if left is not None and left.body:
                found[name] = json.stored(left.body)
                waiting += self._named(found[name])
        return found

    def _named(self, resource: Resource) -> Iterator[tuple[str, str]]:
        """What a resource refers to and goes along; of a Patient nobody else."""
        if resource["resourceType"] in FOLLOWED:
            for node in _references(resource):
                yield from ((kind, each) for kind, each in references(node, self.base) if kind and kind in ALONG)


def _references(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _references(each)


def _event(event: Event, resource: Resource) -> Event:
    version = int(resource["meta"]["versionId"])
    return replace(event, type=resource["resourceType"], id=resource["id"], version=version)
