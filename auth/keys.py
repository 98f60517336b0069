"""The public key behind a `kid`: from the register, or fetched from the client's registered JWKS address.

Rules: https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html#registering-a-client-communicating-public-keys
(a fetched set is cached no longer than its Cache-Control allows) and RFC 9111 section 4.2 (max-age less Age).
Refuses: any address but the registered one, http outside the list of hosts, redirects, more than 64 KB, more
than 5 s. A fault leaves the client without a key, never with an old one.
"""

import logging
import re
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import requests

from auth.clients import MAX_JWKS_BYTES, Client, allowed_url
from auth.jwks import Jwks, JwksError, PublicKey, key_of, published
from hub.fhir import json as strict_json
from hub.problems import Problem

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5
LONGEST_CACHE = timedelta(hours=1)
UNKNOWN_KID_WAIT = timedelta(minutes=1)
FAULT_WAIT = timedelta(seconds=10)
EMPTY: Jwks = {"keys": []}


class FetchError(Exception):
    """The JWKS address gave no usable JWK Set; the text is a reason code."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JWK Set, when it was asked for, how long it may be used, and until when nobody asks again in vain."""

    jwks: Jwks
    asked: datetime
    fresh_for: timedelta
    asked_in_vain: datetime | None = None

    def fresh(self, now: datetime) -> bool:
        return self.asked <= now < self.asked + self.fresh_for

    def may_ask_again(self, now: datetime) -> bool:
        """For a kid that a fresh set does not hold: at most once a minute."""
        return self.asked_in_vain is None or not self.asked_in_vain <= now < self.asked_in_vain + UNKNOWN_KID_WAIT


class Keys:
    """Finds keys; holds what it fetched, by address. One fetch of an address at a time."""

    def __init__(self, allowed_hosts: Collection[str] = ()):
        self._allowed_hosts = frozenset(allowed_hosts)
        self._fetched: dict[str, Fetched] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def key(self, client: Client, kid: str, now: datetime) -> PublicKey | None:
        """The client's key with this id, or None."""
        if client.jwks is not None:
            return key_of(client.jwks, kid)
        if client.jwks_url is None:
            return None
        return self._from_url(client.jwks_url, kid, now)

    def _from_url(self, url: str, kid: str, now: datetime) -> PublicKey | None:
        turn = self._turn(url)
        if not turn.acquire(timeout=TIMEOUT_SECONDS):
            return None
        try:
            return self._known_or_fetched(url, kid, now)
        finally:
            turn.release()

    def _known_or_fetched(self, url: str, kid: str, now: datetime) -> PublicKey | None:
        held = self._fetched.get(url)
        if held and held.fresh(now):
            key = key_of(held.jwks, kid)
            if key or not held.may_ask_again(now):
                return key
            otherwise = held = replace(held, asked_in_vain=now)
        else:
            # an empty set for a moment: a host that is down is not asked again by every request
            otherwise = Fetched(EMPTY, now, FAULT_WAIT, now)
        self._fetched[url] = self._ask(url, now, held.asked_in_vain if held else None) or otherwise
        return key_of(self._fetched[url].jwks, kid)

    def _ask(self, url: str, now: datetime, asked_in_vain: datetime | None) -> Fetched | None:
        try:
            jwks, fresh_for = fetch(url, self._allowed_hosts)
        except FetchError as error:
            log.warning("JWKS not fetched: %s", error)
            return None
        return Fetched(jwks, now, fresh_for, asked_in_vain)

    def _turn(self, url: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(url, threading.Lock())


def fetch(url: str, allowed_hosts: Collection[str] = ()) -> tuple[dict[str, Any], timedelta]:
    """The JWK Set at an address, and how long it may be used. Raises FetchError."""
    if not allowed_url(url, allowed_hosts):
        raise FetchError("address")
    try:
        body, headers = _get(url)
        return published(strict_json.read(body)), cache_time(headers)
    except requests.RequestException as error:
        raise FetchError(type(error).__name__) from None
    except (Problem, JwksError):
        raise FetchError("not-a-jwks") from None


def _get(url: str) -> tuple[bytes, Mapping[str, str]]:
    with requests.Session() as session:
        session.trust_env = False  # no credentials from .netrc, no proxy that follows redirects for us
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        with session.get(
            url, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
        ) as answer:
            if answer.status_code != 200:
                raise FetchError(f"status-{answer.status_code}")
            return _body(answer), answer.headers


def _body(answer: requests.Response) -> bytes:
    """At most 64 KB, within 5 s in all: a host that sends a byte at a time is left."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    found = b""
    while chunk := _chunk(answer):
        found += chunk
        if len(found) > MAX_JWKS_BYTES:
            raise FetchError("too-long")
        if time.monotonic() > deadline:
            raise FetchError("too-slow")
    return found


def _chunk(answer: requests.Response) -> bytes:
    try:
        return bytes(answer.raw.read1(8192))
    except Exception as error:  # urllib3's own errors: a broken or stalled body
        raise FetchError(type(error).__name__) from None


def cache_time(headers: Mapping[str, str]) -> timedelta:
    """How long an answer may be used: max-age less Age, at most an hour, nothing where nothing is said."""
    said = headers.get("Cache-Control", "").lower()
    directives = {part.strip() for part in said.split(",")}
    found = re.search(r'(?:^|[\s,])max-age="?(\d{1,9})', said)
    if not found or directives & {"no-store", "no-cache"}:
        return timedelta(0)
    age = headers.get("Age", "0")
    seconds = int(found[1]) - (int(age) if re.fullmatch(r"\d{1,9}", age) else int(found[1]))
    return min(timedelta(seconds=max(seconds, 0)), LONGEST_CACHE)
