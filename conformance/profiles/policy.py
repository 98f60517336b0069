"""What becomes of a client's write whose resource breaks a profile that it claims.

Rules: https://hl7.org/fhir/R4/resource-definitions.html#Meta.profile (a server may refuse what does not hold)
HUB_PROFILE_POLICY decides for all clients, HUB_PROFILE_WARN_CLIENTS names those whose writes pass all the same.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.profiles.validate import Validator
from hub.problems import Issue

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """`validator` is made when the first profile is claimed: packages are large."""

    validator: Callable[[], Validator]
    refuses: bool
    warned: frozenset[str] = frozenset()

    def issues(self, resource: dict[str, Any], client: str) -> list[Issue]:
        """The errors that keep a resource from being written; it holds the base specification already."""
        if not _claims(resource):
            return []
        found = [each for each in self.validator().by_profiles(resource) if each.severity == "error"]
        if not found or (self.refuses and client not in self.warned):
            return found
        log.warning("%s of %s broke a claimed profile in %d places", resource["resourceType"], client, len(found))
        return []


def _claims(resource: dict[str, Any]) -> bool:
    if resource.get("meta", {}).get("profile"):
        return True
    return any(inner.get("meta", {}).get("profile") for inner in resource.get("contained", ()))
