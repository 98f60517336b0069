import pytest

from fhir_mappings.adt.member_keys import as_cin, member_keys
from fhir_mappings.adt.problems import MissingIdentifier, Unmatched
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, SMC, message


def keys(**arguments: object):  # type: ignore[no-untyped-def]
    return member_keys(message(**arguments), SMC, CIN_SYSTEM)


def test_the_keys_name_the_member_and_the_visit() -> None:
    found = keys()
    assert (found.cin, found.mrn, found.visit_number) == ("91234567A", "SMC0012345", "V1000123")
    assert (found.birth_date, found.family) == ("1980-02-15", "Testperson-Alder")
    assert found.tokens == ((CIN_SYSTEM, "91234567A"), ("https://smc.example/id/mrn", "SMC0012345"))


@pytest.mark.parametrize(
    ("text", "cin"),
    [
        ("91234567A", "91234567A"),
        (" 91234567a ", "91234567A"),
        ("91234567A29180", "91234567A"),  # a card number
        ("12345678Z", "12345678Z"),
        ("9123456A", None),
        ("912345678", None),
        ("91234567A2918", None),
        ("", None),
    ],
)
def test_a_cin_is_eight_digits_and_a_letter(text: str, cin: str | None) -> None:
    assert as_cin(text) == cin


@pytest.mark.parametrize(
    ("fields", "cin"),
    [
        ({"PID-3": "A1^^^SMC^MR~91234567A^^^X^MC"}, "91234567A"),
        ({"PID-3": "A1^^^SMC^MR", "IN1-36": "92222222D"}, "92222222D"),
        ({"PID-3": "A1^^^SMC^MR", "IN1-36": "T1", "IN1-49": "93333333E^^^DHCS"}, "93333333E"),
        ({"PID-3": "A1^^^SMC^MR", "IN1-36": "92222222D", "IN1-17": ""}, "92222222D"),
        ({"PID-3": "A1^^^SMC^MR", "IN1-36": "92222222D", "IN1-17": "MTH"}, None),  # the mother's number
        ({"PID-3": "A1^^^SMC^MR", "IN1-36": "T1", "IN2-8": "94444444F"}, "94444444F"),
        ({"PID-3": "A1^^^SMC^MR", "PID-2": "95555555G^^^CA^MA", "IN1": None}, "95555555G"),
        ({"PID-3": "A1^^^SMC^MR", "PID-2": "95555555G", "IN1": None}, None),  # nobody says that it is one
        ({"PID-3": "A1^^^SMC^MR", "IN1-36": "12345678A"}, None),  # another payer's number of the same shape
        ({"PID-3": "A1^^^SMC^MR~1EG4TE5MK73^^^CMS^MC", "IN1": None}, None),  # a Medicare number
    ],
)
def test_the_cin_comes_from_pid_3_or_from_the_members_own_insurance(
    fields: dict[str, str], cin: str | None
) -> None:
    assert keys(fields=fields).cin == cin


@pytest.mark.parametrize(
    ("sent", "mrn"),
    [
        ("M1^^^OTHER^MR~M2^^^SMC^MR", "M2"),
        ("M1^^^EPIC^MR", "M1"),
        ("X9^^^SMC^PI~M2^^^SMC^MR", "M2"),
        ("M3^^^SMC", "M3"),
        ("E1^^^MPI^PI~M4^^^SMC^PI", "M4"),
    ],
)
def test_the_mrn_is_the_facilitys_own(sent: str, mrn: str) -> None:
    assert keys(fields={"PID-3": sent}).mrn == mrn


def test_several_mrns_none_of_them_the_facilitys_are_nobodys() -> None:
    with pytest.raises(Unmatched) as caught:
        keys(fields={"PID-3": "M1^^^ONE^MR~M2^^^TWO^MR"})
    assert caught.value.where == "PID-3"


@pytest.mark.parametrize("sent", ["", '""', "000-00-0000^^^SSA^SS", "E1^^^MPI^PI", "A1"])
def test_neither_mrn_nor_cin_is_a_missing_identifier(sent: str) -> None:
    with pytest.raises(MissingIdentifier) as caught:
        keys(fields={"PID-3": sent, "IN1": None})
    assert (caught.value.state, caught.value.where) == ("unmatched", "PID-3")


def test_the_account_number_stands_in_for_a_missing_visit_number() -> None:
    assert keys(fields={"PV1-19": "", "PID-18": "ACC1^^^SMC^AN"}).visit_number == "ACC1"


def test_no_visit_number_and_no_account_number_is_unmatched() -> None:
    with pytest.raises(Unmatched) as caught:
        keys(fields={"PV1-19": ""})
    assert caught.value.where == "PV1-19"


def test_a_social_security_number_is_never_read() -> None:
    sent = message(fields={"PID-3": "A1^^^SMC^MR~999-12-3456^^^SSA^SS", "PID-19": "999-12-3456"})
    assert "999-12-3456" not in repr(member_keys(sent, SMC, CIN_SYSTEM))
