"""Keys that bring the right persons together, and hashed exports that have the same ones."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.identity.blocking import COMMON, keys, selective
from hub.identity.decide import LINK, REVIEW, decide
from hub.identity.frequencies import SHARES, Counted, share, terms
from hub.identity.hashed import KNOWN, SHA256_SOUNDEX, client, configured, digest, scheme_of
from hub.identity.names import name
from hub.identity.person import Person
from hub.problems import Problem
from tests.bench.county_people import county
from tests.bench.county_sources import records
from tests.bench.linking import Linking
from tests.hub.identity.people import STREET, cin, frequencies, someone

SSN = "219-09-4321"


def row(**changed: str) -> dict[str, str]:
    """Of the Client.csv of an export with HashStatus 4: Soundex of Fauxfield is F214, of Exampla E251."""
    said = {
        "PersonalID": "P1",
        "FirstName": sha256(b"E251").hexdigest(),
        "LastName": sha256(b"F214").hexdigest(),
        "NameDataQuality": "1",
        "SSN": "4321" + sha256(b"219094321").hexdigest(),
        "SSNDataQuality": "1",
        "DOB": "1980-02-17",
        "DOBDataQuality": "1",
        "Sex": "0",
    }
    return said | changed


def hashed(**changed: str) -> Person:
    return client(row(**changed), SHA256_SOUNDEX, "hmis", ())


def test_a_hashed_client_is_the_clear_person_of_the_same_transform() -> None:
    found = decide(hashed(), someone(ssn=SSN), frequencies())
    assert (found.outcome, found.guards) == (LINK, ())
    assert {each.field: each.level for each in found.evidence}["family_hash"] == "same"


def test_two_hashed_exports_of_one_scheme_are_compared_too() -> None:
    assert decide(hashed(), hashed(PersonalID="P2"), frequencies()).outcome == LINK


@pytest.mark.parametrize(
    "missing", [{"SSN": ""}, {"SSNDataQuality": "99"}, {"DOBDataQuality": "99"}, {"DOB": "1980-01-01"}]
)
def test_hashes_alone_do_not_link(missing: dict[str, str]) -> None:
    assert decide(hashed(**missing), someone(ssn=SSN), frequencies()).outcome != LINK


def test_a_hashed_client_without_an_ssn_waits() -> None:
    found = decide(hashed(SSN=""), someone(), frequencies())
    assert found.outcome == REVIEW
    assert "hashed" in found.guards


def test_a_hashed_twin_is_not_linked() -> None:
    other = hashed(FirstName=sha256(b"T235").hexdigest())
    assert decide(other, someone(ssn=SSN), frequencies()).outcome == REVIEW


def test_a_clear_and_a_hashed_person_share_keys_by_name() -> None:
    clear, other = someone(born="1985-03-04"), hashed(DOB="1971-09-09", SSN="")
    assert keys(clear) & keys(other)


def test_what_is_no_digest_is_no_name() -> None:
    assert hashed(FirstName="Exampla", LastName="not hashed").hashed == hashed(FirstName="", LastName="").hashed


def test_a_hash_status_that_nobody_explained_is_refused_until_somebody_does() -> None:
    with pytest.raises(Problem) as refused:
        scheme_of(2, KNOWN)
    assert refused.value.kind == "not-supported"
    assert scheme_of(2, configured("2=sha1:soundex")) == "sha1:soundex"
    assert scheme_of(4, configured("2=sha1:soundex")) == SHA256_SOUNDEX


@pytest.mark.parametrize("text", ["2", "2=rot13:soundex", "two=sha1:soundex", "2=sha1:", "²=sha1:soundex"])
def test_a_scheme_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        configured(text)


def test_another_scheme_has_its_own_keys() -> None:
    assert keys(someone(), ("sha1:lower",)) != keys(someone())
    assert digest("sha1:lower", "José") == digest("sha1:lower", "JOSE") != digest("sha1:upper", "Jose")


@pytest.mark.parametrize(
    "other",
    [
        {"born": "1980-12-02", "family": "Fauxfeld"},
        {"born": "1971-05-30"},
        {"given": "Testina", "born": "1980-02-19"},
        {"family": "Nonesuch"},
        {"family": "Exampla", "given": "Fauxfield", "born": "1971-05-30"},
        {"family": "Nonesuch", "given": "Testina", "born": "1980-09-09", "ssn": SSN},
        {"family": "Nonesuch", "born": "1971-05-30", "ssn": SSN},
        {"family": "Nonesuch", "given": "Testina", "born": "", "phones": ["559-555-2368"]},
        {"family": "Nonesuch", "given": "Testina", "born": "", "addresses": [STREET]},
        {"family": "Nonesuch", "given": "Testina", "born": "", "identifiers": [cin("91234567A")]},
    ],
    ids=[
        "turned date",
        "other date",
        "other given",
        "married",
        "swapped",
        "ssn4 and year",
        "ssn4 and given",
        "phone",
        "address",
        "cin",
    ],
)
def test_each_pass_survives_errors_that_stop_the_others(other: dict[str, object]) -> None:
    born = "1980-02-12" if other.get("born") == "1980-12-02" else "1980-02-17"
    one = someone(born=born, ssn=SSN, phones=["559-555-2368"], addresses=[STREET], identifiers=[cin("91234567A")])
    assert keys(one) & keys(someone(**other))


def test_a_key_of_too_many_members_is_not_looked_up() -> None:
    own = keys(someone())
    common = min(own)
    assert selective(own, lambda each: COMMON + 1 if each == common else COMMON) == own - {common}


def test_a_person_has_few_keys_and_they_are_signed_64_bit() -> None:
    own = keys(someone("Garcia-Lopez", "Alex", ssn=SSN, phones=["559-555-2368"], addresses=[STREET]))
    assert len(own) <= 45
    assert all(-(2**63) <= each < 2**63 for each in own)


@given(st.text(), st.text(), st.text())
def test_any_person_has_keys_and_terms(family: str, given_name: str, born: str) -> None:
    one = someone(family, given_name, born=born)
    assert keys(one) == keys(one)
    assert all(kind and value for kind, value in terms(one))


def test_a_small_county_keeps_its_true_pairs() -> None:
    """The figures of 100,000 people are in `make bench` (tests/bench/identity.py)."""
    made = county()
    found = Linking(records(made.humans(2000), made)).run()
    assert found.true_pairs() > 1500
    assert found.completeness() >= 0.95
    assert found.precision() >= 0.999
    assert found.recall() >= 0.85  # few are known yet, so that names weigh less


def test_a_share_is_between_the_common_and_the_rare() -> None:
    young, old = Counted(), frequencies(family_garcia=1200)
    common, _, least = SHARES["family"]
    assert share(young, "family", "garcia") == common
    assert share(old, "family", "garcia") == pytest.approx(0.012, rel=0.01)
    assert share(old, "family", "nonesuch") == least


def test_who_is_compared_does_not_make_the_own_name_common() -> None:
    few = Counted(1000)
    nobody = share(few, "given", "exampla")
    few.counts["given", "exampla"] = 1
    assert share(few, "given", "exampla") == nobody
    few.counts["given", "exampla"] = 2
    assert share(few, "given", "exampla") > nobody


def test_a_person_is_counted_once_for_each_term() -> None:
    found = Counted()
    found.add([someone(phones=["559-555-2368"]), someone(given="Testina")])
    assert (found.total, found.count("family", "fauxfield"), found.count("given", "testina")) == (2, 2, 1)
    assert found.count("birth", "19800217") == 2


def test_a_hash_of_a_name_without_letters_is_none() -> None:
    assert digest(SHA256_SOUNDEX, "123") == ""
    assert name("", [""]).first == ""
