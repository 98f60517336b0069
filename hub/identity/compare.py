"""How two persons agree, field by field, as levels of weights.csv. What one of them does not say is not compared.

Rules: docs/identity.md "Comparing". Symmetric: who comes first changes nothing. Of several names the pair that says
most counts, of several phones and addresses the best.
Refuses nothing.
"""

from collections.abc import Iterator

from hub.identity.addresses import Address
from hub.identity.addresses import agreement as address_agreement
from hub.identity.births import agreement as birth_agreement
from hub.identity.frequencies import Frequencies
from hub.identity.hashed import digests
from hub.identity.names import NEWBORN, Name, nicknamed
from hub.identity.person import Person
from hub.identity.weights import WEIGHTS, Agreement, Limits
from hub.identity.words import alike, likeness, sounds_alike

_ADDRESS_LEVELS = ("different", "area", "shared", "line", "near", "building", "same")


def compare(one: Person, other: Person, frequencies: Frequencies, limits: Limits) -> tuple[Agreement, ...]:
    """At most one agreement a field."""
    found = [*_names(one, other), *_birth(one, other), *_simple(one, other)]
    found += [*_phones(one, other, frequencies, limits), *_addresses(one, other, frequencies, limits)]
    return tuple(found)


def _names(one: Person, other: Person) -> Iterator[Agreement]:
    quality = max(one.quality.name, other.quality.name)
    if one.hashed or other.hashed:
        yield from _digests(one, other, quality)
        return
    pairs = [_name(mine, theirs, quality) for mine in one.names for theirs in other.names]
    if pairs:
        yield from pairs[0] if len(pairs) == 1 else max(pairs, key=_said)


def _said(agreements: tuple[Agreement, ...]) -> tuple[float, tuple[tuple[str, str, str], ...]]:
    """The bits of the table, before frequencies; the rest only makes the choice independent of the order."""
    terms = tuple((a.field, a.level, "" if a.term is None else a.term[1]) for a in agreements)
    return sum(WEIGHTS[a.field, a.level].bits for a in agreements), terms


def _name(one: Name, other: Name, quality: int) -> tuple[Agreement, ...]:
    family, given = family_level(one, other), given_level(one, other)
    if _worse(family) and _worse(given):
        astray = [_is_astray(one, other), _is_astray(other, one)]
        if all(astray):
            family = given = "swapped"
        elif any(astray):
            given = "part"
    found = []
    if family:
        found.append(Agreement("family", family, ("family", _term(one.family, other.family)), quality))
    if given:
        found.append(Agreement("given", given, ("given", _term((one.first,), (other.first,))), quality))
    if middle := middle_level(one, other):
        found.append(Agreement("middle", middle, None, quality))
    if one.suffix and other.suffix:
        found.append(Agreement("suffix", "same" if one.suffix == other.suffix else "different", None, quality))
    return tuple(found)


def _term(one: tuple[str, ...], other: tuple[str, ...]) -> str:
    """The word both have; otherwise one of theirs, the same whichever comes first."""
    shared = sorted(set(one) & set(other), key=lambda word: (-len(word), word))
    return shared[0] if shared else min(one[0] if one else "", other[0] if other else "")


def _worse(level: str) -> bool:
    return level in ("", "different", "phonetic", "near", "initial")


def _is_astray(one: Name, other: Name) -> bool:
    """The given name of one stands in the other's family name, perhaps with a slip. Where that is so both ways they
    are swapped; otherwise the other part was lost."""
    return bool(one.first) and any(one.first == each or alike(one.first, each) for each in other.family)


def family_level(one: Name, other: Name) -> str:
    """Empty where one of them says no family name."""
    if not one.family or not other.family:
        return ""
    if one.whole == other.whole or one.family == other.family:
        return "same"
    mine, theirs = frozenset(one.family), frozenset(other.family)
    if mine & theirs:
        return "same" if mine == theirs else "compound" if mine < theirs or theirs < mine else "part"
    like = likeness(one.whole, other.whole)
    if like == "close" or _close(one.family, other.family):
        return "close"
    return "phonetic" if sounds_alike(one.whole, other.whole) else like or "different"


def _close(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return len(one) == len(other) and all(map(alike, one, other))


def given_level(one: Name, other: Name) -> str:
    """Empty where one of them says no given name; of a newborn's mother's name nothing is read here."""
    mine, theirs = one.first, other.first
    if not mine or not theirs:
        return ""
    if mine == theirs or "".join(one.given) == "".join(other.given):
        return "first" if middle_level(one, other) == "different" else "same"
    if len(mine) == 1 or len(theirs) == 1:
        return _of_initial(one, other)
    if nicknamed(mine, theirs):
        return "nickname"
    like = likeness(mine, theirs)
    if like == "close" or alike("".join(one.given), "".join(other.given)):
        return "close"
    if mine in other.given or theirs in one.given:
        return "part"
    return "phonetic" if sounds_alike(mine, theirs) else like or "different"


def _of_initial(one: Name, other: Name) -> str:
    if one.first in other.given or other.first in one.given:
        return "part"
    return "initial" if one.first[0] == other.first[0] else "different"


def middle_level(one: Name, other: Name) -> str:
    """Of the second given names; empty where one of them has none."""
    if len(one.given) < 2 or len(other.given) < 2 or NEWBORN in (one.placeholder, other.placeholder):
        return ""
    mine, theirs = one.given[1], other.given[1]
    if mine == theirs or nicknamed(mine, theirs) or alike(mine, theirs):
        return "same"
    initial = 1 in (len(mine), len(theirs)) and mine[0] == theirs[0]
    return "initial" if initial else "different"


def _digests(one: Person, other: Person, quality: int) -> Iterator[Agreement]:
    """By the transform of the hashed one; two that were hashed differently cannot be compared."""
    hashed = one.hashed or other.hashed
    assert hashed is not None
    for field, at in (("family", 0), ("given", 1)):
        mine = frozenset().union(*(each[at] for each in digests(one, hashed.scheme)))
        theirs = frozenset().union(*(each[at] for each in digests(other, hashed.scheme)))
        if mine and theirs:
            yield Agreement(f"{field}_hash", _same(bool(mine & theirs)), None, quality)


def _birth(one: Person, other: Person) -> Iterator[Agreement]:
    if one.birth and other.birth:
        level, quality = birth_agreement(one.birth, other.birth), max(one.quality.birth, other.quality.birth)
        term = ("birth", one.birth.text) if level in ("same", "default") else None
        yield Agreement("birth", level, term, quality)


def _simple(one: Person, other: Person) -> Iterator[Agreement]:
    if one.sex and other.sex:
        yield Agreement("sex", _same(one.sex == other.sex))
    if one.ssn4 and other.ssn4:
        yield Agreement("ssn4", _ssn4(one.ssn4, other.ssn4), None, max(one.quality.ssn, other.quality.ssn))
    if one.order > 0 and other.order > 0:
        yield Agreement("order", _same(one.order == other.order))
    if one.deceased and other.deceased:
        yield Agreement("deceased", _same(one.deceased == other.deceased))


def _same(equal: bool) -> str:
    return "same" if equal else "different"


def _ssn4(one: str, other: str) -> str:
    if one == other:
        return "same"
    wrong = [at for at in range(4) if one[at] != other[at]]
    turned = len(wrong) == 2 and sorted(one) == sorted(other)
    return "close" if len(wrong) == 1 or turned else "different"


def _phones(one: Person, other: Person, frequencies: Frequencies, limits: Limits) -> Iterator[Agreement]:
    if one.phones and other.phones:
        shared = set(one.phones) & set(other.phones)
        own = any(frequencies.count("phone", each) <= limits.shared_phone for each in shared)
        yield Agreement("phone", "same" if own else "shared" if shared else "different")


def _addresses(one: Person, other: Person, frequencies: Frequencies, limits: Limits) -> Iterator[Agreement]:
    if one.addresses and other.addresses:
        pairs = [(mine, theirs) for mine in one.addresses for theirs in other.addresses]
        levels = [_address(mine, theirs, frequencies, limits) for mine, theirs in pairs]
        yield Agreement("address", max(levels, key=_ADDRESS_LEVELS.index))


def _address(one: Address, other: Address, frequencies: Frequencies, limits: Limits) -> str:
    """One of many persons, a shelter's, says nothing, however it is written."""
    level = address_agreement(one, other)
    if level in ("different", "area"):
        return level
    most = max(frequencies.count("address", each.key) for each in (one, other))
    return "shared" if most > limits.shared_address else level
