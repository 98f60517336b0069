"""Subscriptions: what a client may ask for, and what one says once it is stored.

Rules: http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription (1.1.0, on R4):
a topic in `criteria`, filters in its extensions, the content of notices in an extension of `channel.payload`.
Refuses: unknown topics, channels other than rest-hook, payloads other than FHIR JSON, unknown content levels and
filters, heartbeats (none are sent: a client that waits for them would think the hub dead), endpoints that the hub
must not call, any status but `requested` and `off` (`business-rule`), header lines that cannot be sent (`value`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hub.notifications import filters, headers
from hub.notifications.addresses import refusal
from hub.notifications.filters import Condition
from hub.notifications.topics import TOPICS
from hub.problems import Issue, Problem
from hub.search.values import date_range

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
FILTER = BACKPORT + "backport-filter-criteria"
CONTENT = BACKPORT + "backport-payload-content"
TIMEOUT = BACKPORT + "backport-timeout"
HEARTBEAT = BACKPORT + "backport-heartbeat-period"
CHANNEL_TYPE = BACKPORT + "backport-channel-type"
EMPTY, ID_ONLY, FULL_RESOURCE = CONTENTS = ("empty", "id-only", "full-resource")
MEDIA_TYPES = ("application/fhir+json", "application/fhir+json;fhirversion=4.0")
ASKED = ("requested", "off")  # the other states are the hub's to say
MOST_FILTERS = 20

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A stored Subscription. `timeout` is in seconds (0: none stated), `end` in microseconds (None: no end)."""

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
    )


def _extensions(node: Any, url: str) -> Iterator[Any]:
    """The values of an element's extensions with this URL."""
    for extension in (node or {}).get("extension", ()):
        if extension.get("url") == url:
            yield next((value for name, value in extension.items() if name.startswith("value")), None)


def _filters(resource: Resource) -> list[Any]:
    return list(_extensions(resource.get("_criteria"), FILTER))


def issues(resource: Resource, allowed: Sequence[str], base: str = "") -> list[Issue]:
    """What a client may not ask for, in a Subscription that is valid by the base specification. `allowed` are the
    hosts that webhooks may reach although they are not public (HUB_WEBHOOK_HOSTS)."""
    return [
        *_status(resource),
        *_topic(resource, base),
        *_channel(resource["channel"]),
        *_endpoint(resource["channel"], allowed),
        *_headers(resource["channel"]),
    ]


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


def _channel(channel: Resource) -> Iterator[Issue]:
    if channel["type"] != "rest-hook":
        yield _refused("The channel is rest-hook", "channel.type")
    if next(_extensions(channel.get("_type"), CHANNEL_TYPE), None) is not None:
        yield _refused("Channel types other than R4's are not served", "channel.type.extension")
    if channel.get("payload", "").replace(" ", "").lower() not in MEDIA_TYPES:
        yield _refused("The payload is application/fhir+json", "channel.payload")
    content = list(_extensions(channel.get("_payload"), CONTENT))
    if len(content) != 1 or content[0] not in CONTENTS:
        message = f"One backport-payload-content extension says {', '.join(CONTENTS)}"
        yield _refused(message, "channel.payload.extension")
    if next(_extensions(channel, HEARTBEAT), 0):
        yield _refused("Heartbeats are not sent", "channel.extension")


def _endpoint(channel: Resource, allowed: Sequence[str]) -> Iterator[Issue]:
    if why := refusal(channel.get("endpoint", ""), allowed):
        yield _refused(why, "channel.endpoint")


def _headers(channel: Resource) -> Iterator[Issue]:
    for place, fault in headers.faults(channel.get("header", ())):
        yield Issue("value", fault, f"Subscription.channel.header[{place}]")
