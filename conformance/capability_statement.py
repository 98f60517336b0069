"""The CapabilityStatement, computed from the tables that serve requests, so that it cannot say more than they do.

Rules: https://hl7.org/fhir/R4/capabilitystatement.html, SMART conformance
https://hl7.org/fhir/smart-app-launch/conformance.html
"""

from collections.abc import Iterable, Sequence
from typing import Any

from conformance.packages.catalog import Catalog
from conformance.packages.statement import documentation, implementation_guides, supported_profiles
from hub.audit.asked import PARAMETERS as AUDITED
from hub.fhir.types import resource_types
from hub.notifications.topics import TOPICS
from hub.operations.table import offered as operations
from hub.rest.formats import FORMATS
from hub.rest.routes import ROUTES, VIRTUAL
from hub.rest.write import PATCH_JSON
from hub.search.compartments import COMPARTMENTS
from hub.search.inclusions import offered, offered_reverse
from hub.search.parameters import rows_of

SMART_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
LAST_UPDATED = "Every creation and every change of content or meta is found; a write that changes nothing is none."
COMPARTMENT_DEFINITION = "http://hl7.org/fhir/CompartmentDefinition"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/"
TOPIC = f"{BACKPORT}StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
SUBSCRIPTION = f"{BACKPORT}StructureDefinition/backport-subscription"
INSTANTIATES = (
    f"{BACKPORT}CapabilityStatement/backport-subscription-server-r4",
    "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data",
    "http://hl7.org/fhir/us/davinci-alerts/CapabilityStatement/notification-receiver",
    "http://hl7.org/fhir/us/davinci-alerts/CapabilityStatement/notification-sender",
)
TRANSPORT = "http://terminology.hl7.org/CodeSystem/message-transport"
MESSAGES = (
    "Da Vinci Unsolicited Notifications (alerts) 1.1.0: notification-admit, notification-discharge and "
    "notification-transfer, and the cancels A11, A12, A13 of HL7 table 0003. Taken from hospitals by "
    "$process-message; sent to who asks for a hospital topic with a Subscription of channel type message."
)
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def capability_statement(
    base: str,
    token_endpoint: str,
    version: str,
    started: str,
    conditional_delete: str = "single",
    packages: Catalog | None = None,
    authorize_endpoint: str = "",
) -> dict[str, Any]:
    """The statement of an instance. `started` is an instant; `base` the public FHIR base URL; `conditional_delete`
    is `single` or `multiple`, as the deployment has it."""
    profiles = supported_profiles(packages) if packages else {}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": started,
        "kind": "instance",
        "instantiates": list(INSTANTIATES),
        "software": {"name": "CalAIM FHIR Hub", "version": version},
        "implementation": {"description": "CalAIM FHIR Hub", "url": base},
        "fhirVersion": "4.0.1",
        "format": [name for row in FORMATS for name in (row.mime, row.name)],
        "patchFormat": [PATCH_JSON, *(row.mime for row in FORMATS)],
        **_guides(packages),
        "rest": [
            {
                "mode": "server",
                "documentation": documentation(packages),
                "security": _security(token_endpoint, authorize_endpoint),
                "resource": [
                    _resource(name, conditional_delete, profiles.get(name, ())) for name in sorted(resource_types())
                ],
                "interaction": [{"code": code} for code in system_interactions()],
                "operation": operations(level_is_system=True),
                "compartment": [f"{COMPARTMENT_DEFINITION}/{name.lower()}" for name in COMPARTMENTS],
            }
        ],
        "messaging": [_messaging(base)],
    }


def _security(token_endpoint: str, authorize_endpoint: str) -> dict[str, Any]:
    """Where to sign in, for clients that do not read the SMART configuration."""
    places = {"token": token_endpoint, "authorize": authorize_endpoint}
    told = [{"url": name, "valueUri": address} for name, address in places.items() if address]
    return {
        "extension": [{"url": OAUTH_URIS, "extension": told}],
        "service": [{"coding": [{"system": SMART_SERVICE, "code": "SMART-on-FHIR"}]}],
        "description": "OAuth 2.0 with SMART scopes: App Launch for people, private_key_jwt for backend services",
    }


def _messaging(base: str) -> dict[str, Any]:
    """Where messages are taken. The guide publishes no MessageDefinitions that a `supportedMessage` could name."""
    return {
        "endpoint": [{"protocol": {"system": TRANSPORT, "code": "http"}, "address": f"{base}/$process-message"}],
        "documentation": MESSAGES,
    }


def interactions() -> list[str]:
    """The codes of type-level interactions that ROUTES serves, each once."""
    return list(dict.fromkeys(route.interaction for route in ROUTES if route.level == "type"))


def system_interactions() -> list[str]:
    """The codes of system-level interactions; who takes a transaction, takes a batch."""
    served = dict.fromkeys(route.interaction for route in ROUTES if route.level == "system")
    return [*served, "batch"]


def _guides(packages: Catalog | None) -> dict[str, Any]:
    guides = implementation_guides(packages) if packages else []
    return {"implementationGuide": guides} if guides else {}


def _resource(resource_type: str, conditional_delete: str, profiles: Sequence[str]) -> dict[str, Any]:
    if resource_type in VIRTUAL:
        return _virtual(resource_type)
    if resource_type == "Subscription":
        profiles = (*profiles, *(each for each in (SUBSCRIPTION,) if each not in profiles))
    return {
        **_topics(resource_type),
        "type": resource_type,
        **({"supportedProfile": list(profiles)} if profiles else {}),
        "interaction": [{"code": code} for code in interactions()],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": conditional_delete,
        "searchInclude": offered(resource_type),
        "searchRevInclude": [
            name for name in offered_reverse(resource_type) if name.partition(":")[0] not in VIRTUAL
        ],
        "searchParam": list(_parameters(resource_type)),
        "operation": operations(level_is_system=False, resource_type=resource_type),
    }


def _topics(resource_type: str) -> dict[str, Any]:
    """What one can subscribe to."""
    if resource_type != "Subscription":
        return {}
    return {"extension": [{"url": TOPIC, "valueCanonical": url} for url in TOPICS]}


def _virtual(resource_type: str) -> dict[str, Any]:
    """A type whose resources the hub itself tells: they are read and searched, in few ways."""
    definitions = rows_of(resource_type)
    return {
        "type": resource_type,
        "interaction": [{"code": code} for code in VIRTUAL[resource_type]],
        "versioning": "no-version",
        "searchParam": [
            {"name": name, "definition": definitions[name]["url"], "type": kind} for name, kind in AUDITED.items()
        ],
        "operation": operations(level_is_system=False, resource_type=resource_type, levels=("type",)),
    }


def _parameters(resource_type: str) -> Iterable[dict[str, str]]:
    for code, row in sorted(rows_of(resource_type).items()):
        found = {"name": code, "definition": row["url"], "type": row["type"]}
        yield found | ({"documentation": LAST_UPDATED} if code == "_lastUpdated" else {})
