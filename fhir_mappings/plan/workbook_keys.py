"""By what the plan's tables name members, providers and care managers. Pure."""

from collections.abc import Mapping
from typing import Any

from hub.feeds.records import Feed

Values = Mapping[str, Any]


def member_key(values: Values) -> str:
    """The CIN; where a row has none, the plan's own record number."""
    return f"member/{values['cin']}" if values.get("cin") else f"member/mrn/{values['mrn']}"


def provider_key(values: Values, feed: Feed) -> str:
    """The provider's NPI in the row, else what the feed says of all its rows."""
    return str(values.get("provider_npi") or feed.options.get("provider") or "")


def lead_key(values: Values) -> str:
    """A care manager as the file says who it is: the address of e-mail, else the name."""
    return " ".join(str(values.get("lead_email") or values.get("lead_name") or "").lower().split())
