"""Housing changes as a CSV of the hub's own layout, written and read back.

Columns: member_id, event (situation, enrolled, exited), date, status, previous_status, code, description. UTF-8, a
header, CRLF. Rules: docs/hmis.md "Housing changes". What is a change: fhir_mappings.hmis.housing_changes.
Refuses, when reading: an event or status that there is not (CODE), what is no date (DATE), an empty member.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final

from marshmallow import Schema, fields, validate

from adapters.files.cells import Day
from adapters.files.columns import Columns
from adapters.files.tables import Look, csv_lines
from fhir_mappings.hmis.housing_changes import (
    ENROLLED,
    EXITED,
    HOMELESS,
    HOUSED,
    INSTITUTION,
    SITUATION,
    TEMPORARY,
    TRANSITIONAL,
    Change,
)
from hub.feeds.records import Reject

_STATUSES = validate.OneOf((HOMELESS, TRANSITIONAL, INSTITUTION, TEMPORARY, HOUSED))
# header, field of a Change
HEADER: Final = (("member_id", "member"), ("event", "event"), ("date", "day"), ("status", "status"),
                 ("previous_status", "before"), ("code", "code"), ("description", "words"))  # fmt: skip
_Columns: Mapping[str, Any] = {
    "member": fields.String(data_key="member_id", required=True, validate=validate.Length(max=64)),
    "event": fields.String(required=True, validate=validate.OneOf((SITUATION, ENROLLED, EXITED))),
    "day": Day(data_key="date", required=True, future=True),
    "status": fields.String(required=True, allow_none=True, validate=_STATUSES),
    "before": fields.String(data_key="previous_status", required=True, allow_none=True, validate=_STATUSES),
    "code": fields.String(required=True, allow_none=True),
    "words": fields.String(data_key="description", required=True, allow_none=True),
}
HousingChange: Final[type[Schema]] = Schema.from_dict(dict(_Columns), name="HousingChange")


def written(changes: Iterable[Change]) -> bytes:
    """The file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([name for name, _ in HEADER])
    writer.writerows([[getattr(one, field) for _, field in HEADER] for one in changes])
    return out.getvalue().encode()


def read_changes(stream: BinaryIO) -> Iterator[Change | Reject]:
    """What such a file says; raises nothing."""
    columns = Columns(HousingChange)
    for given in columns.rows(csv_lines(stream, look=Look(expects=columns.header))):
        if isinstance(given, Reject):
            yield given
        else:
            yield Change(**{field: given[1].get(field, "") for _, field in HEADER})
