"""A34 and A40: who takes in whom."""

import pytest

from adapters.adt.message import parse
from fhir_mappings.adt.member_keys import MergeKeys, merge_keys
from fhir_mappings.adt.problems import AdtProblem, MissingIdentifier, Unmatched, Unreadable
from tests.fhir_mappings.adt.factory import adt
from tests.fhir_mappings.adt.stay import CIN_SYSTEM, SMC, message

MRN = "https://smc.example/id/mrn"
KEPT = ((MRN, "SMC0012345"), (CIN_SYSTEM, "91234567A"))


def merged(event: str = "A40", **fields: str | None) -> tuple[MergeKeys, ...]:
    values = {"PV1": None, **{name.replace("_", "-", 1): value for name, value in fields.items()}}
    return merge_keys(message(event, fields=values), SMC, CIN_SYSTEM)


@pytest.mark.parametrize("event", ["A34", "A40"])
def test_a_merge_names_who_is_kept_and_who_goes(event: str) -> None:
    assert merged(event, MRG_1="OLD77^^^SMC^MR") == (MergeKeys(KEPT, ((MRN, "OLD77"),)),)


@pytest.mark.parametrize(
    ("sent", "absorbed"),
    [
        ("OLD77^^^SMC^MR~90000017F^^^CA^MA", ((MRN, "OLD77"), (CIN_SYSTEM, "90000017F"))),
        ("OLD77^^^SMC", ((MRN, "OLD77"),)),  # version 2.3: no type
        ("90000017F^^^CA^MA", ((CIN_SYSTEM, "90000017F"),)),
        ("OLD77^^^SMC^MR~91234567A^^^CA^MA", ((MRN, "OLD77"), (CIN_SYSTEM, "91234567A"))),  # two of one person
    ],
)
def test_the_numbers_of_who_goes_are_read_as_those_of_pid_3(
    sent: str, absorbed: tuple[tuple[str, str], ...]
) -> None:
    (found,) = merged(MRG_1=sent)
    assert found.absorbed == absorbed


def test_the_prior_id_of_old_versions_is_read() -> None:
    (found,) = merged("A34", **{"MRG-4": "OLD77^^^SMC^MR"})
    assert found.absorbed == ((MRN, "OLD77"),)


def test_a40_may_repeat_its_group() -> None:
    raw = adt("A40", fields={"PV1": None, "NK1": None, "IN1": None, "PV2": None, "MRG-1": "OLD1^^^SMC^MR"})
    second = b"PID|1||NEW2^^^SMC^MR||Testperson-Elm^Ana\rPD1|||Clinic\rMRG|OLD2^^^SMC^MR\r"
    found = merge_keys(parse(raw + second), SMC, CIN_SYSTEM)
    assert found == (MergeKeys(KEPT, ((MRN, "OLD1"),)), MergeKeys(((MRN, "NEW2"),), ((MRN, "OLD2"),)))


@pytest.mark.parametrize(
    ("fields", "problem", "where", "code"),
    [
        ({}, Unreadable, "MRG", "100"),
        ({"MRG-1": ""}, Unreadable, "MRG-1", "101"),
        ({"MRG-1": '""'}, Unreadable, "MRG-1", "101"),
        ({"MRG-1": "SMC0012345^^^SMC^MR"}, Unreadable, "MRG-1", "205"),
        ({"MRG-1": "OLD77"}, MissingIdentifier, "MRG-1", None),  # no assigning authority
        ({"MRG-1": "A^^^ONE^MR~B^^^TWO^MR"}, Unmatched, "MRG-1", None),
        ({"MRG-1": "OLD77^^^SMC^MR", "PID-3": "A1"}, MissingIdentifier, "PID-3", None),
    ],
)
def test_a_merge_that_cannot_be_understood_says_where(
    fields: dict[str, str | None], problem: type[AdtProblem], where: str, code: str | None
) -> None:
    values = {"IN1": None, "PV1": None, **fields}
    with pytest.raises(problem) as caught:
        merge_keys(message("A40", fields=values), SMC, CIN_SYSTEM)
    assert (caught.value.where, getattr(caught.value, "code", None)) == (where, code)


def test_a_group_without_its_merge_is_refused_though_another_has_one() -> None:
    raw = adt("A40", fields={"PV1": None, "NK1": None, "IN1": None, "PV2": None, "MRG-1": "OLD1^^^SMC^MR"})
    with pytest.raises(Unreadable) as caught:
        parse(raw + b"PID|2||NEW2^^^SMC^MR\r")
    assert (caught.value.where, caught.value.code) == ("MRG", "100")
