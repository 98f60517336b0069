"""What each role may do at most: its tables are whole, and the lines that nobody may cross are not crossed."""

from pathlib import Path

import pytest

from auth import roles
from auth.roles import CONSENT, FREE, NEVER, ROLES, elements_of_role, groups, kinds_of, label_policy, letters_of
from auth.roles_page import page
from hub.fhir.types import resource_types
from hub.rights.directory import DIRECTORY
from hub.rights.labels import BITS
from hub.sight import COVERAGE, EPISODE, GRANTED, PANEL, PROXY, PURPOSES, REFERRAL, REGISTERED, TEAM

CONTENT = groups()["clinical"] | groups()["document"]
SUD = ("PART2", "COUNSELLING", "SUD")


def who_may(letter: str, *types: str) -> set[str]:
    """The roles that may use the letter with any of these types."""
    return {role for role in ROLES for name in types if letter in letters_of(role).get(name, "")}


def test_every_type_is_in_one_group() -> None:
    every = [name for types in groups().values() for name in types]
    assert sorted(every) == sorted(resource_types())


@pytest.mark.parametrize("name", ["role_types.csv", "role_elements.csv"])
def test_the_tables_name_roles_types_and_groups_that_exist(name: str) -> None:
    for row in roles._rows(name):
        what = row.get("what") or row["type"]
        assert row["role"] in ROLES
        assert what in resource_types() | groups().keys()


def test_no_line_of_the_table_stands_twice() -> None:
    lines = [(row["role"], row["what"]) for row in roles._rows("role_types.csv")]
    assert len(lines) == len(set(lines))


def test_every_label_has_a_policy_for_every_role() -> None:
    for role in ROLES:
        assert label_policy(role).keys() == BITS.keys()
        assert set(label_policy(role).values()) <= {FREE, CONSENT, NEVER}


def test_the_role_which_a_client_has_says_for_what_it_may_ask() -> None:
    for role in ROLES.values():
        assert set(role.purposes) <= PURPOSES.keys()
        assert "ETREAT" not in role.purposes, "only broken glass is an emergency"


SUBSCRIBERS = {"ehr", "county-behavioral-health", "ecm-provider", "ilos-provider", "plan", "member", "custodian"}
# who may do what that others may not: the whole list
ONLY: list[tuple[str, tuple[str, ...], set[str]]] = [
    ("r", ("AuditEvent",), {"auditor"}),
    ("s", ("AuditEvent",), {"auditor"}),
    ("c", ("AuditEvent",), set()),
    ("u", ("AuditEvent",), set()),
    ("d", ("AuditEvent",), set()),
    *((letter, ("Group", "Coverage"), {"plan", "county-behavioral-health", "custodian"}) for letter in "cud"),
    *((letter, tuple(DIRECTORY), {"plan", "county-behavioral-health", "custodian"}) for letter in "cud"),
    ("d", ("Consent", "Provenance"), {"custodian"}),
    (
        "c",
        ("Consent",),
        {"ehr", "county-behavioral-health", "ecm-provider", "plan", "member", "custodian"},
    ),
    ("c", ("Patient",), {"hospital-feeder", "ehr", "county-behavioral-health", "custodian"}),
    (
        "c",
        ("CareTeam", "EpisodeOfCare", "Task", "ServiceRequest"),
        {"ehr", "county-behavioral-health", "ecm-provider", "custodian"},
    ),
    ("d", ("Patient",), {"county-behavioral-health", "custodian"}),
    ("r", ("Basic", "Parameters", "Person"), {"custodian"}),
    *((letter, ("Subscription",), SUBSCRIBERS) for letter in "cruds"),
]


@pytest.mark.parametrize(("letter", "types", "expected"), ONLY)
def test_only_these_roles_may(letter: str, types: tuple[str, ...], expected: set[str]) -> None:
    assert who_may(letter, *types) == expected


def test_the_directory_is_readable_by_whoever_reads() -> None:
    readers = {role for role in ROLES if any("r" in letters for letters in letters_of(role).values())}
    assert readers == ROLES.keys() - {"hospital-feeder"}
    for role in readers:
        assert all({"r", "s"} <= letters_of(role)[name] for name in DIRECTORY), role


def test_a_feeder_creates_and_does_nothing_else() -> None:
    assert {letter for letters in letters_of("hospital-feeder").values() for letter in letters} == {"c"}
    assert kinds_of(ROLES["hospital-feeder"]) == 0


def test_which_relations_count_for_whom() -> None:
    roster = PANEL | TEAM | REFERRAL | EPISODE | REGISTERED | GRANTED
    assert {role.id: kinds_of(role) for role in ROLES.values()} == {
        "hospital-feeder": 0,
        "ehr": roster,
        "county-behavioral-health": roster,
        "ecm-provider": PANEL | TEAM | EPISODE | GRANTED,
        "ilos-provider": REFERRAL | GRANTED,
        "plan": COVERAGE | GRANTED,
        "auditor": 0,
        "member": PROXY,
        "operator": GRANTED,
        "custodian": GRANTED,
    }
    assert {role.id for role in ROLES.values() if role.all_patients} == {"auditor", "custodian"}
    assert {role.id for role in ROLES.values() if role.person} == {"member"}
    assert {role.id for role in ROLES.values() if role.writes_any} == {"hospital-feeder"}


def test_a_referral_shows_a_minimum_and_no_diagnosis_medicine_or_visit() -> None:
    readable = {name for name, letters in letters_of("ilos-provider").items() if letters & {"r", "s"}}
    assert readable - DIRECTORY == {"Patient", "RelatedPerson", "ServiceRequest", "Task", "Subscription"}
    shown = elements_of_role("ilos-provider")
    assert readable - DIRECTORY - {"Subscription"} <= shown.keys()
    gone = "text contained extension modifierExtension note description input reasonCode reasonReference"
    gone += " supportingInfo encounter generalPractitioner managingOrganization link photo maritalStatus"
    for name, elements in shown.items():
        assert not elements & set(gone.split()), name
        assert {"id", "meta"} <= elements


def test_who_sends_files_may_bring_them_and_a_plan_reads_none() -> None:
    for role in ("county-behavioral-health", "ecm-provider", "ilos-provider", "plan"):
        assert "c" in letters_of(role)["Binary"], role
    assert letters_of("plan")["Binary"] == letters_of("ilos-provider")["Binary"] == {"c"}


def test_a_plan_and_an_auditor_see_no_clinical_content() -> None:
    for role in ("plan", "auditor"):
        letters = letters_of(role)
        assert not {name for name in CONTENT & letters.keys() if letters[name] != {"c"}}  # files come in as Binary
    for name in ("Encounter", "ServiceRequest", "Task", "CareTeam", "EpisodeOfCare"):
        clinical = {"text", "contained", "extension", "reasonCode", "reasonReference", "diagnosis", "note", "input"}
        assert not elements_of_role("plan")[name] & clinical
    assert letters_of("auditor").keys() == {"AuditEvent", "Consent", "Provenance"} | DIRECTORY
    assert not elements_of_role("auditor")["Consent"] & {"text", "contained", "extension", "sourceAttachment"}


def test_what_is_shown_in_part_is_never_written_whole() -> None:
    """A PUT would erase what the writer never saw: the owner of a Task, who patches it, is the one exception."""
    both = {
        (role, name) for role in ROLES for name in elements_of_role(role) if "u" in letters_of(role).get(name, "")
    }
    assert both == {("ilos-provider", "Task")}


def test_substance_use_is_free_for_nobody_but_the_member_and_whoever_sees_no_content() -> None:
    for label in SUD:
        free = {role for role in ROLES if label_policy(role)[label] == FREE}
        assert free <= {"member", "auditor"}, label
    assert {role for role in ROLES if label_policy(role)["PSYTHPN"] == FREE} == {"member"}
    assert set(label_policy("operator").values()) == {NEVER}
    assert set(label_policy("member").values()) == {FREE}


def test_an_unknown_role_or_letter_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert letters_of("nobody") == {}
    rows = [{"role": "x", "what": "Patient", "letters": "sr"}]
    monkeypatch.setattr(roles, "_rows", lambda name: iter(rows))
    with pytest.raises(ValueError, match="in that order"):
        letters_of.__wrapped__("x")


def test_an_element_that_the_type_has_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"role": "x", "type": "Patient", "elements": "name diagnosis"}]
    monkeypatch.setattr(roles, "_rows", lambda name: iter(rows))
    with pytest.raises(ValueError, match="diagnosis"):
        elements_of_role.__wrapped__("x")


def test_the_page_says_what_the_tables_say() -> None:
    """When this fails: .venv/bin/python -m auth.roles_page"""
    stored = Path(__file__).parents[2] / "docs" / "access.md"
    assert stored.read_text(encoding="utf-8") == page(stored.read_text(encoding="utf-8"))
