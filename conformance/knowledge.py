"""What this deployment knows of FHIR beyond the base: packages, profiles, terminology; and what it asks of a write.

Each part is made when it is first asked for, once a process: packages and code systems are large.
Rules: https://hl7.org/fhir/R4/validation.html; docs/adr/0010.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.validation.structure import validate
from hub.problems import Issue
from hub.settings import Settings

if TYPE_CHECKING:
    from conformance.packages.catalog import Catalog
    from conformance.profiles.policy import Policy
    from conformance.profiles.validate import Validator
    from conformance.terminology.library import Clients, Library

Resource = dict[str, Any]


class Knowledge:
    """`stored` finds the terminology resources of clients by their canonical URL."""

    def __init__(self, settings: Settings, stored: "Clients"):
        self._settings = settings
        self._stored = stored

    @cached_property
    def packages(self) -> "Catalog | None":
        """The FHIR packages of HUB_FHIR_PACKAGES, or None. Raises conformance.packages.catalog.BadPackage."""
        if not self._settings["HUB_FHIR_PACKAGES"]:
            return None
        from conformance.packages.catalog import Catalog

        return Catalog.of_folder(Path(self._settings["HUB_FHIR_PACKAGES"]))

    @cached_property
    def validator(self) -> "Validator":
        """By the loaded profiles; none loaded: by the base alone."""
        from conformance.packages.catalog import Catalog
        from conformance.profiles.terms import LibraryCodes
        from conformance.profiles.validate import Validator

        return Validator(self.packages or Catalog(), LibraryCodes(self.terminology))

    @cached_property
    def terminology(self) -> "Library":
        """The code systems and value sets of R4, of packages, of the hub, and those that clients stored.
        Raises ValueError for a local table that cannot be used."""
        from conformance.terminology.load import library

        return library(self.packages, self._settings.terminology_dir, self._stored)

    @cached_property
    def policy(self) -> "Policy | None":
        """What becomes of writes that break a claimed profile, or None where no packages are loaded."""
        if self.packages is None:
            return None
        from conformance.profiles.policy import Policy

        refuses = self._settings["HUB_PROFILE_POLICY"] == "refuse"
        return Policy(lambda: self.validator, refuses, frozenset(self._settings["HUB_PROFILE_WARN_CLIENTS"]))

    def of_clients(self, resource: Resource, expected: str, conditional: bool, who: str) -> list[Issue]:
        """What keeps the client `who` from writing this. A client may not say all that the hub says of itself, such
        as that a Subscription is active."""
        found = self.of_the_hub(resource, expected, conditional, who)
        if not found and expected in ASKED_MORE:
            found = ASKED_MORE[expected](resource, self._settings)
        if not found and self.policy is not None:
            found = self.policy.issues(resource, who)
        return found

    def of_the_hub(self, resource: Resource, expected: str, conditional: bool, _: str) -> list[Issue]:
        """What keeps the hub itself from writing this."""
        return validate(resource, expected, conditional_references=conditional)


def _subscription(resource: Resource, settings: Settings) -> list[Issue]:
    from hub.notifications.subscriptions import Served, issues

    return issues(resource, Served.of(settings), settings.fhir_base)


def _search_parameter(resource: Resource, _: Settings) -> list[Issue]:
    from hub.search import definitions

    return definitions.issues(resource)


# types of which a client is asked more than the base specification
ASKED_MORE: dict[str, Callable[[Resource, Settings], list[Issue]]] = {
    "Subscription": _subscription,
    "SearchParameter": _search_parameter,
}
