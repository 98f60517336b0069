"""Consents of a county's feed: what the hub reads in them opens what the form says, and nothing else."""

from typing import Any

import pytest

from fhir_mappings.county_bh.consent_row import FORMS, consent_about, consent_resources
from hub.feeds.records import Feed, Kept, Resource
from hub.rights.consents import rules_of
from hub.rights.labels import BITS
from hub.rights.provisions import recipient_class
from hub.search.edges import address
from tests.fhir_mappings.county_bh.rows import FEED, NPI, PATIENT, SYSTEM, kept, subject, valid
from tests.hub.consenting import BASE, at, permitted

ECM = address("Organization", "ecm")
SAID = {
    "consent_id": "C-1",
    "county_client_number": "006132464",
    "form": "part2-named-recipient",
    "discloser": "general",
    "information": ["42CFRPart2"],
    "recipient_npi": NPI,
    "purpose": ["TREAT"],
    "expires_on": "2027-03-01",
    "signer": "patient",
    "signed_on": "2026-03-01",
}


def row(deleted: bool = False, **values: Any) -> Kept:
    found = {name: value for name, value in {**SAID, **values}.items() if value is not None}
    return kept("consent", found, deleted=deleted)


def consent(*rows: Kept, feed: Feed = FEED) -> Resource:
    (found,) = valid(consent_resources(subject(*rows, feed=feed), PATIENT))
    return found


def opened(one: Resource, *recipients: int) -> set[str]:
    """What it opens to the organization of the NPI, once the transaction has found it."""
    for actor in one.get("provision", {}).get("actor", ()):
        if actor["reference"].get("reference", "").endswith(f"|{NPI}"):
            actor["reference"] = {"reference": "Organization/ecm"}
    placed = [(1, each) for each in sorted(rules_of(one, BASE))]
    asking = recipients or (ECM,)
    return {name for name, bit in BITS.items() if permitted(placed, bit, asking, now=at("2026-06-15T12:00:00Z"))}


def test_a_complete_consent_opens_part_2_records_to_the_one_it_names() -> None:
    assert opened(consent(row())) == {"PART2", "SUD"}


def test_it_opens_nothing_to_another_one() -> None:
    assert opened(consent(row()), address("Organization", "other"), recipient_class("ecm-provider")) == set()


@pytest.mark.parametrize(
    "lacks",
    [
        {"recipient_npi": None, "recipient_name": "Invented ECM Provider"},
        {"recipient_npi": None},
        {"purpose": None},
        {"expires_on": None},
        {"information": None, "form": "ascmi-non-ab133"},
        {"signer": "representative"},
        {"discloser": "Harbor Invented Detox"},
        {"revoked_on": "2026-05-01"},
        {"expires_on": "2026-06-01"},
        {"signed_on": "2026-07-01"},
        {"form": "ascmi-revocation"},
    ],
)
def test_what_a_consent_lacks_keeps_it_closed(lacks: dict[str, Any]) -> None:
    assert opened(consent(row(**lacks))) == set()


def test_a_consent_that_lasts_until_an_event_is_complete() -> None:
    assert opened(consent(row(expires_on=None, expires_on_event="End of treatment"))) == {"PART2", "SUD"}


def test_the_one_consent_for_treatment_payment_and_operations_needs_little() -> None:
    bare = {"recipient_npi": None, "purpose": None, "expires_on": None, "information": None}
    found = consent(row(form="part2-tpo", **bare))
    assert "PART2" in opened(found, recipient_class("ecm-provider"))
    assert opened(found, recipient_class("ilos-provider")) == set()


def test_a_class_of_recipients_may_be_named() -> None:
    found = consent(row(recipient_npi=None, recipient_class="ecm-provider"))
    assert opened(found, recipient_class("ecm-provider")) == {"PART2", "SUD"}


def test_a_consent_opens_only_what_it_describes() -> None:
    assert opened(consent(row(information=["HIV"]))) == {"HIV"}


def test_a_revocation_does_not_wait_for_anybody_to_be_known() -> None:
    found = consent(row(revoked_on="2026-05-01"))
    assert found["status"] == "inactive"
    assert "Organization?" not in repr(found)


def test_a_revocation_form_denies() -> None:
    both = [consent(row()), consent(row(consent_id="C-2", form="ascmi-revocation", signed_on="2026-05-01"))]
    both[0]["provision"]["actor"][0]["reference"] = {"reference": "Organization/ecm"}
    placed = [(number, each) for number, one in enumerate(both) for each in sorted(rules_of(one, BASE))]
    assert not permitted(placed, BITS["PART2"], (ECM, recipient_class("*")), now=at("2026-06-15T12:00:00Z"))


def test_a_consent_that_is_taken_back_was_an_error() -> None:
    assert consent(row(deleted=True))["status"] == "entered-in-error"


def test_its_number_is_that_of_the_status_records() -> None:
    assert consent(row())["identifier"] == [{"system": f"{SYSTEM}/consent", "value": "C-1"}]
    assert consent_about(subject(row())) == "006132464"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_makes_a_valid_consent(form: str) -> None:
    feed = Feed("county-consent", "county-consent", SYSTEM, organization="Organization/county")
    assert consent(row(form=form), feed=feed)["organization"] == [{"reference": "Organization/county"}]
