"""Idempotency-Key: a write that is sent again is answered again, and done once.

Rules: draft-ietf-httpapi-idempotency-key-header (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)
A key belongs to its client and is kept for 24 hours together with a digest of the request. Effect and answer are
one database transaction: after a crash either both are there or neither, so a repeat is always safe. That holds for
a batch, too: its entries still succeed or fail one by one, but with a key what succeeded is stored at once, at the
end. Answers from 400 on are not kept: nothing was done, so the request may be sent again with the same key.
A key on what only reads ($validate by POST, terminology) is left alone: that may be done any number of times, and
does not hold the one place to write while it works.
What is told again is looked at again: whoever may not see the resource any more gets no body (hub.rest.replayed).
Refuses: a key that is no text of 1 to 255 visible ASCII characters (400 `value`), the same key with another request
(422 `conflict`), the same key while the first request is still being worked on (409 `conflict`).
"""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from sqlalchemy import Connection

from hub import clock
from hub.access import Access
from hub.problems import Problem
from hub.rest.asked import Answer, Asked
from hub.rest.hub import Hub
from hub.rest.replayed import replayed
from hub.store import idempotency as store
from hub.store.idempotency import KEPT, Kept
from hub.store.joined import Joined, joining

HEADER = "idempotency-key"
# they change what a request does, or how it is answered
TELLING = ("if-match", "if-none-exist", "if-none-match", "content-type", "prefer")
_KEY = re.compile(r'"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?\Z')

Serve = Callable[[Hub, Asked, Access], Answer]


class Once:
    """Does what has a key once. One for a process; it knows which keys are being worked on here."""

    def __init__(self) -> None:
        self._busy: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def serve(self, serve: Serve, hub: Hub, asked: Asked, access: Access) -> Answer:
        key = _key(asked.headers[HEADER])
        mine = (access.who, key)
        with self._lock:
            if mine in self._busy:
                raise _in_flight()
            self._busy.add(mine)
        try:
            return joining(hub.database, lambda joined, c: _work(serve, hub, asked, access, key, joined, c))
        finally:
            with self._lock:
                self._busy.discard(mine)


def _work(
    serve: Serve, hub: Hub, asked: Asked, access: Access, key: str, joined: Joined, connection: Connection
) -> Answer:
    if not store.claim(connection, access.who, key):
        raise _in_flight()
    now = clock.micros(hub.now())
    sent = digest(asked, access)
    kept = store.find(connection, access.who, key, now - KEPT)
    if kept is not None:
        return replayed(connection, asked, access, _again(kept, sent), hub.base)
    answer = serve(replace(hub, database=joined, transactions=hub.transactions.within(joined)), asked, access)
    if answer.status < 400:
        headers = json.dumps(dict(answer.headers))
        store.keep(connection, access.who, key, Kept(sent, answer.status, headers, answer.body), now)
    return answer


def _again(kept: Kept, sent: bytes) -> Answer:
    if kept.digest != sent:
        raise Problem("key-reused", "This Idempotency-Key was used with another request", HEADER)
    return Answer(kept.status, kept.body, json.loads(kept.headers))


def _key(header: str) -> str:
    """The key, with or without the quotes of a structured string (RFC 8941)."""
    found = _KEY.match(header.strip())
    if found is None:
        raise Problem("value", "An Idempotency-Key has 1 to 255 visible ASCII characters", HEADER)
    return found[1]


def digest(asked: Asked, access: Access) -> bytes:
    """What makes two requests the same. The grants are part of it: an answer that was given to a token with wide
    scopes is not repeated to one with narrow ones."""
    path = [asked.method, asked.type, asked.id, asked.version, asked.member, asked.operation, asked.query]
    said = [path, [asked.headers.get(name) for name in TELLING], sorted(access.grants)]
    return sha256(json.dumps(said).encode() + b"\n" + asked.body).digest()


def _in_flight() -> Problem:
    return Problem("conflict", "A request with this Idempotency-Key is being worked on", HEADER)
