"""The 834 and 837 samples of the package hccinfhir: files of the DHCS shape that nobody here made.

They are scrubbed: names, numbers and birth dates are placeholders (`randomDoB`), so each is read twice: as it is,
where exactly the placeholders are rejected, and with invented values in their place, where what is read is compared
with what the package's own extractor reads. Scrubbing removed segments of three of them, and left SE01 and GE01:
they are rejected as they are, and taken by a feed with `counts = "warn"`.
"""

import re
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hccinfhir.extractor_834 import extract_enrollment_834
from hccinfhir.extractor_837 import extract_sld_837

from adapters.plan.x12_answers import answers
from conformance.validation import structure
from tests.adapters.plan.x12_world import Heard, Keeping, became, feed, of_type, read

DHCS = [f"sample_834_{number:02}" for number in range(2, 7)]
STATUSES = "status,from,to,coverage,source\n51,,,cancelled,t\n59,,,cancelled,t\nP4,,,active,t\nS1,,,active,t\n"
WARN = {"counts": "warn"}
OTHER_SHAPE = {"member_key": "subscriber", "validate": "envelope"}
MISCOUNTED = {  # sample -> kind, what is counted wrongly
    "sample_834_01": ("plan-834", [("COUNT", "ST")]),
    "sample_837_11": ("plan-837", [("COUNT", "ST")]),
    "sample_837_12": ("plan-837", [("COUNT", "GE01"), ("COUNT", "ST")]),
}


def sample(name: str) -> str:
    return (files("hccinfhir") / "sample_files" / f"{name}.txt").read_text()


def filled(name: str) -> str:
    """The sample with invented values where it has placeholders."""
    text = re.sub(r"randomDoB\d?|\b19000101", "19600101", sample(name))
    return re.sub(r"randomCIN(\d)", r"9000000\1A", text)


def statuses(tmp_path: Path) -> str:
    """Meanings of the samples' HCP statuses as a deployment would say them."""
    (tmp_path / "x12_hcp_status.csv").write_text(STATUSES)
    return str(tmp_path)


def heard(tmp_path: Path, text: str, kind: str = "plan-834", **options: str) -> Heard:
    return read(tmp_path, text.encode(), feed(kind, tables=statuses(tmp_path), **options))


@pytest.mark.parametrize("name", DHCS)
def test_a_sample_of_the_dhcs_shape_has_a_right_envelope_and_wrong_placeholders(tmp_path: Path, name: str) -> None:
    found = heard(tmp_path, sample(name))
    assert {code for code, _ in found.rejects} == {"X12_SEGMENT"}
    assert {column for _, column in found.rejects} == {"DMG02"}
    assert len(found.of("plan")) == 1


@pytest.mark.parametrize("name", DHCS)
def test_a_sample_with_values_is_right_by_the_guide(tmp_path: Path, name: str) -> None:
    found = heard(tmp_path, filled(name))
    assert found.rejects == []
    assert len(found.of("member")) == filled(name).count("INS*")
    assert len(found.of("coverage")) == filled(name).count("HD*")


@pytest.mark.parametrize("name", DHCS)
def test_what_is_read_is_what_another_reader_reads(tmp_path: Path, name: str) -> None:
    text = filled(name)
    found = heard(tmp_path, text)
    theirs = extract_enrollment_834(text)
    for mine, other in zip(found.of("member"), theirs, strict=True):
        said, loops = mine.values, [row.values for row in found.of("coverage") if row.subject == mine.subject]
        history = other.hcp_history
        assert said["subscriber"] == other.member_id
        assert said["last_name"] == other.last_name
        assert said["first_name"] == other.first_name
        assert said["birth_date"] == other.dob
        assert said["maintenance"] == other.maintenance_type
        assert said["county"] == other.fame_county_id
        assert said["case_number"] == other.case_number
        assert said["card_issue_date"] == other.fame_card_issue_date
        assert said["cin_check_digit"] == other.cin_check_digit
        if "mailing_address" not in said:  # theirs takes the last address for the first
            assert said["address"]["lines"][0] == other.address_1
        assert said["address"]["postal"] == other.zip
        renewal = other.fame_redetermination_date
        assert said.get("renewal_month") == (renewal[:7] if renewal else None)
        assert sorted(loop["hcp"].lstrip("0") for loop in loops) == sorted(one.hcp_code or "" for one in history)
        assert sorted(loop["hcp_status"].lstrip("0") for loop in loops) == sorted(
            one.hcp_status or "" for one in history
        )
        assert sorted(loop["start"] for loop in loops) == sorted(one.start_date or "" for one in history)
        assert sorted(loop["end"] for loop in loops) == sorted(one.end_date or "" for one in history)
        amounts = [loop["share_of_cost"] for loop in loops if "share_of_cost" in loop]
        assert [float(amount) for amount in amounts] == ([other.amount] if other.amount else [])


@pytest.mark.parametrize("name", DHCS)
def test_a_sample_becomes_valid_fhir(tmp_path: Path, name: str) -> None:
    found = heard(tmp_path, filled(name))
    keeping = Keeping(found.feed).take(found.rows)
    patients = [said.patient for row in found.of("member") if (said := keeping.said(row.subject))]
    every = [*patients, *keeping.resources()]
    assert [issue for resource in every for issue in structure.validate(_local(resource))] == []
    assert len(patients) == len(found.of("member"))
    assert len(of_type(every, "Coverage")) == len(found.of("coverage"))


@pytest.mark.parametrize("name", MISCOUNTED)
def test_a_miscounted_sample_is_rejected_unless_the_feed_takes_such(tmp_path: Path, name: str) -> None:
    kind, counts = MISCOUNTED[name]
    strict = heard(tmp_path, filled(name), kind, **OTHER_SHAPE)
    assert (strict.rejects, strict.rows) == (counts, [])
    taken = heard(tmp_path, filled(name), kind, **OTHER_SHAPE, **WARN)
    assert (taken.rejects, taken.warnings[: len(counts)]) == ([], counts)
    assert taken.rows


@pytest.mark.parametrize("name", MISCOUNTED)
def test_the_answer_to_a_miscounted_sample_says_accepted_with_errors(tmp_path: Path, name: str) -> None:
    kind, counts = MISCOUNTED[name]
    (tmp_path / "a.x12").write_text(filled(name))
    ((_, content),) = answers(tmp_path / "a.x12", feed(kind, validate="envelope", counts="warn"))
    lines = content.decode().split("~\n")
    assert "IK5*E*4" in lines
    (of_group,) = [line.split("*") for line in lines if line.startswith("AK9")]
    assert (of_group[1], of_group[3] == of_group[4]) == ("E", True)  # as many accepted as received
    assert of_group[5:] == (["5"] if ("COUNT", "GE01") in counts else [])


def test_a_sample_of_another_shape_says_the_members_that_another_reader_reads(tmp_path: Path) -> None:
    found = heard(tmp_path, filled("sample_834_01"), **OTHER_SHAPE, **WARN)
    mine = [
        (m.key, m.values["last_name"], m.values["birth_date"], m.values["maintenance"]) for m in found.of("member")
    ]
    theirs = extract_enrollment_834(filled("sample_834_01"))
    assert mine == [(one.member_id, one.last_name, one.dob, one.maintenance_type) for one in theirs]
    periods = [(c.subject, c.values["start"], c.values.get("end")) for c in found.of("coverage")]
    assert periods == [(m.member_id, one.start_date, one.end_date) for m in theirs for one in m.hcp_history]
    plans = [row.values["hcp"] for row in found.of("coverage")]
    assert plans[:3] == ["MEDICARE ADVANTAGE D-SNP", "MEDI-CAL", "MEDICARE PART C"]


@pytest.mark.parametrize("number", [*range(13)])
def test_the_service_lines_of_a_claim_are_those_another_reader_reads(tmp_path: Path, number: int) -> None:
    text = filled(f"sample_837_{number}")
    found = heard(tmp_path, text, "plan-837", **OTHER_SHAPE, **WARN)
    assert found.rejects == []
    mine = sorted(
        (line["code"], tuple(line["modifiers"]), _days(line["from"]), _claimed(row.values, line))
        for row in found.of("claim")
        for line in row.values["lines"]
    )
    theirs = sorted(
        (
            one.procedure_code or "",
            tuple(one.modifiers),
            _days(one.service_date or ""),
            (one.patient_id or "", one.claim_id or "", one.quantity),
        )
        for one in extract_sld_837(text)
    )
    assert mine == theirs
    assert {code for row in found.of("claim") for code in _codes(row.values)} == {
        code for one in extract_sld_837(text) for code in one.claim_diagnosis_codes
    }


@pytest.mark.parametrize("number", [*range(13)])
def test_a_claim_becomes_valid_fhir(tmp_path: Path, number: int) -> None:
    found = heard(tmp_path, filled(f"sample_837_{number}"), "plan-837", **OTHER_SHAPE, **WARN)
    resources = became(found)
    assert len(of_type(resources, "Encounter")) == len(found.of("claim")) > 0
    assert [issue for one in resources for issue in structure.validate(_local(one))] == []


def _claimed(values: Mapping[str, Any], line: Mapping[str, Any]) -> tuple[str, str, float]:
    return values["subscriber"], values["claim"], float(line["units"])


def _codes(values: object) -> list[str]:
    return [one["code"] for one in values.get("diagnoses", ())]  # type: ignore[attr-defined]


def _days(text: str) -> date:
    return date.fromisoformat(text)


def _local(node: object) -> object:
    """Conditional references stand for resources that the transaction finds: the structure of the rest counts."""
    if isinstance(node, dict):
        return {
            name: str(value).partition("?")[0] + "/there"
            if name == "reference" and "?" in str(value)
            else _local(value)
            for name, value in node.items()
        }
    return [_local(one) for one in node] if isinstance(node, list) else node
