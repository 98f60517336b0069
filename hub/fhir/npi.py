"""The US National Provider Identifier: ten digits, Luhn check over 80840 + the number.

Rules: 45 CFR 162.406; FHIR system http://hl7.org/fhir/sid/us-npi
"""

from hub.fhir.systems import US_NPI

NPI_OID = "2.16.840.1.113883.4.6"
_PREFIX_SUM = 24  # of the Luhn digits of 80840


def is_npi(text: str) -> bool:
    """Ten ASCII digits with a right check digit."""
    if len(text) != 10 or not (text.isascii() and text.isdigit()):
        return False
    doubled = sum(int(digit) for even in text[-2::-2] for digit in str(2 * int(even)))
    return (_PREFIX_SUM + doubled + sum(int(odd) for odd in text[-1::-2])) % 10 == 0


def npi_identifier(npi: str) -> dict[str, str]:
    return {"system": US_NPI, "value": npi}
