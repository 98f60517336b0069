"""A CalOMS-style file of a substance use program, record by record.

Rules: docs/county-bh.md "CalOMS-style records". The code values are those of the CalOMS Tx data dictionary; how the
state's own file is laid out is not published, so these columns are the hub's own and a deployment maps its own onto
them (`columns` of the feed).
Refuses: records without client, type, day or day of admission. Codes are judged by the mapping (Unmapped).
"""

from collections.abc import Iterator
from typing import Any

from marshmallow import Schema, validates_schema

from adapters.county_bh.cells import Cin, Codes, Npi, text
from adapters.county_bh.reading import Values, key_of
from adapters.files.cells import Day, Refused
from hub.feeds.records import PERSON, Row

KIND = "caloms"


def _code() -> Any:
    return text(8)


class CalomsSchema(Schema):
    record_type = text(8, required=True)  # TRN-1
    record_date = Day(required=True)
    county_client_number = text(64, required=True)
    cin = Cin()
    last = text(100)
    first = text(100)
    dob = Day()
    gender = _code()  # CID-3
    provider_org_npi = Npi(required=True, allow_none=True)
    episode_id = text(64)
    admission_date = Day(required=True)
    discharge_date = Day()
    service_type = _code()  # ADM-4
    referral_source = _code()  # ADM-5
    primary_drug = _code()  # ADU-1a
    primary_drug_route = _code()  # ADU-3
    living_arrangement = _code()  # SOC-2
    employment = _code()  # EMP-1
    criminal_justice = _code()  # LEG-1
    medication = _code()  # MED-7
    pregnant = _code()  # MED-5
    disability = Codes()  # CID-18
    ed_visits = _code()  # MED-2
    mental_health_ed_visits = _code()  # MHD-2
    psychiatric_days = _code()  # MHD-3
    discharge_status = _code()  # DIS-2

    @validates_schema
    def days(self, data: dict[str, Any], **_: Any) -> None:
        discharged = data.get("discharge_date")
        if discharged and discharged < data["admission_date"]:
            raise Refused("DATE", "The discharge_date is before the admission_date.", "discharge_date")


def caloms_rows(values: Values, line: int, part: str) -> Iterator[Row]:
    client = values["county_client_number"]
    named = ("provider_org_npi", "episode_id", "admission_date", "record_type", "record_date")
    yield Row(KIND, key_of(client, *(values.get(name) for name in named)), client, values, line, PERSON, part)
