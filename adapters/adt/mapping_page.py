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
from fhir_mappings.adt import dg1_condition, in1_coverage, nk1_related_person, pid_patient, pv1_encounter
from fhir_mappings.adt.codes import SHIPPED
from fhir_mappings.adt.events import EVENTS
from fhir_mappings.adt.rows import Row
from fhir_mappings.adt.versions import VERSIONS

LONGEST = 100  # rows of a code table that are printed whole

MODULES = (
    "member_keys",
    "events",
    "visit_fold",
    "withdrawals",
    "visit_moves",
    "timeline",
    "merging",
    "person_fold",
    "person",
    "visit",
    "pid_patient",
    "pid_extensions",
    "pv1_encounter",
    "dg1_condition",
    "al1_allergy",
    "in1_coverage",
    "nk1_related_person",
    "rol_practitioner_role",
    "xcn_practitioner",
    "xon_organization",
    "pl_location",
    "directory",
    "protection",
    "msh_provenance",
    "dates",
    "datatypes",
    "cwe_codings",
    "facilities",
)

# the FHIR element under which a table's rows stand, and the table
ROWS: tuple[tuple[str, Iterable[Row]], ...] = (
    ("Patient", (*pid_patient.PATIENT, *pid_patient.EXTENSIONS)),
    ("Encounter", (*pv1_encounter.ENCOUNTER, *pv1_encounter.PLANS)),
    ("Encounter.period", pv1_encounter.PERIOD),
    ("Encounter.hospitalization", pv1_encounter.HOSPITALIZATION),
    ("Coverage.period", in1_coverage.PERIOD),
    ("RelatedPerson", nk1_related_person.PERSON),
    ("Condition", dg1_condition.WHEN),
    ("Encounter.diagnosis", dg1_condition.USE),
)

_ROLE = "Encounter.participant, Patient.generalPractitioner (PP, FHCP)"

NAMED: Mapping[str, tuple[str, str]] = {
    "MSH-4": ("meta.source, Encounter.serviceProvider", "xon_organization.facility_organization"),
    "MSH-9": ("Provenance.activity", "msh_provenance._activity"),
    "MSH-10": ("Provenance.entity.what.identifier", "msh_provenance._source"),
    "MSH-12": ("which components a field may have", "versions"),
    "MSH-13": ("the order of messages of one moment", "visit_fold._order"),
    "EVN-2": ("Provenance.occurred; the order of messages (else MSH-7)", "visit_fold.in_order"),
    "EVN-6": ("Provenance.occurredPeriod.start; when moves happened", "msh_provenance._occurred"),
    "EVN-7": ("the label 42CFRPart2", "facilities.Facilities.guarded"),
    "PID-2": ("Patient.identifier (MR, MA) without PID-3", "member_keys._all_ids"),
    "PID-3": ("Patient.identifier (MR, MA)", "member_keys.mrn_of"),
    "PID-4": ("Patient.identifier (MR, MA) without PID-3", "member_keys._all_ids"),
    "PID-5": ("Patient.name", "pid_patient._names"),
    "PID-9": ("Patient.name", "pid_patient._names"),
    "PID-11": ("Patient.address", "pid_patient._addresses"),
    "PID-12": ("Patient.address.district", "pid_patient._addresses"),
    "PID-13": ("Patient.telecom", "pid_patient._telecom"),
    "PID-14": ("Patient.telecom", "pid_patient._telecom"),
    "PID-18": ("Encounter.identifier (VN) without PV1-19", "member_keys.visit_number"),
    "PID-24": ("Patient.multipleBirthBoolean", "pid_patient._births"),
    "PID-25": ("Patient.multipleBirthInteger", "pid_patient._births"),
    "PID-29": ("Patient.deceasedDateTime", "pid_patient._deceased"),
    "PID-30": ("Patient.deceasedBoolean", "pid_patient._deceased"),
    "PID-40": ("Patient.telecom", "pid_patient._telecom"),
    "PD1-3": ("Patient.generalPractitioner (Organization)", "pid_patient._general_practitioners"),
    "PD1-4": ("Patient.generalPractitioner (Practitioner)", "pid_patient._general_practitioners"),
    "PD1-12": ("meta.security of what the feed tells of the person", "protection.of_the_person"),
    "PV1-2": ("Encounter.class, classHistory (table 0004); P: status planned", "visit_moves._classed"),
    "PV1-3": ("Encounter.location", "pl_location.location"),
    "PV1-4": ("Encounter.type (table 0007)", "pv1_encounter._type"),
    "PV1-6": ("Encounter.location (completed)", "visit_moves._transfer"),
    "PV1-11": ("Encounter.location (for a while)", "timeline.away"),
    "PV1-19": ("Encounter.identifier (VN)", "member_keys.visit_number"),
    "PV1-50": ("Encounter.identifier", "pv1_encounter._alternate"),
    "PV1-42": ("Encounter.location (reserved)", "visit_moves._depart"),
    "PV2-22": ("meta.security of Encounter and Condition", "protection.of_the_visit"),
    "PV2-3": ("Encounter.reasonCode", "pv1_encounter._reasons"),
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
    "IN2-8": ("Coverage.subscriberId, Patient.identifier (MA)", "in1_coverage.member_number"),
    "IN2-61": ("Coverage.subscriberId, Coverage.identifier (MB)", "in1_coverage.member_number"),
    "IN2-72": ("Coverage.relationship (table 0344)", "in1_coverage._relationship"),
    "DG1-2": ("Condition.code (coding system without DG1-3.3)", "dg1_condition._code"),
    "DG1-3": ("Condition.code, Encounter.diagnosis.condition", "dg1_condition._code"),
    "DG1-4": ("Condition.code.text", "dg1_condition._code"),
    "DG1-15": ("Encounter.diagnosis.rank", "dg1_condition._rank"),
    "DG1-16": ("Condition.asserter", "xcn_practitioner.practitioner"),
    "DG1-21": ("Condition.verificationStatus", "dg1_condition._is_error"),
    "AL1-2": ("AllergyIntolerance.type, category (0127-type, -category)", "al1_allergy._code"),
    "AL1-3": ("AllergyIntolerance.code", "cwe_codings.coded_or_own"),
    "AL1-4": (
        "AllergyIntolerance.criticality, reaction.severity (0128-criticality, -severity)",
        "al1_allergy._code",
    ),
    "AL1-5": ("AllergyIntolerance.reaction.manifestation.text", "al1_allergy._reactions"),
    "AL1-6": ("AllergyIntolerance.onsetDateTime", "datatypes.date_time"),
    "IAM-2": ("AllergyIntolerance.type, category (0127-type, -category)", "al1_allergy._code"),
    "IAM-3": ("AllergyIntolerance.code", "cwe_codings.coded_or_own"),
    "IAM-4": (
        "AllergyIntolerance.criticality, reaction.severity (0128-criticality, -severity)",
        "al1_allergy._code",
    ),
    "IAM-5": ("AllergyIntolerance.reaction.manifestation.text", "al1_allergy._reactions"),
    "IAM-6": ("AllergyIntolerance.clinicalStatus", "person_fold._actions"),
    "IAM-7": ("AllergyIntolerance.identifier", "al1_allergy.allergies"),
    "IAM-11": ("AllergyIntolerance.onsetDateTime", "datatypes.date_time"),
    "IAM-13": ("AllergyIntolerance.recordedDate", "datatypes.date_time"),
    "IAM-17": ("AllergyIntolerance.clinicalStatus, verificationStatus (0438)", "al1_allergy._statuses"),
    "ROL-2": (_ROLE, "rol_practitioner_role._standing"),
    "ROL-3": (f"{_ROLE}, by table 0443", "rol_practitioner_role.participants"),
    "ROL-4": ("Practitioner", "xcn_practitioner.practitioner"),
    "ROL-5": ("Encounter.participant.period.start", "timeline.period"),
    "ROL-6": ("Encounter.participant.period.end", "timeline.period"),
    "ROL-12": ("PractitionerRole.telecom", "rol_practitioner_role._reference"),
    "ROL-14": ("PractitionerRole.organization", "xon_organization.organization"),
    "PRT-2": (_ROLE, "rol_practitioner_role._standing"),
    "PRT-4": (f"{_ROLE}, by table 0443", "rol_practitioner_role.participants"),
    "PRT-5": ("Practitioner", "xcn_practitioner.practitioner"),
    "PRT-8": ("PractitionerRole.organization", "xon_organization.organization"),
    "PRT-11": ("Encounter.participant.period.start", "timeline.period"),
    "PRT-12": ("Encounter.participant.period.end", "timeline.period"),
    "PRT-15": ("PractitionerRole.telecom", "rol_practitioner_role._reference"),
    "MRG-1": ("the person that the one of PID takes in", "member_keys.merge_keys"),
    "MRG-4": ("the person that the one of PID takes in", "member_keys.merge_keys"),
}

HEAD = """# Hospital ADT to FHIR

Printed from the tables that do it (`python -m adapters.adt.mapping_page > docs/adt-mapping.md`); a test fails when
this page is stale. The mapping follows the HL7 v2-to-FHIR guide 1.0.0 where it says something, and US Core 6.1.0.
Modules and functions are in `fhir_mappings/adt/`. A field that is not here is not read, and Z segments are not: the
inbox keeps every message as it came, byte for byte (`hub inbox show`), and a later mapping can read it from there.

Empty fields leave what was known; `""` takes it away. A code without a row in its table parks the message as
`unmapped` (see the [runbook](runbook.md)); a local table of the same name (`HUB_CODE_TABLES_DIR`) adds or replaces
rows.

"""


def page() -> str:
    """The page as Markdown."""
    fields = _table(("field", "FHIR element", "how", "rule"), (_explained(place) for place in _places()))
    heads = ("event", "name", "about", "effect", "takes back")
    events = _table(heads, ((e, x.display, x.scope, x.effect, " ".join(x.withdraws)) for e, x in EVENTS.items()))
    versions = _table(("MSH-12", "read"), VERSIONS.items())
    parts = (
        HEAD,
        f"## Events\n\n{events}",
        f"## Versions\n\n{versions}",
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
                return place, _element(parent, row), _converter(row), _table_of(row)
    if place in _PARTICIPANTS:
        return (
            place,
            _PARTICIPANTS[place],
            "`xcn_practitioner.practitioner`",
            _told("xcn_practitioner.practitioner"),
        )
    element, function = NAMED[place]
    return place, element, f"`{function}`", _told(function)


def _participants() -> Iterator[tuple[str, str]]:
    places = {name: f"PV1-{number}" for number, (name, _) in READ["PV1"].items()}
    for name, code, display in pv1_encounter.PARTICIPANTS:
        yield places[name], f"Encounter.participant ({code}, {display})"


_PARTICIPANTS = dict(_participants())


def _element(parent: str, row: Row) -> str:
    """`Patient.gender`; an extension by the end of its URL."""
    is_extension = row.target.startswith("http")
    return f"{parent}.extension ({row.target.rpartition('/')[2]})" if is_extension else f"{parent}.{row.target}"


def _converter(row: Row) -> str:
    """`datatypes.date`; `datatypes.concept` for what that function made."""
    module = row.convert.__module__.rpartition(".")[2]
    return f"`{module}.{row.convert.__qualname__.partition('.')[0]}`"


def _table_of(row: Row) -> str:
    """The code table of a row's conversion, else what the conversion says of itself."""
    table = inspect.getclosurevars(row.convert).nonlocals.get("table")
    return f"table {table}" if table else _first(row.convert)


def _told(name: str) -> str:
    module, _, path = name.partition(".")
    found: Any = import_module(f"fhir_mappings.adt.{module}")
    for part in filter(None, path.split(".")):
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
    shown = rows if len(rows) <= LONGEST else rows[:10]
    more = (
        "" if shown is rows else f"{len(rows)} rows; these are the first. The others: `code_tables/{name}.csv`.\n\n"
    )
    return f"### {name}\n\n{more}{_table(('code', 'target', 'display', 'system', 'source'), shown)}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return (
        "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines) + "\n"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
