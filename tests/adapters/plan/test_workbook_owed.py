"""What a provider's files owe the plan of a member's ECM, and what stays closed; an attempt there and back."""

from pathlib import Path
from typing import Any

import pytest

from adapters.files.layout_cells import written
from adapters.files.layouts import Layouts
from adapters.files.spreadsheet_out import write_csv
from adapters.plan.workbook_choice import SHIPPED
from adapters.plan.workbook_out import write_return_file
from adapters.plan.workbook_owed import OWED, owed_to
from adapters.plan.workbook_store import Charts
from fhir_mappings.plan.workbook_chart import Chart, Report
from fhir_mappings.plan.workbook_services_facts import outreach_facts
from hub.access import Access
from hub.ecm.attempts import Attempt, attempt_of
from hub.ecm.terms import PARTICIPATION_MODE, STAFF, STAFF_EXTENSION, TIME_EXTENSION, UCUM
from hub.fhir.bundles import Entry
from hub.fhir.systems import ACT_CODE, CIN_SYSTEM
from hub.sight import Sight
from hub.store.engine import Database
from tests.adapters.plan import test_workbook_out
from tests.adapters.plan.test_workbook_out import BASE, RETURNS, TRACKER, asked, own, panel, rows
from tests.adapters.plan.workbooks import feed, given, mapped
from tests.hub.ecm.world import because, enrolment, message, method, visit
from tests.hub.feeds.toy import stored

loaded = test_workbook_out.loaded  # the fixture
CHECKED = ("Patient", "Group", "Organization", "EpisodeOfCare", "CareTeam", "Encounter", "Task", "ServiceRequest")
GRANTS = frozenset((kind, letter) for kind in (*CHECKED, "Practitioner") for letter in "rs")
# what role_elements.csv gives a plan of them: no extensions
ELEMENTS = {
    "EpisodeOfCare": frozenset(("status", "type", "patient", "managingOrganization", "period", "careManager")),
    "Encounter": frozenset(("status", "class", "type", "subject", "period", "length", "serviceProvider")),
}
NOTE = {"url": "https://ehr.example/note", "valueString": "Canary"}


def plan(role: str = "plan", grants: frozenset[tuple[str, str]] = GRANTS, guarded: int = 0) -> Access:
    return Access("plan", grants, role, sight=Sight(all_patients=True, guarded=guarded, elements=ELEMENTS))


def of(member: str) -> dict[str, Any]:
    return {"subject": {"reference": f"Patient/{member}"}}


@pytest.fixture
def tried(loaded: Database) -> Database:
    """Two attempts over FHIR, one of them guarded, and an enrolment that ended."""
    (patient,) = stored(loaded, "Patient")
    member = patient["id"]
    guarded = {"meta": {"security": [{"system": ACT_CODE, "code": "PSY"}]}}
    extension = [*method("electronic")["extension"], NOTE]
    ended = enrolment("finished", patient={"reference": f"Patient/{member}"}, **because("lower-level"))
    ended |= {"period": {"end": "2026-10-20"}, "statusHistory": HISTORY}
    made = [
        message("2026-10-07", **of(member), note=[{"text": "Canary"}], extension=extension),
        message("2026-10-08", **of(member), **guarded),
        message("2026-10-09", **of(member), sender={"reference": "Organization/other"}),
        visit("2026-10-10", **of(member), **method("telephonic")),
        ended,
    ]
    entries = [Entry("POST", one["resourceType"], resource=one, place=place) for place, one in enumerate(made)]
    own(loaded).commit(entries, Access.system("test"), many=True)
    return loaded


HISTORY = [
    {"status": "active", "period": {"start": "2026-01-01", "end": "2026-10-20"}},
    {"status": "finished", "period": {"start": "2026-10-20"}},
]


def attempts(database: Database, folder: Path, access: Access) -> list[tuple[str, Any]]:
    with database.read() as connection:
        file = write_return_file(connection, access, BASE, asked(TRACKER, panel(database)))
    found = [(row["outreach_date"], row.get("outreach_method")) for row in rows(folder, file, TRACKER)]
    return [one for one in found if one[0] > "2026-10-05"]  # those of the files are another test's


def test_a_tracker_has_what_reached_nobody_and_the_methods(tried: Database, tmp_path: Path) -> None:
    whole = [("2026-10-07", "3"), ("2026-10-08", "2"), ("2026-10-10", "2")]
    assert attempts(tried, tmp_path, plan()) == whole
    # its labels close one to this plan, in a file as everywhere
    assert attempts(tried, tmp_path, plan(guarded=-1)) == [whole[0], whole[2]]


def test_to_others_than_a_plan_nothing_is_owed(tried: Database, tmp_path: Path) -> None:
    assert attempts(tried, tmp_path, plan("ilos-provider")) == [
        ("2026-10-10", "1")
    ]  # by its class, as far as it reads
    assert owed_to(Access.system("test")) == {}


def test_what_its_token_leaves_out_is_not_owed_either(tried: Database, tmp_path: Path) -> None:
    few = frozenset(one for one in GRANTS if one[0] != "Encounter")
    assert [day for day, _ in attempts(tried, tmp_path, plan(grants=few))] == ["2026-10-07", "2026-10-08"]


def test_of_each_resource_no_more_than_its_parts_are_read(tried: Database) -> None:
    (patient,) = stored(tried, "Patient")
    with tried.read() as connection:
        chart = Charts(connection, plan(), BASE).chart(patient)
    assert "Canary" not in str(chart.resources)
    told = [one for one in chart.resources if one["resourceType"] == "Communication"]
    assert told
    assert all(not one.keys() - {*OWED["Communication"].elements, *TOLD} for one in told)


TOLD = ("resourceType", "id", "meta", "identifier", "status", "extension")


def test_a_return_file_says_why_it_ended(tried: Database, tmp_path: Path) -> None:
    with tried.read() as connection:
        file = write_return_file(connection, plan(), BASE, asked(RETURNS, panel(tried)))
    # the layout has no number for it, and says so; none is made up
    assert any("lower-level" in gap for gap in file.gaps)
    row, *_ = rows(tmp_path, file, RETURNS)
    assert row["status"] == "4"


PATIENT = {"resourceType": "Patient", "id": "one", "identifier": [{"system": CIN_SYSTEM, "value": "91234567A"}]}
REPORT = Report(
    {"id": "ecm", "name": "Sample Care Partners"}, {"name": "Plan"}, "2026-07-01", "2026-07-31", "2026-08-01"
)
MINUTES = {"value": 25, "unit": "min", "system": UCUM, "code": "min"}
CLINICAL = {"url": STAFF_EXTENSION, "valueCoding": {"system": STAFF, "code": "clinical"}}


def medium(code: str) -> list[dict[str, Any]]:
    return [{"coding": [{"system": PARTICIPATION_MODE, "code": code}]}]


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (visit(length=MINUTES), ("in-person", True, 25, "")),
        (visit(extension=[*method("electronic")["extension"], CLINICAL]), ("electronic", True, None, "clinical")),
        (message(extension=[], medium=medium("PHONE")), ("telephonic", False, None, "")),
        (
            message(
                status="completed",
                medium=medium("EMAILWRIT"),
                extension=[CLINICAL, {"url": TIME_EXTENSION, "valueDuration": MINUTES}],
            ),
            ("electronic", False, 25, "clinical"),
        ),
        (message(status="in-progress"), ("telephonic", None, None, "")),
    ],
)
def test_an_attempt_goes_into_a_tracker_and_comes_back_as_it_was(
    tmp_path: Path, resource: dict[str, Any], said: tuple[Any, ...]
) -> None:
    layout = Layouts.load(SHIPPED).by_name["otf-eldermark"]
    made = written(layout, outreach_facts(Chart(PATIENT, [resource]), REPORT))
    write_csv(tmp_path / "otf.csv", made.header, made.rows)
    back = feed("otf", organization="Organization/ecm")
    found, rejects, _ = given(tmp_path / "otf.csv", back)
    assert rejects == []
    _, (again,) = mapped(found, back)
    before = attempt_of(resource)
    assert before == Attempt("2026-07-06", *said, "Organization/ecm")
    assert attempt_of(again) == before
