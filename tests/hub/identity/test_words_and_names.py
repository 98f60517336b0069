"""Names are compared as words: without marks, particles, suffixes and placeholders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.identity.compare import family_level, given_level, middle_level
from hub.identity.names import DOE, NEWBORN, UNKNOWN, Name, name, roots
from hub.identity.words import LONGEST, likeness, normal, soundex


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normal(normal(text)) == normal(text)


@given(st.text(), st.lists(st.text(), max_size=3), st.text())
def test_any_text_can_be_read_as_a_name(family: str, given_names: list[str], suffix: str) -> None:
    found = name(family, given_names, suffix)
    assert all(word == normal(word) for word in (*found.family, *found.given))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MUÑOZ", "munoz"),
        ("Muñoz", "munoz"),
        ("O’Brien", "obrien"),
        ("Garcia-Lopez", "garcia lopez"),
        ("Sørensen", "sorensen"),
        ("  José\t Luis ", "jose luis"),
        ("ＭＡＲＩＡ", "maria"),
    ],
)
def test_a_name_is_written_one_way(text: str, expected: str) -> None:
    assert normal(text) == expected


def test_a_text_without_end_is_cut() -> None:
    assert len(normal("x" * 1_000_000)) == LONGEST


@pytest.mark.parametrize(
    ("text", "code"),
    [("Robert", "R163"), ("Rupert", "R163"), ("Tymczak", "T522"), ("Pfister", "P236"), ("Honeyman", "H555"),
     ("Ashcraft", "A261"), ("Washington", "W252"), ("Lee", "L000"), ("", ""), ("李", "")],
)  # fmt: skip
def test_soundex_is_the_national_archives(text: str, code: str) -> None:
    assert soundex(text) == code


@pytest.mark.parametrize(
    ("family", "given_names", "suffix", "expected"),
    [
        ("Testerton Jr.", ["Samplo"], "", "jr"),
        ("Testerton", ["Samplo", "III"], "", "3"),
        ("Testerton", ["Samplo"], "Senior", "sr"),
        ("Testerton", ["Samplo"], "MD", ""),
    ],
)
def test_a_suffix_is_found_wherever_it_stands(
    family: str, given_names: list[str], suffix: str, expected: str
) -> None:
    assert name(family, given_names, suffix).suffix == expected


@pytest.mark.parametrize(
    ("family", "given_names", "placeholder", "order"),
    [
        ("Fauxfield", ["BABY GIRL"], NEWBORN, 0),
        ("Fauxfield", ["BABYBOY", "A"], NEWBORN, 1),
        ("Fauxfield", ["BB", "2"], NEWBORN, 2),
        ("Fauxfield", ["Newborn", "Exampla"], NEWBORN, 0),
        ("UNKNOWN", ["Unknown"], UNKNOWN, 0),
        ("Doe", ["John"], DOE, 0),
        ("Doe", ["Exampla"], "", 0),
        ("Fauxfield", ["Exampla"], "", 0),
    ],
)
def test_a_placeholder_is_named(family: str, given_names: list[str], placeholder: str, order: int) -> None:
    found = name(family, given_names)
    assert (found.placeholder, found.order) == (placeholder, order)


def test_what_is_said_beside_baby_is_not_the_babys_name() -> None:
    found = name("Fauxfield", ["Baby Girl", "Exampla"])
    assert (found.first, found.given) == ("", ("exampla",))


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("Garcia", "GARCÍA", "same"),
        ("de la Cruz", "Delacruz", "same"),
        ("de la Cruz", "Cruz", "same"),
        ("Garcia-Lopez", "Lopez Garcia", "same"),
        ("Garcia-Lopez", "Garcia", "compound"),
        ("Garcia Lopez", "Garcia Perez", "part"),
        ("Testerton", "Testertno", "close"),
        ("Testerton", "Nonesuch", "different"),
        ("Fauxfield", "", ""),
    ],
)
def test_family_names_agree_by_their_words(one: str, other: str, level: str) -> None:
    found = family_level(name(one, ["X"]), name(other, ["X"]))
    assert (found, family_level(name(other, ["X"]), name(one, ["X"]))) == (level, level)


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        (["Maria"], ["MARÍA"], "same"),
        (["Mary", "Ann"], ["Maryann"], "same"),
        (["Robert"], ["Bob"], "nickname"),
        (["Francisco"], ["Pancho"], "nickname"),
        (["Bill"], ["Will"], "nickname"),
        (["Jose", "Luis"], ["Jose", "Antonio"], "first"),
        (["J"], ["Jose"], "initial"),
        (["J", "Carlos"], ["Carlos"], "part"),
        (["Maria", "Elena"], ["Elena"], "part"),
        (["Jonathan"], ["Jonatahn"], "close"),
        (["Maria"], ["Samplo"], "different"),
        (["Baby Girl"], ["Maria"], ""),
    ],
)
def test_given_names_agree_by_use(one: list[str], other: list[str], level: str) -> None:
    found = given_level(name("X", one), name("X", other))
    assert (found, given_level(name("X", other), name("X", one))) == (level, level)


def test_letters_that_only_look_alike_are_other_letters() -> None:
    cyrillic = "M\N{CYRILLIC SMALL LETTER A}ria"
    assert given_level(name("X", ["Maria"]), name("X", [cyrillic])) == "different"
    assert likeness("maria", normal(cyrillic)) == ""


def test_an_initial_in_the_middle_is_no_contradiction() -> None:
    assert middle_level(name("X", ["Maria", "E"]), name("X", ["Maria", "Elena"])) == "initial"
    assert middle_level(Name(), Name()) == ""


def test_a_nickname_may_stand_for_several_names() -> None:
    assert {"alexander", "alexandra", "alejandro"} <= roots("alex")
