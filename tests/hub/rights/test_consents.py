"""What a Consent opens, and to whom: every state of consent as a row of a table, each rule with what it refuses."""

from typing import Any

import pytest

from auth.roles import ROLES
from hub.fhir.systems import SECURITY_LABEL
from hub.rights.consents import ANYONE, opens_own, recipient_class, rules_of
from hub.rights.labels import BITS
from hub.rights.provisions import BY_CLASS, CLASSES, MOST_ROWS
from hub.search.edges import address
from hub.sight import PURPOSES
from tests.hub.asking import BASE
from tests.hub.consenting import (
    ACT,
    ACTION,
    CATEGORY,
    CLINIC,
    ECM,
    HARBOR,
    PATIENT,
    REASON,
    actor,
    by_proxy,
    complete,
    concept,
    consent,
    opened,
    permitted,
    provision,
    rows,
)

NOTHING: set[str] = set()
SUBSTANCE_USE = {"PART2", "SUD"}
OPEN = {"PSY", "HIV", "STD", "SDV", "SEX"}
ILOS = recipient_class("ilos-provider")
PARENT = address("RelatedPerson", "parent")
TPO = consent(provision(), "part2-tpo")
BY_PARENT = by_proxy("RelatedPerson/parent")
OF_A_MINOR = by_proxy("RelatedPerson/parent", adult=False)
Y2025 = {"start": "2025-01-01", "end": "2025-12-31"}
Y2027 = {"start": "2027-01-01", "end": "2027-12-31"}
BEFORE, AFTER, SAME = "2026-01-01T09:00:00Z", "2026-03-01T09:00:00Z", "2026-02-01T09:00:00Z"
DENY = provision("deny")
RELEASE = provision(to=["Organization/harbor"])
LABELLED_PSY = {"securityLabel": [{"system": ACT, "code": "PSY"}]}
LABELLED_HMIS = {"securityLabel": [{"system": SECURITY_LABEL, "code": "HMIS"}]}

# what is consented, who asks and how, what is opened
STATES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], set[str]]] = {
    "none": ([], {}, NOTHING),
    "TPO": ([TPO], {}, SUBSTANCE_USE),
    "TPO, for operations": ([TPO], {"purposes": PURPOSES["HOPERAT"]}, SUBSTANCE_USE),
    "TPO, for a purpose outside it": ([TPO], {"purposes": PURPOSES["PATRQT"]}, NOTHING),
    "TPO, to a class outside it": ([TPO], {"recipients": (HARBOR, ILOS, ANYONE)}, NOTHING),
    "TPO, narrowed to one recipient": ([consent(provision(to=["Organization/clinic"]), "part2-tpo")], {}, NOTHING),
    "TPO, narrowed to a purpose": ([consent(provision(for_="HPAYMT"), "part2-tpo")], {}, NOTHING),
    "TPO, not signed": ([consent(provision(), "part2-tpo", performer=None)], {}, NOTHING),
    "TPO, no counselling notes": (
        [consent(provision(marked="42CFRPart2 PSYTHPN"), "part2-tpo")],
        {},
        {"PART2", "SUD", "PSY"},
    ),
    "named": ([consent(complete())], {}, SUBSTANCE_USE),
    "named, another asks": ([consent(complete())], {"recipients": (CLINIC, ECM, ANYONE)}, NOTHING),
    "named, by the form": ([consent(complete(marked=""), "part2-named-recipient")], {}, SUBSTANCE_USE),
    "named, for another patient": ([consent(complete(), patient={"reference": "Patient/p2"})], {}, NOTHING),
    "named, for another purpose": ([consent(complete(for_="HPAYMT"))], {}, NOTHING),
    "named, for a purpose nobody knows": ([consent(complete(purpose=[{"code": "TREAT"}]))], {}, NOTHING),
    "class": ([consent(complete(to=["ecm-provider"]))], {}, SUBSTANCE_USE),
    "class that need not be a covered entity": (
        [consent(complete(to=["ilos-provider"], marked="42CFRPart2 HIV"))],
        {"recipients": (HARBOR, ILOS, ANYONE)},
        {"HIV"},
    ),
    "that provider, named": ([consent(complete())], {"recipients": (HARBOR, ILOS, ANYONE)}, SUBSTANCE_USE),
    "partial: mental health yes, substance use no": (
        [consent(provision(to=["ecm-provider"], marked="PSY"))],
        {},
        {"PSY"},
    ),
    "general release": ([consent(provision())], {}, OPEN),
    "general release that names Part 2": ([consent(complete(to=()))], {}, NOTHING),
    "deny": ([consent(DENY), consent(provision(), dateTime=BEFORE)], {}, NOTHING),
    "deny of one recipient": (
        [consent(provision("permit", provision("deny", to=["Organization/harbor"])))],
        {},
        NOTHING,
    ),
    "deny of another recipient": (
        [consent(provision("permit", provision("deny", to=["Organization/clinic"])))],
        {},
        OPEN,
    ),
    "expired": ([consent(complete(period=Y2025), dateTime="2025-01-01")], {}, NOTHING),
    "not yet valid": ([consent(complete(period=Y2027))], {}, NOTHING),
    "signed later than now": ([consent(complete(), dateTime="2026-07-01")], {}, NOTHING),
    "revoked": ([TPO, consent(form="ascmi-revocation", dateTime=AFTER)], {}, NOTHING),
    "revoked by a form that was filed away": (
        [TPO, consent(form="ascmi-revocation", dateTime=AFTER, status="inactive")],
        {},
        NOTHING,
    ),
    "revocation that is a draft": (
        [TPO, consent(form="ascmi-revocation", dateTime=AFTER, status="draft")],
        {},
        SUBSTANCE_USE,
    ),
    "revocation entered in error": (
        [TPO, consent(form="ascmi-revocation", dateTime=AFTER, status="entered-in-error")],
        {},
        SUBSTANCE_USE,
    ),
    "revocation without a date": ([TPO, consent(form="ascmi-revocation", dateTime=None)], {}, NOTHING),
    "revocation that also permits": (
        [
            consent(
                complete(),
                policy=[
                    {"uri": f"urn:calaim-fhir-hub:consent-form:{n}"} for n in ("ascmi-revocation", "part2-tpo")
                ],
            )
        ],
        {},
        NOTHING,
    ),
    "consented anew after a revocation": (
        [TPO, consent(form="ascmi-revocation", dateTime=BEFORE)],
        {},
        SUBSTANCE_USE,
    ),
    "newer denial": ([consent(provision()), consent(DENY, dateTime=AFTER)], {}, NOTHING),
    "older denial": ([consent(provision()), consent(DENY, dateTime=BEFORE)], {}, OPEN),
    "denial of the same second": ([consent(provision()), consent(DENY, dateTime=SAME)], {}, NOTHING),
    "denial of the same second, stored first": ([consent(DENY, dateTime=SAME), consent(provision())], {}, NOTHING),
    "denial of the same second, the permit with a fraction": (
        [consent(provision(), dateTime="2026-02-01T09:00:00.9Z"), consent(DENY, dateTime=SAME)],
        {},
        NOTHING,
    ),
    "denial of the same day": ([consent(provision()), consent(DENY, dateTime="2026-02-01")], {}, NOTHING),
    "denial without a date": ([consent(provision()), consent(DENY, dateTime=None)], {}, NOTHING),
    "AB-133, with Medi-Cal": ([consent(complete(), "ascmi-ab133")], {"medi_cal": True}, SUBSTANCE_USE),
    "AB-133, without Medi-Cal": ([consent(complete(), "ascmi-ab133")], {"medi_cal": False}, NOTHING),
    "AB-133 that denies, without Medi-Cal": (
        [consent(provision(), dateTime=BEFORE), consent(DENY, "ascmi-ab133")],
        {"medi_cal": False},
        NOTHING,
    ),
    "the other ASCMI form, without Medi-Cal": (
        [consent(complete(), "ascmi-non-ab133")],
        {"medi_cal": False},
        SUBSTANCE_USE,
    ),
    "proxy": ([consent(provision(), **BY_PARENT)], {"proxies": (PARENT,)}, OPEN),
    "proxy lapsed": ([consent(provision(), **BY_PARENT)], {"proxies": ()}, NOTHING),
    "proxy, for substance use": ([consent(complete(), **BY_PARENT)], {"proxies": (PARENT,)}, NOTHING),
    "minor: a proxy signed": ([consent(provision(), **OF_A_MINOR)], {"proxies": (PARENT,)}, NOTHING),
    "minor: a proxy and the minor signed": (
        [consent(complete(), **by_proxy("RelatedPerson/parent", "Patient/p1", adult=False))],
        {"proxies": (PARENT,)},
        NOTHING,
    ),
    "two proxies": (
        [consent(provision(), **by_proxy("RelatedPerson/parent", "RelatedPerson/other"))],
        {"proxies": (PARENT,)},
        NOTHING,
    ),
    "proxy of a minor denied": (
        [consent(DENY, **OF_A_MINOR), consent(provision(), dateTime=BEFORE)],
        {"proxies": (PARENT,)},
        NOTHING,
    ),
    "proxy lapsed, and denied": (
        [consent(DENY, **BY_PARENT), consent(provision(), dateTime=BEFORE)],
        {"proxies": ()},
        NOTHING,
    ),
    "signed by a stranger": ([consent(provision(), performer=[{"reference": "Patient/p2"}])], {}, NOTHING),
    "signed by nobody": ([consent(provision(), performer=None)], {}, OPEN),
    "HMIS release of information": ([consent(provision(), "hmis-roi")], {}, NOTHING),
    "HMIS release, to whom it names": ([consent(RELEASE, "hmis-roi")], {}, {"HMIS"}),
    "HMIS release, to another": ([consent(provision(to=["Organization/clinic"]), "hmis-roi")], {}, NOTHING),
    "HMIS release, to a class": ([consent(provision(to=["ecm-provider"]), "hmis-roi")], {}, NOTHING),
    "HMIS release, expired": ([consent({**RELEASE, "period": Y2025}, "hmis-roi")], {}, NOTHING),
    "HMIS release, not yet valid": ([consent({**RELEASE, "period": Y2027}, "hmis-roi")], {}, NOTHING),
    "HMIS release, revoked": ([consent(RELEASE, "hmis-roi", status="inactive")], {}, NOTHING),
    "HMIS release of what is no HMIS": ([consent({**RELEASE, **LABELLED_PSY}, "hmis-roi")], {}, NOTHING),
    "HMIS label in another consent": ([consent({**RELEASE, **LABELLED_HMIS})], {}, NOTHING),
    "HMIS label in its release": ([consent({**RELEASE, **LABELLED_HMIS}, "hmis-roi")], {}, {"HMIS"}),
    "HMIS release, and a denial of all that is newer": (
        [consent(RELEASE, "hmis-roi", dateTime=BEFORE), consent(DENY)],
        {},
        NOTHING,
    ),
    "HMIS release after a revocation of all": (
        [consent(form="ascmi-revocation", dateTime=BEFORE), consent(RELEASE, "hmis-roi")],
        {},
        {"HMIS"},
    ),
    "HMIS release that denies": ([consent(provision(), dateTime=BEFORE), consent(DENY, "hmis-roi")], {}, NOTHING),
    "two forms": (
        [
            consent(
                provision(),
                policy=[{"uri": f"urn:calaim-fhir-hub:consent-form:{n}"} for n in ("hmis-roi", "ascmi-ab133")],
            )
        ],
        {},
        NOTHING,
    ),
    "TPO that says neither permit nor deny": ([consent(form="part2-tpo")], {}, NOTHING),
    # exceptions
    "all but substance use": ([consent(provision("permit", provision("deny", marked="SUD")))], {}, OPEN),
    "nothing but to one": ([consent(provision("deny", provision(to=["ecm-provider"], marked="PSY")))], {}, {"PSY"}),
    "nothing but to one, dated with a day": (
        [consent(provision("deny", provision(to=["ecm-provider"], marked="PSY")), dateTime="2026-02-01")],
        {},
        {"PSY"},
    ),
    "an exception to an exception": (
        [consent(provision("permit", provision("deny", provision(to=["ecm-provider"]), marked="HIV PSY")))],
        {},
        OPEN,
    ),
    "an exception is none to what stands beside it": (
        [
            consent(
                provision(
                    "permit",
                    provision("deny", provision(to=["ecm-provider"]), marked="HIV"),
                    provision("deny", marked="HIV"),
                )
            )
        ],
        {},
        OPEN - {"HIV"},
    ),
    "an exception is no wider than what it is one to": (
        [consent(provision("deny", provision(to=["ecm-provider"]), marked="PSY"))],
        {},
        {"PSY"},
    ),
    "an exception lives as long as what is around it": (
        [
            consent(
                provision("permit", provision("permit", to=["ecm-provider"]), period=Y2025), dateTime="2025-01-01"
            )
        ],
        {},
        NOTHING,
    ),
    "a denial ends with what is around it": (
        [
            consent(provision("permit", provision("deny"), period={"end": "2026-03-01"})),
            consent(provision(), dateTime=BEFORE),
        ],
        {},
        OPEN,
    ),
    "an exception without a type": (
        [consent(provision("permit", {"securityLabel": [{"system": ACT, "code": "HIV"}]}))],
        {},
        OPEN - {"HIV"},
    ),
    "no type at all": ([consent({"actor": [actor("ecm-provider")]})], {}, NOTHING),
    "opted out by policy": (
        [consent(provision(), dateTime=BEFORE), consent(policyRule=concept(ACT, "OPTOUT"))],
        {},
        NOTHING,
    ),
    # counselling notes
    "counselling notes, in a Consent of their own": (
        [consent(complete(marked="42CFRPart2 PSYTHPN"))],
        {},
        {"PART2", "SUD", "PSY", "PSYTHPN", "COUNSELLING"},
    ),
    "counselling notes among others": (
        [consent(complete(marked="42CFRPart2 PSYTHPN HIV"))],
        {},
        {"PART2", "SUD", "PSY", "HIV"},
    ),
    "counselling notes, for a class": (
        [consent(complete(to=["ecm-provider"], marked="42CFRPart2 PSYTHPN"))],
        {},
        {"PART2", "SUD", "PSY"},
    ),
    "psychotherapy notes, incomplete": (
        [consent(provision(to=["Organization/harbor"], marked="PSYTHPN"))],
        {},
        {"PSY"},
    ),
    # labels and categories
    "one substance use label": ([consent(complete(marked="ETH"))], {}, {"SUD"}),
    "a label that nobody knows": ([consent(complete(marked="NOSUCH"))], {}, NOTHING),
    "a category of a form": (
        [consent(complete(marked="", code=[concept(CATEGORY, "substance-use")]))],
        {},
        SUBSTANCE_USE,
    ),
    "a category and a label": (
        [consent(complete(marked="PSY 42CFRPart2", code=[concept(CATEGORY, "mental-health")]))],
        {},
        {"PSY"},
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_a_state_of_consent_opens_this_and_no_more(state: str) -> None:
    consents, asked, expected = STATES[state]
    assert opened(*consents, **asked) == expected


# what a permit may not say, because no row holds it; the same words in a denial deny everything
HELD_BY_NO_ROW: dict[str, dict[str, Any]] = {
    "class": {"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]},
    "code": {"code": [concept("http://loinc.org", "34133-9")]},
    "text of a code": {"code": [{"text": "invented"}]},
    "dates of the data": {"dataPeriod": {"start": "2026-01-01"}},
    "single records": {"data": [{"meaning": "instance", "reference": {"reference": "Observation/o1"}}]},
    "an extension that changes it": {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]},
    "who discloses": {"actor": [actor("Organization/harbor"), actor("Organization/clinic", "CST")]},
}


@pytest.mark.parametrize("words", HELD_BY_NO_ROW)
def test_a_restriction_that_no_row_holds_opens_nothing_and_denies_all(words: str) -> None:
    parts = HELD_BY_NO_ROW[words]
    permit = complete(marked="PSY", to=() if "actor" in parts else ["Organization/harbor"], **parts)
    assert opened(consent(permit)) == NOTHING
    assert opened(consent(complete(marked="PSY"))) == {"PSY"}
    denial = consent(provision("deny", **parts), dateTime=AFTER)
    assert opened(consent(provision()), denial) == NOTHING


DENIED_EVERYBODY = {
    "a care team": [actor("CareTeam/c1")],
    "a role of a practitioner": [actor("PractitionerRole/r1")],
    "one that is elsewhere": [actor("https://elsewhere.example/fhir/Organization/o")],
    "one that is contained": [actor("#o")],
    "a class that nobody knows": [actor("no-such-class")],
    "a name only": [{"role": concept("urn:x", "IRCP"), "reference": {"display": "invented"}}],
}


@pytest.mark.parametrize("who", DENIED_EVERYBODY)
def test_a_denial_of_whom_nobody_can_tell_is_one_of_everybody_and_a_permit_one_of_nobody(who: str) -> None:
    actors = DENIED_EVERYBODY[who]
    assert opened(consent(provision()), consent(provision("deny", actor=actors), dateTime=AFTER)) == NOTHING
    assert opened(consent(provision(actor=actors))) == NOTHING


@pytest.mark.parametrize(
    ("parts", "denied"),
    [
        ({"for_": "HMARKT"}, False),  # nobody asks the hub for marketing
        ({"for_": "HMARKT TREAT"}, True),
        ({"for_": "NOSUCH"}, True),
        ({"purpose": [{"system": "urn:x", "code": "HMARKT"}]}, True),
        ({"action": [concept(ACTION, "collect")]}, False),
        ({"action": [concept(ACTION, "use")]}, True),
        ({"action": [concept(ACTION, "collect"), concept(ACTION, "disclose")]}, True),
        ({"action": [concept("urn:x", "collect")]}, True),
        ({"marked": "NOSUCH"}, True),
        ({"period": Y2025}, False),
        ({"period": Y2027}, False),
    ],
)
def test_a_denial_counts_unless_it_is_surely_about_something_else(parts: dict[str, Any], denied: bool) -> None:
    found = opened(consent(provision()), consent(provision("deny", **parts), dateTime=AFTER))
    assert found == (NOTHING if denied else OPEN)


@pytest.mark.parametrize(
    ("said", "opens"), [("access", True), ("disclose", True), ("use", False), ("collect", False)]
)
def test_only_a_permit_to_disclose_or_to_access_opens(said: str, opens: bool) -> None:
    found = opened(consent(provision(marked="HIV", action=[concept(ACTION, said)])))
    assert found == ({"HIV"} if opens else NOTHING)


@pytest.mark.parametrize(
    "lacks",
    [
        {"to": ()},
        {"for_": ""},
        {"period": {"start": "2026-01-01"}},
        {"marked": ""},
    ],
)
def test_an_incomplete_part_2_consent_opens_nothing_of_part_2(lacks: dict[str, Any]) -> None:
    assert not opened(consent(complete(**lacks))) & SUBSTANCE_USE
    assert opened(consent(complete(**lacks), performer=None)) <= OPEN


def test_a_part_2_consent_may_expire_on_an_event() -> None:
    event = [{"url": "urn:calaim-fhir-hub:consent-expires-on-event", "valueString": "end of treatment"}]
    assert opened(consent(complete(period={}, extension=event))) == SUBSTANCE_USE


def test_what_the_root_says_holds_for_what_is_inside() -> None:
    inner = provision(to=["Organization/harbor"], marked="42CFRPart2")
    outer = provision("deny", inner, for_="TREAT", period={"start": "2026-01-01", "end": "2026-12-31"})
    assert opened(consent(outer)) == SUBSTANCE_USE
    assert opened(consent(outer), purposes=PURPOSES["HPAYMT"]) == NOTHING


@pytest.mark.parametrize("status", ["draft", "proposed", "rejected", "inactive", "entered-in-error"])
def test_only_an_active_consent_says_anything(status: str) -> None:
    assert rules_of(consent(provision("permit", provision("deny")), status=status), BASE) == set()


@pytest.mark.parametrize(("code", "count"), [("patient-privacy", 2), ("research", 0), ("treatment", 0), ("adr", 0)])
def test_only_a_consent_about_privacy_says_anything(code: str, count: int) -> None:
    scope = concept("http://terminology.hl7.org/CodeSystem/consentscope", code)
    assert len(rules_of(consent(provision("permit", provision("deny")), scope=scope), BASE)) == count


def test_of_a_scope_that_nobody_knows_the_denials_stay() -> None:
    kinds = [
        row[3]
        for row in rules_of(consent(provision("permit", provision("deny")), scope=concept("urn:x", "y")), BASE)
    ]
    assert kinds == [False]


@pytest.mark.parametrize(
    "patient", [{"reference": "https://elsewhere.example/Patient/p1"}, {"display": "invented"}, None]
)
def test_a_patient_of_elsewhere_has_no_rows(patient: Any) -> None:
    assert rules_of(consent(provision(), patient=patient), BASE) == set()


def test_a_permit_without_a_date_or_with_a_changed_meaning_opens_nothing() -> None:
    assert opened(consent(provision(), dateTime=None)) == NOTHING
    assert opened(consent(provision(), modifierExtension=[{"url": "urn:x", "valueBoolean": True}])) == NOTHING


def test_an_actor_may_be_named_by_its_full_address() -> None:
    assert opened(consent(complete(to=[f"{BASE}/Organization/harbor"]))) == SUBSTANCE_USE


def test_a_permit_counts_from_its_first_moment_to_its_last() -> None:
    placed = rows(consent(complete(period={"start": "2026-03-01", "end": "2026-03-31"})))
    bit = BITS["PART2"]
    low, high = placed[0][1][6:8]
    assert [permitted(placed, bit, now=moment) for moment in (low - 1, low, high - 1, high)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_consent_with_too_many_rules_denies_everything() -> None:
    many = [f"Organization/o{number}" for number in range(MOST_ROWS + 1)]
    assert rules_of(consent(provision(to=many[:-1])), BASE) != rules_of(consent(provision(to=many)), BASE)
    assert opened(consent(provision(), dateTime=BEFORE), consent(provision(to=many))) == NOTHING


def test_a_consent_with_very_many_provisions_is_not_compared_with_itself() -> None:
    many = [provision("deny", provision(marked="HIV")) for _ in range(20_000)]
    assert len(rules_of(consent(provision("permit", *many)), BASE)) == 1


def test_rows_of_one_consent_are_told_apart_and_come_out_the_same_each_time() -> None:
    one = consent(
        provision(
            "permit",
            provision("deny", to=["Organization/harbor"]),
            provision("deny", to=["Organization/harbor"], marked="HIV"),
        )
    )
    found = rules_of(one, BASE)
    assert len({(row[0], row[1], row[2]) for row in found}) == len(found) == 3
    assert found == rules_of(one, BASE)


def test_the_classes_are_roles() -> None:
    assert BY_CLASS < CLASSES
    assert {"ehr", "ecm-provider", "ilos-provider", "plan", "county-behavioral-health"} <= CLASSES & set(ROLES)


# before, now, whether it opens something to Harbor or everybody
MEDI_CAL = [consent(complete(), "ascmi-ab133")]
WRITES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], bool]] = {
    "a permit for itself": ([], [consent(complete())], True),
    "a permit for its class": ([], [TPO], True),
    "a permit for everybody": ([], [consent(provision())], True),
    "a permit for another": ([], [consent(complete(to=["Organization/clinic"]))], False),
    "a denial": ([], [consent(DENY)], False),
    "the same again": ([consent(complete())], [consent(complete())], False),
    "one label more": ([consent(complete())], [consent(complete(marked="42CFRPart2 HIV"))], True),
    "one label less": ([consent(complete(marked="42CFRPart2 HIV"))], [consent(complete())], False),
    "one purpose more": ([consent(complete())], [consent(complete(for_="TREAT HPAYMT"))], True),
    "a later end": ([consent(complete())], [consent(complete(period={"end": "2027-01-01"}))], True),
    "an earlier end": (
        [consent(complete())],
        [consent(complete(period={"start": "2026-01-01", "end": "2026-02-01"}))],
        False,
    ),
    "signed later": ([consent(complete())], [consent(complete(), dateTime=AFTER)], True),
    "no longer only with Medi-Cal": (MEDI_CAL, [consent(complete())], True),
    "from now on only with Medi-Cal": ([consent(complete())], MEDI_CAL, False),
    "for another patient": (
        [consent(provision(), performer=None)],
        [consent(provision(), performer=None, patient={"reference": "Patient/p2"})],
        True,
    ),
    "no more a proxy's": ([consent(provision(), **BY_PARENT)], [consent(provision())], True),
    "a denial taken back": ([consent(DENY)], [], True),
    "a revocation taken back": (
        [consent(form="ascmi-revocation")],
        [consent(form="ascmi-revocation", status="entered-in-error")],
        True,
    ),
    "a denial of fewer labels": ([consent(DENY)], [consent(provision("deny", marked="HIV"))], True),
    "a denial signed earlier": ([consent(DENY)], [consent(DENY, dateTime=BEFORE)], True),
    "a denial of everybody instead": (
        [consent(provision("deny", to=["Organization/harbor"]))],
        [consent(DENY)],
        False,
    ),
    "a denial of another taken back": ([consent(provision("deny", to=["Organization/clinic"]))], [], False),
    "a permit taken back": ([consent(complete())], [], False),
}


@pytest.mark.parametrize("write", WRITES)
def test_nobody_writes_the_consent_that_opens_its_own_access(write: str) -> None:
    """SEC-41: whoever does not act for the patient."""
    before, now, opens = WRITES[write]
    had, has = (set().union(*(rules_of(one, BASE) for one in each)) for each in (before, now))
    assert opens_own(had, has, (HARBOR, ECM)) is opens


def test_numbers_of_recipients_are_those_of_references_and_of_classes() -> None:
    recipients = {row[1] for _, row in rows(consent(complete(to=["Organization/harbor", "ecm-provider"])))}
    assert recipients == {HARBOR, ECM}
    assert len({ANYONE, HARBOR, ECM, PATIENT}) == 4
    assert REASON.endswith("v3-ActReason")
