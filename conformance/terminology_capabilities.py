"""The TerminologyCapabilities, computed from the table of the terminology operations.

Rules: https://hl7.org/fhir/R4/terminologycapabilities.html (`GET /metadata?mode=terminology`)
Which code systems there are depends on packages and on what clients store: they are found by searching CodeSystem.
"""

from typing import Any


def terminology_capabilities(base: str, version: str, started: str) -> dict[str, Any]:
    """The statement of an instance. `started` is an instant, `base` the public FHIR base URL."""
    from conformance.terminology.operations import BY_NAME  # the engines come with it: only when asked

    expand = BY_NAME["ValueSet", "expand"].parameters
    served = [row.name for row in expand if row.keyword or row.takes]
    return {
        "resourceType": "TerminologyCapabilities",
        "status": "active",
        "date": started,
        "kind": "instance",
        "software": {"name": "CalAIM FHIR Hub", "version": version},
        "implementation": {"description": "CalAIM FHIR Hub", "url": base},
        "expansion": {
            "hierarchical": False,
            "paging": "offset" in served,
            "parameter": [{"name": name} for name in served],
        },
        "codeSearch": "explicit",
        "validateCode": {"translations": False},
        "translation": {"needsMap": False},
    }
