"""What in a client's rows says that somebody is homeless, as a table of rules, for ECM Population of Focus 1.

Rules: docs/hmis.md "Homelessness"; DHCS ECM Policy Guide, Individuals Experiencing Homelessness; HUD's ranges of
codes (100-199 homeless, 200-299 institutional, 300-399 temporary, 400-499 permanent). Each rule is a pure predicate
of one row and what is known around it. What decides between them is homelessness_evidence.
- Transitional housing (302) counts for ECM, and is not literally homeless.
- Institutions: ECM asks for no limit of 90 days, so the length of stay is not asked.
- HMIS knows of 14 days before a loss of housing, ECM asks for 30: the 14 days are enough, their absence says
nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

Values = Mapping[str, Any]
LITERALLY = frozenset(("116", "101", "118"))
TRANSITIONAL = frozenset(("302",))
INSTITUTIONS = frozenset(("204", "205", "206", "207", "215", "225"))
PERMANENT_HOUSING = frozenset(("3", "9", "10", "13"))  # project types
OVER_A_YEAR = frozenset(("112", "113"))  # months homeless in the last three years: 12, more than 12
YES, NO = "1", "0"

# what a rule is evidence of
HOMELESS, AT_RISK, FLEEING, HOUSED, SUPPORTS, PRIORITY = (
    "homeless", "at-risk", "fleeing", "housed", "supporting", "prioritisation",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Around:
    """What a rule knows beside its row. `project`: of the row's enrolment; `is_open`: no exit before `as_of`;
    `situations_since`: a current living situation was recorded since the entry; `bed_night`: the last one of the
    enrolment; `bed_night_days`: how recent is recent."""

    as_of: date
    project: Values
    is_open: bool = False
    situations_since: bool = False
    bed_night: str = ""
    bed_night_days: int = 30


Holds = Callable[[Values, Around], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """`kind` is the file whose rows it reads, `dated` the column from which on it holds; `ongoing`: it holds up to
    the day that is asked about."""

    id: str
    kind: str
    dated: str
    of: str
    says: str
    holds: Holds
    ongoing: bool = False


def _is(column: str, codes: frozenset[str]) -> Holds:
    return lambda row, around: row.get(column) in codes


def _range(column: str, hundreds: str) -> Holds:
    return lambda row, around: len(code := row.get(column, "")) == 3 and code.startswith(hundreds)


def _open_in(*types: str) -> Holds:
    def holds(row: Values, around: Around) -> bool:
        is_there = around.is_open and not around.situations_since
        return is_there and around.project.get("ProjectType") in types

    return holds


def _bed_night(row: Values, around: Around) -> bool:
    if not _open_in("1")(row, around) or not around.bed_night:
        return False
    return date.fromisoformat(around.bed_night) >= around.as_of - timedelta(days=around.bed_night_days)


def _fourteen_days(row: Values, around: Around) -> bool:
    said = (row.get(name) for name in ("LeaveSituation14Days", "SubsequentResidence", "ResourcesToObtain"))
    return [*said] == [YES, NO, NO]


def _institution(row: Values, around: Around) -> bool:
    return row.get("LivingSituation") in INSTITUTIONS and row.get("PreviousStreetESSH") == YES


def _fleeing(row: Values, around: Around) -> bool:
    return row.get("DomesticViolenceSurvivor") == YES and row.get("CurrentlyFleeing") == YES


def _moved_in(row: Values, around: Around) -> bool:
    return "MoveInDate" in row and around.project.get("ProjectType") in PERMANENT_HOUSING


def _year_on_street(row: Values, around: Around) -> bool:
    since = row.get("DateToStreetESSH")
    is_long = bool(since) and date.fromisoformat(str(since)) <= _year_before(around.as_of)
    return row.get("DisablingCondition") == YES and is_long


def _four_times(row: Values, around: Around) -> bool:
    is_often = row.get("TimesHomelessPastThreeYears") == "4"
    is_long = row.get("MonthsHomelessPastThreeYears") in OVER_A_YEAR
    return row.get("DisablingCondition") == YES and is_often and is_long


def _year_before(day: date) -> date:
    return day.replace(year=day.year - 1, day=min(day.day, 28) if day.month == 2 else day.day)


ENROLLMENT, SITUATION, EXIT = "Enrollment", "CurrentLivingSituation", "Exit"
RULES: Final = (
    Rule(
        "PLS-LITERAL",
        ENROLLMENT,
        "EntryDate",
        HOMELESS,
        "slept in a shelter, a Safe Haven or a place not meant for habitation before the entry",
        _is("LivingSituation", LITERALLY),
    ),
    Rule(
        "PLS-TRANSITIONAL",
        ENROLLMENT,
        "EntryDate",
        HOMELESS,
        "was in transitional housing before the entry",
        _is("LivingSituation", TRANSITIONAL),
    ),
    Rule(
        "PLS-INSTITUTION",
        ENROLLMENT,
        "EntryDate",
        HOMELESS,
        "was in an institution before the entry, and on the street or in a shelter before that",
        _institution,
    ),
    Rule(
        "CLS-LITERAL",
        SITUATION,
        "InformationDate",
        HOMELESS,
        "lives in a shelter, a Safe Haven or a place not meant for habitation",
        _is("CurrentLivingSituation", LITERALLY),
    ),
    Rule(
        "CLS-TRANSITIONAL",
        SITUATION,
        "InformationDate",
        HOMELESS,
        "lives in transitional housing",
        _is("CurrentLivingSituation", TRANSITIONAL),
    ),
    Rule(
        "EXIT-LITERAL",
        EXIT,
        "ExitDate",
        HOMELESS,
        "left to a shelter, a Safe Haven or a place not meant for habitation",
        _is("Destination", LITERALLY),
    ),
    Rule(
        "EXIT-TRANSITIONAL",
        EXIT,
        "ExitDate",
        HOMELESS,
        "left to transitional housing",
        _is("Destination", TRANSITIONAL),
    ),
    Rule(
        "OPEN-LITERAL",
        ENROLLMENT,
        "EntryDate",
        HOMELESS,
        "is enrolled in a shelter, a Safe Haven or street outreach, and no living situation was recorded since",
        _open_in("0", "4", "8"),
        ongoing=True,
    ),
    Rule(
        "OPEN-TRANSITIONAL",
        ENROLLMENT,
        "EntryDate",
        HOMELESS,
        "is enrolled in transitional housing, and no living situation was recorded since",
        _open_in("2"),
        ongoing=True,
    ),
    Rule(
        "OPEN-BED-NIGHT",
        ENROLLMENT,
        "EntryDate",
        HOMELESS,
        "is enrolled in a night-by-night shelter and had a bed there not long ago",
        _bed_night,
        ongoing=True,
    ),
    Rule(
        "CLS-14-DAYS",
        SITUATION,
        "InformationDate",
        AT_RISK,
        "has to leave within 14 days, with nowhere to go and nothing to get there with",
        _fourteen_days,
    ),
    Rule("DV-FLEEING", "HealthAndDV", "InformationDate", FLEEING, "flees domestic violence", _fleeing),
    Rule(
        "CLS-LEASE",
        SITUATION,
        "InformationDate",
        SUPPORTS,
        "had a lease or owned in the last 60 days",
        _is("LeaseOwn60Day", frozenset((YES,))),
    ),
    Rule(
        "CLS-MOVED",
        SITUATION,
        "InformationDate",
        SUPPORTS,
        "moved twice or more in the last 60 days",
        _is("MovedTwoOrMore", frozenset((YES,))),
    ),
    Rule(
        "CHRONIC-YEAR",
        ENROLLMENT,
        "EntryDate",
        PRIORITY,
        "has a disabling condition and was homeless for a year",
        _year_on_street,
    ),
    Rule(
        "CHRONIC-TIMES",
        ENROLLMENT,
        "EntryDate",
        PRIORITY,
        "has a disabling condition and was homeless four times in three years, 12 months or more",
        _four_times,
    ),
    Rule("EXIT-HOUSED", EXIT, "ExitDate", HOUSED, "left to permanent housing", _range("Destination", "4")),
    Rule("MOVED-IN", ENROLLMENT, "MoveInDate", HOUSED, "moved into a permanent housing project", _moved_in),
)
