"""docs/adt-mapping.md: which field of a hospital message becomes which FHIR element, from the tables that do it.

    python -m adapters.adt.mapping_page > docs/adt-mapping.md

A field that a row converts is read off the row; a field that needs more than a row names its function in NAMED, and
the rule is that function's docstring.
Refuses: a field that is read and that neither a row nor NAMED explains (LookupError): then nothing is printed.
"""

import csv
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from adapters.adt.fields import READ
from fhir_mappings.adt import in1_coverage, nk1_related_person, pid_patient, pv1_encounter
from fhir_mappings.adt.codes import SHIPPED
from fhir_mappings.adt.events import EVENTS
from fhir_mappings.adt.rows import Row

MODULES = (
    "member_keys",
    "pid_patient",
    "pv1_encounter",
    "in1_coverage",
    "nk1_related_person",
    "msh_provenance",
    "visit_fold",
    "visit",
    "dates",
    "datatypes",
)

# the FHIR element under which a table's rows stand, and the table
ROWS: tuple[tuple[str, Iterable[Row]], ...] = (
    ("Patient", pid_patient.PATIENT),
    ("Encounter.period", pv1_encounter.PERIOD),
    ("Encounter.hospitalization", pv1_encounter.HOSPITALIZATION),
    ("Coverage.period", in1_coverage.PERIOD),
    ("RelatedPerson", nk1_related_person.PERSON),
)

NAMED: Mapping[str, tuple[str, str]] = {
    "MSH-4": ("meta.source, Encounter.serviceProvider", "pv1_encounter.organization"),
    "MSH-9": ("Provenance.activity", "msh_provenance._activity"),
    "MSH-10": ("Provenance.entity.what.identifier", "msh_provenance._source"),
    "EVN-2": ("the order of a visit's messages (else MSH-7)", "visit_fold.in_order"),
    "EVN-6": ("Provenance.occurredDateTime (else EVN-2)", "visit_fold._occurred"),
    "PID-3": ("Patient.identifier (MR, MA)", "member_keys.mrn_of"),
    "PID-13": ("Patient.telecom", "pid_patient._telecom"),
    "PID-14": ("Patient.telecom", "pid_patient._telecom"),
    "PID-18": ("Encounter.identifier (VN) without PV1-19", "member_keys.visit_number"),
    "PID-29": ("Patient.deceasedDateTime", "pid_patient._deceased"),
    "PID-30": ("Patient.deceasedBoolean", "pid_patient._deceased"),
    "PID-40": ("Patient.telecom", "pid_patient._telecom"),
    "PV1-2": ("Encounter.class (table 0004); P: Encounter.status planned", "pv1_encounter._class"),
    "PV1-3": ("Encounter.location.location.display", "datatypes.place"),
    "PV1-4": ("Encounter.type (table 0007)", "pv1_encounter._type"),
    "PV1-19": ("Encounter.identifier (VN)", "member_keys.visit_number"),
    "PV2-3": ("Encounter.reasonCode.text", "pv1_encounter._words"),
    "NK1-1": ("RelatedPerson.identifier without NK1-2", "nk1_related_person.contact_key"),
    "NK1-3": ("RelatedPerson.relationship (table 0063)", "nk1_related_person.related_person"),
    "NK1-5": ("RelatedPerson.telecom", "nk1_related_person._telecom"),
    "NK1-6": ("RelatedPerson.telecom", "nk1_related_person._telecom"),
    "NK1-7": ("RelatedPerson.relationship (table 0131)", "nk1_related_person.related_person"),
    "NK1-40": ("RelatedPerson.telecom", "nk1_related_person._telecom"),
    "IN1-2": ("Coverage.class (plan); Coverage.payor.display without IN1-4", "in1_coverage.payer_name"),
    "IN1-3": ("Coverage.payor.identifier.value", "in1_coverage.payer_id"),
    "IN1-4": ("Coverage.payor.display", "in1_coverage.payer_name"),
    "IN1-8": ("Coverage.class (group), value", "in1_coverage._classes"),
    "IN1-9": ("Coverage.class (group), name", "in1_coverage._classes"),
    "IN1-15": ("Coverage.type (local table 0086)", "in1_coverage._type"),
    "IN1-17": ("Coverage.relationship (table 0063-subscriber)", "in1_coverage._relationship"),
    "IN1-36": ("Coverage.subscriberId, Coverage.identifier (MB)", "in1_coverage.member_number"),
    "IN1-49": ("Coverage.subscriberId, Coverage.identifier (MB)", "in1_coverage.member_number"),
    "DG1-3": ("Encounter.reasonCode.text", "pv1_encounter._reasons"),
    "DG1-4": ("Encounter.reasonCode.text", "pv1_encounter._reasons"),
}

HEAD = """# Hospital ADT to FHIR

Printed from the tables that do it (`python -m adapters.adt.mapping_page > docs/adt-mapping.md`); a test fails when
this page is stale. The mapping follows the HL7 v2-to-FHIR guide 1.0.0 where it says something, and US Core 6.1.0.
Modules and functions are in `fhir_mappings/adt/`. A field that is not here is not read; the raw message keeps it.

Empty fields leave what was known; `""` takes it away. A code without a row in its table parks the message as
`unmapped` (see the [runbook](runbook.md)); a local table of the same name (`HUB_CODE_TABLES_DIR`) adds or replaces
rows.

"""


def page() -> str:
    """The page as Markdown."""
    fields = _table(("field", "FHIR element", "how", "rule"), (_explained(place) for place in _places()))
    events = _table(("event", "name", "effect on the visit"), ((e, x.display, x.effect) for e, x in EVENTS.items()))
    parts = (
        HEAD,
        f"## Events\n\n{events}",
        f"## Fields\n\n{fields}",
        "## Rules of each part\n\n",
        *map(_rules, MODULES),
        "## Code tables\n\nAn empty target says: the code is known, and FHIR has none for it.\n\n",
        *map(_code_table, sorted(path.stem for path in SHIPPED.glob("*.csv"))),
    )
    return "".join(parts).rstrip() + "\n"


def _places() -> Iterator[str]:
    """Every field that is read, in the order of the reader's table."""
    yield from (place for place in NAMED if place.startswith("MSH"))
    for segment, numbers in READ.items():
        yield from (f"{segment}-{number}" for number in numbers)


def _explained(place: str) -> tuple[str, str, str, str]:
    """A line of the table of fields. Raises LookupError."""
    for parent, rows in ROWS:
        for row in rows:
            if row.where == place:
                return place, f"{parent}.{row.target}", _converter(row), _table_of(row)
    if place in _PARTICIPANTS:
        return place, _PARTICIPANTS[place], "`datatypes.practitioner`", _told("datatypes.practitioner")
    element, function = NAMED[place]
    return place, element, f"`{function}`", _told(function)


def _participants() -> Iterator[tuple[str, str]]:
    places = {name: f"PV1-{number}" for number, (name, _) in READ["PV1"].items()}
    for name, code, display in pv1_encounter.PARTICIPANTS:
        yield places[name], f"Encounter.participant ({code}, {display})"


_PARTICIPANTS = dict(_participants())


def _converter(row: Row) -> str:
    """`datatypes.date`; `datatypes.concept` for what that function made."""
    return f"`datatypes.{row.convert.__qualname__.partition('.')[0]}`"


def _table_of(row: Row) -> str:
    """The code table of a row's conversion, else what the conversion says of itself."""
    table = inspect.getclosurevars(row.convert).nonlocals.get("table")
    return f"table {table}" if table else _first(row.convert)


def _told(name: str) -> str:
    module, _, path = name.partition(".")
    found: Any = import_module(f"fhir_mappings.adt.{module}")
    for part in path.split("."):
        found = getattr(found, part)
    return _first(found)


def _first(documented: object) -> str:
    """The docstring's first paragraph as one line."""
    return " ".join((inspect.getdoc(documented) or "").partition("\n\n")[0].split())


def _rules(module: str) -> str:
    title, _, rest = (inspect.getdoc(import_module(f"fhir_mappings.adt.{module}")) or "").partition("\n\n")
    return f"### {' '.join(title.split())}\n\n`{module}.py`\n\n```text\n{rest.strip()}\n```\n\n"


def _code_table(name: str) -> str:
    with (SHIPPED / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        rows = [(r["code"], r["target"], r["display"], r["system"], r["source"]) for r in csv.DictReader(lines)]
    return f"### {name}\n\n{_table(('code', 'target', 'display', 'system', 'source'), rows)}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return (
        "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines) + "\n"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
