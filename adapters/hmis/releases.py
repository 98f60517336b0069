"""hmis-roi: releases of information, in a CSV of the hub's own, because the HUD CSV has none.

Columns: roi_id, personal_id (as the HMIS feed calls the person), start, end, agencies (names, with ; between them),
form (written, verbal, refused), revoked (a date, or empty). Rules: docs/hmis.md "Consent".
A feed with `whole = true` sends all releases each time: what is not named is over; unless a row of the file is bad.
Refuses: a row without person, start or form; a release without end or agencies; an end before the start.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import Schema, fields, validate, validates_schema

from adapters.files.cells import Day, Refused
from adapters.files.columns import Columns
from adapters.files.tables import Look, csv_lines
from fhir_mappings.hmis.release_consent import KIND, REFUSED, VERBAL, WRITTEN
from hub.feeds.records import ABOUT, ERROR, Feed, Given, Reject, Row, Whole

WHOLE = "whole"  # option of the feed
_TEXT = validate.Length(max=1000)
_KEY = validate.Length(max=64)

_Columns: Mapping[str, Any] = {
    "Release": fields.String(data_key="roi_id", required=True, validate=_KEY),
    "PersonalID": fields.String(data_key="personal_id", required=True, validate=_KEY),
    "Start": Day(data_key="start", required=True, future=True),
    "End": Day(data_key="end", required=True, allow_none=True, future=True),
    "Agencies": fields.String(data_key="agencies", required=True, allow_none=True, validate=_TEXT),
    "Form": fields.String(data_key="form", required=True, validate=validate.OneOf((WRITTEN, VERBAL, REFUSED))),
    "Revoked": Day(data_key="revoked", required=True, allow_none=True, future=True),
}


class Release(Schema.from_dict(dict(_Columns))):  # type: ignore[misc]
    """A row of the file."""

    @validates_schema
    def is_a_release(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if data["Form"] == REFUSED:
            return
        if "End" not in data:
            raise Refused("REQUIRED", "A release has an end.", "end")
        if not data.get("Agencies", "").strip(" ;"):
            raise Refused("REQUIRED", "A release names the agencies to which it is given.", "agencies")
        if data["End"] < data["Start"]:
            raise Refused("DATE", "The release ends before it begins.", "end")


def read_releases(path: Path, feed: Feed) -> Iterator[Given]:
    """The releases of a file; raises nothing."""
    columns, bad = Columns(Release), 0
    with path.open("rb") as stream:
        for given in columns.rows(csv_lines(stream, look=Look(expects=columns.header))):
            if isinstance(given, Reject):
                bad += given.severity == ERROR
                yield given
                continue
            line, values = given
            key = values["Release"]
            yield Row(KIND, key, f"release|{key}", values, line.number, ABOUT)
    if feed.options.get(WHOLE) is True and not bad:
        yield Whole(frozenset((KIND,)))
