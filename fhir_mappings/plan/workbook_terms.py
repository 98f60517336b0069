"""The words of the plan's tables as code systems: the hub's own, where nobody publishes one.

Rules: docs/plan-workbooks.md. Codes and labels of the evidenced files; DHCS' own lists are not public.
"""

from collections.abc import Mapping

from hub.ecm.terms import DISCONTINUATION as DISCONTINUATION
from hub.ecm.terms import DISCONTINUATION_EXTENSION as DISCONTINUATION_EXTENSION
from hub.ecm.terms import ENGAGEMENT_EXTENSION as ENGAGEMENT_EXTENSION
from hub.ecm.terms import LEVEL_EXTENSION as LEVEL_EXTENSION
from hub.ecm.terms import METHOD as METHOD
from hub.ecm.terms import METHOD_EXTENSION as METHOD_EXTENSION
from hub.ecm.terms import OUTREACH as OUTREACH
from hub.ecm.terms import PARTICIPATION_MODE as PARTICIPATION_MODE
from hub.ecm.terms import STAFF as STAFF
from hub.ecm.terms import STAFF_EXTENSION as STAFF_EXTENSION
from hub.ecm.terms import TIME_EXTENSION as TIME_EXTENSION
from hub.ecm.terms import UCUM as UCUM
from hub.fhir import systems
from hub.fhir.systems import ACT_CODE, OWN
from hub.fhir.systems import CLOSURE_REASON as CLOSURE_REASON
from hub.fhir.systems import PROGRAM as PROGRAM
from hub.fhir.systems import REFERRAL_STATUS as REFERRAL_STATUS
from hub.fhir.systems import REPORTED as REPORTED

ENGAGEMENT = OWN + "CodeSystem/member-engagement"
POPULATION = OWN + "CodeSystem/population-of-focus"
DECISION_EXTENSION = OWN + "StructureDefinition/authorization-decision-date"
NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"

ECM = {"coding": [{"system": PROGRAM, "code": "ecm", "display": "Enhanced Care Management"}]}

# our word -> EpisodeOfCare.status, what the plan's manual calls it
ENGAGEMENTS: Mapping[str, tuple[str, str]] = {
    "pending-outreach": ("planned", "Pending Outreach"),
    "in-outreach": ("planned", "Currently in Outreach"),
    "delivering": ("active", "Currently Delivering Service"),
    "discontinued": ("finished", "Services Discontinued"),
}

# our word -> v3-ParticipationMode, class of the Encounter where there was contact
METHODS: Mapping[str, tuple[str, str]] = {
    "in-person": ("PHYSICAL", "AMB"),
    "telephonic": ("PHONE", "VR"),
    "electronic": ("ELECTRONIC", "VR"),
}

# DHCS' four reasons of policy; what the numbers 1 to 15 of its table mean is not public
DISCONTINUATIONS: Mapping[str, str] = {
    "goals-met": "Met all care plan goals",
    "lower-level": "Ready to transition to a lower level of care",
    "declined": "No longer wishes to receive ECM, or is unresponsive or unwilling to engage",
    "unreachable": "Could not be reached after multiple attempts",
}

POPULATIONS: Mapping[str, str] = {
    "homeless": "Individuals experiencing homelessness",
    "utilization": "Individuals at risk for avoidable hospital or ED utilization",
    "behavioral-health": "Individuals with serious mental health or substance use disorder needs",
    "incarceration": "Individuals transitioning from incarceration",
    "ltc-risk": "Adults living in the community and at risk for long-term care institutionalization",
    "nursing-facility": "Adult nursing facility residents transitioning to the community",
    "ccs": "Children enrolled in CCS or CCS WCM with additional needs",
    "child-welfare": "Children and youth involved in child welfare",
    "birth-equity": "Birth Equity",
}

# a population that tells of a sensitive condition, and one whose words no table has
SENSITIVE: Mapping[str, tuple[str, ...]] = {"behavioral-health": ("PSY", "SUD")}
GUARDED = ("PSY", "SUD")


def labels(codes: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"system": ACT_CODE, "code": code} for code in codes]


# our word -> Task.status: the closed loop in the shape of the Gravity guide; `closed` says the reason
REFERRALS: Mapping[str, str] = {
    "pending": "requested",
    "accepted": "accepted",
    "outreach-initiated": "in-progress",
    "declined": "rejected",
    "closed": "",
}
SERVICES_RECEIVED = "services-received"

# fact of a date -> what was done then
ACTIVITIES: Mapping[str, tuple[str, str]] = {
    "care_plan_revised": ("care-plan-revision", "Care plan revised"),
    "care_conference": ("care-conference", "Care conference"),
}
ASSESSMENT = (systems.ASSESSMENT, "ECM assessment")
LAST_ENCOUNTER = ("ecm-encounter", "Encounter with the member")

# fact -> what was counted in the reporting period
COUNTS: Mapping[str, tuple[str, str]] = {
    "in_person": ("in-person-encounters", "In-person encounters in the reporting period"),
    "telephonic": ("telephonic-encounters", "Telephonic and video encounters in the reporting period"),
}
HOMELESS = ("homelessness-indicator", "Member is homeless")
HOUSED = ("member-housed", "Member has been housed")
ACUITY = ("acuity-level", "Acuity level")

# what a code's word may be, where FHIR or a table above has to know it
WORDS: Mapping[str, frozenset[str]] = {
    "gender": frozenset(("male", "female", "other", "unknown")),
    "status": frozenset(ENGAGEMENTS),
    "outreach_method": frozenset(METHODS),
    "provider_type": frozenset(("clinical", "non-clinical")),
}
