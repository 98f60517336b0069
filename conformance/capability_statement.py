"""The CapabilityStatement, computed from the tables that serve requests, so that it cannot say more than they do.

Rules: https://hl7.org/fhir/R4/capabilitystatement.html, SMART conformance
https://hl7.org/fhir/smart-app-launch/conformance.html
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from hub.fhir.types import resource_types
from hub.rest.routes import ROUTES
from hub.search.parameters import rows_of

SMART_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


@lru_cache(maxsize=4)
def capability_statement(base: str, token_endpoint: str, version: str, started: str) -> dict[str, Any]:
    """The statement of an instance. `started` is an instant; `base` the public FHIR base URL."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": started,
        "kind": "instance",
        "software": {"name": "CalAIM FHIR Hub", "version": version},
        "implementation": {"description": "CalAIM FHIR Hub", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Without profile packages: the base specification is validated on every write.",
                "security": _security(token_endpoint),
                "resource": [_resource(name) for name in sorted(resource_types())],
                "interaction": [{"code": code} for code in ("transaction", "batch")],
            }
        ],
    }


def _security(token_endpoint: str) -> dict[str, Any]:
    return {
        "extension": [{"url": OAUTH_URIS, "extension": [{"url": "token", "valueUri": token_endpoint}]}],
        "service": [{"coding": [{"system": SMART_SERVICE, "code": "SMART-on-FHIR"}]}],
        "description": "OAuth 2.0 for backend services (private_key_jwt) with SMART scopes",
    }


def interactions() -> list[str]:
    """The codes of type-level interactions that ROUTES serves, each once."""
    return list(dict.fromkeys(route.interaction for route in ROUTES if route.level == "type"))


def _resource(resource_type: str) -> dict[str, Any]:
    return {
        "type": resource_type,
        "interaction": [{"code": code} for code in interactions()],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "searchParam": list(_parameters(resource_type)),
    }


def _parameters(resource_type: str) -> Iterable[dict[str, str]]:
    for code, row in sorted(rows_of(resource_type).items()):
        yield {"name": code, "definition": row["url"], "type": row["type"]}
