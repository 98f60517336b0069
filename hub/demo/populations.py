"""Populations of Focus and the conditions, goals and Community Supports that go with each.

Rules: DHCS ECM Policy Guide, Populations of Focus 1 to 9; codes of SNOMED CT and ICD-10-CM
Left out on purpose: populations 3 (serious mental health and substance use), 4 (incarceration), 8 (child
welfare) and 9 (birth equity). What makes a member belong to them asks for security labels, which the demo
county does not carry yet.
"""

from dataclasses import dataclass

from hub.demo.resource import coding
from hub.fhir.systems import ICD_10_CM, SNOMED


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A condition a member may have and the goal that answers it. `social`: an SDOH health concern."""

    text: str
    codings: tuple[dict[str, str], ...]
    goal: str
    social: bool = False


DIABETES = Diagnosis(
    "Diabetes mellitus",
    (coding(SNOMED, "73211009", "Diabetes mellitus"),),
    "Keep the planned diabetes visits",
)
HYPERTENSION = Diagnosis(
    "Hypertension",
    (coding(SNOMED, "38341003", "Hypertensive disorder"),),
    "Take blood pressure medicine as agreed with the clinic",
)
ASTHMA = Diagnosis("Asthma", (coding(SNOMED, "195967001", "Asthma"),), "Have and follow an asthma action plan")
HEART_FAILURE = Diagnosis(
    "Congestive heart failure",
    (coding(SNOMED, "42343007", "Congestive heart failure"),),
    "Weigh daily and call the care manager on sudden gain",
)
LUNG_DISEASE = Diagnosis(
    "Chronic obstructive lung disease",
    (coding(SNOMED, "13645005", "Chronic obstructive lung disease"),),
    "See the primary care provider within seven days of any hospital stay",
)
HOMELESS = coding(SNOMED, "32911000", "Homeless")
SHELTERED = Diagnosis(
    "Sheltered homelessness",
    (HOMELESS, coding(ICD_10_CM, "Z59.01", "Sheltered homelessness")),
    "Move from shelter to permanent housing",
    social=True,
)
UNSHELTERED = Diagnosis(
    "Unsheltered homelessness",
    (HOMELESS, coding(ICD_10_CM, "Z59.02", "Unsheltered homelessness")),
    "Find a safe place to stay, then permanent housing",
    social=True,
)
FOOD_INSECURITY = Diagnosis(
    "Food insecurity",
    (coding(SNOMED, "733423003", "Food insecurity"), coding(ICD_10_CM, "Z59.41", "Food insecurity")),
    "Have enough food for every week of the month",
    social=True,
)
HOMELESSNESS = (SHELTERED, UNSHELTERED)


@dataclass(frozen=True, slots=True)
class Population:
    """One Population of Focus, of `weight` members in 16. They have one of `defining` and some of `further`.

    `ages` are the youngest and oldest in years; `supports` are slugs of hub.demo.supports.
    """

    number: str
    name: str
    weight: int
    ages: tuple[int, int]
    defining: tuple[Diagnosis, ...]
    further: tuple[Diagnosis, ...]
    supports: tuple[str, ...]


POPULATIONS = (
    Population(
        "1a",
        "Adults experiencing homelessness",
        4,
        (22, 64),
        HOMELESSNESS,
        (DIABETES, HYPERTENSION, ASTHMA, LUNG_DISEASE, FOOD_INSECURITY),
        ("housing-transition-navigation", "housing-deposits", "recuperative-care"),
    ),
    Population(
        "1b",
        "Families and unaccompanied youth experiencing homelessness",
        2,
        (4, 20),
        HOMELESSNESS,
        (ASTHMA, FOOD_INSECURITY),
        ("housing-transition-navigation", "housing-deposits"),
    ),
    Population(
        "2",
        "At risk for avoidable hospital or emergency department utilization",
        5,
        (22, 79),
        (HEART_FAILURE, LUNG_DISEASE, DIABETES, ASTHMA),
        (HYPERTENSION, FOOD_INSECURITY),
        ("medically-tailored-meals", "asthma-remediation", "short-term-post-hospitalization-housing"),
    ),
    Population(
        "5",
        "Adults living in the community at risk for long-term care institutionalization",
        2,
        (60, 88),
        (HEART_FAILURE, LUNG_DISEASE),
        (DIABETES, HYPERTENSION, FOOD_INSECURITY),
        ("personal-care-homemaker", "environmental-accessibility", "medically-tailored-meals"),
    ),
    Population(
        "6",
        "Adult nursing facility residents transitioning to the community",
        2,
        (50, 90),
        (HEART_FAILURE, DIABETES),
        (HYPERTENSION, LUNG_DISEASE),
        ("community-or-home-transition", "personal-care-homemaker"),
    ),
    Population(
        "7",
        "Children enrolled in California Children's Services with additional needs",
        1,
        (3, 20),
        (ASTHMA, DIABETES),
        (FOOD_INSECURITY,),
        ("asthma-remediation", "medically-tailored-meals"),
    ),
)
WEIGHTED = tuple(population for population in POPULATIONS for _ in range(population.weight))
