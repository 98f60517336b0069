"""From a client, its scopes and the person at it to what it may do and see: what opens, and what opens nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth import scopes
from auth.clients import Client
from auth.roles import ROLES, letters_of
from auth.sights import access_for, granular_keys, masks
from hub.access import Access
from hub.fhir.types import resource_types
from hub.rights.directory import DIRECTORY
from hub.rights.facts import client_number, source_number
from hub.rights.labels import BITS
from hub.rights.provisions import ANYONE, recipient_class
from hub.search.edges import address
from hub.search.index import index_rows
from hub.sight import COVERAGE, EPISODE, GRANTED, NOTHING, PANEL, PROXY, PURPOSES, REFERRAL, TEAM, Sight

BASE = "https://hub.example/fhir"
ALL_SCOPES = {"system": "system/*.cruds", "user": "user/*.cruds", "patient": "patient/*.cruds"}
HARBOR = address("Organization", "harbor")
NURSE = address("Practitioner", "nurse")
ANN, BEN = address("Patient", "ann"), address("Patient", "ben")
MUM = address("RelatedPerson", "mum")
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def client(role: str, **more: Any) -> Client:
    return Client(f"{role}-1", "A Demo Client", role, **({"organization": "Organization/harbor"} | more))


def access(role: str, text: str = "system/*.cruds", of: Client | None = None, **more: Any) -> Access:
    return access_for(of or client(role), scopes.parse(text), base=BASE, **more)


def is_nothing(found: Access) -> bool:
    return found.grants == frozenset() and found.sight == NOTHING


ASKED = ("*", "Patient", "Task", "Condition", "AuditEvent")
BACKENDS = [role for role in ROLES.values() if not role.person]


@pytest.mark.parametrize("role", [role.id for role in BACKENDS])
def test_scopes_for_everything_grant_what_the_role_may_and_no_more(role: str) -> None:
    found = access(role)
    expected = {(name, letter) for name, letters in letters_of(role).items() for letter in letters}
    assert found.grants == expected
    assert ("*", "r") not in found.grants
    assert found.may("read", "AuditEvent") is (role == "auditor")


@given(
    st.sampled_from([role.id for role in BACKENDS]),
    st.sets(
        st.tuples(st.sampled_from(["*", "Patient", "Task", "Condition", "AuditEvent"]), st.sampled_from("cruds"))
    ),
)
def test_scopes_only_take_away_from_the_role(role: str, asked: set[tuple[str, str]]) -> None:
    found = access_for(client(role), [scopes.Scope("system", *pair) for pair in asked])
    covered = {(name, letter) for name in resource_types() for letter in "cruds"}
    covered = {pair for pair in covered if pair in asked or ("*", pair[1]) in asked}
    assert found.grants == covered & {(n, letter) for n, letters in letters_of(role).items() for letter in letters}


def test_an_ecm_provider_sees_its_panel_its_own_and_what_is_free() -> None:
    found = access("ecm-provider")
    assert found.sight == Sight(
        holders=(HARBOR, client_number("ecm-provider-1")),
        kinds=PANEL | TEAM | EPISODE | GRANTED,
        own=HARBOR,
        recipients=(HARBOR, recipient_class("ecm-provider"), ANYONE),
        purposes=PURPOSES["TREAT"] | PURPOSES["HOPERAT"],
        guarded=masks("ecm-provider")[0],
        never=masks("ecm-provider")[1],
    )
    assert (found.who, found.role, found.source) == ("ecm-provider-1", "ecm-provider", "Organization/harbor")


def test_relations_and_own_data_by_role() -> None:
    shown = {role.id: access(role.id).sight for role in BACKENDS}
    assert {role: sight.own for role, sight in shown.items() if sight.own} == dict.fromkeys(
        ("ehr", "county-behavioral-health", "ecm-provider", "ilos-provider", "plan", "custodian"), HARBOR
    )
    assert shown["ilos-provider"].kinds == REFERRAL | GRANTED
    assert shown["plan"].kinds == COVERAGE | GRANTED
    assert shown["operator"].kinds == GRANTED
    assert shown["hospital-feeder"].kinds == 0
    assert [role for role, sight in shown.items() if sight.all_patients] == ["auditor", "custodian"]
    assert [role for role, sight in shown.items() if sight.writes_any] == ["hospital-feeder"]
    assert not any(sight.everything for sight in shown.values())


NOTHING_AT_ALL: dict[str, Access] = {
    "a role nobody knows": access("", of=client("hospital")),
    "a client switched off": access("ehr", of=client("ehr", active=False)),
    "no scopes": access_for(client("ehr"), []),
    "words alone": access("ehr", "openid fhirUser launch", user="Practitioner/nurse"),
    "a person's scopes without a person": access("ehr", "user/*.rs patient/*.rs", patient="ann"),
    "a backend's scopes with a person": access("ehr", "system/*.rs", user="Practitioner/nurse"),
    "patient scopes without a patient": access("ehr", "patient/*.rs", user="Practitioner/nurse"),
    "a member's backend": access("member", "system/*.rs"),
    "a member's app of nobody": access("member", "patient/*.rs", patient="ann"),
    "a member's app of a stranger": access("member", "patient/*.rs", user="Patient/ben", patient="ann"),
    "a member's app of a nurse": access("member", "patient/*.rs", user="Practitioner/nurse", patient="ann"),
    "a member's app of a user who is no one": access("member", "patient/*.rs", person="user-7", patient="ann"),
    "a proxy without a patient": access("member", "user/*.rs", user="RelatedPerson/mum"),
}


@pytest.mark.parametrize("what", NOTHING_AT_ALL)
def test_what_is_not_known_opens_nothing(what: str) -> None:
    assert is_nothing(NOTHING_AT_ALL[what])


NO_ORGANIZATION = ("", "harbor", "Practitioner/harbor", "https://elsewhere.invalid/Organization/harbor")


@pytest.mark.parametrize("organization", NO_ORGANIZATION)
@pytest.mark.parametrize("role", ["ehr", "plan", "ecm-provider", "ilos-provider"])
def test_a_client_without_an_organization_has_no_relations_and_no_data_of_its_own(
    role: str, organization: str
) -> None:
    sight = access(role, of=client(role, organization=organization)).sight
    assert (sight.holders, sight.own) == ((client_number(f"{role}-1"),), 0)
    assert sight.recipients == (recipient_class(role), ANYONE)
    theirs = access_for(
        client(role, organization=organization), scopes.parse("user/*.rs"), user="Practitioner/nurse"
    ).sight
    assert NURSE not in theirs.holders + theirs.recipients


def test_a_custodian_without_an_organization_is_its_own_source() -> None:
    found = access("custodian", of=client("custodian", organization=""))
    assert found.source == "custodian-1"
    assert found.sight.own == source_number("custodian-1") != 0


def test_a_person_at_a_client_has_the_relations_of_both() -> None:
    found = access("ecm-provider", "user/*.rs", user=f"{BASE}/Practitioner/nurse", person="user-7")
    assert found.sight.holders == (HARBOR, NURSE, client_number("ecm-provider-1"))
    assert found.sight.recipients[:2] == (HARBOR, NURSE)
    assert (found.user, found.sight.patient, found.sight.self_only) == ("user-7", 0, False)


@pytest.mark.parametrize(
    ("text", "patient"),
    [
        ("patient/*.rs", ANN),
        ("patient/*.rs user/*.rs", ANN),
        ("patient/Observation.rs user/Practitioner.rs launch/patient", ANN),
        ("user/*.rs launch/patient", 0),
    ],
)
def test_patient_scopes_narrow_the_token_to_the_patient_of_the_launch(text: str, patient: int) -> None:
    found = access("ecm-provider", text, user="Practitioner/nurse", patient="Patient/ann").sight
    assert (found.patient, found.self_only, found.all_patients) == (patient, False, False)
    assert found.holders  # a relation is still asked for


def test_a_member_sees_itself_alone_with_every_label() -> None:
    found = access("member", "patient/*.cruds", user="Patient/ann", patient="ann")
    sight = found.sight
    assert (sight.self_only, sight.patient, sight.own, sight.guarded) == (True, ANN, 0, 0)
    assert sight.never & sum(BITS.values()) == 0
    assert HARBOR not in sight.holders + sight.recipients
    assert access("member", "patient/*.rs user/*.rs", user="Patient/ann").sight.patient == ANN
    assert found.may("update", "Consent")
    assert not found.may("update", "Patient")
    assert not found.may("read", "Group")


def test_a_proxy_sees_one_member_while_its_relation_lasts() -> None:
    sight = access("member", "patient/*.rs", user="RelatedPerson/mum", patient="ann").sight
    assert (sight.self_only, sight.patient, sight.kinds) == (False, ANN, PROXY)
    assert sight.holders[0] == MUM


@pytest.mark.parametrize(
    ("chosen", "role", "codes"),
    [
        ((), "ehr", {"TREAT", "HOPERAT"}),
        (("TREAT",), "ehr", {"TREAT"}),
        (("TREAT", "HPAYMT", "ETREAT"), "ehr", {"TREAT"}),
        (("TREAT",), "plan", set()),
        ((), "plan", {"HPAYMT", "HOPERAT"}),
    ],
)
def test_a_clients_purposes_are_at_most_its_roles(chosen: tuple[str, ...], role: str, codes: set[str]) -> None:
    expected = sum(PURPOSES[code] for code in codes)
    assert access(role, of=client(role, purposes=chosen)).sight.purposes == expected
    broken = access(role, of=client(role, purposes=chosen), emergency=True).sight.purposes
    assert broken == expected | PURPOSES["ETREAT"]


def test_labels_are_free_guarded_or_never_and_unknown_ones_are_never() -> None:
    for role in ROLES:
        guarded, never = masks(role)
        assert guarded & never == 0
        for bit in range(62):
            known = (1 << bit) in BITS.values()
            assert known or never >> bit & 1, (role, bit)
    assert masks("ehr")[0] & BITS["PART2"]
    assert masks("ilos-provider")[0] & BITS["HIV"]
    assert masks("ilos-provider")[1] & BITS["PSYTHPN"]
    assert not (masks("member")[0] | masks("member")[1]) & BITS["PART2"]
    assert masks("ehr")[0] & BITS["PSY"] == masks("ehr")[1] & BITS["PSY"] == 0


def test_a_referral_leaves_with_its_minimum_set() -> None:
    elements = access("ilos-provider").sight.elements
    assert "reasonReference" not in elements["ServiceRequest"]
    assert {"resourceType", "id", "meta", "status", "code"} <= elements["ServiceRequest"]


LAB = f"Observation.rs?category={CATEGORY}|laboratory"


def keys_of(text: str, name: str = "Observation") -> frozenset[int] | None:
    return access("ehr", text).sight.narrowed.get(name)


def observation(*codes: str) -> set[int]:
    categories = [{"coding": [{"system": CATEGORY, "code": code}]} for code in codes]
    return index_rows({"resourceType": "Observation", "id": "o", "category": categories}).tokens


def test_a_granular_scope_narrows_its_type_to_what_the_index_says() -> None:
    keys = keys_of(f"system/{LAB}")
    assert keys
    assert keys & observation("survey", "laboratory")
    assert not keys & observation("survey")


@pytest.mark.parametrize(
    ("text", "letters", "is_narrowed"),
    [
        (f"system/{LAB}", "rs", True),
        (f"system/{LAB} system/Patient.rs", "rs", True),
        (f"system/Observation.r system/{LAB}", "rs", True),
        (f"system/Observation.cruds?category={CATEGORY}|laboratory", "rs", True),
        (f"system/Observation.u system/{LAB}", "urs", True),
        (f"system/Observation.rs system/{LAB}", "rs", False),
        (f"system/*.rs system/{LAB}", "rs", False),
        ("system/Observation.rs", "rs", False),
        (f"system/Observation.c?category={CATEGORY}|laboratory", "", False),
    ],
)
def test_a_type_is_narrowed_where_granular_scopes_alone_let_read_or_search(
    text: str, letters: str, is_narrowed: bool
) -> None:
    found = access("ehr", text)
    assert {letter for name, letter in found.grants if name == "Observation"} == set(letters)
    assert (found.sight.narrowed.get("Observation") is not None) is is_narrowed


def test_several_granular_scopes_add_up() -> None:
    keys = keys_of(f"system/{LAB} system/Observation.rs?category={CATEGORY}|vital-signs")
    assert keys
    assert keys & observation("vital-signs")
    assert keys & observation("laboratory")
    assert not keys & observation("survey")


@pytest.mark.parametrize(
    "query",
    [
        f"category={CATEGORY}|laboratory&status=final",
        "category:not=laboratory",
        "category:in=https://elsewhere.invalid/ValueSet/any",
        "subject=Patient/ann",
        "date=ge2020",
        "_lastUpdated=ge2020",
        "_id=x",
        "nothing=x",
        "category=",
        "category",
        "_has:Group:member:_id=x",
    ],
)
def test_a_condition_that_one_key_cannot_tell_opens_nothing(query: str) -> None:
    scope = scopes.Scope("system", "Observation", "rs", query)
    assert granular_keys(scope) == frozenset()
    assert is_nothing_granted(access_for(client("ehr"), [scope]))


@pytest.mark.parametrize("query", ["category=laboratory", "_tag=x", "nothing=x"])
def test_a_condition_on_all_types_opens_nothing(query: str) -> None:
    scope = scopes.Scope("system", "*", "rs", query)
    assert granular_keys(scope) == frozenset()
    assert is_nothing_granted(access_for(client("ehr"), [scope]))


def is_nothing_granted(found: Access) -> bool:
    return found.grants == frozenset() and found.sight.narrowed == {}


def test_the_predicate_has_room_for_all_numbers() -> None:
    from hub.store.sight import HOLDERS, RECIPIENTS

    for role in ROLES:
        for text in ALL_SCOPES.values():
            sight = access(role, text, user="PractitionerRole/night", patient="ann").sight
            assert len(sight.holders) <= HOLDERS
            assert len(sight.recipients) <= RECIPIENTS


def test_directory_types_are_narrowed_by_nothing_but_scopes() -> None:
    assert {("Organization", "r"), ("Location", "s")} <= access("ilos-provider").grants
    assert not {("Organization", "u")} & access("ilos-provider").grants
    assert DIRECTORY & {name for name, _ in access("operator").grants}


WHOLE = "system/Subscription.cruds system/Encounter.rs system/Observation.rs"
LABORATORY = f"system/Observation.rs?category={CATEGORY}|laboratory"


@pytest.mark.parametrize(
    ("registered", "asked", "more", "narrow"),
    [
        (WHOLE, WHOLE, {}, False),
        (f"{WHOLE} system/Task.cu", WHOLE, {}, False),  # nothing is told of what it only writes
        (f"{WHOLE} {LABORATORY}", f"{WHOLE} {LABORATORY}", {}, False),
        (LABORATORY, LABORATORY, {}, False),
        (WHOLE, "system/Subscription.cruds", {}, True),
        (WHOLE, WHOLE.replace("Observation.rs", "Observation.r"), {}, True),
        (WHOLE, WHOLE.replace("system/Observation.rs", LABORATORY), {}, True),
        (f"system/Subscription.c {LABORATORY},vital-signs", f"system/Subscription.c {LABORATORY}", {}, True),
        (f"{WHOLE} user/*.cruds", "user/*.cruds", {"user": "Practitioner/nurse", "person": "user-7"}, True),
        (f"{WHOLE} user/*.cruds", "user/*.cruds", {"person": "user-7"}, True),
        (f"{WHOLE} patient/*.cruds", "patient/*.cruds", {"person": "user-7", "patient": "ann"}, True),
        ("user/*.cruds", "user/*.cruds", {"user": "Practitioner/nurse"}, True),
    ],
)
def test_a_token_is_narrow_that_reads_less_than_its_client_or_is_a_persons(
    registered: str, asked: str, more: dict[str, str], narrow: bool
) -> None:
    assert access("ehr", asked, client("ehr", scopes=registered), **more).narrow is narrow
