"""The signed link by which a provider without FHIR answers a referral: what it says, how long it holds. Pure.

Rules: RFC 2104 by itsdangerous (HMAC-SHA256, with a key of this purpose alone); docs/referrals.md.
A link names the Task, for whom it was made, when it ends, and the Communication that stands for it: nothing about
the member. It opens what that organization may see at that moment, and nothing when another one is asked, or when
the link was revoked (hub.referrals.link_letters).
Refuses: what was not signed with this key (None); an owner that is no organization, a life past MOST_DAYS
(ValueError).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from hub.fhir.bundles import ID
from hub.sealing import derived

PATH = "/auth/referral/"
DAYS = 14
MOST_DAYS = 90
LONGEST = 512  # characters of a link's last part


@dataclass(frozen=True, slots=True)
class Link:
    """`task` is an id, `owner` a reference such as `Organization/house`, `ends` seconds since 1970, `letter` the id
    of its Communication."""

    task: str
    owner: str
    ends: int
    letter: str

    def has_ended(self, now: datetime) -> bool:
        return now.timestamp() >= self.ends


def link_for(task: str, owner: str, now: datetime, days: int, letter: str) -> Link:
    """Raises ValueError."""
    if not _is_organization(owner):
        raise ValueError("A link is made for the organization that owns the Task")
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"A link holds 1 to {MOST_DAYS} days")
    return Link(task, owner, int((now + timedelta(days=days)).timestamp()), letter)


def signed(link: Link, secret_key: bytes) -> str:
    """The last part of its address."""
    return str(_serializer(secret_key).dumps([link.task, link.owner, link.ends, link.letter]))


def opened(text: str, secret_key: bytes) -> Link | None:
    """The link, ended or not; None where this hub did not make it."""
    if len(text) > LONGEST:
        return None
    try:
        said = _serializer(secret_key).loads(text)
    except BadData:
        return None
    match said:
        case [str(task), str(owner), int(ends), str(letter)]:
            return Link(task, owner, ends, letter)
    return None


def _is_organization(owner: str) -> bool:
    kind, _, identity = owner.partition("/")
    return kind == "Organization" and ID.match(identity) is not None


def _serializer(secret_key: bytes) -> URLSafeSerializer:
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(derived(secret_key, "referral links"), salt="referral", signer_kwargs=how)
