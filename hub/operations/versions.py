"""$versions: which versions of FHIR this server speaks.

Rules: https://hl7.org/fhir/R4/capabilitystatement-operation-versions.html
"""

from hub.fhir import json
from hub.operations.call import Call, Operation

SPOKEN = "4.0"


def versions(call: Call) -> bytes:
    """One version, which is the default."""
    named = [{"name": name, "valueCode": SPOKEN} for name in ("version", "default")]
    return json.write({"resourceType": "Parameters", "parameter": named})


ROWS = (
    Operation(
        "versions", "http://hl7.org/fhir/OperationDefinition/CapabilityStatement-versions", ("system",), versions
    ),
)
