"""Which form a Consent is, and what the law and the form make of it.

Rules: 42 CFR 2.31 (written consent; (a)(4), (a)(5) and (a)(7) on one consent for all future treatment, payment
and health care operations; (b) on counselling notes); the ASCMI forms of DHCS, of which neither identifiers nor the
list of check-boxes are published as codes: both are tables. `consent_forms.csv`: identifier,form, where an
identifier is a Consent.policy.uri, or `system|code` of a coding in Consent.category or Consent.policyRule.
`consent_categories.csv`: identifier,labels, where an identifier is `system|code` of a coding in
Consent.provision.code and the labels are codes of v3-ActCode. A deployment adds rows of its own
(HUB_CONSENT_FORMS, HUB_CONSENT_CATEGORIES).
Refuses: a form that no row of FORMS has, a label that the hub does not know (ValueError).
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, reduce
from importlib.resources import files
from pathlib import Path
from typing import Any

from hub.fhir.systems import ACT_CODE
from hub.rights.labels import ALL_BITS, COUNSELLING, HMIS, OTHER, PSY, PSYTHPN, SUD_BITS, mask_of
from hub.rights.provisions import BY_CLASS, codings, identifier
from hub.sight import PURPOSES

NOTES = COUNSELLING | PSYTHPN  # what only a Consent of their own opens
BESIDE_NOTES = NOTES | SUD_BITS | PSY  # what the labels of such notes imply
SUBSTANCE_USE = SUD_BITS & ~NOTES
# nobody can consent to what nobody knows; what an HMIS says leaves with its own release of information only
CONSENTED = ALL_BITS & ~(OTHER | HMIS)
OPEN = CONSENTED & ~(SUBSTANCE_USE | NOTES)  # what a permit opens that names no label
TPO = PURPOSES["TREAT"] | PURPOSES["HPAYMT"] | PURPOSES["HOPERAT"]
EVERY_PURPOSE = sum(PURPOSES.values())


@dataclass(frozen=True, slots=True)
class Form:
    """`labels`: opened where the Consent names none; `most`: never more than these. `classes`: recipients where it
    names none. `lasts`: needs no expiration. `medi_cal`: counts only while the member has Medi-Cal. `revokes`: it
    denies everything, whatever else it says."""

    labels: int = OPEN
    most: int = CONSENTED
    purposes: int = EVERY_PURPOSE
    classes: frozenset[str] = frozenset()
    lasts: bool = False
    medi_cal: bool = False
    revokes: bool = False

    @property
    def describes(self) -> bool:
        """The form itself says that it is about Part 2 data, for which recipients and purposes."""
        return bool(self.labels & SUBSTANCE_USE)

    @property
    def tells(self) -> int:
        """The labels of what the form tells by being there: a disorder, or that somebody is known to an HMIS."""
        return self.labels if self.describes else self.labels & HMIS


GENERAL = Form()
FORMS: Mapping[str, Form] = {
    "ascmi-ab133": Form(medi_cal=True),
    "ascmi-non-ab133": Form(),
    "ascmi-revocation": Form(revokes=True),
    "part2-tpo": Form(SUBSTANCE_USE, CONSENTED & ~NOTES, TPO, BY_CLASS, lasts=True),
    "part2-named-recipient": Form(SUBSTANCE_USE),
    "hmis-roi": Form(labels=HMIS, most=HMIS),
}


@dataclass(frozen=True, slots=True)
class Forms:
    """`names`: a form's name by identifier. `categories`: masks of labels by identifier."""

    names: Mapping[str, str] = field(default_factory=dict)
    categories: Mapping[str, int] = field(default_factory=dict)

    def of(self, consent: Mapping[str, Any]) -> frozenset[str]:
        """The names of the forms that the Consent says it is."""
        return frozenset(self.names[said] for said in _identifiers(consent) if said in self.names)


def told_by(consent: Mapping[str, Any]) -> int:
    """The labels of what a Consent tells by being there: by its form (one of 42 CFR Part 2 tells of a disorder),
    and by the categories that it names, whether it permits or denies them."""
    forms = current()
    mask = 0
    for name in forms.of(consent):
        mask |= FORMS[name].tells
    for coding in _named(consent.get("provision", {})):
        mask |= forms.categories.get(identifier(coding), 0)
    return mask


def _named(provision: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The codings of what a provision, and each one inside it, is about."""
    yield from codings(provision.get("code", ()))
    for inner in provision.get("provision", ()):
        yield from _named(inner)


def _identifiers(consent: Mapping[str, Any]) -> Iterable[str]:
    for policy in consent.get("policy", ()):
        yield policy.get("uri", "")
    for concept in (consent.get("policyRule", {}), *consent.get("category", ())):
        for coding in concept.get("coding", ()):
            yield identifier(coding)


@cache
def shipped() -> Forms:
    """The tables that come with the hub."""
    here = files("hub.rights")
    return Forms(_names(here / "consent_forms.csv"), _categories(here / "consent_categories.csv"))


def with_local(forms: Path | None, categories: Path | None) -> Forms:
    """The shipped tables and a deployment's own. Raises ValueError, OSError."""
    own_names = _names(forms) if forms else {}
    own_categories = _categories(categories) if categories else {}
    return Forms({**shipped().names, **own_names}, {**shipped().categories, **own_categories})


def _names(table: Any) -> dict[str, str]:
    found = {row["identifier"]: row["form"] for row in _rows(table)}
    if unknown := set(found.values()) - set(FORMS):
        raise ValueError(f"A table of consent forms names {len(unknown)} that the hub does not know")
    return found


def _categories(table: Any) -> dict[str, int]:
    return {row["identifier"]: _mask(row["labels"].split()) for row in _rows(table)}


def _mask(codes: list[str]) -> int:
    masks = [mask_of([{"system": ACT_CODE, "code": code}]) for code in codes]
    if not all(masks) or any(mask & OTHER for mask in masks):
        raise ValueError("A table of consent categories names a label that the hub does not know")
    return reduce(int.__or__, masks, 0)


def _rows(table: Any) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


_held: list[Forms] = []


def current() -> Forms:
    """The forms of this process."""
    return _held[0] if _held else shipped()


def use(forms: Forms) -> None:
    """Let these forms count from now on, for what is written from now on (docs/consent.md: reindex)."""
    _held[:] = [forms]
