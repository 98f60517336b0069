"""42 CFR Part 2: the text of the notice, and who is a program."""

import hashlib

import pytest

from hub.rights.part2 import NOTICE, SHORT_NOTICE, Part2Sources

PROGRAMS = Part2Sources.of(
    [
        "Organization/harbor",
        " Location/detox-unit ",
        "urn:calaim-hub:adt:DETOX",
        "http://hl7.org/fhir/sid/us-npi|1234567893",
        "",
    ]
)


def test_the_notice_is_the_text_of_the_rule() -> None:
    """2.32(a)(1) and (a)(2) as of 2024-04-16: nobody edits it in passing."""
    assert (
        hashlib.sha256(NOTICE.encode()).hexdigest()
        == "d82205a18044f9f45776343d91e26d8ddb44bf13e136af169ec73d755facd9a8"
    )
    assert NOTICE.startswith("This record which has been disclosed to you is protected by Federal confidentiality")
    assert NOTICE.endswith("to further use or redisclose the record (see 42 CFR 2.31).")
    assert all(
        part in NOTICE for part in (" (i) Further use", " (ii) You are a covered", " (iii) You have received")
    )
    assert "  " not in NOTICE
    assert SHORT_NOTICE == "42 CFR part 2 prohibits unauthorized use or disclosure of these records."


@pytest.mark.parametrize(
    "name",
    [
        "Organization/harbor",
        "Organization/harbor/_history/3",
        "https://hub.example/fhir/Organization/harbor",
        "https://hub.example/fhir/Organization/harbor/_history/3",
        "Location/detox-unit",
        "urn:calaim-hub:adt:DETOX",
        "urn:calaim-hub:adt:DETOX#message-7",
    ],
)
def test_a_program_is_known_by_each_of_its_names(name: str) -> None:
    assert PROGRAMS.named(name)


@pytest.mark.parametrize(
    "name",
    [
        "Organization/harbor2",
        "Organization/Harbor",
        "Location/harbor",
        "harbor",
        "",
        "#harbor",
        "urn:calaim-hub:adt:DETOX2",
        "Organization",
        "Organization/harbor/x",
    ],
)
def test_others_are_not(name: str) -> None:
    assert not PROGRAMS.named(name)


def test_identifiers_stand_apart() -> None:
    assert PROGRAMS.identifiers == {"http://hl7.org/fhir/sid/us-npi|1234567893"}
    assert "" not in PROGRAMS.names
    assert not Part2Sources.of([])
    assert Part2Sources.of(["http://hl7.org/fhir/sid/us-npi|1234567893"])
