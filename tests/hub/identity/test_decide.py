"""Link, review or distinct: strong identifiers, weights, guards, and one choice among candidates."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.identity.decide import LINK, REVIEW, Decision, among, decide
from hub.identity.guards import DISTINCT
from hub.identity.person import Person, Quality
from hub.identity.weights import LIMITS
from hub.problems import Problem
from tests.hub.identity.people import OTHER_STREET, STREET, cin, frequencies, mrn, someone

PHONE, SSN = "559-555-2368", "219-09-4321"
EVERYTHING: dict[str, Any] = {"phones": [PHONE], "addresses": [STREET], "ssn": SSN}
HOUSEHOLD: dict[str, Any] = {"phones": [PHONE], "addresses": [STREET]}


def decided(one: Person, other: Person, **counts: int) -> Decision:
    return decide(one, other, frequencies(**counts))


def of(one: Person, other: Person, **counts: int) -> tuple[str, tuple[str, ...]]:
    """The outcome and the guards behind it."""
    found = decided(one, other, **counts)
    return found.outcome, found.guards


# --- what links


def test_a_person_told_twice_is_one_person() -> None:
    assert of(someone(**EVERYTHING), someone(source="hmis", **EVERYTHING)) == (LINK, ())


@pytest.mark.parametrize(
    "other",
    [
        someone(given="Exampla Q", **EVERYTHING),
        someone(family="FAUXFIELD-Alder", **EVERYTHING),
        someone(family="Fauxfeild", **EVERYTHING),
        someone(family="Exampla", given="Fauxfield", **EVERYTHING),
        someone(born="1980-02-18", **EVERYTHING),
        someone(addresses=[OTHER_STREET], phones=[PHONE], ssn=SSN),
        someone(family="Nonesuch", **EVERYTHING),
    ],
    ids=["middle name", "second surname", "slip", "swapped", "digit of a date", "moved", "married"],
)
def test_one_error_does_not_part_a_person(other: Person) -> None:
    assert of(someone(**EVERYTHING), other) == (LINK, ())


def test_a_nickname_is_the_name() -> None:
    assert of(someone(given="Elizabeth", **HOUSEHOLD), someone(given="Betty", **HOUSEHOLD)) == (LINK, ())


def test_strangers_are_distinct() -> None:
    other = someone(
        "Nonesuch", "Samplo", born="1955-09-30", sex="male", phones=["559-555-2999"], addresses=[OTHER_STREET]
    )
    assert of(someone(**HOUSEHOLD), other) == (DISTINCT, ())


def test_a_rare_name_and_a_birth_date_are_enough_and_a_common_name_waits() -> None:
    rare = decided(someone(), someone())
    common = decided(someone(), someone(), family_fauxfield=2000, given_exampla=2000)
    assert (rare.outcome, common.outcome) == (LINK, REVIEW)
    assert rare.weight > common.weight + 10


def test_in_a_larger_population_the_same_agreement_is_worth_less() -> None:
    county = frequencies(family_fauxfield=1000, given_exampla=2000)
    nation = frequencies(family_fauxfield=10_000_000, given_exampla=20_000_000)
    nation.total = 1_000_000_000
    pair = someone(phones=[PHONE]), someone(phones=[PHONE])
    assert (decide(*pair, county).outcome, decide(*pair, nation).outcome) == (LINK, REVIEW)


def test_a_source_that_doubts_its_own_words_weighs_less() -> None:
    doubtful = someone(quality=Quality(name=2, birth=2))
    assert decided(someone(), doubtful).weight < decided(someone(), someone()).weight / 1.5
    assert decided(someone(), doubtful).outcome != LINK


# --- strong identifiers


def test_the_same_cin_links_whatever_changed_at_the_address() -> None:
    one = someone("Fauxfield", "Exampla", identifiers=[cin("91234567A")])
    other = someone("Nonesuch", "Exampla", identifiers=[cin("91234567A")], addresses=[OTHER_STREET])
    found = decided(one, other)
    assert (found.outcome, found.identifiers) == (LINK, ("cin",))


@pytest.mark.parametrize(
    "contradiction",
    [
        {"born": "1951-08-30"},
        {"given": "Samplo"},
        {"given": "Baby Girl", "born": "2026-01-05"},
        {"born": "2000-02-17"},
    ],
    ids=["other birth date", "other given name", "her newborn", "a generation apart"],
)
def test_the_same_cin_with_another_name_or_birth_date_waits(contradiction: dict[str, str]) -> None:
    one, other = someone(identifiers=[cin("91234567A")]), someone(identifiers=[cin("91234567A")], **contradiction)
    assert decided(one, other).outcome == REVIEW


def test_a_birth_date_that_the_source_doubts_does_not_contradict_a_cin() -> None:
    doubtful = someone(born="1985-06-01", quality=Quality(birth=2), identifiers=[cin("91234567A")])
    assert decided(someone(identifiers=[cin("91234567A")]), doubtful).outcome == LINK


def test_two_cins_are_never_linked() -> None:
    one, other = (
        someone(identifiers=[cin("91234567A")], **EVERYTHING),
        someone(identifiers=[cin("97654321A")], **EVERYTHING),
    )
    assert of(one, other) == (REVIEW, ("other identifier",))


def test_the_same_record_number_with_two_cins_waits() -> None:
    one = someone(identifiers=[cin("91234567A"), mrn("A001")])
    other = someone(identifiers=[cin("97654321A"), mrn("A001")])
    assert of(one, other) == (REVIEW, ("other identifier",))


def test_record_numbers_of_two_hospitals_say_nothing() -> None:
    one, other = (
        someone(identifiers=[mrn("A001")], **EVERYTHING),
        someone(identifiers=[mrn("A002", "b")], **EVERYTHING),
    )
    assert of(one, other) == (LINK, ())


# --- guards


@pytest.mark.parametrize("ssn", ["", SSN])
def test_twins_are_never_linked(ssn: str) -> None:
    outcome, guards = of(
        someone(given="Exampla", **HOUSEHOLD, ssn=ssn), someone(given="Testina", **HOUSEHOLD, ssn=ssn)
    )
    assert outcome == (REVIEW if ssn else DISTINCT)
    assert "twins" in guards


@pytest.mark.parametrize(
    ("one", "other"), [("Jaden", "Jayden"), ("Maria Elena", "Maria Lucia"), ("Juan", "Juana"), ("J", "Jose")]
)
def test_twins_with_nearly_one_name_wait(one: str, other: str) -> None:
    outcome, guards = of(someone(given=one, **HOUSEHOLD), someone(given=other, **HOUSEHOLD))
    assert outcome == REVIEW
    assert "twins" in guards


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"given": "Jaden", "sex": "male"}, {"given": "Jada"}),
        ({"given": "Christian", "sex": "male"}, {"given": "Christina"}),
        ({"given": "Elizabeth", "sex": "male"}, {"given": "Betty"}),
        ({"given": "Maria Elena"}, {"given": "Maria Teresa"}),
    ],
)
def test_twins_who_were_both_given_their_mothers_ssn_wait(one: dict[str, str], other: dict[str, str]) -> None:
    outcome, guards = of(someone(**one, **EVERYTHING), someone(**other, **EVERYTHING))
    assert outcome == REVIEW
    assert "twins" in guards


def test_two_places_in_a_multiple_birth_are_two_persons() -> None:
    one, other = someone(order=1, **EVERYTHING), someone(order=2, **EVERYTHING)
    assert of(one, other) == (DISTINCT, ("multiple birth",))


@pytest.mark.parametrize("other", [{"ssn": "219-09-4322"}, {"ssn": "219-09-8888"}, {"sex": "male", "ssn": ""}])
def test_twins_of_whom_one_is_called_by_a_nickname_of_the_other_wait(other: dict[str, str]) -> None:
    one = someone(given="Elizabeth", **EVERYTHING)
    outcome, guards = of(one, someone(given="Betty", **{**EVERYTHING, **other}))
    assert outcome == REVIEW
    assert "twins" in guards
    assert of(one, someone(given="Betty", **EVERYTHING)) == (LINK, ())


def test_one_of_a_multiple_birth_is_not_linked_by_a_similar_name() -> None:
    guards = of(someone(order=-1, **EVERYTHING), someone(given="Exampia", **EVERYTHING))[1]
    assert "multiple birth" in guards


def test_senior_and_junior_are_two_persons() -> None:
    one, other = someone(suffix="Sr", **EVERYTHING), someone(suffix="Jr", **EVERYTHING)
    assert of(one, other) == (DISTINCT, ("generations",))
    assert of(someone(suffix="Jr", **EVERYTHING), someone(suffix="II", **EVERYTHING)) == (LINK, ())


def test_a_father_and_a_son_of_one_name_at_one_address_are_two_persons() -> None:
    assert of(someone(**HOUSEHOLD), someone(born="2004-09-01", **HOUSEHOLD))[0] == DISTINCT


def test_one_digit_that_makes_a_generation_waits() -> None:
    assert "generations" in of(someone(**EVERYTHING), someone(born="1950-02-17", **EVERYTHING))[1]
    assert "generations" in of(someone(**EVERYTHING), someone(born="1960-02-17", **EVERYTHING))[1]


def test_a_junior_is_not_linked_over_a_birth_date_that_is_not_the_same() -> None:
    outcome, guards = of(someone(suffix="Jr", **HOUSEHOLD), someone(born="1980-02-18", **HOUSEHOLD))
    assert (outcome, guards) == (REVIEW, ("generations",))


def test_babies_without_a_name_wait_unless_they_cannot_be_one() -> None:
    girl = someone(given="Baby Girl", born="2026-10-01", **HOUSEHOLD)
    assert of(girl, girl)[0] == REVIEW
    assert of(girl, someone(given="Exampla", born="2026-10-01", **HOUSEHOLD))[0] == REVIEW
    assert of(girl, replace(girl, sex="male"))[0] == DISTINCT
    assert of(girl, someone(given="Baby Girl", born="2026-08-12", **HOUSEHOLD))[0] == DISTINCT


def test_babies_of_two_mothers_are_two_persons() -> None:
    one = someone(given="Baby Girl Exampla", born="2026-10-01", **HOUSEHOLD)
    other = someone(given="Baby Girl Testina", born="2026-10-01", **HOUSEHOLD)
    assert of(one, other)[0] == DISTINCT


def test_babies_a_and_b_are_two_persons() -> None:
    one, other = (someone(given=f"Baby Girl {letter}", born="2026-10-01", **HOUSEHOLD) for letter in "AB")
    assert of(one, other)[0] == DISTINCT


def test_nobodies_names_do_not_link() -> None:
    one, other = (someone("Doe", "Jane", source=source, **EVERYTHING) for source in ("a", "b"))
    assert of(one, other)[0] != LINK
    assert of(someone("Unknown", "Exampla", **EVERYTHING), someone(**EVERYTHING)) == (REVIEW, ("placeholder name",))


def test_a_household_alone_does_not_link() -> None:
    one, other = someone(born="", **HOUSEHOLD), someone(born="", **HOUSEHOLD)
    assert decide(one, other, frequencies(), replace(LIMITS, link_margin=0)).outcome != LINK


def test_an_initial_is_no_name_of_ones_own() -> None:
    one, other = someone(given="E", born="", **EVERYTHING), someone(born="", **EVERYTHING)
    loose = replace(LIMITS, link_margin=-20, bare_margin=-20)
    assert decide(one, other, frequencies(), loose).guards == ("too little of their own",)


def test_the_first_of_january_is_nobodys_birth_date() -> None:
    one, other = (someone(born="1980-01-01", source=source, **HOUSEHOLD) for source in ("a", "b"))
    assert "too little of their own" in of(one, other)[1]
    assert of(someone(born="1980-01-01", **EVERYTHING), someone(born="1980-01-01", **EVERYTHING)) == (LINK, ())


def test_an_address_and_a_phone_of_many_say_nothing() -> None:
    pair = someone(**HOUSEHOLD), someone(**HOUSEHOLD)
    shared = {"phone_5595552368": 5, "address_12 n": 0}
    crowd = frequencies(**shared)
    crowd.counts["address", pair[0].addresses[0].key] = 9
    levels = {each.field: (each.level, each.bits) for each in decide(*pair, crowd).evidence}
    assert (levels["phone"], levels["address"]) == (("shared", 0), ("shared", 0))
    assert {e.level for e in decided(*pair).evidence if e.field in ("phone", "address")} == {"same"}


def test_an_address_of_many_says_nothing_however_it_is_written() -> None:
    one, other = someone(addresses=[STREET]), someone(addresses=[(["12 Nowere Street"], "Exampleton", "00001")])
    crowd = frequencies()
    levels = [{e.field: e.level for e in decide(one, other, crowd).evidence}["address"]]
    crowd.counts["address", one.addresses[0].key] = 9
    levels += [
        {e.field: e.level for e in decide(*pair, crowd).evidence}["address"]
        for pair in ((one, other), (other, one))
    ]
    assert levels == ["near", "shared", "shared"]


def test_names_may_be_swapped_and_each_hold_a_slip() -> None:
    found = decided(someone("Exampal", "Fauxfeild", **EVERYTHING), someone("Fauxfield", "Exampla", **EVERYTHING))
    assert {e.field: e.level for e in found.evidence}["given"] == "swapped"
    assert found.outcome == LINK


def test_a_space_within_a_given_name_is_a_slip() -> None:
    found = decided(someone(given="Exam pa"), someone(given="Exampla"))
    assert {e.field: e.level for e in found.evidence}["given"] == "close"


@pytest.mark.parametrize(
    ("given_name", "born", "outcome"),
    [("Betty", "1989-06-30", LINK), ("Elisabet", "1989-06-30", REVIEW), ("Betty", "1951-06-30", REVIEW)],
    ids=["a nickname", "a similar name", "a generation apart"],
)
def test_over_another_birth_date_the_own_name_and_ssn4_link_unless_a_generation_lies_between(
    given_name: str, born: str, outcome: str
) -> None:
    other = someone(given=given_name, born=born, **EVERYTHING)
    assert of(someone(given="Elizabeth", **EVERYTHING), other)[0] == outcome


def test_swapped_names_need_something_beside() -> None:
    one, other = someone("Martin", "Thomas"), someone("Thomas", "Martin")
    assert "swapped names" in of(one, other)[1]


def test_another_ssn4_is_not_overlooked_where_the_date_differs_too() -> None:
    other = someone(born="1980-02-18", phones=[PHONE], addresses=[STREET], ssn="219-09-8888")
    loose = replace(LIMITS, link_margin=-20, bare_margin=-20)
    assert "other SSN4" in decide(someone(**EVERYTHING), other, frequencies(), loose).guards


# --- the evidence, the choice, the limits


def test_the_evidence_says_nothing_of_the_person() -> None:
    one = someone("Canaryfield", "Canarina", identifiers=[cin("91234567A")], **EVERYTHING)
    text = f"{decided(one, one)!r} {decided(one, one)}".lower()
    for value in ("canary", "1980", "5595552368", "5552368", "4321", "91234567", "nowhere"):
        assert value not in text


PERSONS = st.builds(
    lambda family, given_name, born, sex, ssn, order, street: someone(
        family, given_name, born=born, sex=sex, ssn=ssn, order=order, phones=[PHONE], addresses=[street]
    ),
    st.sampled_from(["Garcia", "Garcia-Lopez", "Lopez", "Garci", "Doe", ""]) | st.text(max_size=8),
    st.sampled_from(["Maria", "Maria E", "M", "Mary", "Lopez", "Baby Girl A", "Unknown", ""]) | st.text(max_size=8),
    st.sampled_from(["1980-02-11", "1980-11-02", "1980-02-12", "1980", "1960-02-11", "1980-01-01", "", "x"]),
    st.sampled_from(["female", "male", ""]),
    st.sampled_from(["4321", "4312", "9999", ""]),
    st.sampled_from([0, 1, 2, -1]),
    st.sampled_from([STREET, OTHER_STREET, (["12 Nowhere Street Apt 3"], "Exampleton", "00001")]),
)


@given(PERSONS, PERSONS)
def test_it_does_not_matter_who_comes_first(one: Person, other: Person) -> None:
    assert decided(one, other) == decided(other, one)


def decision(outcome: str, *guards: str, weight: float = 0, identifiers: tuple[str, ...] = ()) -> Decision:
    return Decision(outcome, weight, 0, (), identifiers, guards)


def test_a_person_is_linked_where_one_member_alone_has_a_link() -> None:
    found = among({"a": [decision(DISTINCT), decision(LINK)], "b": [decision(REVIEW)], "c": [decision(DISTINCT)]})
    assert (found.outcome, found.member) == (LINK, "a")


def test_a_person_who_could_be_two_members_waits_with_both() -> None:
    found = among({"a": [decision(LINK)], "b": [decision(LINK)], "c": [decision(REVIEW)]})
    assert (found.outcome, found.member, found.review) == (REVIEW, "", ("a", "b", "c"))


def test_of_two_members_the_far_likelier_one_is_linked_and_a_person_asked_about_the_other() -> None:
    found = among({"a": [decision(LINK, weight=26)], "b": [decision(LINK, weight=34), decision(REVIEW, weight=20)]})
    assert (found.outcome, found.member, found.review) == (LINK, "b", ("a",))
    nearer = among({"a": [decision(LINK, weight=27)], "b": [decision(LINK, weight=34)]})
    assert (nearer.outcome, nearer.review) == (REVIEW, ("a", "b"))


LIZ, BETTY = someone(given="Elizabeth", **HOUSEHOLD), someone(given="Betty", **HOUSEHOLD)


@pytest.mark.parametrize(
    "newcomer",
    [
        someone(given="Elizabeth Ann", **HOUSEHOLD),
        someone(given="Betty Jo", **HOUSEHOLD),
        someone(given="Baby Girl", **HOUSEHOLD),
        someone(given="Elizabeth", born="", **HOUSEHOLD),
        someone(given="Elizabeth", suffix="Jr", born="1998-06-01", **HOUSEHOLD),
    ],
    ids=["one twin", "the other twin", "newborn", "no birth date", "a daughter"],
)
def test_of_two_who_share_a_household_and_nearly_a_name_nobody_is_linked_by_a_little_more(newcomer: Person) -> None:
    found = among({"a": [decided(newcomer, LIZ)], "b": [decided(newcomer, BETTY)]})
    assert found.outcome != LINK


@pytest.mark.parametrize("which", ["a", "b"])
def test_two_members_of_whom_one_has_the_same_number_wait(which: str) -> None:
    several = {"a": [decision(LINK, weight=20)], "b": [decision(LINK, weight=40)]}
    several[which] = [decision(LINK, weight=several[which][0].weight, identifiers=("cin",))]
    assert among(several).outcome == REVIEW


def test_two_members_wait_where_a_record_of_either_speaks_against() -> None:
    several = {
        "a": [decision(LINK, weight=20), decision(DISTINCT, "generations")],
        "b": [decision(LINK, weight=40)],
    }
    assert among(several).outcome == REVIEW


def test_a_record_of_the_member_that_speaks_against_stops_the_link() -> None:
    found = among({"a": [decision(LINK), decision(DISTINCT, "other identifier")]})
    assert (found.outcome, found.review) == (REVIEW, ("a",))


def test_nobody_alike_is_a_new_person() -> None:
    assert among({}).outcome == among({"a": [decision(DISTINCT)]}).outcome == DISTINCT


def test_a_limit_is_changed_by_its_name() -> None:
    assert LIMITS.configured("shared_address=12, link_margin=9.5") == replace(
        LIMITS, shared_address=12, link_margin=9.5
    )


@pytest.mark.parametrize("text", ["shared_adress=12", "link_margin", "link_margin=high", "link_margin=nan"])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        LIMITS.configured(text)
