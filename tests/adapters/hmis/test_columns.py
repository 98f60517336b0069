"""The tables of columns and codes are those of the HUD specifications."""

import pytest

from adapters.hmis.columns import FILES, VERSIONS, columns, key_of
from adapters.hmis.schemas import schema
from fhir_mappings.hmis.code_lists import LISTS

# file: columns in FY2024, in FY2026
COUNTS = {
    "Export": (19, 19), "Organization": (9, 9), "User": (10, 10), "Project": (19, 19), "ProjectCoC": (15, 15),
    "Funder": (12, 12), "Inventory": (22, 22), "Affiliation": (8, 8), "HMISParticipation": (10, 10),
    "CEParticipation": (15, 15), "Client": (46, 38), "Enrollment": (71, 67), "Exit": (44, 44),
    "IncomeBenefits": (77, 77), "HealthAndDV": (18, 18), "EmploymentEducation": (15, 15), "Disabilities": (20, 20),
    "Services": (18, 18), "CurrentLivingSituation": (18, 18), "Assessment": (13, 13),
    "AssessmentQuestions": (13, 13), "AssessmentResults": (11, 11), "Event": (15, 15),
    "YouthEducationStatus": (13, 13),
}  # fmt: skip


def test_there_are_24_files_with_the_columns_of_each_version() -> None:
    found = {file: tuple(len(columns(file, version)) for version in VERSIONS) for file in FILES}
    assert found == COUNTS


@pytest.mark.parametrize("version", VERSIONS)
def test_each_file_has_a_schema_with_these_columns(version: str) -> None:
    for file in FILES:
        assert list(schema(file, version)().fields) == [column.name for column in columns(file, version)]


def test_gender_was_dropped_and_sex_came() -> None:
    old, new = ({column.name for column in columns("Client", version)} for version in VERSIONS)
    assert {"Woman", "Man", "GenderNone", "HispanicLatinaeo"} <= old - new
    assert new - old == {"Sex", "HispanicLatinao"}


def test_each_list_that_a_column_names_is_there() -> None:
    named = {column.codes for found in FILES.values() for column in found if column.codes}
    assert named <= LISTS.keys()
    assert LISTS["3.12"]["435"] == "Rental by client, with ongoing housing subsidy"


def test_the_first_column_is_the_key() -> None:
    assert [key_of(file) for file in ("Client", "Exit", "CurrentLivingSituation")] == [
        "PersonalID", "ExitID", "CurrentLivingSitID",
    ]  # fmt: skip
