"""The provisions of a Consent as flat rules: whom each reaches, for which labels and purposes, and when.

Rules: https://hl7.org/fhir/R4/consent-definitions.html#Consent.provision: a provision inside another is an
exception to it, and speaks of what the outer one speaks of. Its elements narrow together.
Every rule is read twice. What a permit says counts only as far as a row can hold it: a restriction that no row
holds (a class, a date of data, one custodian's data) opens nothing. What a deny says counts as everything that it
might mean: an actor that nobody can tell is everybody, a label that nobody knows is every label.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import islice
from typing import Any

from hub.fhir.systems import ACT_CODE, ACT_REASON
from hub.rights.labels import OTHER, mask_of
from hub.search.edges import address
from hub.search.hashes import key
from hub.search.values import FOREVER, NEVER, date_range, references
from hub.sight import PURPOSES

Node = Mapping[str, Any]

CONSENT_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
RECIPIENT_CLASS = "urn:calaim-fhir-hub:recipient-class"  # values: the names of auth.roles
# Consent has no element for an expiration that is an event (42 CFR 2.31(a)(7))
EXPIRES_ON_EVENT = "urn:calaim-fhir-hub:consent-expires-on-event"

RECIPIENT_ROLES = frozenset(("IRCP", "PRCP"))
# a denial of these is found by the number of the one who asks; a denial of another thing is one of everybody
ASKING = frozenset(("Organization", "Practitioner", "RelatedPerson", "Patient"))
# classes that may be trusted with Part 2 data without being named: treating providers, and who pays (2.31(a)(4))
BY_CLASS = frozenset(("ehr", "county-behavioral-health", "ecm-provider", "plan", "custodian"))
CLASSES = BY_CLASS | {"hospital-feeder", "ilos-provider", "member", "operator", "auditor"}

DISCLOSING = frozenset(("disclose", "access"))
NOT_DISCLOSING = frozenset(("collect", "correct"))
ELSEWHERE = frozenset(("HMARKT", "HRESCH", "PUBHLTH"))  # nobody asks this hub for these purposes
OPTED_OUT = frozenset(("OPTOUT", "OPTOUTE"))
NOT_HELD = ("class", "dataPeriod", "data", "modifierExtension")
EVERYTHING = -1  # a mask with every bit
MOST_ROWS = 500  # of one Consent


def recipient_class(role: str) -> int:
    """The number of everybody with this role (auth.roles)."""
    return key("", "recipient-class", role)


ANYONE = recipient_class("*")


@dataclass(frozen=True, slots=True)
class Reach:
    """What one rule speaks of; None where it does not narrow. `held`: a row can hold it. `ends`: it says when it
    expires, by a date or an event."""

    recipients: frozenset[int] | None = None
    labels: int | None = None
    purposes: int | None = None
    low: int = NEVER
    high: int = FOREVER
    held: bool = True
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """`path` are the positions that lead to the provision, the root's first."""

    path: tuple[int, ...]
    permit: bool
    reach: Reach

    @property
    def depth(self) -> int:
        return len(self.path) - 1

    def surrounds(self, other: "Rule") -> bool:
        return other.path[: len(self.path)] == self.path


@dataclass(frozen=True, slots=True)
class Reader:
    """`categories`: what the category codes of a form stand for, as masks of labels."""

    base: str
    categories: Mapping[str, int]

    def rules(self, consent: Node) -> list[Rule]:
        """Every rule of the Consent that can be told, in the order in which they stand there."""
        root = consent.get("provision") or {}
        kind = root.get("type") or ("deny" if _is_opted_out(consent) else None)
        found = list(islice(self._walk(root, kind, (0,), Reach(), Reach()), MOST_ROWS + 1))
        if len(found) > MOST_ROWS:  # nobody keeps them
            return found
        denials = [rule for rule in found if not rule.permit]
        return [rule for rule in found if not (rule.permit and _is_overruled(rule, denials))]

    def _walk(
        self, node: Node, kind: str | None, path: tuple[int, ...], opens: Reach, closes: Reach
    ) -> Iterator[Rule]:
        opens, closes = self._opens(node, opens), self._closes(node, closes)
        if kind == "permit" and opens.held:
            yield Rule(path, True, opens)
        elif kind == "deny" and closes.held and closes.purposes != 0:
            yield Rule(path, False, closes)
        for place, inner in enumerate(node.get("provision", ())):
            # without a type it might be either: the stricter one counts
            yield from self._walk(inner, inner.get("type", "deny"), (*path, place), opens, closes)

    def _opens(self, node: Node, outer: Reach) -> Reach:
        """A permit: no more than it says, inside what the outer ones say."""
        low, high = _period(node, (NEVER, FOREVER), (FOREVER, NEVER))
        return Reach(
            recipients=_both(self._permitted(node), outer.recipients, frozenset.intersection),
            labels=_both(self._labels(node, unknown=0), outer.labels, int.__and__),
            purposes=_both(_purposes(node, unknown=0), outer.purposes, int.__and__),
            low=max(low, outer.low),
            high=min(high, outer.high),
            held=outer.held and self._is_held(node) and (not (said := _actions(node)) or bool(said & DISCLOSING)),
            ends=outer.ends or high < FOREVER or _is_ended_by_event(node),
        )

    def _closes(self, node: Node, outer: Reach) -> Reach:
        """A deny: all that it might mean. Not `held` where it is about acts that are no disclosure."""
        low, high = _period(node, (outer.low, outer.high), (NEVER, FOREVER))
        recipients, marked, aims = self._denied(node), self._labels(node, unknown=EVERYTHING), _denied_aims(node)
        said = _actions(node)
        return replace(
            outer,
            recipients=outer.recipients if recipients is None else recipients,
            labels=outer.labels if marked is None else marked,
            purposes=outer.purposes if aims is None else aims,
            low=low,
            high=high,
            held=not said <= NOT_DISCLOSING if said else outer.held,
        )

    def _is_held(self, node: Node) -> bool:
        if any(name in node for name in NOT_HELD):
            return False
        codes = list(codings(node.get("code", ())))
        roles_are_held = all(_is_recipient(actor) for actor in node.get("actor", ()))
        return roles_are_held and all(identifier(coding) in self.categories for coding in codes)

    def _labels(self, node: Node, unknown: int) -> int | None:
        """`unknown`: what a label or category that nobody knows stands for."""
        marked, named = node.get("securityLabel", ()), list(codings(node.get("code", ())))
        categories = _union([self.categories.get(identifier(one), unknown) for one in named])
        told = _mask(list(marked), unknown) if marked else None
        return categories if told is None else told if categories is None else told & categories

    def _permitted(self, node: Node) -> frozenset[int] | None:
        if "actor" not in node:
            return None
        found = (self._number(actor) for actor in node["actor"] if _is_recipient(actor))
        return frozenset(number for number, _ in found if number)

    def _denied(self, node: Node) -> frozenset[int] | None:
        if "actor" not in node:
            return None
        found = [self._number(actor) if _is_recipient(actor) else (0, False) for actor in node["actor"]]
        return frozenset(number if is_asking else ANYONE for number, is_asking in found)

    def _number(self, actor: Node) -> tuple[int, bool]:
        """The recipient's number (0: nobody can tell), and whether whoever asks is known by such a number."""
        node = actor.get("reference", {})
        for kind, identity in references(node, self.base):
            return (address(kind, identity), kind in ASKING) if kind else (0, False)
        named = node.get("identifier", {})
        if named.get("system") != RECIPIENT_CLASS or not named.get("value"):
            return 0, False
        return recipient_class(named["value"]), named["value"] in CLASSES


def identifier(coding: Node) -> str:
    """A coding as it stands in the tables of forms."""
    return f"{coding.get('system', '')}|{coding.get('code', '')}"


def _is_opted_out(consent: Node) -> bool:
    said = consent.get("policyRule", {}).get("coding", ())
    return any(one.get("system") == ACT_CODE and one.get("code") in OPTED_OUT for one in said)


def _is_overruled(permit: Rule, denials: list[Rule]) -> bool:
    """A row keeps the depth only: a permit must not overrule a denial that it is no exception to."""
    return any(deny.depth < permit.depth and not deny.surrounds(permit) for deny in denials)


def _both(mine: Any, outer: Any, narrow: Callable[[Any, Any], Any]) -> Any:
    if mine is None or outer is None:
        return outer if mine is None else mine
    return narrow(mine, outer)


def _mask(marks: list[Node], unknown: int) -> int:
    """Labels that stand together may mean one of their own (hub.rights.labels)."""
    known = [one for one in marks if (mask := mask_of([one])) and not mask & OTHER]
    return mask_of(known) | (unknown if len(known) < len(marks) else 0)


def _union(masks: list[int]) -> int | None:
    return reduce(int.__or__, masks) if masks else None


def codings(concepts: Any) -> Iterator[Node]:
    """A concept without a coding, only a text, is one that nobody knows."""
    for concept in concepts:
        yield from concept.get("coding", ({},))


def _is_recipient(actor: Node) -> bool:
    said = actor.get("role", {}).get("coding", ())
    return any(one.get("system") == PARTICIPATION and one.get("code") in RECIPIENT_ROLES for one in said)


def _actions(node: Node) -> frozenset[str]:
    said = codings(node.get("action", ()))
    return frozenset(one.get("code", "") if one.get("system") == CONSENT_ACTION else "" for one in said)


def _purposes(node: Node, unknown: int) -> int | None:
    known = (one.get("code", "") if one.get("system") == ACT_REASON else "" for one in node.get("purpose", ()))
    return _union([PURPOSES.get(code, unknown) for code in known])


def _denied_aims(node: Node) -> int | None:
    """0: only purposes for which nobody asks this hub."""
    said = node.get("purpose", ())
    heard = [one for one in said if one.get("system") != ACT_REASON or one.get("code") not in ELSEWHERE]
    return 0 if said and not heard else _purposes({"purpose": heard}, unknown=EVERYTHING)


def _is_ended_by_event(node: Node) -> bool:
    return any(one.get("url") == EXPIRES_ON_EVENT for one in node.get("extension", ()))


def _period(node: Node, absent: tuple[int, int], broken: tuple[int, int]) -> tuple[int, int]:
    """`absent` where there is none, `broken` where it cannot be read."""
    if "period" not in node:
        return absent
    low, high = (_edge(node["period"], *side) for side in (("start", 0, NEVER), ("end", 1, FOREVER)))
    return broken if low is None or high is None or low >= high else (low, high)


def _edge(period: Node, name: str, side: int, open_end: int) -> int | None:
    if name not in period:
        return open_end
    found = date_range(period[name])
    return found[side] if found else None
