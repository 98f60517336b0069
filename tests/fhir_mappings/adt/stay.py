"""The configuration and the shortcuts that the ADT tests share."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.adt.message import parse
from fhir_mappings.adt.codes import CodeTables
from fhir_mappings.adt.facilities import Facilities
from fhir_mappings.adt.records import AdtMessage
from fhir_mappings.adt.visit import NOBODY, KnownMember, person_bundle, visit_bundle
from tests.fhir_mappings.adt.factory import adt

MESSAGES = Path(__file__).parent / "messages"
CIN_SYSTEM = "https://hub.example/id/cin"
ROWS = [
    {
        "facility": code,
        "name": f"Sample Hospital {code}",
        "mrn_system": f"https://{code.lower()}.example/id/mrn",
        "visit_system": f"https://{code.lower()}.example/id/visit",
        "time_zone": "America/Los_Angeles",
        "npi": "1234567893",
    }
    for code in ("SMC", "NVH", "CVMC")
]
FACILITIES = Facilities.load(ROWS)
SMC = FACILITIES.of("SMC")
TABLES = CodeTables.load()
ARRIVAL = datetime(2026, 11, 22, 16, 16, 0, 123000, tzinfo=UTC)


def message(event: str = "A01", control_id: str = "MSG00001", **arguments: Any) -> AdtMessage:
    return parse(adt(event, control_id, **arguments))


def fixture(name: str) -> AdtMessage:
    return parse((MESSAGES / f"{name}.hl7").read_bytes())


def bundle(
    messages: Iterable[AdtMessage], known: KnownMember = NOBODY, tables: CodeTables = TABLES
) -> dict[str, Any]:
    sent = list(messages)
    facility = FACILITIES.of(sent[0].facility)
    return visit_bundle(sent, known, facility, tables, CIN_SYSTEM, told=[(sent[-1], ARRIVAL)])


def person(messages: Iterable[AdtMessage], known: KnownMember = NOBODY) -> dict[str, Any]:
    """The transaction for the last of these messages, which are about the person only."""
    sent = list(messages)
    facility = FACILITIES.of(sent[0].facility)
    return person_bundle(sent, known, facility, TABLES, CIN_SYSTEM, latest=sent[-1], recorded=ARRIVAL)


def entries(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry for entry in found["entry"] if entry["resource"]["resourceType"] == kind]


def resources(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in entries(found, kind)]


def one(found: dict[str, Any], kind: str) -> dict[str, Any]:
    (resource,) = resources(found, kind)
    return resource


def mapped(kind: str, event: str = "A01", **arguments: Any) -> dict[str, Any]:
    """The one resource of a type that one message gives."""
    return one(bundle([message(event, **arguments)]), kind)
