"""The rest-hook channel: a Bundle as a signed POST to the Subscription's endpoint.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#rest-hook (the Content-Type is the
Subscription's payload; each header line goes along) and Standard Webhooks (the signature).
Refuses: addresses that are not fit; nothing of a receiver's answer is kept but its status.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hub import clock, header_values, outbox, tracing
from hub.notifications.connections import Refused, Route, Unreachable, post
from hub.notifications.outgoing import Failure, Outgoing
from hub.notifications.signature import signed
from hub.notifications.subscriptions import Subscription
from hub.store.engine import Database

NO_VALUES = "The values of the header lines cannot be read: they changed just now, or the hub's key is another"
NO_SECRET = "The owner has no webhook secret: no such client, or disabled"  # noqa: S105 - a reason
SecretOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`secret_of` a client's webhook secret; `seconds` is the longest wait for a receiver, `header_key` opens the
    values of header lines."""

    database: Database
    secret_of: SecretOf
    seconds: float
    route: Route
    now: clock.Clock
    header_key: bytes = b""

    def prepared(self, asked: Subscription, owner: str) -> "tuple[str, dict[str, str]] | Failure":
        """The secret and the header lines; or why nothing can be sent."""
        secret = self.secret_of(owner)
        if secret is None:
            return Failure(NO_SECRET)
        headers = self._headers(asked)
        return Failure(NO_VALUES) if headers is None else (secret, headers)

    def send(self, made: Outgoing, secret: str, headers: dict[str, str]) -> Failure | None:
        """POST it; None where the receiver took it."""
        asked = made.asked
        headers = headers | {"Content-Type": asked.payload}
        headers |= signed(secret, made.message, clock.micros(self.now()) // outbox.SECOND, made.body)
        seconds = min(self.seconds, asked.timeout or self.seconds)
        with tracing.span("webhook.post", kind=made.kind) as span:
            try:
                status = post(asked.endpoint, made.body, _traced(headers), seconds, self.route)
            except Refused as refused:
                return Failure(str(refused), final=True)
            except Unreachable as unreachable:
                span.tell(error=str(unreachable))
                return Failure(f"No answer: {unreachable}")
            span.tell(status=status)
        return None if 200 <= status < 300 else Failure(f"The receiver answered {status}", status=status)

    def _headers(self, asked: Subscription) -> dict[str, str] | None:
        """The header lines with their values; None where these cannot be had."""
        headers = dict(asked.headers)
        marked = [name for name, value in headers.items() if value == header_values.SET]
        if not marked:
            return headers
        with self.database.read() as connection:
            values = header_values.read(connection, self.header_key, asked.id, asked.version, asked.endpoint)
        if not values.keys() >= {name.lower() for name in marked}:
            return None
        return headers | {name: values[name.lower()] for name in marked}


def _traced(headers: dict[str, str]) -> dict[str, str]:
    """With the trace, where there is one and the Subscription has no header line of that name."""
    trace = tracing.current()
    has_own = any(name.lower() == tracing.HEADER for name in headers)
    return headers if has_own or not trace else headers | {tracing.HEADER: trace}
