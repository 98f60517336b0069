"""Each rule of the table of homelessness: a row by which it holds, and the row beside it by which it does not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fhir_mappings.hmis.homelessness_evidence import elsewhere, evidence, verdict
from fhir_mappings.hmis.homelessness_rules import RULES
from hub.feeds.records import Kept
from tests.fhir_mappings.hmis.clients import FEED, day, enrolled, kept, of, rows, security, subject

AS_OF = "2026-03-01"
HOUSING = {"ProjectType": "13"}


def cls(code: str, on: str = "2026-02-15", **more: str) -> Kept:
    values = {"CurrentLivingSituation": code, "InformationDate": on, **more}
    return kept("CurrentLivingSituation", {**values, "CurrentLivingSitID": f"cls-{on}"})


def left(code: str, on: str = "2026-02-20", **more: str) -> Kept:
    return kept("Exit", {"Destination": code, "ExitDate": on, **more})


def night(on: str, kind: str = "200") -> Kept:
    return kept(
        "Services", {"RecordType": kind, "TypeProvided": "200", "DateProvided": on, "ServicesID": f"s-{on}"}
    )


def dv(survivor: str, fleeing: str, on: str = "2026-02-10") -> Kept:
    values = {"DomesticViolenceSurvivor": survivor, "CurrentlyFleeing": fleeing, "InformationDate": on}
    return kept("HealthAndDV", {**values, "HealthAndDVID": f"dv-{on}"})


def leaving(fourteen: str = "1", next_: str = "0", means: str = "0") -> Kept:
    said = {"LeaveSituation14Days": fourteen, "SubsequentResidence": next_, "ResourcesToObtain": means}
    return cls("410", **said)


OFTEN = {"TimesHomelessPastThreeYears": "4", "MonthsHomelessPastThreeYears": "112", "DisablingCondition": "1"}
SHORT = {"ProjectType": "6"}
HOLDS: dict[str, tuple[list[Kept], list[Kept]]] = {
    "PLS-LITERAL": (enrolled(project=SHORT, LivingSituation="118"), enrolled(project=SHORT, LivingSituation="302")),
    "PLS-TRANSITIONAL": (enrolled(project=SHORT, LivingSituation="302"), enrolled(LivingSituation="314")),
    "PLS-INSTITUTION": (
        enrolled(project=SHORT, LivingSituation="206", PreviousStreetESSH="1"),
        enrolled(project=SHORT, LivingSituation="206", PreviousStreetESSH="0"),
    ),
    "CLS-LITERAL": ([*enrolled(), cls("116")], [*enrolled(), cls("336")]),
    "CLS-TRANSITIONAL": ([*enrolled(), cls("302")], [*enrolled(), cls("101")]),
    "EXIT-LITERAL": ([*enrolled(), left("101")], [*enrolled(), left("204")]),
    "EXIT-TRANSITIONAL": ([*enrolled(), left("302")], [*enrolled(), left("313")]),
    "OPEN-LITERAL": (enrolled(project={"ProjectType": "4"}), enrolled(project={"ProjectType": "1"})),
    "OPEN-TRANSITIONAL": (enrolled(project={"ProjectType": "2"}), enrolled(project=HOUSING)),
    "OPEN-BED-NIGHT": (
        [*enrolled(project={"ProjectType": "1"}), night("2026-02-10")],
        [*enrolled(project={"ProjectType": "1"}), night("2026-01-10")],
    ),
    "CLS-14-DAYS": ([*enrolled(), leaving()], [*enrolled(), leaving(means="99")]),
    "DV-FLEEING": ([*enrolled(), dv("1", "1")], [*enrolled(), dv("1", "0")]),
    "CLS-LEASE": ([*enrolled(), cls("336", LeaseOwn60Day="1")], [*enrolled(), cls("336", LeaseOwn60Day="0")]),
    "CLS-MOVED": ([*enrolled(), cls("336", MovedTwoOrMore="1")], [*enrolled(), cls("336", MovedTwoOrMore="8")]),
    "CHRONIC-YEAR": (
        enrolled(DisablingCondition="1", DateToStreetESSH="2025-03-01"),
        enrolled(DisablingCondition="1", DateToStreetESSH="2025-03-02"),
    ),
    "CHRONIC-TIMES": (enrolled(**OFTEN), enrolled(**{**OFTEN, "MonthsHomelessPastThreeYears": "111"})),
    "EXIT-HOUSED": ([*enrolled(), left("435")], [*enrolled(), left("329")]),
    "MOVED-IN": (
        enrolled(project=HOUSING, MoveInDate="2026-02-20"),
        enrolled(project={"ProjectType": "2"}, MoveInDate="2026-02-20"),
    ),
}


def fired(found: list[Kept], as_of: str = AS_OF, **options: Any) -> set[str]:
    one = subject(*found, feed=replace(FEED, options=options))
    apart = (evidence(rows(one), day(as_of), labels) for labels in (frozenset[str](), frozenset(("SDV",))))
    return {each.rule.id for some in apart for each in some}


@pytest.mark.parametrize("name", [rule.id for rule in RULES])
def test_a_rule_holds_by_its_row_and_not_by_the_one_beside_it(name: str) -> None:
    holds, does_not = HOLDS[name]
    assert name in fired(holds)
    assert name not in fired(does_not)


@pytest.mark.parametrize(
    "row",
    [
        {"DisablingCondition": "0", "DateToStreetESSH": "2020-01-01"},
        {**OFTEN, "TimesHomelessPastThreeYears": "3"},
        {**OFTEN, "DisablingCondition": "99"},
    ],
)
def test_nobody_is_chronically_homeless_by_half_of_it(row: Mapping[str, str]) -> None:
    assert fired(enrolled(**row)).isdisjoint({"CHRONIC-YEAR", "CHRONIC-TIMES"})


def test_fourteen_days_need_all_three_answers() -> None:
    for said in ({"fourteen": "0"}, {"next_": "1"}, {"means": "1"}, {"next_": "8"}):
        assert "CLS-14-DAYS" not in fired([*enrolled(), leaving(**said)])


def test_how_recent_a_bed_night_is_the_feed_says() -> None:
    found = [*enrolled(project={"ProjectType": "1"}), night("2026-02-10")]
    assert "OPEN-BED-NIGHT" not in fired(found, bed_night_days=7)
    assert "OPEN-BED-NIGHT" in fired(found, bed_night_days=19)


def test_another_service_is_no_bed_night() -> None:
    assert "OPEN-BED-NIGHT" not in fired([*enrolled(project={"ProjectType": "1"}), night("2026-02-28", "141")])


def test_an_open_enrolment_says_nothing_where_a_living_situation_was_recorded_since() -> None:
    assert "OPEN-LITERAL" not in fired([*enrolled(), cls("336")])
    assert "OPEN-LITERAL" in fired([*enrolled(), cls("336", on="2026-01-15")])
    assert "OPEN-LITERAL" in fired([*enrolled(), cls("99")])


def test_an_enrolment_that_ended_is_not_open() -> None:
    assert "OPEN-LITERAL" not in fired([*enrolled(), left("99")])
    assert "OPEN-LITERAL" in fired([*enrolled(), left("99", on="2026-04-01")])


def test_what_is_said_later_does_not_count() -> None:
    assert fired([*enrolled(project=SHORT, LivingSituation="116"), cls("116")], "2026-01-31") == set()
    assert fired([*enrolled(project=HOUSING, MoveInDate="2026-03-02")]) == set()


def test_only_the_latest_word_on_violence_counts() -> None:
    assert "DV-FLEEING" not in fired([*enrolled(), dv("1", "1"), dv("1", "0", on="2026-02-20")])
    assert "DV-FLEEING" not in fired([*enrolled(), dv("0", "1")])


def test_a_row_that_was_taken_back_is_no_evidence() -> None:
    gone = replace(cls("116"), deleted=True)
    assert "CLS-LITERAL" not in fired([*enrolled(project=SHORT), gone])


VERDICTS: dict[str, tuple[list[Kept], str]] = {
    "nothing": (enrolled(project=SHORT), "not-shown"),
    "on the street": ([*enrolled(project=SHORT), cls("116")], "homeless"),
    "then with friends": ([*enrolled(project=SHORT), cls("116"), cls("336", on="2026-02-20")], "not-shown"),
    "then nobody knows": ([*enrolled(project=SHORT), cls("116"), cls("99", on="2026-02-20")], "homeless"),
    "then housed": ([*enrolled(project=SHORT), cls("116"), left("410")], "housed"),
    "then housed, and on the street again": (
        [*enrolled(project=SHORT), left("410", on="2026-02-10"), cls("116", on="2026-02-20")],
        "homeless",
    ),
    "moved in on the day of entry": (
        enrolled(project=HOUSING, LivingSituation="101", MoveInDate="2026-02-01"),
        "housed",
    ),
    "has to leave": ([*enrolled(project=SHORT), leaving()], "at-risk"),
    "had to leave, and lives elsewhere since": (
        [*enrolled(project=SHORT), leaving(), cls("411", on="2026-02-20")],
        "not-shown",
    ),
    "flees": ([*enrolled(project=SHORT), dv("1", "1")], "fleeing"),
    "in a shelter now": (enrolled(), "homeless"),
    "in a shelter, housed before": ([*enrolled(), left("410", on="2026-01-10", EnrollmentID="e-0")], "homeless"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_what_was_said_last_decides(name: str) -> None:
    found, is_ = VERDICTS[name]
    one = rows(subject(*found))
    told = [*evidence(one, day(AS_OF)), *evidence(one, day(AS_OF), frozenset(("SDV",)))]
    assert verdict(told, elsewhere(one, day(AS_OF))).is_ == is_


def test_the_observation_names_rules_days_and_rows() -> None:
    one = subject(*enrolled(LivingSituation="116", project=SHORT), cls("101"))
    (made,) = of(one, "homelessness")
    assert made["valueCodeableConcept"]["coding"][0]["code"] == "homeless"
    assert made["effectiveDateTime"] == "2026-03-01"
    assert [(part["code"]["coding"][0]["code"], part["valueDateTime"]) for part in made["component"]] == [
        ("PLS-LITERAL", "2026-02-01"),
        ("CLS-LITERAL", "2026-02-15"),
    ]
    assert made["note"][0]["text"] == (
        "PLS-LITERAL: Enrollment.csv e-1; CLS-LITERAL: CurrentLivingSituation.csv cls-2026-02-15"
    )
    assert [each["reference"] for each in made["derivedFrom"]] == [
        "Observation?identifier=https://hmis.example/coc/prior-living-situation|e-1",
        "Observation?identifier=https://hmis.example/coc/current-living-situation|cls-2026-02-15",
    ]
    assert security(made) == ["HMIS"]


def test_violence_is_told_apart_and_the_other_observation_does_not_show_it() -> None:
    calm = subject(*enrolled(project=SHORT))
    fleeing = subject(*enrolled(project=SHORT), dv("1", "1"))
    (plain,) = of(calm, "homelessness")
    both = {tuple(security(made)): made for made in of(fleeing, "homelessness")}
    assert both[("HMIS",)] == plain
    assert both["HMIS", "SDV"]["valueCodeableConcept"]["coding"][0]["code"] == "fleeing"


def test_no_row_with_a_label_moves_the_observation_without_one() -> None:
    hidden = [
        *enrolled(entry="2026-02-10", project={"VictimServiceProvider": "1"}, EnrollmentID="e-dv"),
        cls("336", on="2026-02-25", EnrollmentID="e-dv", DateUpdated="2026-03-20T09:00:00"),
        replace(dv("1", "1"), values={**dv("1", "1").values, "DateUpdated": "2026-03-25T09:00:00"}),
    ]
    seen = [*enrolled(), cls("116")]
    (plain,) = of(subject(*seen), "homelessness")
    assert plain in of(subject(*seen, *hidden), "homelessness")


def test_what_a_project_for_survivors_says_is_apart() -> None:
    one = subject(*enrolled(project={"VictimServiceProvider": "1"}))
    both = {tuple(security(made)): made for made in of(one, "homelessness")}
    assert both[("HMIS",)]["valueCodeableConcept"]["coding"][0]["code"] == "not-shown"
    assert both["HMIS", "SDV"]["valueCodeableConcept"]["coding"][0]["code"] == "homeless"


def test_evidence_from_an_institution_does_not_lead_to_which_one() -> None:
    one = subject(*enrolled(project=SHORT, LivingSituation="205", PreviousStreetESSH="1"))
    (made,) = of(one, "homelessness")
    assert "derivedFrom" not in made
    assert security(made) == ["HMIS"]
    assert "205" not in str(made["component"])


def test_evidence_that_was_taken_back_does_not_stay() -> None:
    one = subject(*enrolled(project=SHORT), replace(dv("1", "1"), deleted=True))
    told = {tuple(security(made)): made for made in of(one, "homelessness")}
    assert told["HMIS", "SDV"]["valueCodeableConcept"]["coding"][0]["code"] == "not-shown"
