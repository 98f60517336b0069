"""The canonical status record of a county, line by line.

Rules: docs/county-bh.md "Status records": the columns are the hub's own, as no layout of any county is published.
One statement a row: who, which system, which status, as of which day.
Refuses: rows without client number, system, status or day; an episode that is open or closed without its days.
"""

from collections.abc import Iterator
from typing import Any

from marshmallow import Schema, validates_schema

from adapters.county_bh.cells import Cin, Diagnoses, Npi, Word, YesNo, text
from adapters.county_bh.reading import Values, key_of
from adapters.files.cells import Day, Refused
from hub.feeds.records import PERSON, Row

KIND = "status"
SYSTEMS = ("SMHS", "DMC-ODS", "DMC")
STATUSES = ("screened", "referred", "open", "closed")
OPENED = ("open", "closed")


class StatusSchema(Schema):
    """`required`: the file must have the column; `allow_none`: its cells may be empty."""

    county_client_number = text(64, required=True)
    cin = Cin(required=True, allow_none=True)
    last = text(100, required=True, allow_none=True)
    first = text(100, required=True, allow_none=True)
    dob = Day(required=True, allow_none=True)
    system = Word(SYSTEMS, required=True)
    status = Word(STATUSES, required=True)
    open_date = Day(required=True, allow_none=True)
    close_date = Day(required=True, allow_none=True)
    level_of_care = text(16)
    provider_org_npi = Npi()
    part2_program = YesNo()
    consent_ref = text(64)
    as_of = Day(required=True)
    episode_id = text(64)
    diagnosis = Diagnoses()
    deleted = YesNo()

    @validates_schema
    def days(self, data: dict[str, Any], **_: Any) -> None:
        opened, closed = data.get("open_date"), data.get("close_date")
        if data["status"] in OPENED and not opened:
            raise Refused("REQUIRED", "An open or closed episode has an open_date.", "open_date")
        if data["status"] == "closed" and not closed:
            raise Refused("REQUIRED", "A closed episode has a close_date.", "close_date")
        if opened and closed and closed < opened:
            raise Refused("DATE", "The close_date is before the open_date.", "close_date")


def status_rows(values: Values, line: int, part: str) -> Iterator[Row]:
    deleted = values.pop("deleted", "N") == "Y"
    client = values["county_client_number"]
    named = ("system", "provider_org_npi", "episode_id", "open_date", "status", "as_of")
    key = key_of(client, *(values.get(name) for name in named))
    yield Row(KIND, key, client, values, line, PERSON, part, deleted)
