"""Whose a feed is: to which clients its files go, and for whom it keeps what no other one may read.

Rules: docs/feeds.md "Sending". A file goes to clients that `sends_to` names; where the feed has none, to those of
its `clients`, and to who speaks for its organization. What is read as one party may see it must not lie on another
party's server.
Refuses: nothing. Who is named nowhere is not the feed's.
"""

from hub.access import Access
from hub.feeds.records import Feed

SENDS_TO = "sends_to"


def is_theirs(access: Access, feed: Feed) -> bool:
    """Whether this client may upload the feed's files, or speaks for its organization."""
    return access.who in feed.options.get("clients", ()) or bool(
        access.source and access.source == feed.organization
    )


def goes_to(access: Access, feed: Feed) -> bool:
    """Whether what this client may see may lie at the feed's place."""
    named = feed.options.get(SENDS_TO)
    return is_theirs(access, feed) if named is None else access.who in named
