"""Are these two one person: link, review or distinct, with the evidence.

Rules: docs/identity.md "Deciding".
1. A strong identifier that both have decides: link, unless names, dates or a guard contradict it: then review.
2. Otherwise the weights decide, against log2 of the population: a rarer agreement is needed among more persons.
3. Guards lower what 1 and 2 say (hub.identity.guards).
`decide` is for two; `among` for one person and all candidates: linked with the one member that is clearly the
likeliest, or with nobody.
The evidence names fields, levels, bits, kinds and guards: no value of a person. It may be stored, shown and logged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hub.identity.compare import compare
from hub.identity.frequencies import Frequencies
from hub.identity.guards import DISTINCT, DOUBT, GUARDS, REVIEW, Pair
from hub.identity.person import FULL, Person
from hub.identity.strong import shared
from hub.identity.weights import LIMITS, Limits, bits, total

LINK = "link"
_ORDER = (DISTINCT, REVIEW, LINK)


class Evidence(NamedTuple):
    field: str
    level: str
    bits: float


@dataclass(frozen=True, slots=True)
class Decision:
    """`outcome`: link, review or distinct. `identifiers`: kinds of the strong identifiers that both have. `guards`:
    those that lowered it. `needed`: bits for a link in this population."""

    outcome: str
    weight: float
    needed: float
    evidence: tuple[Evidence, ...]
    identifiers: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line that a reviewer can read."""
        facts = [f"same {kind}" for kind in self.identifiers]
        facts += [f"{each.field} {each.level} {each.bits:+.1f}" for each in self.evidence]
        facts += [f"guard: {name}" for name in self.guards]
        return f"{self.outcome} ({self.weight:.1f} of {self.needed:.1f} bits): {', '.join(facts)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of one person. `member` is set for a link; `review` are the members to look at; with a link,
    those who would be linked, too, so that they and `member` are probably one."""

    outcome: str
    member: str = ""
    review: tuple[str, ...] = ()


def decide(one: Person, other: Person, frequencies: Frequencies, limits: Limits = LIMITS) -> Decision:
    agreements = compare(one, other, frequencies, limits)
    weighed = [(each, bits(each, frequencies)) for each in agreements]
    weight = total(weighed, limits)
    pair = Pair(one, other, {each.field: each.level for each in agreements}, weight, frequencies, limits)
    strong, needed = shared(one.identifiers, other.identifiers), pair.population + limits.link_margin
    before = _by_identifier(pair) if strong else _by_weight(weight, needed, limits)
    outcome, guards = _guarded(pair, before, bool(strong)) if before != DISTINCT else (before, ())
    evidence = tuple(Evidence(each.field, each.level, round(found, 2)) for each, found in weighed)
    return Decision(outcome, round(weight, 2), round(needed, 2), evidence, strong, guards)


def among(decisions: Mapping[str, Sequence[Decision]], limits: Limits = LIMITS) -> Choice:
    """From the decisions about all candidate records, by the member they belong to. A person is linked where one
    member alone has a link, or one far better than the others', and no record of it speaks against (another
    identifier, another birth order)."""
    linked = {member: several for member, several in decisions.items() if _any(several, LINK)}
    doubted = {member for member, several in decisions.items() if _any(several, REVIEW)} - linked.keys()
    best = _likeliest(linked, limits)
    if best and not any(_opposed(several) for several in linked.values()):
        return Choice(LINK, best, tuple(sorted(linked.keys() - {best})))
    to_review = tuple(sorted({*linked, *doubted}))
    return Choice(REVIEW, review=to_review) if to_review else Choice(DISTINCT)


def _likeliest(linked: Mapping[str, Sequence[Decision]], limits: Limits) -> str:
    """By `clear_margin` bits at least; empty where there is none. Among several an identifier decides nothing: it
    may be of one and the names of another."""
    if len(linked) > 1 and any(each.identifiers for several in linked.values() for each in several):
        return ""
    best = {m: max(each.weight for each in several if each.outcome == LINK) for m, several in linked.items()}
    order = sorted(best, key=lambda member: -best[member])
    clear = len(order) == 1 or (len(order) > 1 and best[order[0]] - best[order[1]] >= limits.clear_margin)
    return order[0] if clear else ""


def _any(decisions: Iterable[Decision], outcome: str) -> bool:
    return any(each.outcome == outcome for each in decisions)


_OPPOSING = frozenset(("other identifier", "multiple birth", "generations"))


def _opposed(decisions: Iterable[Decision]) -> bool:
    return any(_OPPOSING & set(each.guards) for each in decisions)


def _by_weight(weight: float, needed: float, limits: Limits) -> str:
    if weight >= needed:
        return LINK
    return REVIEW if weight >= needed - limits.link_margin + limits.review_margin else DISTINCT


def _by_identifier(pair: Pair) -> str:
    """The demographic check: a number is mistyped, reused, or the mother's on her newborn."""
    full = pair.one.quality.birth == pair.other.quality.birth == FULL
    other_date = pair.has("birth", "different", "generation") and full
    other_name = pair.has("given", "different") or pair.has("given_hash", "different")
    return REVIEW if other_date or other_name else LINK


def _guarded(pair: Pair, before: str, strong: bool) -> tuple[str, tuple[str, ...]]:
    outcome, names = before, []
    for guard in GUARDS:
        if strong and not guard.always:
            continue
        lowered = _lowered(before, guard.check(pair), strong)
        if _ORDER.index(lowered) < _ORDER.index(before):
            names.append(guard.name)
            outcome = min(outcome, lowered, key=_ORDER.index)
    return outcome, tuple(names)


def _lowered(before: str, said: str, strong: bool) -> str:
    """With a strong identifier in common it is never distinct without a person having looked."""
    if not said:
        return before
    if strong:
        return REVIEW
    if said == DOUBT:
        return REVIEW if before == LINK else DISTINCT
    return min(before, said, key=_ORDER.index)
