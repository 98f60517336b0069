"""Which form a Consent is, a deployment's own tables, and what a writer is told of a Consent that opens nothing."""

from pathlib import Path
from typing import Any

import pytest

from hub.rights import consent_forms
from hub.rights.consent_faults import faults
from hub.rights.consent_forms import FORMS, SUBSTANCE_USE, Forms, shipped, told_by, with_local
from hub.rights.consents import rules_of
from hub.rights.labels import BITS
from hub.rights.provisions import MOST_ROWS
from tests.hub.asking import BASE
from tests.hub.consenting import CATEGORY, FORM, actor, by_proxy, complete, concept, consent, provision

OWN = "https://county.example/forms"


def test_the_shipped_identifiers_name_every_form_and_are_plainly_local() -> None:
    assert set(shipped().names.values()) == set(FORMS)
    assert all(said.startswith("urn:calaim-fhir-hub:") for said in (*shipped().names, *shipped().categories))


@pytest.mark.parametrize(
    "said",
    [
        {"policy": [{"uri": "urn:other"}, {"uri": f"{OWN}/tpo"}]},
        {"policyRule": concept(OWN, "tpo")},
        {"category": [concept("urn:x", "y"), concept(OWN, "tpo")]},
    ],
)
def test_a_form_is_named_by_policy_rule_or_category(said: dict[str, Any]) -> None:
    forms = Forms({f"{OWN}/tpo": "part2-tpo", f"{OWN}|tpo": "part2-tpo"})
    assert forms.of(consent(**said)) == {"part2-tpo"}
    assert shipped().of(consent(**said)) == frozenset()


def test_a_deployment_adds_its_own_rows(tmp_path: Path) -> None:
    forms, categories = tmp_path / "forms.csv", tmp_path / "categories.csv"
    forms.write_text(f"identifier,form\n{OWN}/1,hmis-roi\n")
    categories.write_text(f"identifier,labels\n{OWN}|sud,42CFRPart2 HIV\n")
    found = with_local(forms, categories)
    assert (found.names[f"{OWN}/1"], found.names[FORM + "part2-tpo"]) == ("hmis-roi", "part2-tpo")
    assert found.categories[f"{OWN}|sud"] == SUBSTANCE_USE | BITS["HIV"]
    assert with_local(None, None) == shipped()
    one = consent(complete(marked="", code=[concept(OWN, "sud")]))
    assert (len(rules_of(one, BASE, found)), len(rules_of(one, BASE))) == (1, 0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("forms", f"identifier,form\n{OWN}/1,no-such-form\n"),
        ("categories", f"identifier,labels\n{OWN}|1,NOSUCH\n"),
        ("categories", f"identifier,labels\n{OWN}|1,HIV NOSUCH\n"),
    ],
)
def test_a_table_with_a_form_or_a_label_that_nobody_knows_is_refused(tmp_path: Path, name: str, text: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match="does not know"):
        with_local(**{"forms": None, "categories": None} | {name: table})


def test_the_forms_in_use_are_those_of_the_deployment() -> None:
    assert consent_forms.current() is shipped()
    consent_forms.use(Forms({OWN: "ascmi-revocation"}))
    try:
        assert [row[3] for row in rules_of(consent(policy=[{"uri": OWN}]), BASE)] == [False]
    finally:
        consent_forms.use(shipped())


SUD_CODE = {"code": [concept("urn:x", "y"), concept(CATEGORY, "substance-use")]}
TOLD = {
    "nothing": (consent(complete(marked="")), 0),
    "a category": (consent(complete(marked="", **SUD_CODE)), SUBSTANCE_USE),
    "a category that is denied": (consent(provision("deny", **SUD_CODE)), SUBSTANCE_USE),
    "a category of a revoked Consent": (consent(complete(**SUD_CODE), status="inactive"), SUBSTANCE_USE),
    "categories inside": (
        consent(provision("deny", complete(complete(code=[concept(CATEGORY, "domestic-violence")]), **SUD_CODE))),
        SUBSTANCE_USE | BITS["SDV"],
    ),
    "one of several": (consent(complete(code=[concept(CATEGORY, "x"), concept(CATEGORY, "hiv")])), BITS["HIV"]),
    "a form": (consent(provision(), "part2-tpo"), SUBSTANCE_USE),
    "a form and a category": (
        consent(provision(code=[concept(CATEGORY, "hiv")]), "part2-tpo"),
        SUBSTANCE_USE | BITS["HIV"],
    ),
}


@pytest.mark.parametrize("said", TOLD)
def test_a_consent_tells_what_its_form_and_its_categories_are_about(said: str) -> None:
    one, labels = TOLD[said]
    assert told_by(one) == labels


def test_the_categories_of_a_deployment_tell_too() -> None:
    one = consent(complete(marked="", code=[concept(OWN, "sud")]))
    assert told_by(one) == 0
    consent_forms.use(Forms(categories={f"{OWN}|sud": SUBSTANCE_USE}))
    try:
        assert told_by(one) == SUBSTANCE_USE
    finally:
        consent_forms.use(shipped())


WHERE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": (consent(complete()), []),
    "a denial": (consent(provision("deny"), dateTime=None, performer=None), []),
    "a revocation": (consent(form="ascmi-revocation", dateTime=None), []),
    "no longer active": (consent(complete(to=()), status="inactive"), []),
    "scope": (consent(complete(), scope=concept("urn:x", "y")), ["scope"]),
    "patient": (
        consent(complete(), patient={"display": "invented"}, performer=[{"reference": "Patient/p2"}]),
        ["patient", "performer", "performer"],
    ),
    "date": (consent(complete(), dateTime=None), ["dateTime"]),
    "two forms": (
        consent(complete(), policy=[{"uri": FORM + "part2-tpo"}, {"uri": FORM + "hmis-roi"}]),
        ["policy"],
    ),
    "an extension": (consent(complete(), modifierExtension=[{"url": "urn:x"}]), ["modifierExtension"]),
    "a form without a type": (consent(form="part2-tpo"), ["provision.type"]),
    "what no row holds": (consent(complete(dataPeriod={"start": "2026-01-01"})), ["provision"]),
    "what no row holds, inside": (
        consent(provision("deny", complete(code=[concept(CATEGORY, "no-such")]))),
        ["provision"],
    ),
    "recipient": (consent(complete(to=())), ["provision.actor"]),
    "an HMIS release to nobody": (consent(provision(), "hmis-roi"), ["provision.actor"]),
    "an HMIS release": (consent(provision(to=["Organization/harbor"]), "hmis-roi"), []),
    "purpose": (consent(complete(for_="")), ["provision.purpose"]),
    "expiration": (consent(complete(period={"start": "2026-01-01"})), ["provision.period"]),
    "signature": (consent(complete(), performer=None), ["performer"]),
    "a proxy's signature": (consent(complete(), **by_proxy("RelatedPerson/r1")), ["performer"]),
    "a proxy's signature for a minor": (
        consent(provision(), **by_proxy("RelatedPerson/r1", adult=False)),
        ["performer"],
    ),
    "no Part 2 data is meant": (consent(provision()), []),
    "TPO": (consent(provision(), "part2-tpo"), []),
    "nothing of Part 2": (
        consent(provision(actor=[actor("ecm-provider")]), "part2-named-recipient", performer=None),
        ["provision.purpose", "provision.period", "performer"],
    ),
}


@pytest.mark.parametrize("lacks", WHERE)
def test_a_writer_is_told_what_keeps_a_consent_from_opening(lacks: str) -> None:
    one, where = WHERE[lacks]
    found = faults(one, BASE)
    assert [issue.where.removeprefix("Consent.") for issue in found] == where
    assert {issue.severity for issue in found} <= {"warning"}
    assert "p1" not in " ".join(issue.message for issue in found)


def test_too_many_rules_are_refused() -> None:
    many = [f"Organization/o{number}" for number in range(MOST_ROWS + 1)]
    (found,) = faults(consent(provision(to=many)), BASE)
    assert (found.severity, found.kind) == ("error", "too-costly")
