"""Subscriptions: what a client may ask for, and what one says once it is stored.

Rules: http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription (1.1.0, on R4):
a topic in `criteria`, filters in its extensions, the content of notices in an extension of `channel.payload`.
Refuses: unknown topics, channels that this deployment does not serve, payloads other than FHIR JSON and XML,
content levels and filters that nobody knows, whole resources by email, heartbeats by email or more often than
HEARTBEAT_LEAST says, messages of other topics than a hospital stay's, endpoints that the hub must not call, any
status but `requested` and `off` (`business-rule`), header lines that cannot be sent (`value`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hub.notifications import filters, headers
from hub.notifications.addresses import refusal
from hub.notifications.filters import Condition
from hub.notifications.topics import ADMISSION, CANCEL, DISCHARGE, TOPICS, TRANSFER
from hub.problems import Issue, Problem
from hub.search.values import date_range
from hub.settings import Settings

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
FILTER = BACKPORT + "backport-filter-criteria"
CONTENT = BACKPORT + "backport-payload-content"
TIMEOUT = BACKPORT + "backport-timeout"
HEARTBEAT = BACKPORT + "backport-heartbeat-period"
CHANNEL_TYPE = BACKPORT + "backport-channel-type"
MAX_COUNT = BACKPORT + "backport-max-count"
REST_HOOK, EMAIL, WEBSOCKET, MESSAGE = CHANNELS = ("rest-hook", "email", "websocket", "message")
EMPTY, ID_ONLY, FULL_RESOURCE = CONTENTS = ("empty", "id-only", "full-resource")
XML = "application/fhir+xml"
MEDIA_TYPES = tuple(f"{kind}{of}" for kind in ("application/fhir+json", XML) for of in ("", ";fhirversion=4.0"))
TOLD_BY_MESSAGE = (ADMISSION, DISCHARGE, TRANSFER, CANCEL)
ASKED = ("requested", "off")  # the other states are the hub's to say
MOST_FILTERS = 20
MOST_EVENTS = 100  # in one notice, whatever max-count says
HEARTBEAT_LEAST = 10  # seconds
MAILBOX = re.compile(r"mailto:([A-Za-z0-9!#$&'*+/=^_`{|}~.\-]{1,64})@([A-Za-z0-9.\-]{1,190})")

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A stored Subscription. `timeout` and `heartbeat` are in seconds (0: none stated), `end` in microseconds
    (None: no end); `most` is how many events one notice may tell."""

    id: str
    version: int
    status: str
    topic: str
    endpoint: str
    headers: tuple[tuple[str, str], ...]
    payload: str
    content: str
    filters: tuple[Condition, ...]
    timeout: int
    end: int | None
    channel: str = REST_HOOK
    heartbeat: int = 0
    most: int = 1

    @property
    def is_xml(self) -> bool:
        return self.payload.lower().startswith(XML)

    @property
    def is_silent(self) -> bool:
        """Its events are counted and kept, and no notice of them waits to be sent."""
        return self.status == "error" or self.channel == WEBSOCKET

    def ended(self, now: int) -> bool:
        return self.end is not None and self.end <= now


def subscription(resource: Resource, base: str = "") -> Subscription:
    """What a stored Subscription says. Raises Problem where this release does not understand it."""
    channel = resource["channel"]
    topic = TOPICS.get(resource["criteria"])
    if topic is None:
        raise Problem("business-rule", "The topic is not known", "Subscription.criteria")
    ranges = date_range(resource["end"]) if "end" in resource else None
    return Subscription(
        resource["id"],
        int(resource["meta"]["versionId"]),
        resource["status"],
        topic.url,
        channel.get("endpoint", ""),
        headers.parsed(channel.get("header", ())),
        channel.get("payload", ""),
        next(_extensions(channel.get("_payload"), CONTENT), ""),
        tuple(c for text in _filters(resource) for c in filters.conditions(topic, text, base)),
        next(_extensions(channel, TIMEOUT), 0),
        ranges[0] if ranges else None,
        channel.get("type", REST_HOOK),
        next(_extensions(channel, HEARTBEAT), 0),
        min(next(_extensions(channel, MAX_COUNT), 1), MOST_EVENTS),
    )


def _extensions(node: Any, url: str) -> Iterator[Any]:
    """The values of an element's extensions with this URL."""
    for extension in (node or {}).get("extension", ()):
        if extension.get("url") == url:
            yield next((value for name, value in extension.items() if name.startswith("value")), None)


def _filters(resource: Resource) -> list[Any]:
    return list(_extensions(resource.get("_criteria"), FILTER))


@dataclass(frozen=True, slots=True)
class Served:
    """What this deployment serves. `hosts` may be reached by webhooks although they are not public
    (HUB_WEBHOOK_HOSTS), `domains` by email (HUB_EMAIL_DOMAINS); `sockets`: websockets may be bound."""

    hosts: Sequence[str] = ()
    domains: Sequence[str] = ()
    sockets: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Served":
        mail = settings["HUB_EMAIL_DOMAINS"] if settings["HUB_SMTP_HOST"] else ()
        return cls(settings["HUB_WEBHOOK_HOSTS"], mail, bool(settings.websocket_url))

    @property
    def channels(self) -> tuple[str, ...]:
        there = (True, bool(self.domains), self.sockets, True)
        return tuple(name for name, is_served in zip(CHANNELS, there, strict=True) if is_served)


def issues(resource: Resource, served: Served, base: str = "") -> list[Issue]:
    """What a client may not ask for, in a Subscription that is valid by the base specification."""
    channel = resource["channel"]
    found = [*_status(resource), *_topic(resource, base), *_channel(channel, served), *_message(resource)]
    if channel["type"] in served.channels:
        found += [*_ENDPOINTS[channel["type"]](channel, served)]
    return [*found, *_headers(channel)]


def _refused(message: str, where: str) -> Issue:
    return Issue("business-rule", message, f"Subscription.{where}")


def _status(resource: Resource) -> Iterator[Issue]:
    if resource["status"] not in ASKED:
        yield _refused("A client asks for status 'requested' or 'off'; the hub says the others", "status")


def _topic(resource: Resource, base: str) -> Iterator[Issue]:
    topic = TOPICS.get(resource["criteria"])
    if topic is None:
        yield _refused("The criteria is not a topic of this server: see its CapabilityStatement", "criteria")
        return
    texts = _filters(resource)
    if len(texts) > MOST_FILTERS:
        yield _refused(f"At most {MOST_FILTERS} filters", "criteria.extension")
        return
    for place, text in enumerate(texts):
        try:
            filters.conditions(topic, text if isinstance(text, str) else "", base)
        except Problem as problem:
            for issue in problem.issues:
                yield Issue(issue.kind, issue.message, f"Subscription.criteria.extension[{place}]")


def _channel(channel: Resource, served: Served) -> Iterator[Issue]:
    if channel["type"] not in served.channels:
        yield _refused(f"The channel is {' or '.join(served.channels)}", "channel.type")
    for also in _extensions(channel.get("_type"), CHANNEL_TYPE):
        if not isinstance(also, dict) or also.get("code") != channel["type"]:
            yield _refused("Channel types other than R4's are not served", "channel.type.extension")
    if channel.get("payload", "").replace(" ", "").lower() not in MEDIA_TYPES:
        yield _refused(
            "The payload is application/fhir+json or application/fhir+xml, of FHIR 4.0", "channel.payload"
        )
    content = list(_extensions(channel.get("_payload"), CONTENT))
    if len(content) != 1 or content[0] not in CONTENTS:
        message = f"One backport-payload-content extension says {', '.join(CONTENTS)}"
        yield _refused(message, "channel.payload.extension")
    if channel["type"] == EMAIL and content == [FULL_RESOURCE]:
        yield _refused("Email carries no whole resources: ask for id-only or empty", "channel.payload.extension")
    yield from _heartbeat(channel)


def _message(resource: Resource) -> Iterator[Issue]:
    """A message holds one event with all its resources, of a topic that a message can tell."""
    channel = resource["channel"]
    if channel["type"] != MESSAGE:
        return
    if resource["criteria"] not in TOLD_BY_MESSAGE:
        yield _refused(f"The message channel tells {', '.join(TOLD_BY_MESSAGE)}", "criteria")
    if list(_extensions(channel.get("_payload"), CONTENT)) not in ([], [FULL_RESOURCE]):
        yield _refused("A message carries its resources: ask for full-resource", "channel.payload.extension")
    if next(_extensions(channel, MAX_COUNT), 1) != 1:
        yield _refused("A message tells one event", "channel.extension")


def _heartbeat(channel: Resource) -> Iterator[Issue]:
    seconds = next(_extensions(channel, HEARTBEAT), 0)
    if seconds and channel["type"] in (EMAIL, MESSAGE):
        yield _refused("Heartbeats are not sent by email, nor as messages", "channel.extension")
    elif seconds and (not isinstance(seconds, int) or seconds < HEARTBEAT_LEAST):
        yield _refused(f"A heartbeat is sent every {HEARTBEAT_LEAST} seconds at most", "channel.extension")


def _address(channel: Resource, served: Served) -> Iterator[Issue]:
    if why := refusal(channel.get("endpoint", ""), served.hosts):
        yield _refused(why, "channel.endpoint")


def _mailbox(channel: Resource, served: Served) -> Iterator[Issue]:
    found = MAILBOX.fullmatch(channel.get("endpoint", ""))
    if found is None:
        yield _refused("The endpoint of an email channel reads mailto:name@domain", "channel.endpoint")
    elif found[2].lower() not in {domain.lower() for domain in served.domains}:
        yield _refused("This hub sends no notices to that domain", "channel.endpoint")


def _nowhere(channel: Resource, _: Served) -> Iterator[Issue]:
    if channel.get("endpoint"):
        yield _refused("A websocket has no endpoint: bind it with $get-ws-binding-token", "channel.endpoint")


_ENDPOINTS = {REST_HOOK: _address, EMAIL: _mailbox, WEBSOCKET: _nowhere, MESSAGE: _address}


def _headers(channel: Resource) -> Iterator[Issue]:
    if channel.get("header") and channel["type"] in (EMAIL, WEBSOCKET):
        yield _refused("Header lines go with a rest-hook alone", "channel.header")
    for place, fault in headers.faults(channel.get("header", ())):
        yield Issue("value", fault, f"Subscription.channel.header[{place}]")
