"""CalOMS-style rows -> who the program says it is.

Rules: status_person. A file that names its clients is the source of these persons; one that has numbers alone is
about clients whom the county's status records brought. CID-3 tells a gender: 1 and 2 are an administrative gender,
too; the others are left out, for they do not say one. That somebody is a client of a program is told to nobody.
"""

from collections.abc import Mapping

from fhir_mappings.county_bh.status_person import CLIENT_NUMBER, person
from hub.feeds.records import Said, Subject

GENDER: Mapping[str, str] = {"1": "male", "2": "female"}  # CID-3


def caloms_person(subject: Subject) -> Said | None:
    newest = sorted(subject.rows, key=lambda row: str(row.values.get("record_date", "")), reverse=True)
    if not any(row.values.get("last") for row in newest):
        return None
    found = person(subject.feed, newest, is_part2=True)
    said = (GENDER.get(str(row.values.get("gender") or "")) for row in newest)
    if gender := next(filter(None, said), None):
        found.patient["gender"] = gender
    return found


def caloms_about(subject: Subject) -> str | None:
    """The client number."""
    return next((str(row.values[CLIENT_NUMBER]) for row in subject.rows), None)
