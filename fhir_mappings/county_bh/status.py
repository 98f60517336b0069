"""Rows of the canonical status record, put together into episodes: what a county system does for one client.

Rules: docs/county-bh.md "Status records". One statement a row; of two about one episode the newer `as_of` counts,
of the same day the one further on (screened, referred, open, closed, taken back). An episode is what the source
numbers (`episode_id`); without a number it is one system, one provider and one opening day. What has no opening day
yet (screened, referred) is one referral to a system and a provider.
"""

from dataclasses import dataclass
from itertools import groupby

from hub.feeds.records import Kept, Subject

KIND = "status"
SCREENED, REFERRED, OPEN, CLOSED = "screened", "referred", "open", "closed"
ORDER = {SCREENED: 0, REFERRED: 1, OPEN: 2, CLOSED: 3}
UNDER_WAY = frozenset((OPEN, CLOSED))  # the episode has begun


@dataclass(frozen=True, slots=True)
class Status:
    """A row. Days are ISO text, empty where nothing was said; `part2_program` is Y, N or empty."""

    client: str
    system: str
    status: str
    as_of: str
    opened: str
    closed: str
    level_of_care: str
    provider: str
    part2_program: str
    episode_id: str
    diagnoses: tuple[str, ...]
    deleted: bool


@dataclass(frozen=True, slots=True)
class Episode:
    """All statements about one episode or referral, the oldest first."""

    key: tuple[str, ...]
    told: tuple[Status, ...]

    @property
    def latest(self) -> Status:
        return self.told[-1]

    @property
    def asked(self) -> tuple[Status, ...]:
        """What was told before it began: screenings and referrals."""
        return tuple(one for one in self.told if one.status not in UNDER_WAY)

    @property
    def begun(self) -> tuple[Status, ...]:
        return tuple(one for one in self.told if one.status in UNDER_WAY)

    @property
    def standing(self) -> tuple[Status, ...]:
        """What was said and not taken back."""
        return tuple(one for one in self.told if not one.deleted)


def episodes(subject: Subject) -> list[Episode]:
    """The client's episodes and referrals, in order of their keys."""
    told = sorted((_status(row) for row in subject.rows if row.kind == KIND), key=_place)
    return [Episode(key, tuple(some)) for key, some in groupby(sorted(told, key=_episode), _episode)]


def _place(one: Status) -> tuple[str, bool, int, str]:
    return (one.as_of, one.deleted, ORDER[one.status], one.closed)


def _episode(one: Status) -> tuple[str, ...]:
    if one.episode_id:
        return (one.client, one.episode_id)
    return (one.client, one.system, one.provider, one.opened if one.status in UNDER_WAY else REFERRED)


def _status(row: Kept) -> Status:
    values = row.values
    text = {name: str(values.get(name) or "") for name in values if name != "diagnosis"}
    return Status(
        client=text["county_client_number"],
        system=text["system"],
        status=text["status"],
        as_of=text["as_of"],
        opened=text.get("open_date", ""),
        closed=text.get("close_date", ""),
        level_of_care=text.get("level_of_care", ""),
        provider=text.get("provider_org_npi", ""),
        part2_program=text.get("part2_program", ""),
        episode_id=text.get("episode_id", ""),
        diagnoses=tuple(values.get("diagnosis") or ()),
        deleted=row.deleted,
    )
