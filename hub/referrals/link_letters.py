"""The Communication that stands for a link: that somebody is asked by it, until when, and whether it was revoked.
Pure.

Rules: https://hl7.org/fhir/R4/communication.html: `preparation` until the mail has left, `completed` with `sent`;
`stopped` is a link that was revoked, `not-done` one that was not needed any more. `about` is the Task, `recipient`
the one who is asked, the extension `link-ends` says until when.
It has one id for each Task and owner: whoever is asked again is asked by a new Task, or is another one.
Refuses: nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hub import clock
from hub.fhir.systems import OWN
from hub.referrals.case import Case, Known
from hub.referrals.contacts import Contacts
from hub.referrals.coordination import Write
from hub.referrals.links import Link, link_for
from hub.referrals.terms import NOTICE, Resource, codes, local, own_id, target

LINK = "link"  # the topic, and the category by which a search finds them: category=<NOTICE>|link
ENDS = OWN + "StructureDefinition/link-ends"
HOLDS = ("preparation", "completed")
REVOKED, NEEDLESS = "stopped", "not-done"


def is_link(communication: Any) -> bool:
    return LINK in codes((communication or {}).get("topic"), NOTICE)


def letters(case: Case, contacts: Contacts, organization: str, base: str, now: datetime) -> Iterator[Write]:
    """The letters that are missing: each provider that is asked, and is asked by a link, gets one."""
    for asked in (case.task, *case.deliveries):
        owner = local(asked.resource.get("owner"), base, "Organization")
        days = contacts.link_days(owner)
        identity = own_id(case.task.id, "notice", LINK, asked.id, owner)
        if days and asked.status == "requested" and identity not in case.told:
            yield Write(letter(case, asked, link_for(asked.id, owner, now, days, identity), organization))


def letter(case: Case, asked: Known, link: Link, organization: str, **said: Any) -> Resource:
    """`organization` is the hub's own, empty where none is configured; `said`: how it stands, where it leaves by
    hand."""
    kind = {"coding": [{"system": NOTICE, "code": LINK}]}
    made: Resource = {
        "resourceType": "Communication",
        "id": link.letter,
        "extension": [{"url": ENDS, "valueInstant": clock.instant(link.ends * 1_000_000)}],
        "partOf": [{"reference": f"Task/{case.task.id}"}],
        "status": "preparation",
        "category": [kind],
        "subject": asked.resource.get("for", {}),
        "topic": kind,
        "about": [{"reference": f"Task/{asked.id}"}],
        "recipient": [{"reference": link.owner}],
        "sender": {"reference": organization} if organization else {},
        **said,
    }
    return {name: value for name, value in made.items() if value not in ([], {})}


def link_of(communication: Resource, base: str) -> Link:
    """The link that it stands for."""
    task = next((local(one, base, "Task") for one in communication.get("about", ())), "")
    owner = next((local(one, base, "Organization") for one in communication.get("recipient", ())), "")
    return Link(task.partition("/")[2], owner, int(ends_of(communication).timestamp()), str(communication["id"]))


def ends_of(communication: Resource) -> datetime:
    """1970 where nothing says it."""
    found = (one.get("valueInstant") for one in communication.get("extension", ()) if one.get("url") == ENDS)
    said = next((str(one) for one in found if one), "")
    return datetime.fromisoformat(said) if said else datetime.fromtimestamp(0, UTC)


def holds(communication: Resource, link: Link, base: str) -> bool:
    """Whether this is the link's letter, and nobody revoked it."""
    return (
        is_link(communication)
        and communication.get("status") in HOLDS
        and link_of(communication, base) == link
        and bool(target(communication["about"][0]))
    )
