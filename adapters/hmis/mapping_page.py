"""docs/hmis-mapping.md: what becomes of each column of an HMIS export, from the tables that do it.

    python -m adapters.hmis.mapping_page > docs/hmis-mapping.md

Refuses: a column that neither MAPPED nor KEPT explains, or that both do (LookupError): then nothing is printed.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Final

from adapters.hmis.columns import FILES, Column, key_of
from fhir_mappings.hmis.code_lists import LISTS, NAMES
from fhir_mappings.hmis.homelessness_rules import RULES
from fhir_mappings.hmis.labels import SENSITIVE

EVERYWHERE: Final[Mapping[str, str]] = {
    "DateCreated": "kept",
    "DateUpdated": "the day on which a row speaks: of a planned exit, of the evidence of homelessness",
    "UserID": "kept: who typed it in is nobody's business outside HMIS",
    "DateDeleted": "`status` entered-in-error, or inactive",
    "ExportID": "left off: another one in each export",
    "PersonalID": "whose row it is; `Patient.identifier` in HMIS' own record",
    "EnrollmentID": "to which enrolment it belongs; `EpisodeOfCare.identifier`",
    "DataCollectionStage": "kept: the date says when",
}
_EVIDENCE = "evidence of homelessness (below)"
_QUALITY = "how much the match believes it (`data-quality` on name, birth date, SSN)"
MAPPED: Final[Mapping[str, Mapping[str, str]]] = {
    "Export": {
        "CSVVersion": "the year decides which columns there are",
        "ExportDirective": "2 (full) of a reporting period replaces what was there",
        "ExportPeriodType": "2 (full) of a reporting period replaces what was there",
        "HashStatus": "how names are hashed",
        "ImplementationID": "must be that of the feed, where the feed says it",
        "ExportDate": "checked",
    },
    "Organization": {
        "OrganizationID": "`Organization.identifier`",
        "OrganizationName": "`Organization.name`",
        "OrganizationCommonName": "`Organization.alias`",
        "VictimServiceProvider": "1: no address of its projects, and the label SDV on all that they write",
    },
    "Project": {
        "ProjectID": "`Location.identifier`; the extension `hmis-project` of `EpisodeOfCare`",
        "OrganizationID": "`Location.managingOrganization`, `EpisodeOfCare.managingOrganization`",
        "ProjectName": "`Location.name`",
        "OperatingEndDate": "`Location.status`",
        "ProjectType": f"`Location.type`, `EpisodeOfCare.type`; {_EVIDENCE}",
        "TargetPopulation": "1: SDV, and no address; 3: HIV, on all that the project writes",
    },
    "ProjectCoC": {
        "ProjectID": "whose address it is",
        **dict.fromkeys(("Address1", "Address2", "City", "State", "Zip"), "`Location.address` unless confidential"),
    },
    "Client": {
        **dict.fromkeys(("FirstName", "MiddleName", "LastName", "NameSuffix"), "`Patient.name`"),
        **dict.fromkeys(("NameDataQuality", "SSNDataQuality", "DOBDataQuality"), _QUALITY),
        "SSN": "the last four digits, for the match",
        "DOB": "`Patient.birthDate`",
        **dict.fromkeys(
            ("Sex", "Woman", "Man", "NonBinary", "CulturallySpecific", "Transgender", "Questioning",
             "DifferentIdentity", "GenderNone"),
            "`Patient.gender`",
        ),
        **dict.fromkeys(
            ("AmIndAKNative", "Asian", "BlackAfAmerican", "MidEastNAfrican", "NativeHIPacific", "White", "RaceNone",
             "AdditionalRaceEthnicity"),
            "`us-core-race`",
        ),
        **dict.fromkeys(("HispanicLatinao", "HispanicLatinaeo"), "`us-core-ethnicity`"),
        "VeteranStatus": "`Observation` veteran-status",
    },
    "Enrollment": {
        "ProjectID": "which project",
        "EntryDate": "`EpisodeOfCare.period.start`",
        "LivingSituation": f"`Observation` prior-living-situation; {_EVIDENCE}",
        **dict.fromkeys(
            ("PreviousStreetESSH", "DateToStreetESSH", "TimesHomelessPastThreeYears",
             "MonthsHomelessPastThreeYears", "DisablingCondition", "MoveInDate"),
            _EVIDENCE,
        ),
    },
    "Exit": {
        "ExitDate": "`EpisodeOfCare.period.end`, `status` finished",
        "Destination": f"`Observation` exit-destination; {_EVIDENCE}",
    },
    "IncomeBenefits": {
        "InformationDate": "the latest counts",
        "Medicaid": "`Observation` medicaid-reported: no Coverage",
    },
    "HealthAndDV": {
        "InformationDate": "the latest counts",
        "DomesticViolenceSurvivor": "`Observation` domestic-violence, SDV",
        "WhenOccurred": "its component",
        "CurrentlyFleeing": f"its component; {_EVIDENCE}",
    },
    "Disabilities": {
        "InformationDate": "the latest of each type counts",
        "DisabilityType": "`Observation.code`, one a client and type; labels HIV, PSY, SUD",
        "DisabilityResponse": "its value",
        "IndefiniteAndImpairs": "its component",
    },
    "Services": {"RecordType": f"200, a bed night: {_EVIDENCE}", "DateProvided": f"of a bed night: {_EVIDENCE}"},
    "CurrentLivingSituation": {
        "InformationDate": "`Observation.effectiveDateTime`",
        "CurrentLivingSituation": f"`Observation` current-living-situation; {_EVIDENCE}",
        **dict.fromkeys(
            ("LeaveSituation14Days", "SubsequentResidence", "ResourcesToObtain", "LeaseOwn60Day", "MovedTwoOrMore"),
            _EVIDENCE,
        ),
    },
    "Assessment": {
        "AssessmentDate": "`Observation.effectiveDateTime`",
        "AssessmentType": "`Observation` assessment, component",
        "AssessmentLevel": "`Observation` assessment, component",
        "PrioritizationStatus": "`Observation` assessment, value",
    },
    "AssessmentResults": {
        "AssessmentID": "which assessment",
        "AssessmentResultType": "component of the assessment",
        "AssessmentResult": "component of the assessment",
    },
    "Event": {
        "EventDate": "`ServiceRequest.authoredOn`, `Task.executionPeriod.start`",
        "Event": "`ServiceRequest.code`; 2 has no Task",
        "ReferralResult": "`ServiceRequest.status`, `Task.status`, `businessStatus`, `statusReason`",
        "ResultDate": "`Task.executionPeriod.end`",
    },
}  # fmt: skip
# why nothing becomes of the other columns of a file: they are kept as rows, as their source said them
KEPT: Final[Mapping[str, str]] = {
    "Export": "read, and not kept: it is of one export",
    "Organization": "",
    "User": "names of staff: nobody outside HMIS asked for them",
    "Project": "says what HUD pays for and counts, not where somebody stays",
    "ProjectCoC": "geography for HUD's reports",
    "Funder": "who pays says nothing of a member",
    "Inventory": "beds of a project: no member's",
    "Affiliation": "projects among each other: for HUD's reports",
    "HMISParticipation": "what a project reports: no member's",
    "CEParticipation": "what a project does in Coordinated Entry: no member's",
    "Client": "military history and free words on identity: no use for ECM was named, and they are sensitive",
    "Enrollment": "household, and elements of single HUD programs (PATH, RHY, SSVF, HOPWA): no use for ECM was "
    "named, and much is about others, or sensitive (orientation, prison, sex offence)",
    "Exit": "elements of RHY and HOPWA at exit, some of exploitation: sensitive, and no use for ECM was named",
    "IncomeBenefits": "amounts and sources of income: no use for ECM was named",
    "HealthAndDV": "health as the client rates it, pregnancy: no use for ECM was named",
    "EmploymentEducation": "no use for ECM was named",
    "Disabilities": "T-cell counts, viral loads and therapy of HIV: laboratories say it better",
    "Services": "services and money of single HUD programs: no use for ECM was named",
    "CurrentLivingSituation": "who verified it, and where exactly somebody can be found: free text",
    "Assessment": "where it was made: free text",
    "AssessmentQuestions": "questions and answers of each CoC's own: nothing tells what is sensitive in them",
    "AssessmentResults": "",
    "Event": "outcome of problem solving, and where the housing is: free text, and a place to be found at",
    "YouthEducationStatus": "no use for ECM was named",
}
MODULES: Final = (
    "subjects", "client_rows", "client_patient", "enrollment_episode", "living_situation", "disability",
    "domestic_violence", "client_facts", "assessment", "event_referral", "project_directory", "homelessness_rules",
    "homelessness_evidence", "homelessness_observation", "imminent_loss", "release_consent", "housing_changes",
    "labels", "code_lists", "observations", "systems",
)  # fmt: skip
HEAD = """# HMIS to FHIR

Printed from the tables that do it (`python -m adapters.hmis.mapping_page > docs/hmis-mapping.md`); a test fails
when this page is stale. How a feed is connected, and who gets what: [hmis.md](hmis.md). Modules and functions are
in `fhir_mappings/hmis/`.

Every column of the 24 files is read, checked and kept as its source said it. *Kept, not mapped* says that nothing
becomes of it in FHIR, and why: a later mapping can read it from there, without another export. The first column of
a file names a row for ever.

"""


def page() -> str:
    """The page as Markdown. Raises LookupError."""
    return (
        HEAD
        + "## Columns of every file\n\n"
        + _table(("column", "becomes"), ((f"`{name}`", said) for name, said in EVERYWHERE.items()))
        + "## Files\n\n"
        + "".join(_file(file, found) for file, found in FILES.items())
        + "## Evidence of homelessness\n\nWhat decides between them: `homelessness_evidence.py`, below.\n\n"
        + _table(("rule", "file", "evidence of", "the client"), _rules())
        + "## Codes that are sensitive\n\n"
        + _table(("list", "code", "words", "label"), _sensitive())
        + "## Code lists\n\nThe codes themselves: `fhir_mappings/hmis/code_lists.csv`.\n\n"
        + _table(("list", "name", "codes"), ((key, NAMES[key], str(len(codes))) for key, codes in LISTS.items()))
        + "## Rules of each part\n\n"
        + "".join(map(_module, MODULES))
    ).rstrip() + "\n"


def _file(file: str, found: Iterable[Column]) -> str:
    mapped = MAPPED.get(file, {})
    own = [column for column in found if column.name not in EVERYWHERE or column.name in mapped]
    told = [(_named(column), mapped[column.name]) for column in own if column.name in mapped]
    left = [column for column in own if column.name not in mapped and column.name != key_of(file)]
    if unknown := mapped.keys() - {column.name for column in own}:
        raise LookupError(f"{file}: no such columns {sorted(unknown)}")
    if left and not KEPT[file]:
        raise LookupError(f"{file}: nothing says why {[column.name for column in left]} are kept")
    text = f"### {file}.csv\n\n" + (_table(("column", "becomes"), told) if told else "")
    names = ", ".join(map(_named, left))
    return text + (f"Kept, not mapped ({KEPT[file]}): {names}.\n\n" if left else "")


def _named(column: Column) -> str:
    only = "" if len(column.versions) > 1 else f" (FY{column.versions[0]})"
    return f"`{column.name}`{only}"


def _rules() -> Iterator[tuple[str, ...]]:
    yield from ((rule.id, f"{rule.kind}.csv", rule.of, rule.says) for rule in RULES)
    yield ("ATTESTED-30", "hmis-attestation", "at-risk-30", "somebody attested a loss of housing within 30 days")


def _sensitive() -> Iterator[tuple[str, ...]]:
    return ((codes, code, LISTS[codes][code], label) for (codes, code), label in SENSITIVE.items())


def _module(name: str) -> str:
    title, _, rest = (inspect.getdoc(import_module(f"fhir_mappings.hmis.{name}")) or "").partition("\n\n")
    return f"### {' '.join(title.split())}\n\n`{name}.py`\n\n```text\n{rest.strip()}\n```\n\n"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (heads, ("---",) * len(heads), *rows)
    return (
        "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines) + "\n"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
