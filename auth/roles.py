"""The roles a client can have: who is who in a county, and what each may see and do at most.

Rules: docs/access.md. What varies is in tables: `role_types.csv` (which types with which letters of cruds, by
groups of `type_groups.csv` or by type, the type counting more), `role_elements.csv` (all that leaves of a type),
`label_policy.csv` (what opens a sensitivity label). They are defaults, to be confirmed by a privacy officer.
A client's scopes take away from its role, and never add to it. Which patients it sees, its relations say.
Refuses: roles, groups, types, elements, labels and letters that are not known (ValueError, when they are read).
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from hub.fhir.elements import elements_of
from hub.fhir.types import resource_types
from hub.rights.directory import CONFORMANCE, DIRECTORY
from hub.sight import COVERAGE, EPISODE, GRANTED, PANEL, PROXY, REFERRAL, REGISTERED, TEAM

FREE, CONSENT, NEVER = "free", "consent", "never"
LETTERS = "cruds"
ALWAYS_LEAVE = frozenset(("resourceType", "id", "meta"))  # of a resource that leaves with a few elements only
NO_GLASS = frozenset(("hospital-feeder", "auditor", "member"))  # who never breaks glass
Letters: TypeAlias = Mapping[str, frozenset[str]]  # by type


@dataclass(frozen=True, slots=True)
class Role:
    """`kinds`: the relations that count (hub.sight). `purposes`: for what it may ask, codes of v3-ActReason.
    `own`: what its organization wrote is there for it, with any label. `all_patients`: no relation is asked for.
    `person`: only where a member has signed in, and only about that member, or whom the person stands in for.
    `writes_any`: it may write about any patient, as it reads of none."""

    id: str
    meaning: str
    kinds: int = 0
    purposes: tuple[str, ...] = ()
    own: bool = False
    all_patients: bool = False
    person: bool = False
    writes_any: bool = False


ROSTER = PANEL | TEAM | REFERRAL | EPISODE | REGISTERED

ROLES: Mapping[str, Role] = {
    role.id: role
    for role in (
        Role("hospital-feeder", "A hospital or its interface engine: sends, reads nothing", writes_any=True),
        Role(
            "ehr",
            "An EHR or care-management system, for the members on its roster",
            ROSTER,
            ("TREAT", "HOPERAT"),
            own=True,
        ),
        Role(
            "county-behavioral-health",
            "A county behavioral health department, for its own clients",
            ROSTER,
            ("TREAT", "HPAYMT", "HOPERAT"),
            own=True,
        ),
        Role(
            "ecm-provider",
            "An Enhanced Care Management provider, for its assigned panel while it is assigned",
            PANEL | TEAM | EPISODE,
            ("TREAT", "HOPERAT"),
            own=True,
        ),
        Role(
            "ilos-provider",
            "A Community Supports (ILOS) provider, for members referred to it while the referral is active",
            REFERRAL,
            ("TREAT", "HOPERAT"),
            own=True,
        ),
        Role(
            "plan",
            "The managed care plan: rosters, referrals and counts of its members, no clinical content",
            COVERAGE,
            ("HPAYMT", "HOPERAT"),
            own=True,
        ),
        Role(
            "auditor",
            "Privacy officer or auditor: audit trail, consents and provenance of all, no content",
            purposes=("HOPERAT",),
            all_patients=True,
        ),
        Role("member", "A member's own app, or a proxy's: one record", PROXY, ("PATRQT",), person=True),
        Role("operator", "Runs the hub: no clinical content without broken glass", purposes=("HOPERAT",)),
        Role(
            "custodian",
            "The county's own system that runs the hub: all patients and types. For loads and migrations",
            purposes=("HOPERAT",),
            own=True,
            all_patients=True,
        ),
    )
}


def kinds_of(role: Role) -> int:
    """The relations that count for a role, broken glass among them."""
    return role.kinds if role.id in NO_GLASS else role.kinds | GRANTED


@cache
def letters_of(role_id: str) -> Letters:
    """The letters of each type that a role may ever use; types without any are not there."""
    by_group: dict[str, str] = {}
    by_type: dict[str, str] = {}
    for row in _rows("role_types.csv"):
        if row["role"] == role_id:
            (by_type if row["what"] in resource_types() else by_group)[row["what"]] = _checked(row["letters"])
    found = {name: letters for group, letters in by_group.items() for name in groups()[group]} | by_type
    return {name: frozenset(letters) for name, letters in found.items()}


@cache
def groups() -> Mapping[str, frozenset[str]]:
    """Every group of types; together they hold each R4 type once."""
    found = {row["group"]: frozenset(row["types"].split()) for row in _rows("type_groups.csv")}
    return found | {"directory": DIRECTORY - CONFORMANCE, "conformance": CONFORMANCE}


@cache
def elements_of_role(role_id: str) -> Mapping[str, frozenset[str]]:
    """By type, the only elements that leave to a role; all leave of the types that are not there."""
    found = {
        row["type"]: frozenset(row["elements"].split())
        for row in _rows("role_elements.csv")
        if row["role"] == role_id
    }
    for name, elements in found.items():
        if unknown := elements - elements_of(name).keys():
            raise ValueError(f"role_elements.csv: {name} has no {', '.join(sorted(unknown))}")
    return {name: elements | ALWAYS_LEAVE for name, elements in found.items()}


@cache
def label_policy(role_id: str) -> Mapping[str, str]:
    """By label, what opens it to a role: FREE, CONSENT or NEVER."""
    found = {row["label"]: row[role_id] for row in _rows("label_policy.csv")}
    if not set(found.values()) <= {FREE, CONSENT, NEVER}:
        raise ValueError(f"label_policy.csv: {role_id} has a policy that is none")
    return found


def _checked(letters: str) -> str:
    if not letters or letters != "".join(each for each in LETTERS if each in letters):
        raise ValueError("role_types.csv: letters are of cruds, in that order")
    return letters


def _rows(name: str) -> Iterator[dict[str, str]]:
    with files("auth").joinpath(name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)
