"""Which sensitivity labels a county's record has: what its system is, and whether its program is under Part 2.

Rules: 42 CFR 2.11 and 2.12: what makes a record a Part 2 record is its program, not its codes. A row that does
not say whether its program is one is treated as if it were. A whole feed is one where the deployment says so
(`security` of the feed). docs/labels.md: codes of v3-ActCode; mental health PSY, substance use ETH, the program
42CFRPart2.
"""

from collections.abc import Iterable, Mapping, Sequence

from hub.feeds.records import Coding, Feed
from hub.fhir.systems import ACT_CODE

PART2, SUBSTANCE_USE, MENTAL_HEALTH = "42CFRPart2", "ETH", "PSY"
OF_SYSTEM: Mapping[str, str] = {"SMHS": MENTAL_HEALTH, "DMC-ODS": SUBSTANCE_USE, "DMC": SUBSTANCE_USE}
PROGRAM = (PART2, SUBSTANCE_USE)  # of a Part 2 program's record


def is_part2_feed(feed: Feed) -> bool:
    return any(one.get("code") == PART2 for one in feed.security)


def of_program(feed: Feed, system: str, part2_program: str) -> Sequence[str]:
    """The codes for a record of this county system; `part2_program` is Y, N or what nobody said."""
    is_part2 = part2_program != "N" or is_part2_feed(feed)
    return (OF_SYSTEM[system], *(PROGRAM if is_part2 else ()))


def security(codes: Iterable[str]) -> list[Coding]:
    """Each code once, as security labels."""
    return [{"system": ACT_CODE, "code": code} for code in sorted(set(codes))]
