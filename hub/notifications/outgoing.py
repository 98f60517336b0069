"""What leaves for a Subscription, in the format it asked for, and why a send did not succeed.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html: the Subscription's payload says JSON or
XML.
"""

from dataclasses import dataclass
from typing import Any

from hub.fhir import json
from hub.notifications.subscriptions import Subscription


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A Bundle as it is sent. `message` is its id, the same at every try; `kind` is handshake, heartbeat or
    notice."""

    asked: Subscription
    kind: str
    message: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a send did not succeed. `status` is 0 where there was no answer; `final`: no try can be better."""

    reason: str
    status: int = 0
    final: bool = False


def written(asked: Subscription, bundle: dict[str, Any]) -> bytes:
    """The Bundle in the Subscription's format."""
    body = json.write(bundle)
    if not asked.is_xml:
        return body
    from hub.fhir import xml  # loaded by the first who wants XML

    return xml.write(json.stored(body), False)
