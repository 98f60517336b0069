"""The same facts as the status record, as FHIR: NDJSON, or a Bundle.

Rules: https://hl7.org/fhir/R4/nd-json.html; docs/county-bh.md "Status records as FHIR". A Patient says who a
client is; an EpisodeOfCare is an open or closed episode, a ServiceRequest a screening (draft) or referral; each
becomes the row that a CSV would have had, and is judged by the same schema. `meta.lastUpdated` is the day of the
statement; 42CFRPart2 among the labels says that the program is one, other labels without it that it is none, no
label nothing. Whom a resource is about is said by the client number (`patient.identifier`), or by a reference to
a Patient that stands before it in the file.
Refuses: other types of resources, statuses that the record does not know, resources about nobody in the file.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from marshmallow import Schema

from adapters.county_bh.cells import Cin, text
from adapters.county_bh.reading import Values, columns_of, in_part, key_of, part_of
from adapters.county_bh.status_rows import StatusSchema, status_rows
from adapters.files.archives import Member
from adapters.files.cells import Day
from adapters.files.columns import Columns
from adapters.files.lines import Line
from adapters.files.tables import ndjson_lines
from fhir_mappings.county_bh.elements import COUNTY_SYSTEM, LEVEL_OF_CARE_EXTENSION
from fhir_mappings.county_bh.labels import PART2
from hub.feeds.records import PERSON, Feed, Given, Reject, Row
from hub.fhir.systems import ACT_CODE, CIN_SYSTEM, ICD_10_CM, US_NPI

CLIENT = "client"
LARGEST_BUNDLE = 64 << 20  # bytes
SUFFIXES = (".json", ".ndjson")
EPISODE = {"active": "open", "onhold": "open", "finished": "closed", "entered-in-error": "open"}
REQUEST = {"draft": "screened", "active": "referred", "completed": "referred", "entered-in-error": "referred"}
_PATIENT = re.compile(r"(?:.*/)?(Patient/[A-Za-z0-9.-]{1,64})(?:/_history/.*)?\Z")
Resource = Mapping[str, Any]
Cells = dict[str, str]


class ClientSchema(Schema):
    county_client_number = text(64, required=True)
    cin = Cin()
    last = text(100)
    first = text(100)
    dob = Day()
    as_of = Day(required=True)


@dataclass(slots=True)
class _File:
    """What is remembered of a file: the client numbers of its Patients, by every name they have in it."""

    feed: Feed
    status: Columns
    client: Columns
    numbers: dict[str, str] = field(default_factory=dict)


def fhir_rows(member: Member, path: Path, feed: Feed) -> Iterator[Given]:
    part = part_of(member, path)
    file = _File(feed, columns_of(StatusSchema, Feed("", "", "")), columns_of(ClientSchema, Feed("", "", "")))
    for number, resource, url in _resources(member):
        if isinstance(resource, Reject):
            yield in_part(resource, part)
        else:
            yield from _given(file, number, resource, url, part)


def _resources(member: Member) -> Iterator[tuple[int, Resource | Reject, str]]:
    """(line or place, resource, fullUrl)"""
    with member.open() as stream:
        if member.key.endswith(".json"):
            yield from _of_bundle(stream.read(LARGEST_BUNDLE + 1))
            return
        for line in ndjson_lines(stream):
            if isinstance(line, Reject):
                yield line.line, line, ""
            else:
                yield line.number, line.cells, ""


def _of_bundle(content: bytes) -> Iterator[tuple[int, Resource | Reject, str]]:
    try:
        bundle = msgspec.json.decode(content, type=dict[str, Any]) if len(content) <= LARGEST_BUNDLE else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        bundle = {}
    if bundle is None:
        what = f"A Bundle of more than {LARGEST_BUNDLE} bytes is sent as NDJSON."
        yield 0, Reject("UNSUPPORTED", what=what, whole=True), ""
        return
    entries = bundle.get("entry") if bundle.get("resourceType") == "Bundle" else None
    if not isinstance(entries, list):
        yield 0, Reject("FORMAT", what="The file is no Bundle with entries.", whole=True), ""
        return
    for place, entry in enumerate(entries, 1):
        entry = entry if isinstance(entry, dict) else {}
        yield place, _dict(entry.get("resource")), _text(entry.get("fullUrl"))


def _given(file: _File, number: int, resource: Resource, url: str, part: str) -> Iterator[Given]:
    kind = resource.get("resourceType")
    if kind == "Patient":
        cells = _client(file, resource, url)
        yield from _judged(file.client, cells, number, part, _client_rows)
    elif kind in ("EpisodeOfCare", "ServiceRequest"):
        cells = _status(file, resource)
        yield from _judged(file.status, cells, number, part, status_rows)
    else:
        what = "A Patient, an EpisodeOfCare or a ServiceRequest is taken here."
        yield Reject("UNSUPPORTED", number, "resourceType", what, part)


def _judged(columns: Columns, cells: Cells, number: int, part: str, rows: Any) -> Iterator[Given]:
    found = columns.row(Line(number, cells))
    if isinstance(found, list):
        yield from (in_part(one, part) for one in found)
    else:
        yield from rows(found, number, part)


def _client_rows(values: Values, line: int, part: str) -> Iterator[Row]:
    client = values["county_client_number"]
    yield Row(CLIENT, key_of(client, values["as_of"]), client, values, line, PERSON, part)


def _client(file: _File, patient: Resource, url: str) -> Cells:
    name = next(iter(_dicts(patient.get("name"))), {})
    cin_system = str(file.feed.options.get("cin_system") or CIN_SYSTEM)
    number = _identifier(patient, file.feed.system)
    for known in (f"Patient/{patient['id']}" if patient.get("id") else "", url):
        if known:
            file.numbers[known] = number
    given = name.get("given")
    return {
        "county_client_number": number,
        "cin": _identifier(patient, cin_system),
        "last": _text(name.get("family")),
        "first": _text(given[0]) if isinstance(given, list) and given else "",
        "dob": _text(patient.get("birthDate")),
        "as_of": _as_of(patient),
    }


def _status(file: _File, resource: Resource) -> Cells:
    is_episode = resource["resourceType"] == "EpisodeOfCare"
    about = _dict(resource.get("patient" if is_episode else "subject"))
    said = _text(resource.get("status"))
    shared = {
        "county_client_number": _number(file, about),
        "cin": "", "last": "", "first": "", "dob": "",
        "episode_id": _identifier(resource, ""),
        "part2_program": _part2(resource),
        "as_of": _as_of(resource),
        "deleted": "Y" if said == "entered-in-error" else "N",
    }  # fmt: skip
    more = _episode(resource) if is_episode else _request(resource)
    return {**shared, **more, "status": (EPISODE if is_episode else REQUEST).get(said, said or "none")}


def _episode(resource: Resource) -> Cells:
    period = _dict(resource.get("period"))
    return {
        "system": _system(_dicts(resource.get("type"))),
        "open_date": _text(period.get("start"))[:10],
        "close_date": _text(period.get("end"))[:10],
        "provider_org_npi": _npi(resource.get("managingOrganization")),
        "level_of_care": _level(resource),
        "diagnosis": " ".join(_diagnoses(resource)),
    }


def _request(resource: Resource) -> Cells:
    performers = _dicts(resource.get("performer"))
    return {
        "system": _system([_dict(resource.get("code"))]),
        "open_date": _text(resource.get("authoredOn"))[:10],
        "close_date": "",
        "provider_org_npi": _npi(performers[0]) if performers else "",
    }


def _number(file: _File, about: Resource) -> str:
    """Empty where nobody is named: the schema refuses the row then."""
    identifier = _dict(about.get("identifier"))
    if identifier.get("system") == file.feed.system:
        return _text(identifier.get("value"))
    reference = _text(about.get("reference"))
    literal = _PATIENT.match(reference)
    return file.numbers.get(reference) or (file.numbers.get(literal[1], "") if literal else "")


def _system(concepts: list[Resource]) -> str:
    codings = (coding for concept in concepts for coding in _dicts(concept.get("coding")))
    return next((_text(one.get("code")) for one in codings if one.get("system") == COUNTY_SYSTEM), "")


def _part2(resource: Resource) -> str:
    labels = [one.get("code") for one in _dicts(_dict(resource.get("meta")).get("security"))
              if one.get("system") == ACT_CODE]  # fmt: skip
    return "Y" if PART2 in labels else "N" if labels else ""


def _level(resource: Resource) -> str:
    extensions = _dicts(resource.get("extension"))
    return next(
        (_text(one.get("valueString")) for one in extensions if one.get("url") == LEVEL_OF_CARE_EXTENSION), ""
    )


def _diagnoses(resource: Resource) -> Iterator[str]:
    """Codes of the Conditions that are contained."""
    for condition in _dicts(resource.get("contained")):
        for coding in _dicts(_dict(condition.get("code")).get("coding")):
            if condition.get("resourceType") == "Condition" and coding.get("system") == ICD_10_CM:
                yield _text(coding.get("code"))


def _npi(reference: Any) -> str:
    identifier = _dict(_dict(reference).get("identifier"))
    return _text(identifier.get("value")) if identifier.get("system") == US_NPI else ""


def _identifier(resource: Resource, system: str) -> str:
    """The first value of this system, or of any."""
    found = _dicts(resource.get("identifier"))
    return next((_text(one.get("value")) for one in found if not system or one.get("system") == system), "")


def _as_of(resource: Resource) -> str:
    return _text(_dict(resource.get("meta")).get("lastUpdated"))[:10]


def _dict(node: Any) -> Resource:
    return node if isinstance(node, dict) else {}


def _dicts(node: Any) -> list[Resource]:
    return [one for one in node if isinstance(one, dict)] if isinstance(node, list) else []


def _text(node: Any) -> str:
    return node if isinstance(node, str) else ""
