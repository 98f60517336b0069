"""The URIs of code systems, identifier systems and profiles, each written once.

Rules: https://hl7.org/fhir/R4/terminologies-systems.html and https://hl7.org/fhir/R4/identifier-registry.html
Published URIs come first. The hub's own come last, all below OWN: they stand in where nobody publishes a
URI (the Medi-Cal CIN has none), so a deployment may name others in its settings.
"""

# HL7 and other published code systems
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
ORGANIZATION_TYPE = "http://terminology.hl7.org/CodeSystem/organization-type"
CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CONDITION_VER_STATUS = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
SUBSCRIBER_RELATIONSHIP = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
COVERAGE_CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
GOAL_ACHIEVEMENT = "http://terminology.hl7.org/CodeSystem/goal-achievement"
TASK_CODE = "http://hl7.org/fhir/CodeSystem/task-code"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CDC_RACE_ETHNICITY = "urn:oid:2.16.840.1.113883.6.238"
BCP_47 = "urn:ietf:bcp:47"

# US Core 6.1.0 and Gravity SDOH Clinical Care
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
CAREPLAN_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
US_CORE_CONDITION_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
SDOHCC = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"

# published identifier systems
US_NPI = "http://hl7.org/fhir/sid/us-npi"

# the hub's own
OWN = "https://calaim-hub.example/fhir/"
CIN_SYSTEM = OWN + "sid/medi-cal-cin"
FACILITY_SYSTEM = OWN + "sid/facility"
MRN_SYSTEM_BASE = OWN + "sid/mrn/"
COMMUNITY_SUPPORT = OWN + "CodeSystem/community-support"
CARE_TEAM_ROLE = OWN + "CodeSystem/care-team-role"
AUDIT_EVENT = OWN + "CodeSystem/audit-event"
REFERRAL_STATUS = OWN + "CodeSystem/referral-status"  # DHCS' closed-loop status: Task.businessStatus
CLOSURE_REASON = OWN + "CodeSystem/referral-closure-reason"  # DHCS' reason for closing the loop: Task.statusReason
PROGRAM = OWN + "CodeSystem/calaim-program"  # ecm, community-support
CLOCK_STATE = OWN + "CodeSystem/referral-clock-state"  # Task.meta.tag: running, paused, due, late, escalated
REFERRAL_CLOCK = OWN + "CodeSystem/referral-clock"  # Task.code of a clock: which one it is
REPORTED = OWN + "CodeSystem/plan-return-file"  # what a return file says that no other system names
ASSESSMENT = "comprehensive-assessment"  # of it: Procedure.code of an ECM assessment
TRANSITIONAL_CARE = OWN + "sid/transitional-care"  # Task.identifier of a follow-up after a discharge
SECURITY_LABEL = OWN + "CodeSystem/security-label"  # labels for which v3-ActCode has no code

# (system, code) of the CareTeam.participant.role which marks the member's one ECM lead care manager
LEAD_CARE_MANAGER = (CARE_TEAM_ROLE, "lead-care-manager")


def mrn_system(facility: str) -> str:
    """The hub's own URI for one hospital's medical record numbers, by facility code such as EXGEN."""
    return MRN_SYSTEM_BASE + facility.lower()


ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
