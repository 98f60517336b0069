"""Subscription/$status, $events and $get-ws-binding-token: how a Subscription stands, what it was told, and a token
to bind a websocket.

Rules: https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-status.html
and its siblings -events.html, -get-ws-binding-token.html. `$events` asks consent, roles and scopes anew for each
event: what the caller may not see now is not there, its number neither. Events go after HUB_NOTICE_KEEP_DAYS; one
answer has at most MOST_EVENTS, the first ones: whoever wants more asks on from the last number.
`content` is what the caller wants to be shown, else what the Subscription says.
Refuses: numbers that are none, unknown content and status (`value`), more Subscriptions than MOST (`too-costly`).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import uuid4

from hub import clock
from hub.fhir import json
from hub.notifications import attempts, bundles, counters, filters, kept
from hub.notifications.active import understood
from hub.notifications.bundles import Item, status_resource
from hub.notifications.events import Event
from hub.notifications.kept import Kept
from hub.notifications.looking import seen, told
from hub.notifications.round import is_deletion
from hub.notifications.subscriptions import CONTENTS, EMPTY, WEBSOCKET, Subscription
from hub.operations.call import Call, Operation, Parameter
from hub.problems import Problem
from hub.search.query import Limits, parse
from hub.store import read
from hub.store.read import Stored

DEFINITION = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-"
MOST = 1000
PAGE = 200
MOST_EVENTS = 500
STATES = ("requested", "active", "error", "off")
NUMBER = re.compile(r"[0-9]{1,18}")


def status(call: Call) -> bytes:
    """A searchset of a status for each Subscription."""
    rows = [call.stored()] if call.level == "instance" else _chosen(call)
    entries = [_entry(call, row) for row in rows]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return json.write(bundle | ({"entry": entries} if entries else {}))


def _chosen(call: Call) -> list[Stored]:
    """Those of the ids that are named, of all that the caller may see; with a state that is named."""
    states = set(call.given.get("status", ()))
    if not states <= set(STATES):
        raise Problem("value", f"A status is one of {', '.join(STATES)}", "status")
    rows = _named(call) if "id" in call.given else _every(call)
    call.released.extend(rows)
    return [row for row in rows if not states or json.stored(row.body or b"{}").get("status") in states]


def _named(call: Call) -> list[Stored]:
    found = read.several(call.connection, call.access, "Subscription", call.given["id"])
    return [row for row in found.values() if row.body is not None]


def _every(call: Call) -> list[Stored]:
    call.access.require("search-type", "Subscription")
    query, after = parse("Subscription", [], Limits(base=call.base)), list[int]()
    found: list[Stored] = []
    while rows := read.page(call.connection, call.access, query, after, PAGE):
        found += rows
        if len(found) > MOST:
            raise Problem("too-costly", f"More than {MOST} Subscriptions: name them by id", "id")
        after = read.position(rows[-1])
    return found


def _entry(call: Call, row: Stored) -> dict[str, Any]:
    asked, stored = understood(row.body, call.base), json.stored(row.body or b"{}")
    count = counters.count_of(call.connection, row.id)
    events = count.events if count else 0
    if asked is None:
        parameters = _unknown(call, stored, events)
    else:
        parameters = bundles.status(asked, bundles.QUERY_STATUS, events, call.base, "", _errors(call, stored))
    identity = str(uuid4())
    return {
        "fullUrl": f"urn:uuid:{identity}",
        "resource": status_resource(parameters, identity),
        "search": {"mode": "match"},
    }


def _unknown(call: Call, stored: dict[str, Any], events: int) -> list[dict[str, Any]]:
    """Of a Subscription that this release does not understand: that nothing is sent for it."""
    about = {"reference": f"{call.base}/Subscription/{stored.get('id')}"}
    return [
        {"name": "subscription", "valueReference": about},
        {"name": "status", "valueCode": stored.get("status", "off")},
        {"name": "type", "valueCode": bundles.QUERY_STATUS},
        {"name": "events-since-subscription-start", "valueString": str(events)},
        {"name": "error", "valueCodeableConcept": {"text": "This release does not understand the Subscription"}},
    ]


def _errors(call: Call, stored: dict[str, Any]) -> list[str]:
    """What is wrong with it: what the Subscription says, and why the newest try failed."""
    failed = attempts.last_failure(call.connection, stored["id"])
    found = [stored.get("error", ""), failed.reason if failed else ""]
    return list(dict.fromkeys(text for text in found if text))


def events(call: Call) -> bytes:
    """A notification Bundle of the events that are kept, in order."""
    row = call.stored()
    asked = understood(row.body, call.base)
    if asked is None:
        raise Problem("processing", "This release does not understand the Subscription")
    content = call.given.get("content", asked.content)
    if content not in CONTENTS:
        raise Problem("value", f"content is one of {', '.join(CONTENTS)}", "content")
    first, last = _number(call, "eventsSinceNumber", 0), _number(call, "eventsUntilNumber", kept.LAST)
    shown = _items(call, _kept(call, row.id, first, last), content)
    items = list(islice(shown, MOST_EVENTS)) if _may_narrow(call, asked) else []
    count = counters.count_of(call.connection, row.id)
    now = clock.micros(call.now())
    total = count.events if count else 0
    message = bundles.identity(call.base, f"events/{row.id}/{first}/{last}/{now}")
    return json.write(bundles.told(asked, content, items, bundles.QUERY_EVENT, total, message, call.base, now))


def _number(call: Call, name: str, usual: int) -> int:
    text = call.given.get(name)
    if text is None:
        return usual
    if not NUMBER.fullmatch(text):
        raise Problem("value", f"'{name}' takes the number of an event", name)
    return int(text)


def _may_narrow(call: Call, asked: Subscription) -> bool:
    """Whether the caller may see the Groups that a filter by panel tells of."""
    groups = sorted(filters.named(asked.filters))
    about = (Event(asked.topic, "Group", group, 0, 0) for group in groups)
    return all(seen(call.connection, call.access, event, call.base) is not None for event in about)


def _kept(call: Call, name: str, first: int, last: int) -> Iterator[Kept]:
    """In order, a page at a time: whoever asks wants so many that it may see."""
    while page := kept.between(call.connection, name, first, last, MOST_EVENTS):
        yield from page
        first = page[-1].number + 1


def _items(call: Call, found: Iterable[Kept], content: str) -> Iterable[Item]:
    for one in found:
        left = told(call.connection, call.access, one.event, call.base)
        if left is None or left.body is None:
            continue
        if content != EMPTY:
            call.released.append(left)
        deleted = is_deletion(call.connection, one.event)
        yield Item(one.event, one.number, json.stored(left.body), deleted)


def binding_token(call: Call) -> bytes:
    """A token for websockets, for one Subscription or several of the caller's own."""
    from hub.notifications import binding  # cryptography: not for everybody who asks something

    call.access.require_whole()
    rows = [call.stored()] if call.level == "instance" else _chosen(call)
    if call.engines.websocket_url == "":
        raise Problem("not-supported", "This hub serves no websockets")
    names = [row.id for row in rows if _is_bound(call, row)]
    if not names:
        raise Problem("processing", "There is no such active Subscription with the channel websocket", "id")
    made = binding.token(call.secret, call.access.who, names, clock.micros(call.now()))
    parts = [
        {"name": "token", "valueString": made.token},
        {"name": "expiration", "valueDateTime": clock.instant(made.expires)},
        *({"name": "subscription", "valueString": name} for name in names),
        {"name": "websocket-url", "valueUrl": call.engines.websocket_url},
    ]
    return json.write({"resourceType": "Parameters", "parameter": parts})


def _is_bound(call: Call, row: Stored) -> bool:
    asked, count = understood(row.body, call.base), counters.count_of(call.connection, row.id)
    is_theirs = count is not None and count.owner == call.access.who
    return is_theirs and asked is not None and asked.channel == WEBSOCKET and asked.status == "active"


_IDS = Parameter("id", "id", many=True)
ROWS = (
    Operation(
        "status",
        f"{DEFINITION}status",
        ("type", "instance"),
        status,
        ("Subscription",),
        (_IDS, Parameter("status", "code", many=True)),
    ),
    Operation(
        "events",
        f"{DEFINITION}events",
        ("instance",),
        events,
        ("Subscription",),
        (
            Parameter("eventsSinceNumber", "code"),
            Parameter("eventsUntilNumber", "code"),
            Parameter("content", "code"),
        ),
    ),
    Operation(
        "get-ws-binding-token",
        f"{DEFINITION}get-ws-binding-token",
        ("type", "instance"),
        binding_token,
        ("Subscription",),
        (_IDS,),
    ),
)
