"""Codes of claims as FHIR codings: diagnoses, procedures, places, bills.

Rules: https://hl7.org/fhir/R4/terminologies-systems.html; the URIs of NUBC and CMS as terminology.hl7.org lists
them
- ICD-10-CM and ICD-9-CM are told without their dot; it stands after the third character (E codes of ICD-9: fourth).
- HCPCS codes with a letter first are CMS's (level II), all others are CPT.
Displays of NUBC and of the AMA are theirs: left out.
"""

from fhir_mappings.plan.x12_elements import CPT, Element, coding
from hub.fhir.systems import HCPCS, ICD_10_CM

ICD_9_CM = "http://hl7.org/fhir/sid/icd-9-cm"
ICD_10_PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICD_9_PROCEDURES = "http://hl7.org/fhir/sid/icd-9-cm/procedure"
PLACE_OF_SERVICE = "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set"
NUBC = "https://www.nubc.org/CodeSystem/"
_ICD_9 = frozenset(["BK", "BF", "BJ", "PR", "BN"])
_ICD_9_DONE = frozenset(["BR", "BQ"])


def diagnosis(use: str, code: str) -> Element:
    """HI: the qualifier says which edition."""
    if use in _ICD_9:
        return coding(ICD_9_CM, _dotted(code, 4 if code.startswith("E") else 3))
    return coding(ICD_10_CM, _dotted(code, 3))


def operation(use: str, code: str) -> Element:
    return coding(ICD_9_PROCEDURES, _dotted(code, 2)) if use in _ICD_9_DONE else coding(ICD_10_PCS, code)


def service(code: str) -> Element:
    return coding(HCPCS if code[:1].isalpha() else CPT, code)


def nubc(table: str, code: str) -> Element:
    return coding(NUBC + table, code)


def _dotted(code: str, place: int) -> str:
    return f"{code[:place]}.{code[place:]}" if len(code) > place else code
