"""Where everything is: the SMART configuration and the OpenID configuration.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/conformance.html#using-well-known; OpenID Connect
Discovery 1.0 section 3; scopes as US Core lists them, https://hl7.org/fhir/us/core/scopes.html
Says only what is true here: registration and brands where the deployment has them, no session for `online_access`.
"""

from typing import Any

from auth import brands
from auth.assertion import ALGORITHMS
from auth.client_authentication import METHODS
from auth.client_words import GRANT_TYPES
from auth.scopes import CONTEXTS, LETTERS, SYSTEM, WORDS
from auth.signing_keys import ALGORITHM
from hub.settings import Settings

FHIR_PATH = "/fhir"
WELL_KNOWN = "/.well-known/smart-configuration"
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
TOKEN_PATH = "/auth/token"  # noqa: S105 - a path
AUTHORIZE_PATH = "/auth/authorize"
REVOKE_PATH = "/auth/revoke"
INTROSPECT_PATH = "/auth/introspect"
JWKS_PATH = "/auth/jwks"
REGISTER_PATH = "/auth/register"
BRANDS_PATH = "/auth/brands"
APPS_PATH = "/auth/apps"

CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)
NOT_OFFERED = frozenset(("online_access",))
US_CORE_TYPES = (
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Goal",
    "Immunization",
    "Location",
    "Medication",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
)
_CONDITION = "http://terminology.hl7.org/CodeSystem/condition-category"
_OBSERVATION = "http://terminology.hl7.org/CodeSystem/observation-category"
US_CORE_GRANULAR = (
    f"Condition.rs?category={_CONDITION}|encounter-diagnosis",
    f"Condition.rs?category={_CONDITION}|problem-list-item",
    "Condition.rs?category=http://hl7.org/fhir/us/core/CodeSystem/condition-category|health-concern",
    "DocumentReference.rs?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
    "|clinical-note",
    "Observation.rs?category=http://hl7.org/fhir/us/core/CodeSystem/us-core-category|sdoh",
    *(f"Observation.rs?category={_OBSERVATION}|{code}" for code in ["laboratory", "social-history", "survey"]),
    f"Observation.rs?category={_OBSERVATION}|vital-signs",
)


def token_url(base_url: str) -> str:
    """The address of the token endpoint, which is also the audience of every assertion."""
    return base_url + TOKEN_PATH


def scopes_supported() -> list[str]:
    """What can be asked for: the words, all of each context, and what US Core wants to be named."""
    everything = [f"{context}/*.{letters}" for context in CONTEXTS for letters in (*LETTERS, "rs", LETTERS)]
    persons = [context for context in CONTEXTS if context != SYSTEM]
    of_types = [f"{context}/{name}.rs" for context in persons for name in US_CORE_TYPES]
    granular = [f"{context}/{scope}" for context in persons for scope in US_CORE_GRANULAR]
    return [*(word for word in WORDS if word not in NOT_OFFERED), *everything, *of_types, *granular]


def smart_configuration(settings: Settings) -> dict[str, Any]:
    """The document of this hub."""
    base = settings.base_url
    found: dict[str, Any] = {
        **_addresses(base),
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": scopes_supported(),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "tls_client_certificate_bound_access_tokens": bool(settings["HUB_CLIENT_CERT_HEADER"]),
        "capabilities": list(CAPABILITIES),
    }
    if settings["HUB_REGISTRATION"] != "off":
        found["registration_endpoint"] = base + REGISTER_PATH
    if identifier := brands.primary(settings.brands_file):
        found["user_access_brand_bundle"] = base + BRANDS_PATH
        found["user_access_brand_identifier"] = identifier
    return found


def openid_configuration(settings: Settings) -> dict[str, Any]:
    """What OpenID Connect wants to be said besides."""
    return smart_configuration(settings) | {
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser"],
    }


def _addresses(base: str) -> dict[str, str]:
    return {
        "issuer": base,
        "jwks_uri": base + JWKS_PATH,
        "authorization_endpoint": base + AUTHORIZE_PATH,
        "token_endpoint": token_url(base),
        "introspection_endpoint": base + INTROSPECT_PATH,
        "revocation_endpoint": base + REVOKE_PATH,
        "management_endpoint": base + APPS_PATH,
    }
