"""A member learns to whom its data went in three years; auditors too, and nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from conformance.validation import structure
from hub import clock
from hub.audit.record import Release
from hub.operations import disclosures
from hub.rights.labels import PART2
from hub.search.edges import address
from tests.hub.asking import patient, refused
from tests.hub.audit.conftest import Audited
from tests.hub.audit.records import pend, record

ANN, BOB = address("Patient", "ann"), address("Patient", "bob")
PATH = "/Patient/ann/$disclosures"
DAY = timedelta(days=1) // clock.MICROSECOND


def ago(days: int) -> dict[str, Any]:
    return {"at": clock.micros(clock.now()) - days * DAY}


def told(audited: Audited, *records: dict[str, Any]) -> None:
    made = []
    for one in records:
        base = record(
            1, **{"id": "ann", "releases": (Release(ANN),), **{k: v for k, v in one.items() if k != "at"}}
        )
        made.append(
            type(base)(
                *[
                    one.get("at", base.at) if name == "at" else getattr(base, name)
                    for name in base.__struct_fields__
                ]
            )
        )
    pend(audited.database, *made)
    audited.recorder.catch_up()


def clients(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["agent"][1]["name"] for entry in answer.json.get("entry", ())]


def test_what_left_to_others_is_listed_and_nothing_else(audited: Audited) -> None:
    told(
        audited,
        ago(9) | {"client": "a"},
        ago(8)
        | {
            "client": "b",
            "interaction": "search-type",
            "id": "",
            "type": "Observation",
            "releases": (Release(ANN), Release(BOB)),
        },
        ago(7) | {"client": "c", "interaction": "operation"},
        ago(6) | {"client": "d", "interaction": "patch"},
        ago(6) | {"client": "e", "interaction": "notice"},
        # none of these is a disclosure of Ann's data to others
        ago(5) | {"client": "other patient", "id": "bob", "releases": (Release(BOB),)},
        ago(5) | {"client": "refused", "status": 403, "releases": ()},
        ago(5) | {"client": "wrote", "interaction": "update"},
        ago(5) | {"client": "deleted", "interaction": "delete"},
        ago(5) | {"client": "has it already", "status": 304},
        ago(5) | {"client": "member", "own": True},
        ago(5) | {"client": "the source itself", "releases": (Release(ANN, 0, (), True),)},
        ago(5) | {"client": "shown at sign-in", "interaction": "authorization"},
        ago(5 * 366) | {"client": "long ago"},
    )
    for who in ("auditor", "member"):
        answer = audited.as_(who).get(PATH)
        assert clients(answer) == ["e", "d", "c", "b", "a"]
        for entry in answer.json["entry"]:
            assert structure.validate(entry["resource"], "AuditEvent") == []
            assert entry["resource"]["subtype"][0]["code"] == "disclose"
            assert "bob" not in str(entry["resource"])


def test_a_part_2_disclosure_names_its_consents_and_purpose(audited: Audited) -> None:
    told(audited, ago(1) | {"releases": (Release(ANN, PART2, ("c1",)),), "purposes": ("TREAT",)})
    (entry,) = audited.as_("member").get(PATH).json["entry"]
    assert "Consent/c1" in [each["what"].get("reference") for each in entry["resource"]["entity"]]
    assert entry["resource"]["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"


def test_a_range_of_time_is_asked_for(audited: Audited) -> None:
    told(audited, ago(30) | {"client": "before"}, ago(20) | {"client": "then"}, ago(1) | {"client": "after"})
    start, end = ((clock.now() - timedelta(days=days)).date().isoformat() for days in (25, 15))
    assert clients(audited.as_("auditor").get(f"{PATH}?start={start}&end={end}")) == ["then"]
    assert clients(audited.as_("auditor").get(f"{PATH}?start={start}")) == ["after", "then"]
    refused(audited.as_("auditor").get(f"{PATH}?start=yesterday"), 400, "value")


@pytest.mark.parametrize("who", ["bob", "ehr", "backend"])
def test_nobody_else_is_told(who: str, audited: Audited) -> None:
    told(audited, ago(1))
    refused(audited.as_(who).get(PATH), 403, "forbidden")
    refused(audited.as_(who).get("/Patient/nobody/$disclosures"), 403, "forbidden")


def test_more_than_fit_are_asked_for_in_parts(audited: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disclosures, "MOST", 2)
    told(audited, *(ago(days) | {"client": str(days)} for days in (3, 2, 1)))
    refused(audited.as_("auditor").get(PATH), 400, "too-costly")
    start = (clock.now() - timedelta(days=2)).date().isoformat()
    assert clients(audited.as_("auditor").get(f"{PATH}?start={start}")) == ["1", "2"]


def test_what_is_read_shows_up_and_asking_is_recorded(audited: Audited) -> None:
    assert audited.ask("PUT", "/Patient/ann", patient("ann")).status_code == 201
    assert audited.get("/Patient/ann").status_code == 200
    assert audited.as_("member").get("/Patient/ann").status_code == 200
    audited.recorder.catch_up()
    answer, (one,) = audited.as_("member").new("GET", PATH)
    assert clients(answer) == ["ehr"]
    assert (one.interaction, one.client, one.own) == ("operation", "member", True)


def test_what_a_source_reads_of_its_own_data_is_no_disclosure_and_one_row_of_others_makes_it_one(
    audited: Audited,
) -> None:
    assert audited.as_("source").ask("PUT", "/Patient/ann", patient("ann")).status_code == 201
    assert audited.as_("source").get("/Patient/ann").status_code == 200
    audited.recorder.catch_up()
    assert clients(audited.as_("auditor").get(PATH)) == []
    observed = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "seen"}}
    observed |= {"subject": {"reference": "Patient/ann"}}
    assert audited.ask("PUT", "/Observation/o", observed).status_code == 201
    assert (
        audited.as_("source").get("/Observation?subject=Patient/ann&_include=Observation:subject").status_code
        == 200
    )
    audited.recorder.catch_up()
    assert clients(audited.as_("auditor").get(PATH)) == ["source"]
    assert audited.as_("backend").get("/Patient/ann").status_code == 200
    audited.recorder.catch_up()
    assert clients(audited.as_("auditor").get(PATH)) == ["backend", "source"]


def test_part_2_data_that_a_program_reads_back_is_told_as_no_disclosure(audited: Audited) -> None:
    told(audited, ago(1) | {"id": "ann", "releases": (Release(ANN, PART2, (), True),)})
    found = audited.events("patient=ann&type=110106")
    assert found == []
