"""hmis-attestation: who will lose their housing within 30 days, in a CSV of the hub's own: HMIS cannot say it.

Columns: attestation_id, personal_id or cin (one of them, as the feed's system calls the person), attested_date,
expected_loss_date, attested_by. Rules: docs/hmis.md "Attestations".
Refuses: a row with neither number or both, a loss before its attestation, an attestation of a day to come.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import Schema, fields, validate, validates_schema

from adapters.files.cells import Day, Refused
from adapters.files.columns import Columns
from adapters.files.tables import Look, csv_lines
from fhir_mappings.hmis.imminent_loss import KIND
from hub.feeds.records import ABOUT, Feed, Given, Reject, Row

_KEY = validate.Length(max=64)

_Columns: Mapping[str, Any] = {
    "Attestation": fields.String(data_key="attestation_id", required=True, validate=_KEY),
    "PersonalID": fields.String(data_key="personal_id", validate=_KEY),
    "CIN": fields.String(data_key="cin", validate=validate.Regexp(r"[0-9]{8}[A-Z]\Z")),
    "AttestedDate": Day(data_key="attested_date", required=True),
    "ExpectedLossDate": Day(data_key="expected_loss_date", required=True, future=True),
    "AttestedBy": fields.String(data_key="attested_by", required=True, validate=validate.Length(max=200)),
}


class Attestation(Schema.from_dict(dict(_Columns))):  # type: ignore[misc]
    """A row of the file."""

    @validates_schema
    def is_an_attestation(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        if ("PersonalID" in data) == ("CIN" in data):
            raise Refused("REQUIRED", "Write the personal_id or the cin, and not both.", "personal_id")
        if data["ExpectedLossDate"] < data["AttestedDate"]:
            raise Refused("DATE", "The loss is expected before the day of the attestation.", "expected_loss_date")


def read_attestations(path: Path, feed: Feed) -> Iterator[Given]:
    """The attestations of a file; raises nothing."""
    columns = Columns(Attestation)
    with path.open("rb") as stream:
        for given in columns.rows(csv_lines(stream, look=Look(expects=columns.header))):
            if isinstance(given, Reject):
                yield given
                continue
            line, values = given
            key = values["Attestation"]
            yield Row(KIND, key, f"attestation|{key}", values, line.number, ABOUT)
