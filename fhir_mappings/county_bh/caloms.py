"""Rows of a CalOMS-style file, put together into treatment episodes.

Rules: docs/county-bh.md "CalOMS-style records". An episode begins with an admission and ends with a discharge;
annual updates tell of it in between. It is named by the source's number of it (`episode_id`), or by provider and
day of admission. Of two records of one kind the newer `record_date` counts. Everything is Part 2 data, whoever
sends it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fhir_mappings.county_bh.caloms_tables import ADMISSION, DELETION, DISCHARGE, record_type
from hub.feeds.records import Feed, Subject

KIND = "caloms"


@dataclass(frozen=True, slots=True)
class Record:
    """`type` is a value of RECORD_TYPES; `deleted`: the source took it back."""

    type: str
    date: str
    values: Mapping[str, Any]
    deleted: bool

    def text(self, column: str) -> str:
        return str(self.values.get(column) or "")


@dataclass(frozen=True, slots=True)
class Treatment:
    """All records of one episode, the oldest first."""

    key: tuple[str, ...]
    records: tuple[Record, ...]

    def newest(self, kind: str) -> Record | None:
        """The newest of this type; None where there is none or it was taken back."""
        found = next((one for one in reversed(self.records) if one.type == kind), None)
        return found if found and not found.deleted else None

    @property
    def admission(self) -> Record | None:
        return self.newest(ADMISSION)

    @property
    def discharge(self) -> Record | None:
        return self.newest(DISCHARGE)


def treatments(subject: Subject) -> list[Treatment]:
    """In order of their keys. Raises Unmapped."""
    told = [(_key(row.values), _record(subject.feed, row.values, row.deleted)) for row in subject.rows]
    told.sort(key=lambda one: (one[0], one[1].date, one[1].deleted, one[1].type))
    return [
        Treatment(key, tuple(record for _, record in some)) for key, some in groupby(told, key=lambda one: one[0])
    ]


def _key(values: Mapping[str, Any]) -> tuple[str, ...]:
    number = str(values.get("episode_id") or "")
    rest = (number,) if number else (str(values.get("provider_org_npi") or ""), str(values["admission_date"]))
    return (str(values["county_client_number"]), *rest)


def _record(feed: Feed, values: Mapping[str, Any], is_gone: bool) -> Record:
    kind, _, deletion = record_type(feed, str(values["record_type"])).partition(" ")
    return Record(kind, str(values["record_date"]), values, is_gone or deletion == DELETION)
