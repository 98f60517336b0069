"""What keeps a Consent from opening what its writer may have meant, for the one who writes it.

Rules: 42 CFR 2.31(a), hub.rights.consents. Warnings: such a Consent is a record like any other, and opens nothing
rather than too much. Refused (`too-costly`) is only one with more rules than the hub keeps rows for.
Texts name elements, never what stands in them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hub.problems import Issue
from hub.rights import consents
from hub.rights.consent_forms import FORMS, GENERAL, Forms, current
from hub.rights.labels import HMIS
from hub.rights.provisions import MOST_ROWS, Reader, Rule

Found = tuple[bool, str, str]  # whether it is so, what it means, where

PART2 = {
    "recipient": ("No recipient is named", "Consent.provision.actor"),
    "purpose": ("No purpose is named", "Consent.provision.purpose"),
    "expiration": ("There is no expiration date or event", "Consent.provision.period"),
    "description": ("The information is not described", "Consent.provision.securityLabel"),
    "signature": ("The patient's own signature is not recorded", "Consent.performer"),
}


def faults(consent: Mapping[str, Any], base: str, forms: Forms | None = None) -> list[Issue]:
    """Warnings for an active Consent, in the order of its elements; errors for what must be refused."""
    forms = forms or current()
    names = forms.of(consent)
    if consent.get("status") != "active" or any(FORMS[name].revokes for name in names):
        return []
    rules = Reader(base, forms.categories).rules(consent)
    if consents.size(rules) > MOST_ROWS:
        return [Issue("too-costly", f"At most {MOST_ROWS} rules of recipients", "Consent.provision")]
    if not names and not _asks_to_permit(consent.get("provision", {})):
        return []
    found = [
        *_whole(consent, base, names),
        *_provisions(consent.get("provision", {}), rules),
        _release(names, rules),
    ]
    told = [
        Issue("business-rule", f"{text}: it permits nothing", where, "warning")
        for is_so, text, where in found
        if is_so
    ]
    return told + _part2(consent, base, names, rules)


def _asks_to_permit(node: Mapping[str, Any]) -> bool:
    return node.get("type") == "permit" or any(map(_asks_to_permit, node.get("provision", ())))


def _whole(consent: Mapping[str, Any], base: str, names: frozenset[str]) -> Iterator[Found]:
    patient = consents.patient_of(consent, base)
    signature = consents.signature_of(consent, base, patient or 0)
    yield not consents.is_about_privacy(consent), "The scope is not patient-privacy", "Consent.scope"
    yield patient is None, "The patient is none of this hub", "Consent.patient"
    yield "dateTime" not in consent, "The date of signing is missing", "Consent.dateTime"
    yield (
        not signature.is_valid,
        "Neither the patient agreed, nor one representative of an adult",
        "Consent.performer",
    )
    yield len(names) > 1, "It says that it is several forms", "Consent.policy"
    yield "modifierExtension" in consent, "An extension changes its meaning", "Consent.modifierExtension"
    said = consent.get("provision", {})
    yield (
        not (said.get("type") or said.get("provision")),
        "It says neither permit nor deny",
        "Consent.provision.type",
    )


def _provisions(root: Mapping[str, Any], rules: list[Rule]) -> Iterator[Found]:
    told = {rule.path for rule in rules}
    said = "A provision is limited in a way that the hub cannot keep"
    yield any(path not in told for path in _permitting(root, (0,))), said, "Consent.provision"


def _release(names: frozenset[str], rules: list[Rule]) -> Found:
    is_release = any(FORMS[name].labels & HMIS for name in names)
    unnamed = any(rule.permit and rule.reach.recipients is None for rule in rules)
    return is_release and unnamed, "A release of HMIS information names no recipient", "Consent.provision.actor"


def _permitting(node: Mapping[str, Any], path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if node.get("type") == "permit":
        yield path
    for place, inner in enumerate(node.get("provision", ())):
        yield from _permitting(inner, (*path, place))


def _part2(consent: Mapping[str, Any], base: str, names: frozenset[str], rules: list[Rule]) -> list[Issue]:
    """Only for a Consent that means Part 2 data: by its form, or by the labels that it names."""
    form = FORMS[next(iter(names))] if names else GENERAL
    signature = consents.signature_of(consent, base, consents.patient_of(consent, base) or 0)
    meant = [rule for rule in rules if rule.permit and consents.means_part2(rule, form)]
    lacking = {word for rule in meant for word in consents.missing(rule, form, signature)}
    told = (PART2[word] for word in PART2 if word in lacking)
    return [
        Issue("business-rule", f"{text}: it opens no 42 CFR Part 2 data (2.31)", where, "warning")
        for text, where in told
    ]
