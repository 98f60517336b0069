"""Where mail about referrals may go, and who is asked by a mailed link: [[contact]] of referrals.toml. Pure.

    [[contact]]
    organization = "Organization/example-house"   # or Practitioner/…, PractitionerRole/…
    email = "referrals@house.example"             # its notices go here
    door = "link"                                 # it is asked by a mailed link; "api" (the default): it is not
    link_days = 14                                # how long such a link holds

A link is a key, and a directory entry is what somebody wrote: so an organization's mailbox is one that this
deployment names, never one that stands in a resource.
Refuses (CannotStart): keys, doors and mailboxes that are none; two rows of one organization; a link for somebody
who is no organization.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.problems import CannotStart
from hub.referrals.links import DAYS, MOST_DAYS

API, LINK = DOORS = ("api", "link")
MAILBOX = re.compile(r"[A-Za-z0-9!#$&'*+/=^_`{|}~.-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,189}")
WHO = re.compile(r"(Organization|Practitioner|PractitionerRole)/[A-Za-z0-9.-]{1,64}")
KEYS = frozenset(("organization", "email", "door", "link_days"))


@dataclass(frozen=True, slots=True)
class Contact:
    """`link_days` is 0 where it is not asked by a link."""

    email: str
    link_days: int = 0


class Contacts:
    """The table, by reference. Raises CannotStart."""

    def __init__(self, tables: Iterable[Mapping[str, Any]] = ()):
        self._rows: dict[str, Contact] = {}
        for row in tables:
            who, contact = _checked(row)
            if who in self._rows:
                raise CannotStart("Referrals: two rows of [[contact]] are of one organization")
            self._rows[who] = contact

    def mailbox(self, who: str) -> str:
        """Empty where none is configured."""
        found = self._rows.get(who)
        return found.email if found else ""

    def link_days(self, who: str) -> int:
        """0 where it is not asked by a link."""
        found = self._rows.get(who)
        return found.link_days if found else 0


def _checked(row: Mapping[str, Any]) -> tuple[str, Contact]:
    if unknown := sorted(row.keys() - KEYS):
        raise CannotStart(f"Referrals: [[contact]] has no {', '.join(unknown)[:200]}")
    who, email, door = str(row.get("organization")), row.get("email"), row.get("door", API)
    if not WHO.fullmatch(who):
        raise CannotStart("Referrals: [[contact]] names a reference such as Organization/example")
    if not isinstance(email, str) or not is_mailbox(email):
        raise CannotStart("Referrals: [[contact]] has an email such as referrals@house.example")
    if door not in DOORS or (door == LINK and not who.startswith("Organization/")):
        raise CannotStart("Referrals: the door of a [[contact]] is api; of an organization also link")
    days = row.get("link_days", DAYS)
    if type(days) is not int or not 1 <= days <= MOST_DAYS:
        raise CannotStart(f"Referrals: link_days are 1 to {MOST_DAYS}")
    return who, Contact(email, days if door == LINK else 0)


def is_mailbox(text: str) -> bool:
    """One address and nothing else: no name, no second one, no line end."""
    return MAILBOX.fullmatch(text) is not None
