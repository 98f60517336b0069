"""What a deployment says of its referrals: a TOML file, `referrals.toml`.

    organization = "Organization/example-hub"   # the hub itself: a referral to it goes on to others
    authorization = "required"                  # or "none", "presumptive": where no row below says it
    time_zone = "America/Los_Angeles"
    holidays = ["2026-12-24"]                   # days on which nobody works, beside the state's

    [[plan]]
    organization = "Organization/example-plan"
    authorization_system = "https://plan.example/authorization"   # of its numbers; none: they are not passed on
    [[plan.service]]
    service = "housing-deposits"                # a Community Support, "ecm", or "*"
    authorization = "presumptive"
    providers = ["Organization/example-house"]  # who may begin before the plan has decided; none: whoever is asked

    [[clock]]                                   # hub.referrals.clock_table
    [[text]]                                    # hub.referrals.notice_texts
    [[contact]]                                 # hub.referrals.contacts
    [[mail]]                                    # hub.referrals.mail_texts

Without the file nothing is coordinated, and the clocks of the policy guide run.
Refuses (CannotStart): no TOML, keys and words that are not known, an organization that is none of this hub.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.problems import CannotStart

REQUIRED, PRESUMPTIVE, NONE = AUTHORIZATIONS = ("required", "presumptive", "none")
EVERY = "*"
ORGANIZATION = re.compile(r"Organization/[A-Za-z0-9.-]{1,64}")
TABLES = ("clock", "text", "contact", "mail")
_KEYS = frozenset(("organization", "authorization", "time_zone", "holidays", "plan", *TABLES))
_OF_PLAN = frozenset(("organization", "authorization_system", "service"))
_OF_SERVICE = frozenset(("service", "authorization", "providers"))


@dataclass(frozen=True, slots=True)
class Service:
    """Whether a plan authorizes a service before it begins; `providers` may begin before."""

    service: str
    authorization: str
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that authorizes, as `Organization/x`; the identifier system of its authorizations' numbers."""

    organization: str
    system: str = ""
    services: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """`tables` are the rows of [[clock]], [[text]], [[contact]] and [[mail]], for those who read them."""

    organization: str = ""
    authorization: str = REQUIRED
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("America/Los_Angeles"))
    holidays: frozenset[date] = frozenset()
    plans: tuple[Plan, ...] = ()
    tables: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    @property
    def plan_names(self) -> frozenset[str]:
        return frozenset(plan.organization for plan in self.plans)

    def system_of(self, plan: str) -> str:
        """Of the numbers of a plan's authorizations; empty where nobody says it."""
        return next((one.system for one in self.plans if one.organization == plan), "")

    def authorization_of(self, plan: str, service: str, provider: str) -> str:
        """What this plan wants for this service by this provider: the service's own row before `*`."""
        rows = [row for one in self.plans if one.organization == plan for row in one.services]
        found = next((row for name in (service, EVERY) for row in rows if row.service == name), None)
        if found is None:
            return self.authorization
        if found.authorization == PRESUMPTIVE and found.providers and provider not in found.providers:
            return REQUIRED
        return found.authorization


def read_rules(path: Path, plan: str = "") -> Rules:
    """`plan` is one that the settings name besides. Raises CannotStart."""
    if not path.is_file():
        return Rules(plans=(Plan(plan),) if plan else ())
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotStart(f"The file of referrals cannot be read: {type(error).__name__}") from None
    _known(said, _KEYS, "the file")
    plans = [_plan(one) for one in _tables(said, "plan")]
    plans += [Plan(plan)] if plan and plan not in {one.organization for one in plans} else []
    return Rules(
        _organization(said["organization"]) if said.get("organization") else "",
        _word(said.get("authorization", REQUIRED), AUTHORIZATIONS, "authorization"),
        _zone(said.get("time_zone", "America/Los_Angeles")),
        frozenset(_days(said.get("holidays", ()))),
        tuple(plans),
        {name: tuple(_tables(said, name)) for name in TABLES},
    )


def _plan(said: Mapping[str, Any]) -> Plan:
    _known(said, _OF_PLAN, "[[plan]]")
    system = said.get("authorization_system", "")
    if not isinstance(system, str):
        raise CannotStart("Referrals: authorization_system is a URI")
    services = tuple(_service(one) for one in _tables(said, "service"))
    return Plan(_organization(said.get("organization")), system, services)


def _service(said: Mapping[str, Any]) -> Service:
    _known(said, _OF_SERVICE, "[[plan.service]]")
    providers = tuple(_organization(one) for one in said.get("providers", ()))
    service = said.get("service")
    if not isinstance(service, str) or not service:
        raise CannotStart("Referrals: [[plan.service]] names its service")
    return Service(service, _word(said.get("authorization"), AUTHORIZATIONS, "authorization"), providers)


def _tables(said: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    found = said.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise CannotStart(f"Referrals: [[{name}]] is a list of tables")
    return found


def _known(said: Mapping[str, Any], names: frozenset[str], where: str) -> None:
    if unknown := sorted(said.keys() - names):
        raise CannotStart(f"Referrals: {where} has no {', '.join(unknown)[:200]}")


def _organization(said: Any) -> str:
    if not isinstance(said, str) or not ORGANIZATION.fullmatch(said):
        raise CannotStart("Referrals: an organization is a reference such as Organization/example")
    return said


def _word(said: Any, words: Iterable[str], name: str) -> str:
    if said not in words:
        raise CannotStart(f"Referrals: {name} is one of {', '.join(words)}")
    return str(said)


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError):
        raise CannotStart("Referrals: time_zone is a name such as America/Los_Angeles") from None


def _days(said: Iterable[Any]) -> Iterator[date]:
    for one in said:
        try:
            yield one if isinstance(one, date) else date.fromisoformat(str(one))
        except ValueError:
            raise CannotStart("Referrals: holidays are days such as 2026-12-24") from None
