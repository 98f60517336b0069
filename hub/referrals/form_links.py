"""The signed link to the form by which an organization without FHIR refers: whose it is, how long it holds. Pure.

Rules: RFC 2104 by itsdangerous (HMAC-SHA256, with a key of this purpose alone); docs/referrals.md "No wrong door".
A link opens an empty form and shows nothing of anybody.
Refuses: what was not signed with this key (None); who is no organization, a life past MOST_DAYS (ValueError).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from hub.fhir.bundles import ID
from hub.sealing import derived

PATH = "/auth/refer/"
DAYS, MOST_DAYS = 90, 366
LONGEST = 512  # characters of a link's last part


@dataclass(frozen=True, slots=True)
class FormLink:
    """`organization` is a reference such as `Organization/library`, `ends` seconds since 1970."""

    organization: str
    ends: int

    def has_ended(self, now: datetime) -> bool:
        return now.timestamp() >= self.ends


def form_link_for(organization: str, now: datetime, days: int) -> FormLink:
    """Raises ValueError."""
    kind, _, identity = organization.partition("/")
    if kind != "Organization" or not ID.match(identity):
        raise ValueError("A form is an organization's, such as Organization/example")
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"A link to a form holds 1 to {MOST_DAYS} days")
    return FormLink(organization, int((now + timedelta(days=days)).timestamp()))


def signed(link: FormLink, secret_key: bytes) -> str:
    """The last part of its address."""
    return str(_serializer(secret_key).dumps([link.organization, link.ends]))


def opened(text: str, secret_key: bytes) -> FormLink | None:
    """The link, ended or not; None where this hub did not make it."""
    if len(text) > LONGEST:
        return None
    try:
        said = _serializer(secret_key).loads(text)
    except BadData:
        return None
    match said:
        case [str(organization), int(ends)]:
            return FormLink(organization, ends)
    return None


def _serializer(secret_key: bytes) -> URLSafeSerializer:
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(derived(secret_key, "referral forms"), salt="referral form", signer_kwargs=how)
