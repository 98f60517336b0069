"""What a Consent permits and denies, as rows that one SQL predicate asks (hub.store.sight, docs/consent.md).

Rules: https://hl7.org/fhir/R4/consent.html, 42 CFR 2.31, forms in hub.rights.consent_forms. Guarded labels are
closed unless a row opens them; what no row can hold opens nothing, and what denies denies all that it might mean.
The newest Consent decides, of those signed together the stricter; a nested provision is an exception to the one
around it. A day or a second is as long as it is written: a permit counts from its beginning, a denial to its end.
Part 2 data needs a complete consent of the patient (2.31): recipient, purpose, expiration, signature, description;
neither a general release, nor the class of who need not be a covered entity, nor a proxy's signature opens it.
What a minor may consent to alone no proxy's signature opens: a proxy signs for an adult, or opens nothing.
Counselling notes need a Consent of their own (2.31(b)).
What an HMIS says opens only by the form hmis-roi, and only to whom it names.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.rights.consent_forms import (
    BESIDE_NOTES,
    EVERY_PURPOSE,
    FORMS,
    GENERAL,
    NOTES,
    SUBSTANCE_USE,
    Form,
    Forms,
    current,
)
from hub.rights.labels import HMIS, PART2
from hub.rights.provisions import ANYONE as ANYONE
from hub.rights.provisions import BY_CLASS, CLASSES, EVERYTHING, MOST_ROWS, Reader, Rule, codings, identifier
from hub.rights.provisions import recipient_class as recipient_class
from hub.search.edges import address
from hub.search.values import FOREVER, NEVER, date_range, references

SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"
OTHER_SCOPES = frozenset(("adr", "research", "treatment"))
FOR_AN_ADULT = "urn:calaim-fhir-hub:consent-signer|representative-of-an-adult"  # in Consent.category
REVOKING = frozenset(("active", "inactive", "rejected"))  # statuses in which a revocation form is one

# patient, recipient, place, permit, labels, purposes, low, high, signed, depth, proxy, medi_cal
Row = tuple[int, int, int, bool, int, int, int, int, int, int, int, bool]

_UNNAMED = frozenset((ANYONE, *(recipient_class(name) for name in CLASSES)))
_TRUSTED_CLASSES = frozenset(recipient_class(name) for name in BY_CLASS)


@dataclass(frozen=True, slots=True)
class Signature:
    """`proxy`: the address of the RelatedPerson who signed, 0 for the patient; `is_missing`: nobody is named;
    `is_valid`: whoever is named may sign."""

    proxy: int = 0
    is_missing: bool = False
    is_valid: bool = True


def rules_of(consent: Mapping[str, Any], base: str, forms: Forms | None = None) -> set[Row]:
    """The rows of a Consent, without its row number."""
    forms = forms or current()
    names = forms.of(consent)
    patient = patient_of(consent, base)
    if patient is None:
        return set()
    if any(FORMS[name].revokes for name in names):
        is_revoked = consent.get("status") in REVOKING
        return {_nothing(patient, consent)} if is_revoked else set()
    if consent.get("status") != "active" or _is_about_something_else(consent):
        return set()
    rules = Reader(base, forms.categories).rules(consent)
    if size(rules) > MOST_ROWS:
        return {_nothing(patient, consent)}
    rows = [*_denials(consent, patient, rules), *_permits(consent, base, names, patient, rules)]
    return {(*row[:2], place, *row[3:]) for place, row in enumerate(rows)}


def opens_own(before: Collection[Row], now: Collection[Row], recipients: Collection[int]) -> bool:
    """Whether a write opens something to these recipients: a permit that is new or wider, or a denial that is gone
    or narrower. A client that does not act for the patient must not write that about itself."""
    mine = {*recipients, ANYONE}
    had, has = ([row for row in rows if row[1] in mine] for rows in (before, now))
    gained = any(row[3] and not any(_covers(old, row) for old in had) for row in has)
    return gained or any(not row[3] and not any(_covers(new, row) for new in has) for row in had)


def _covers(wide: Row, narrow: Row) -> bool:
    """Whether a row does at least what another one of its kind does."""
    same = wide[0] == narrow[0] and wide[3] == narrow[3] and wide[1] in (narrow[1], ANYONE)
    masks = not narrow[4] & ~wide[4] and not narrow[5] & ~wide[5]
    times = wide[6] <= narrow[6] and wide[7] >= narrow[7] and wide[8] >= narrow[8] and wide[9] >= narrow[9]
    return same and masks and times and wide[10] in (0, narrow[10]) and (narrow[11] or not wide[11])


def patient_of(consent: Mapping[str, Any], base: str) -> int | None:
    """The address of the patient, if that is one of this hub."""
    found = [address(kind, one) for kind, one in references(consent.get("patient"), base) if kind == "Patient"]
    return found[0] if found else None


def signature_of(consent: Mapping[str, Any], base: str, patient: int) -> Signature:
    """Who agreed. More than one proxy is none: a row holds one, and each must be one still. A minor of 12 or older
    consents alone to most care that is labelled (California Family Code 6924-6929): a proxy signs for an adult, and
    the Consent says so."""
    if not (performers := consent.get("performer", ())):
        return Signature(is_missing=True)
    signed = [(kind, address(kind, one)) for node in performers for kind, one in references(node, base) if kind]
    proxies = {number for kind, number in signed if kind == "RelatedPerson"}
    if proxies:
        is_adult = any(identifier(one) == FOR_AN_ADULT for one in codings(consent.get("category", ())))
        return Signature(min(proxies), is_valid=is_adult and len(proxies) == 1)
    return Signature(is_valid=("Patient", patient) in signed)


def missing(rule: Rule, form: Form, signature: Signature) -> list[str]:
    """What a permit lacks to be a consent under 42 CFR 2.31(a), in the words of hub.rights.consent_faults."""
    reach = rule.reach
    return [
        *(["recipient"] if reach.recipients is None and not form.classes else []),
        *(["purpose"] if reach.purposes is None and not form.lasts else []),
        *(["expiration"] if not reach.ends and not form.lasts else []),
        *(["description"] if reach.labels is None and not form.describes else []),
        *(["signature"] if signature.is_missing or signature.proxy or not signature.is_valid else []),
    ]


def size(rules: list[Rule]) -> int:
    """How many rows the rules need at most."""
    return sum(len(rule.reach.recipients or BY_CLASS) for rule in rules)


def _nothing(patient: int, consent: Mapping[str, Any]) -> Row:
    signed = _signed(consent)[1]
    return (patient, ANYONE, 0, False, EVERYTHING, EVERYTHING, NEVER, FOREVER, signed, 0, 0, False)


def _is_about_something_else(consent: Mapping[str, Any]) -> bool:
    said = consent.get("scope", {}).get("coding", ())
    return bool(said) and all(one.get("system") == SCOPES and one.get("code") in OTHER_SCOPES for one in said)


def is_about_privacy(consent: Mapping[str, Any]) -> bool:
    """The only scope in which a Consent permits."""
    said = consent.get("scope", {}).get("coding", ())
    return any(one.get("system") == SCOPES and one.get("code") == "patient-privacy" for one in said)


def _signed(consent: Mapping[str, Any]) -> tuple[int, int]:
    """The first and the last moment that Consent.dateTime can mean; without one a denial is the newest of all."""
    found = date_range(consent.get("dateTime", ""))
    return (found[0], found[1] - 1) if found else (FOREVER, FOREVER)


def _denials(consent: Mapping[str, Any], patient: int, rules: list[Rule]) -> Iterator[Row]:
    first, last = _signed(consent)
    # an exception inside a denial is signed with it: it must not be older than what it is an exception to
    has_exceptions = any(deny.surrounds(rule) for rule in rules if rule.permit for deny in rules if not deny.permit)
    for rule in rules:
        if rule.permit:
            continue
        reach = rule.reach
        labels = EVERYTHING if reach.labels is None else reach.labels
        purposes = EVERYTHING if reach.purposes is None else reach.purposes
        signed = first if has_exceptions else last
        for recipient in sorted((ANYONE,) if reach.recipients is None else reach.recipients):
            times = (reach.low, reach.high, signed)
            yield (patient, recipient, 0, False, labels, purposes, *times, rule.depth, 0, False)


def _permits(
    consent: Mapping[str, Any], base: str, names: frozenset[str], patient: int, rules: list[Rule]
) -> Iterator[Row]:
    signature = signature_of(consent, base, patient)
    is_readable = len(names) <= 1 and "dateTime" in consent and "modifierExtension" not in consent
    if not (is_readable and signature.is_valid and is_about_privacy(consent)):
        return
    form = FORMS[next(iter(names))] if names else GENERAL
    permits = [rule for rule in rules if rule.permit]
    is_separate = all(_is_of_notes(rule.reach.labels or 0) for rule in permits)
    signed = _signed(consent)[0]
    for rule in permits:
        opened = _opened(rule, form, is_separate)
        purposes = (EVERY_PURPOSE if rule.reach.purposes is None else rule.reach.purposes) & form.purposes
        low, high = max(rule.reach.low, signed), rule.reach.high
        is_complete = not missing(rule, form, signature)
        for recipient in sorted(_recipients(rule, form)):
            labels = opened if is_complete else opened & ~SUBSTANCE_USE & ~NOTES
            labels &= ~_kept_from(recipient)
            if labels and purposes and low < high:
                times = (low, high, signed)
                detail = (rule.depth, signature.proxy, form.medi_cal)
                yield (patient, recipient, 0, True, labels, purposes, *times, *detail)


def _is_of_notes(named: int) -> bool:
    return bool(named & NOTES) and not named & ~BESIDE_NOTES


def _opened(rule: Rule, form: Form, is_separate: bool) -> int:
    named = form.labels if rule.reach.labels is None else rule.reach.labels
    if named & PART2:  # a Part 2 record is one of a substance use disorder, and labelled so
        named |= SUBSTANCE_USE
    return named & form.most & (EVERYTHING if is_separate else ~NOTES)


def means_part2(rule: Rule, form: Form) -> bool:
    """Whether a permit is meant to open what only a complete Part 2 consent opens."""
    return bool(_opened(rule, form, is_separate=True) & (SUBSTANCE_USE | NOTES))


def _recipients(rule: Rule, form: Form) -> frozenset[int]:
    if rule.reach.recipients is not None:
        return rule.reach.recipients
    return frozenset(map(recipient_class, form.classes)) or frozenset((ANYONE,))


def _kept_from(recipient: int) -> int:
    """The labels that no consent opens to a recipient of this kind."""
    if recipient in _TRUSTED_CLASSES:
        return NOTES | HMIS
    return SUBSTANCE_USE | NOTES | HMIS if recipient in _UNNAMED else 0
