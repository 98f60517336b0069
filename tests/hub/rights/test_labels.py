"""Labels: set from what a resource says and from where it comes; unknown is guarded most; nothing is taken away."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fhir.systems import SECURITY_LABEL
from hub.rights.label_page import page
from hub.rights.label_table import ACT, ALIASES, CONFIDENTIALITY, RANKS, ROWS, SYSTEMS, extend, rows_of
from hub.rights.labels import (
    ALL_BITS,
    BITS,
    COUNSELLING,
    HIV,
    HMIS,
    LABELS,
    NO_PART2,
    OTHER,
    PART2,
    PSY,
    PSYTHPN,
    SUD,
    Part2Sources,
    closed,
    coded,
    codings_of,
    labels_of,
    mask_of,
    raised,
    with_labels,
)

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
HARBOR = Part2Sources.of(
    ["Organization/harbor", "Location/detox", "urn:feed:detox", "http://hl7.org/fhir/sid/us-npi|1234567893"]
)
CODES = rows_of("label_codes.csv")

Resource = dict[str, Any]


def act(code: str) -> Resource:
    return {"system": ACT_CODE, "code": code}


def conf(code: str) -> Resource:
    return {"system": CONFIDENTIALITY, "code": code}


def concept(code: str, system: str = ICD, **more: str) -> Resource:
    return {"coding": [{"system": system, "code": code, **more}]}


def condition(*security: Any, code: str = "E11.9", **more: Any) -> Resource:
    meta = {"meta": {"security": list(security)}} if security else {}
    return {"resourceType": "Condition", "id": "c", **meta, "code": concept(code), **more}


def found(resource: Resource, source: str = "", part2: Part2Sources = NO_PART2) -> int:
    return labels_of(resource, source, part2)


def security(resource: Resource) -> list[Resource]:
    return list(resource["meta"]["security"])


# --- the tables


def test_bits_are_powers_of_two_and_codes_stand_once() -> None:
    assert sorted(BITS.values()) == [1 << place for place in range(len(LABELS))]
    every = [code for row in ROWS for code in row.codes]
    assert len(every) == len(set(every))
    assert len({(row["system"], row["match"], row["code"]) for row in CODES}) == len(CODES)
    assert all(row["why"] for row in CODES)
    assert all(row["code"] == row["code"].lower() for row in CODES if row["match"] == "word")


@pytest.mark.parametrize(("code", "mask"), ACT.items())
def test_each_security_label_has_its_effect(code: str, mask: int) -> None:
    assert found(condition(act(code))) == closed(mask)


@pytest.mark.parametrize("told", CODES, ids=lambda told: f"{told['match']} {told['code']}")
def test_each_row_of_codes_has_its_effect(told: dict[str, str]) -> None:
    mask = sum(BITS[name] for name in told["labels"].split())
    code = {"code": told["code"], "prefix": told["code"] + "00", "word": "31415"}[told["match"]]
    shown = {"display": f"Some {told['code'].title()} 8 MG"} if told["match"] == "word" else {}
    for system in (told["system"], *ALIASES.get(told["system"], ())):
        value = concept(code, system, **shown)
        assert found({"resourceType": "Observation", "valueCodeableConcept": value}) == closed(mask)


@pytest.mark.parametrize("code", ["F11.20", "F1120", "f11.20", "F11"])
def test_a_code_counts_with_its_dot_and_without(code: str) -> None:
    assert found(condition(code=code)) == SUD


@pytest.mark.parametrize(
    ("code", "mask"),
    [("F32.9", PSY), ("F10.20", SUD), ("F64.0", PSY | BITS["SEX"]), ("E11.9", 0), ("Z59.0", 0), ("Z2", 0), ("", 0)],
)
def test_the_most_exact_prefix_counts(code: str, mask: int) -> None:
    assert found(condition(code=code)) == mask


def test_a_code_of_another_system_says_nothing() -> None:
    assert found({"resourceType": "Observation", "code": concept("F11.20", "http://loinc.org")}) == 0
    assert found({"resourceType": "Observation", "code": {"coding": [{"code": "F11.20"}], "text": "F11.20"}}) == 0
    assert (
        found({"resourceType": "Observation", "code": concept("1", "http://loinc.org", display="methadone")}) == 0
    )


def test_a_code_alone_makes_no_part_2_record() -> None:
    every = [concept(row["code"], row["system"], display=row["code"]) for row in CODES]
    assert not found({"resourceType": "Condition", "code": every}) & (PART2 | OTHER | COUNSELLING)


@pytest.fixture
def own_rows() -> Iterator[None]:
    """What a test adds to the tables of this process goes again."""
    before = {id(codes): (codes, copy.deepcopy(codes)) for codes in SYSTEMS.values()}
    names = set(SYSTEMS)
    yield
    for name in SYSTEMS.keys() - names:
        del SYSTEMS[name]
    for codes, was in before.values():
        codes.exact, codes.prefixes, codes.words, codes.lengths = was.exact, was.prefixes, was.words, was.lengths


def row(system: str, match: str, code: str, labels: str) -> dict[str, str]:
    return {"system": system, "match": match, "code": code, "labels": labels}


@pytest.mark.usefixtures("own_rows")
def test_a_deployment_adds_rows_and_takes_nothing_away() -> None:
    extend([
        row("https://county.example/note", "code", "sud-counselling", "COUNSELLING"),
        row(ICD, "code", "F11.20", "HIV"),
        row(ICD, "prefix", "f11.2", "STD"),
        row("http://snomed.info/sct", "word", "Harm Reduction", "SUD"),
    ])  # fmt: skip
    note = {"resourceType": "DocumentReference", "type": concept("sud-counselling", "https://county.example/note")}
    assert found(note) == closed(COUNSELLING)
    assert found(condition(code="F11.20")) == SUD | HIV
    assert found(condition(code="F11.21")) == SUD | BITS["STD"]
    told = concept("31415", "http://snomed.info/sct", display="Harm reduction visit")
    assert found({"resourceType": "Encounter", "type": [told]}) == SUD


@pytest.mark.usefixtures("own_rows")
@pytest.mark.parametrize(
    "wrong",
    [
        row(ICD, "code", "X", "SECRET"),
        row(ICD, "regex", "X", "SUD"),
        row(ICD, "code", "", "SUD"),
        row("", "code", "X", "SUD"),
        row(ICD, "code", "F11.20", ""),
        {"system": ICD},
    ],
)
def test_a_wrong_row_stops_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="label codes row 2"):
        extend([row(ICD, "code", "X", "SUD"), wrong])


# --- unknown is guarded most


@pytest.mark.parametrize(
    "label",
    [
        act("ZZUNHEARDOF"),
        act(""),
        {"system": ACT_CODE},
        {"code": "SUD"},
        {"code": "N"},
        {"display": "secret"},
        {},
        {"system": "https://other.example/labels", "code": "N"},
        {"system": 1, "code": 2},
        {"system": [ACT_CODE]},
        {"system": ACT_CODE, "code": {}},
        conf("X"),
        conf("r"),
        {"system": CONFIDENTIALITY},
        conf("V"),
        conf("R"),
        conf("B"),
        act("SPI"),
        act("CEL"),
        act("NODSCLCD"),
        None,
        "R",
    ],
)
def test_a_label_that_nobody_knows_is_guarded_most(label: Any) -> None:
    assert found(condition(label)) == OTHER
    assert found(condition(label, act("HIV"))) == (HIV if label == conf("R") else OTHER | HIV)


@pytest.mark.parametrize("code", ["U", "L", "M", "N"])
def test_ordinary_confidentialities_carry_no_label(code: str) -> None:
    assert found(condition(conf(code))) == 0
    untouched = condition(conf(code))
    assert with_labels(untouched, 0) is untouched


@pytest.mark.parametrize(
    "label",
    [
        act("NORDSCLCD"),
        act("DELAU"),
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"},
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"},
    ],
)
def test_what_says_what_to_do_is_no_label(label: Resource) -> None:
    assert found(condition(label)) == 0


def test_restricted_is_explained_by_a_label_by_a_code_or_by_its_basis() -> None:
    assert found(condition(conf("R"), act("PSY"))) == PSY
    assert found(condition(conf("R"), code="B20")) == HIV
    basis = {
        "url": "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-sec-label-basis",
        "valueCoding": act("42CFRPart2"),
    }
    assert found(condition({**conf("R"), "extension": [basis]})) == PART2 | SUD


def test_former_confidentiality_codes_mean_what_replaced_them() -> None:
    assert found(condition(conf("ETH"))) == SUD
    assert found(condition(conf("HIV"))) == HIV


def test_act_codes_that_are_no_sensitivity_say_nothing_where_they_are_no_security_label() -> None:
    visit = {"resourceType": "Encounter", "class": act("IMP"), "type": [{"coding": [act("ZZUNHEARDOF")]}]}
    assert found(visit) == 0


@pytest.mark.parametrize(
    ("mask", "whole"),
    [
        (PART2, PART2 | SUD),
        (PSYTHPN, PSYTHPN | PSY),
        (PART2 | PSYTHPN, COUNSELLING | PART2 | SUD | PSYTHPN | PSY),
        (COUNSELLING, COUNSELLING | PART2 | SUD | PSYTHPN | PSY),
        (HIV, HIV),
        (0, 0),
    ],
)
def test_labels_imply_others(mask: int, whole: int) -> None:
    assert closed(mask) == whole
    assert closed(whole) == whole


def test_what_is_part_2_and_psychotherapy_is_a_counselling_note() -> None:
    assert found(condition(act("42CFRPart2"), act("PSYTHPN"))) & COUNSELLING
    assert not found(condition(act("ETH"), act("PSYTHPN"))) & COUNSELLING


# --- wherever it stands


SENSITIVE = condition(code="F11.20")
LABELLED = condition(act("HIV"))
NESTED: dict[str, Any] = {
    "contained": lambda inner: {"resourceType": "Encounter", "contained": [inner]},
    "Bundle": lambda inner: {
        "resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": "Basic"}}, {"resource": inner}],
    },
    "Bundle in a Bundle": lambda inner: {
        "resourceType": "Bundle",
        "entry": [{"resource": NESTED["Bundle"](inner)}],
    },
    "Parameters": lambda inner: {
        "resourceType": "Parameters",
        "parameter": [{"name": "a", "part": [{"resource": inner}]}],
    },
    "outcome": lambda inner: {"resourceType": "Bundle", "entry": [{"response": {"outcome": inner}}]},
}


@pytest.mark.parametrize("place", NESTED)
def test_what_is_nested_counts(place: str) -> None:
    assert found(NESTED[place](SENSITIVE)) == SUD
    assert found(NESTED[place](LABELLED)) == HIV
    assert found(NESTED[place](condition(conf("R")))) == OTHER
    assert found(NESTED[place](condition(conf("R"), act("PSY")))) == PSY
    assert found(NESTED[place](condition(act("ZZUNHEARDOF")))) == OTHER


def test_one_nested_resource_does_not_explain_the_restriction_of_another() -> None:
    held = {"resourceType": "Bundle", "entry": [{"resource": condition(conf("R"))}, {"resource": SENSITIVE}]}
    assert found(held) == OTHER | SUD


@pytest.mark.parametrize(
    ("resource", "mask"),
    [
        ({"resourceType": "DocumentReference", "securityLabel": [{"coding": [act("PSY")]}]}, PSY),
        ({"resourceType": "DocumentReference", "securityLabel": [{"coding": [act("ZZUNHEARDOF")]}]}, OTHER),
        ({"resourceType": "DocumentReference", "securityLabel": [{"coding": [conf("V")]}, {}]}, OTHER),
        ({"resourceType": "Composition", "confidentiality": "V"}, OTHER),
        ({"resourceType": "Composition", "confidentiality": "R"}, OTHER),
        ({"resourceType": "Composition", "confidentiality": "N"}, 0),
        ({"resourceType": "Composition", "confidentiality": "R", "meta": {"security": [act("STD")]}}, BITS["STD"]),
        ({"resourceType": "Patient", "name": [{"extension": [{"url": "x", "valueCoding": conf("V")}]}]}, OTHER),
        (
            {
                "resourceType": "QuestionnaireResponse",
                "item": [{"answer": [{"valueCoding": {"system": ICD, "code": "B20"}}]}],
            },
            HIV,
        ),
        ({"resourceType": "Group", "characteristic": [{"valueCodeableConcept": concept("F10.1")}]}, SUD),
        ({"resourceType": "Coverage", "type": {"coding": [act("SUBPOL")]}}, SUD),
    ],
)
def test_labels_and_codes_count_wherever_they_stand(resource: Resource, mask: int) -> None:
    assert found(resource) == mask


def test_a_consent_record_is_as_sensitive_as_what_it_is_about_and_no_more() -> None:
    given = {
        "resourceType": "Consent",
        "provision": {"securityLabel": [act("ETH"), conf("R"), conf("V"), act("CEL")]},
    }
    assert found(given) == SUD
    assert found({**given, "meta": {"security": [conf("V")]}}) == SUD | OTHER
    assert found({**given, "provision": {"securityLabel": [conf("R")]}}) == 0


def test_a_directory_entry_says_nothing_of_a_patient() -> None:
    clinic = {
        "resourceType": "Organization",
        "id": "harbor",
        "type": [concept("261QM2800X", "http://nucc.org/provider-taxonomy")],
    }
    place = {"resourceType": "Location", "managingOrganization": {"reference": "Organization/harbor"}}
    assert found(clinic, "Organization/harbor", HARBOR) == found(place, "", HARBOR) == 0
    assert found({**clinic, "meta": {"security": [act("SUD")]}}) == SUD
    assert found({**clinic, "meta": {"security": [conf("V")]}}) == OTHER
    assert found({"resourceType": "Encounter", "contained": [clinic]}) == SUD
    assert (
        found({"resourceType": "Bundle", "entry": [{"resource": {**clinic, "type": []}}]}, "", HARBOR)
        == PART2 | SUD
    )
    drug = {"resourceType": "Medication", "code": concept("6813", "http://www.nlm.nih.gov/research/umls/rxnorm")}
    assert (found(drug), coded(drug)) == (0, SUD)


# --- where it comes from


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Encounter", "serviceProvider": {"reference": "Organization/harbor"}},
        {
            "resourceType": "Encounter",
            "location": [{"location": {"reference": "https://hub.example/fhir/Location/detox"}}],
        },
        {"resourceType": "Observation", "performer": [{"reference": "Organization/harbor/_history/2"}]},
        {
            "resourceType": "Task",
            "owner": {"identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}},
        },
        {"resourceType": "Condition", "meta": {"source": "urn:feed:detox"}},
        {"resourceType": "Condition", "meta": {"source": "urn:feed:detox#m1"}},
        {
            "resourceType": "Bundle",
            "entry": [{"resource": {"resourceType": "Basic", "meta": {"source": "urn:feed:detox"}}}],
        },
    ],
    ids=lambda resource: resource["resourceType"],
)
def test_what_a_program_sends_or_is_named_in_is_its_record(resource: Resource) -> None:
    assert found(resource, "Organization/other", HARBOR) == PART2 | SUD
    assert found(resource, "Organization/other") == 0


def test_whatever_a_program_writes_is_its_record() -> None:
    assert found(condition(), "Organization/harbor", HARBOR) == PART2 | SUD
    assert found(condition(), "Organization/harbor2", HARBOR) == 0
    assert found(condition(), "", HARBOR) == 0
    assert found(condition(), "Organization/harbor") == 0


# --- with_labels: nothing to do, nothing lost, never lowered

MASKS = st.integers(0, ALL_BITS)
KNOWN = st.sampled_from(
    [*map(act, ACT), *map(conf, "ULMNRV"), act("ZZ"), {"system": "https://x.example", "code": "1"}]
)
HELD = st.lists(KNOWN, max_size=4)


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.name)
def test_each_label_is_found_again_in_what_was_labelled(label: Any) -> None:
    bare = condition()
    labelled = with_labels(bare, label.bit)
    assert found(labelled) == closed(label.bit)
    assert "meta" not in bare
    assert mask_of(codings_of(label.bit)) == closed(label.bit)


def test_a_label_of_the_hubs_own_is_known_by_its_system_only() -> None:
    assert found(condition({"system": SECURITY_LABEL, "code": "HMIS"})) == HMIS
    assert found(condition(act("HMIS"))) == OTHER
    assert found(condition({"system": SECURITY_LABEL, "code": "PSY"})) == OTHER
    assert codings_of(HMIS) == [conf("R"), {"system": SECURITY_LABEL, "code": "HMIS"}]


@given(HELD, MASKS)
def test_a_labelled_resource_has_the_labels_it_had_and_those_it_got(held: list[Resource], mask: int) -> None:
    before = condition(*held)
    untouched = copy.deepcopy(before)
    after = with_labels(before, raised(found(before), mask))
    assert found(after) == raised(found(before), mask)
    assert with_labels(after, found(after)) is after
    assert before == untouched
    others = [one for one in held if one.get("code") not in RANKS or one["system"] != CONFIDENTIALITY]
    assert [one for one in security(after) if one in others] == others if held and found(after) else True


@given(HELD, MASKS)
def test_there_is_one_confidentiality_and_it_is_never_lower(held: list[Resource], mask: int) -> None:
    before = condition(*held)
    whole = raised(found(before), mask)
    after = with_labels(before, whole)
    if not whole:
        assert after is before
        return
    ranks = [
        RANKS[one["code"]] for one in security(after) if one["system"] == CONFIDENTIALITY and one["code"] in RANKS
    ]
    told = [RANKS[one["code"]] for one in held if one["system"] == CONFIDENTIALITY and one["code"] in RANKS]
    assert len(ranks) == 1
    assert ranks[0] == max([RANKS["V" if whole & OTHER else "R"], *told])


@given(MASKS, MASKS)
def test_nothing_is_taken_away(held: int, now: int) -> None:
    assert raised(held, now) & (held | now) == held | now
    assert raised(held, 0) == closed(held)


def test_what_the_client_said_of_a_label_is_kept() -> None:
    told = {**conf("R"), "display": "restricted", "extension": [{"url": "https://x.example", "valueString": "y"}]}
    mine = {**act("ETH"), "display": "substance abuse information sensitivity"}
    before = condition(told, mine)
    assert with_labels(before, found(before)) is before
    assert security(with_labels(before, SUD | HIV)) == [told, mine, act("HIV")]


def test_labels_added_are_the_main_code_and_restricted() -> None:
    assert security(with_labels(condition(), PART2)) == [conf("R"), act("42CFRPart2"), act("SUD")]
    assert security(with_labels(condition(conf("N")), PSY)) == [conf("R"), act("PSY")]
    assert security(with_labels(condition(), OTHER)) == [conf("V")]
    assert security(with_labels(condition(act("BH")), PSY)) == [act("BH"), conf("R")]


def test_lowering_by_the_next_version_does_not_work() -> None:
    old = found(condition(act("42CFRPart2")))
    new = condition(conf("N"))
    mask = raised(old, found(new))
    assert security(with_labels(new, mask)) == [conf("R"), act("42CFRPart2"), act("SUD")]


# --- the page


def test_the_page_of_labels_is_printed_from_the_tables() -> None:
    """When this fails: .venv/bin/python -m hub.rights.label_page > docs/labels.md"""
    assert (Path(__file__).parents[3] / "docs" / "labels.md").read_text(encoding="utf-8") == page()
