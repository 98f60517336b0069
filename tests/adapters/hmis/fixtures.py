"""The exports in tests/adapters/hmis/samples/: written by `python -m tests.adapters.hmis.fixtures`, read by tests.

Invented people in the true shape: fy2024 (quoted headers, byte order mark), fy2026 (imminent risk, domestic
violence, bed nights), hashed (HashStatus 4), delta (changes and deletes of fy2026).
"""

import shutil
from pathlib import Path
from typing import Any

from hub.identity.hashed import SHA256_SOUNDEX, digest
from tests.adapters.hmis.exports import CLIENT, ENROLLMENT, ORGANIZATION, SHELTER, folder, texts

HERE = Path(__file__).parent / "samples"
LATER = "2026-03-20 08:00:00"
SURVIVORS = {
    "ProjectID": "p-dv",
    "OrganizationID": "org-2",
    "ProjectName": "Example Safe House",
    "ProjectType": "0",
    "TargetPopulation": "1",
}
NIGHTS = {"ProjectID": "p-nbn", "ProjectName": "Example Night Shelter", "ProjectType": "1"}
REHOUSING = {"ProjectID": "p-rrh", "ProjectName": "Example Rehousing", "ProjectType": "13"}
PEOPLE = (
    CLIENT | {"SSN": "987650001", "SSNDataQuality": "1", "White": "1", "VeteranStatus": "1"},
    {
        "PersonalID": "c-2",
        "FirstName": "Sam",
        "LastName": "Sampleton-Birch",
        "DOB": "1991-01-01",
        "DOBDataQuality": "2",
        "SSN": "xxxxx4321",
        "SSNDataQuality": "2",
        "BlackAfAmerican": "1",
    },
    {"PersonalID": "c-3", "NameDataQuality": "9", "DOBDataQuality": "99", "RaceNone": "9", "VeteranStatus": "99"},
)
STAYS = (
    ENROLLMENT | {"DisablingCondition": "1", "DateToStreetESSH": "2024-12-01"},
    {
        "EnrollmentID": "e-2",
        "PersonalID": "c-2",
        "ProjectID": "p-rrh",
        "LivingSituation": "101",
        "HouseholdID": "h-2",
        "MoveInDate": "2026-02-20",
    },
    {
        "EnrollmentID": "e-3",
        "PersonalID": "c-3",
        "ProjectID": "p-dv",
        "LivingSituation": "206",
        "HouseholdID": "h-3",
        "PreviousStreetESSH": "1",
    },
    {
        "EnrollmentID": "e-4",
        "PersonalID": "c-2",
        "ProjectID": "p-nbn",
        "EntryDate": "2025-12-01",
        "HouseholdID": "h-2",
        "LivingSituation": "116",
    },
)
FY2026: dict[str, Any] = {
    "Organization": (
        ORGANIZATION,
        {"OrganizationID": "org-2", "OrganizationName": "Example Refuge", "VictimServiceProvider": "1"},
    ),
    "User": ({"UserID": "u-1", "UserFirstName": "Invented", "UserLastName": "Worker"},),
    "Project": (SHELTER, SURVIVORS, NIGHTS, REHOUSING),
    "ProjectCoC": (
        {
            "ProjectCoCID": "coc-1",
            "ProjectID": "p-es",
            "CoCCode": "CA-999",
            "Geocode": "069999",
            "Address1": "1 Sample Street",
            "City": "Exampleton",
            "State": "CA",
            "Zip": "90000",
        },
        {
            "ProjectCoCID": "coc-2",
            "ProjectID": "p-dv",
            "CoCCode": "CA-999",
            "Geocode": "069999",
            "Address1": "9 Secret Sample Street",
            "City": "Exampleton",
            "State": "CA",
            "Zip": "90000",
        },
    ),
    "Funder": (
        {"FunderID": "f-1", "ProjectID": "p-es", "Funder": "1", "GrantID": "G-1", "StartDate": "2025-01-01"},
    ),
    "Client": PEOPLE,
    "Enrollment": STAYS,
    "Exit": (
        {
            "ExitID": "x-1",
            "EnrollmentID": "e-4",
            "PersonalID": "c-2",
            "ExitDate": "2026-01-31",
            "Destination": "101",
        },
    ),
    "CurrentLivingSituation": (
        {"CurrentLivingSitID": "l-1", "CurrentLivingSituation": "116", "InformationDate": "2026-02-10"},
        {
            "CurrentLivingSitID": "l-2",
            "EnrollmentID": "e-2",
            "PersonalID": "c-2",
            "CurrentLivingSituation": "410",
            "InformationDate": "2026-03-01",
            "LeaveSituation14Days": "1",
            "SubsequentResidence": "0",
            "ResourcesToObtain": "0",
            "LocationDetails": "Unit 4",
        },
    ),
    "HealthAndDV": (
        {
            "HealthAndDVID": "v-1",
            "EnrollmentID": "e-3",
            "PersonalID": "c-3",
            "DomesticViolenceSurvivor": "1",
            "WhenOccurred": "1",
            "CurrentlyFleeing": "1",
        },
    ),
    "Disabilities": (
        {"DisabilitiesID": "d-1", "DisabilityType": "10", "DisabilityResponse": "1", "IndefiniteAndImpairs": "1"},
        {"DisabilitiesID": "d-2", "DisabilityType": "9", "DisabilityResponse": "0"},
        {
            "DisabilitiesID": "d-3",
            "DisabilityType": "9",
            "DisabilityResponse": "1",
            "InformationDate": "2026-03-01",
        },
    ),
    "IncomeBenefits": ({"IncomeBenefitsID": "i-1", "Medicaid": "1", "TotalMonthlyIncome": "221.00"},),
    "Services": (
        {
            "ServicesID": "s-1",
            "EnrollmentID": "e-4",
            "PersonalID": "c-2",
            "RecordType": "200",
            "TypeProvided": "200",
            "DateProvided": "2026-01-30",
        },
    ),
    "Assessment": (
        {"AssessmentID": "a-1", "AssessmentType": "3", "AssessmentLevel": "1", "PrioritizationStatus": "1"},
    ),
    "AssessmentResults": (
        {
            "AssessmentResultID": "ar-1",
            "AssessmentID": "a-1",
            "AssessmentResultType": "Score",
            "AssessmentResult": "11",
        },
    ),
    "Event": ({"EventID": "ev-1", "Event": "14", "ReferralResult": "1", "ResultDate": "2026-03-01"},),
}
NAMES = ("FirstName", "LastName")


def hashed(person: dict[str, str]) -> dict[str, str]:
    """As HashStatus 4 writes it."""
    names = {name: digest(SHA256_SOUNDEX, person[name]) for name in NAMES if name in person}
    four = {"SSN": person["SSN"][-4:] + digest("sha256:lower", person["SSN"])} if "SSN" in person else {}
    return {**person, **names, **four}


DELTA: dict[str, Any] = {
    "Client": (PEOPLE[0] | {"LastName": "Testperson-Oak", "DateUpdated": LATER},),
    "CurrentLivingSituation": (
        {
            "CurrentLivingSitID": "l-1",
            "CurrentLivingSituation": "116",
            "InformationDate": "2026-02-10",
            "DateUpdated": LATER,
            "DateDeleted": LATER,
        },
        {
            "CurrentLivingSitID": "l-3",
            "CurrentLivingSituation": "101",
            "InformationDate": "2026-03-15",
            "DateUpdated": LATER,
        },
    ),
}
EXPORTS: dict[str, dict[str, bytes]] = {
    "fy2024": texts(
        {**FY2026, "Client": [person | {"Woman": "1"} for person in PEOPLE]},
        version="2024",
        export={"CSVVersion": "2024 v1.3", "ExportDate": "04-01-2026 06:00:00"},
        quoted=True,
        bom=True,
    ),
    "fy2026": texts(FY2026),
    "hashed": texts({**FY2026, "Client": [hashed(person) for person in PEOPLE]}, export={"HashStatus": "4"}),
    "delta": texts(DELTA, export={"ExportDirective": "1", "ExportPeriodType": "1", "ExportID": "exp-2"}),
}


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    for name, found in EXPORTS.items():
        folder(HERE / name, found)


if __name__ == "__main__":
    main()
