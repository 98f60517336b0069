"""What the caller decides about the county: its seed, its day, and which URIs name its identifiers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from hub.demo.organizations import HOSPITALS
from hub.fhir.systems import CIN_SYSTEM, mrn_system

ANCHOR = date(2026, 11, 1)


def hub_mrn_systems() -> dict[str, str]:
    """The hub's own MRN system of every demo hospital, by facility code."""
    return {hospital.facility: mrn_system(hospital.facility) for hospital in HOSPITALS}


@dataclass(frozen=True, slots=True)
class Scenario:
    """`anchor` is the county's today: what has happened happened before. `mrn_systems`: facility code to URI."""

    seed: int = 1
    anchor: date = ANCHOR
    cin_system: str = CIN_SYSTEM
    mrn_systems: Mapping[str, str] = field(default_factory=hub_mrn_systems)

    def day(self, days_ago: int) -> str:
        """The FHIR date so many days before the anchor; a negative number lies in the future."""
        return (self.anchor - timedelta(days=days_ago)).isoformat()
