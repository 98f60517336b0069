"""The answers that the sender of an X12 file gets back: bytes for the feed's folder of outgoing files.

Rules: docs/plan-834.md "Answers"
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.plan import x12_834, x12_837
from adapters.x12.answers import file_999, ta1_file
from adapters.x12.examination import Rules, examined
from hub import clock
from hub.feeds.records import Feed

RULES: Mapping[str, Callable[[Feed], Rules]] = {"plan-834": x12_834.rules, "plan-837": x12_837.rules}


def answers(path: Path, feed: Feed, now: clock.Clock = clock.now) -> list[tuple[str, bytes]]:
    """(name, bytes) of the TA1 and the 999 that are owed for a file."""
    found = examined(path, RULES[feed.kind](feed))
    at = now().astimezone(ZoneInfo(feed.time_zone))
    made = ((f"{path.name}.ta1", ta1_file(found, at)), (f"{path.name}.999", file_999(found, at)))
    return [(name, content) for name, content in made if content]
