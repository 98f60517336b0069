"""From what is stored to the plan's files, with the access of who asks, on both databases."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest

from adapters.plan.kinds_workbooks import FILE_KINDS_WORKBOOKS
from adapters.plan.workbook_out import Asked, ReturnFile, write_return_file
from hub.access import Access
from hub.feeds.arriving import Arriving
from hub.feeds.loading import Loading
from hub.feeds.records import Feed
from hub.fhir.bundles import Entry
from hub.fhir.systems import ACT_CODE, US_NPI
from hub.problems import Problem
from hub.sight import NOTHING
from hub.store import merges
from hub.store.engine import Database
from hub.transactions import Transactions
from tests.adapters.plan.test_workbook_returns import ELDERMARK, KP, OTF
from tests.adapters.plan.workbooks import MIF, PROVIDER, book, given, table
from tests.hub.feeds.toy import BASE, stored

LISTS = Feed("lists", "mif", "https://plan.example/lists", options={"provider": PROVIDER})
RETURNS = Feed("returns", "rtf", "https://ecm.example/returns", "rtf-kp", organization="Organization/ecm")
TRACKER = Feed("tracker", "otf", "https://ecm.example/returns", organization="Organization/ecm")
SYSTEMS = {"mrn_system": "https://plan.example/lists/mrn", "authorization_system": "https://plan.example/auth"}
PERIOD = ("2026-10-01", "2026-10-31")


def own(database: Database) -> Transactions:
    merges.look_again()
    return Transactions(database, lambda *_: (), lambda changes: (), BASE)


@pytest.fixture
def loaded(database: Database, tmp_path: Path) -> Database:
    """A plan's list of one member, a return file and a tracker of the provider."""
    provider = {
        "resourceType": "Organization",
        "id": "ecm",
        "identifier": [{"system": US_NPI, "value": PROVIDER}],
        "active": True,
        "name": "Sample Care Partners",
        "telecom": [{"system": "phone", "value": "555-0199"}],
    }
    plan = {"resourceType": "Organization", "id": "plan", "name": "Example Health Plan"}
    entries = [Entry("PUT", "Organization", one["id"], resource=one) for one in (provider, plan)]
    own(database).commit(entries, Access.system("test"))
    for feed, sheet, row in ((LISTS, "MIF", MIF), (RETURNS, "RTF", KP), (TRACKER, "OTF", OTF)):
        load(database, tmp_path, feed, book(tmp_path / f"{feed.name}.xlsx", {sheet: table(row)}))
    return database


def load(database: Database, folder: Path, feed: Feed, path: Path) -> None:
    feed = replace(feed, options={**SYSTEMS, **feed.options})
    kinds = {kind.name: kind for kind in FILE_KINDS_WORKBOOKS}
    loading = Loading(database, own(database), Arriving(database, folder / "files"), kinds, {feed.name: feed})
    _, seq = loading.arriving(path, path.name, feed)
    counts = loading.run(seq).counts
    assert (counts["rejected"], counts["waiting"]) == (0, 0)


def asked(feed: Feed, panel: str, **more: Any) -> Asked:
    of = replace(feed, options={**SYSTEMS, **feed.options})
    return Asked(of, panel, *PERIOD, "2026-11-02", plan="Organization/plan", **more)


def panel(database: Database) -> str:
    (group,) = stored(database, "Group")
    return f"Group/{group['id']}"


def write(database: Database, what: Asked, access: Access | None = None) -> ReturnFile:
    with database.read() as connection:
        return write_return_file(connection, access or Access.system("test"), BASE, what)


def rows(folder: Path, file: ReturnFile, feed: Feed) -> list[Mapping[str, Any]]:
    path = folder / "out"
    path.write_bytes(file.content)
    found, rejects, _ = given(path, feed)
    assert [one for one in rejects if one.severity == "error"] == []
    return [one.values for one in found if one.kind == feed.kind]


def test_a_return_file_says_what_is_stored(loaded: Database, tmp_path: Path) -> None:
    file = write(loaded, asked(RETURNS, panel(loaded)))
    row, of_the_tracker = rows(tmp_path, file, RETURNS)  # outreach stands in this layout: a row an attempt
    assert file.gaps == ()
    assert of_the_tracker["provider_type"] == "1"
    expected = {
        "cin": "91234567A",
        "mrn": "MRN-0001",
        "status": "3",
        "start": "2026-01-01",
        "lead_name": "Navigo Testerton",
        "lead_phone": "555-0111",
        "pof_behavioral_health": True,
        "pof_homeless": False,
        "housed": True,
        "housed_on": "2026-10-20",
        "outreach_date": "2026-10-05",
        "outreach_method": "2",
        "provider_type": "2",
        "residential_address": "1 Nowhere Street",
        "phone": "555-0100",
        "production_date": "2026-11-02",
        "reporting_period": "2026-10-01/2026-10-31",
        "provider_name": "Sample Care Partners",
        "provider_npi": PROVIDER,
    }
    assert {name: row.get(name) for name in expected} == expected


def test_a_tracker_has_a_row_for_each_attempt_of_the_period(loaded: Database, tmp_path: Path) -> None:
    found = rows(tmp_path, write(loaded, asked(TRACKER, panel(loaded))), TRACKER)
    assert [(r["outreach_date"], r.get("outreach_successful"), r.get("outreach_minutes")) for r in found] == [
        ("2026-10-05", None, None),  # the return file does not say whether it reached anybody
        ("2026-10-05", False, 75),
    ]
    assert {r["plan_name"] for r in found} == {"Example Health Plan"}
    later = replace(asked(TRACKER, panel(loaded)), start="2026-11-01", end="2026-11-30")
    assert write(loaded, later).rows == 0


def test_a_member_list_is_written_from_the_panel_as_csv_too(loaded: Database, tmp_path: Path) -> None:
    file = write(loaded, asked(LISTS, panel(loaded), csv=True))
    (row,) = rows(tmp_path, file, LISTS)
    assert row["cin"] == "91234567A"
    assert row["birth_date"] == "1980-05-01"
    assert row["gender"] == "f"


@pytest.mark.parametrize(
    ("caller", "told"),
    [
        ({"who": "plan"}, "2"),
        ({"source": "Organization/plan"}, "2"),
        ({"who": "another"}, None),
        ({"source": ""}, None),
    ],
)
def test_a_column_that_nobody_knows_goes_back_to_its_sender_only(
    loaded: Database, tmp_path: Path, caller: dict[str, str], told: str | None
) -> None:
    feed = replace(LISTS, organization="Organization/plan", options={**LISTS.options, "clients": ["plan"]})
    file = write(loaded, asked(feed, panel(loaded)), replace(Access.system("test"), **caller))
    (row,) = rows(tmp_path, file, LISTS)
    assert row.get("_more", {}).get("Tier") == told


def test_what_the_role_of_a_plan_does_not_read_is_empty_and_named(loaded: Database, tmp_path: Path) -> None:
    kinds = ("Group", "Organization", "Patient", "EpisodeOfCare", "CareTeam", "Practitioner", "Encounter")
    grants = frozenset((kind, letter) for kind in kinds for letter in "rs")
    file = write(loaded, asked(RETURNS, panel(loaded)), replace(Access.system("test"), grants=grants))
    row, *_ = rows(tmp_path, file, RETURNS)
    assert (row["status"], row["lead_name"], row.get("housed")) == ("3", "Navigo Testerton", None)
    assert file.unread == ("CarePlan", "Procedure", "Communication", "ServiceRequest", "Task", "Observation")


def test_who_may_not_see_the_members_gets_none(loaded: Database) -> None:
    what = asked(RETURNS, panel(loaded))
    nobody = replace(Access.system("test"), who="client", sight=NOTHING)
    with pytest.raises(Problem) as caught:
        write(loaded, what, nobody)
    assert caught.value.kind == "not-found"
    few = frozenset((kind, "r") for kind in ("Group", "Organization", "Patient"))
    some = replace(Access.system("test"), grants=few)
    with pytest.raises(Problem) as refused:
        write(loaded, what, some)
    assert refused.value.kind == "forbidden"


def test_a_record_under_part_2_is_in_no_table_whoever_asks(loaded: Database, tmp_path: Path) -> None:
    (member,) = stored(loaded, "Patient")
    label = {"system": ACT_CODE, "code": "42CFRPart2"}
    for day, security in (("2026-10-20", []), ("2026-10-28", [label])):
        met = {
            "resourceType": "Encounter",
            "id": f"met-{day}",
            "meta": {"security": security} if security else {"source": "urn:test"},
            "status": "finished",
            "class": {"system": ACT_CODE, "code": "AMB"},
            "subject": {"reference": f"Patient/{member['id']}"},
            "period": {"start": day, "end": day},
            "serviceProvider": {"reference": "Organization/ecm"},
        }
        own(loaded).commit([Entry("PUT", "Encounter", met["id"], resource=met)], Access.system("test"))
    feed = replace(RETURNS, layout="rtf-eldermark")
    file = write(loaded, asked(feed, panel(loaded)))
    (row,) = rows(tmp_path, file, feed)
    assert (row["last_encounter"], row["in_person"]) == ("2026-10-20", 1)
    assert file.gaps == ("Member ECM Status: delivering",)


def test_a_member_who_left_before_the_period_is_not_in_the_file(loaded: Database) -> None:
    (group,) = stored(loaded, "Group")
    group["member"][0] |= {"inactive": True, "period": {"start": "2026-01-01", "end": "2026-09-30"}}
    own(loaded).commit([Entry("PUT", "Group", group["id"], resource=group)], Access.system("test"))
    assert write(loaded, asked(RETURNS, panel(loaded))).rows == 0


@pytest.mark.parametrize(
    "change",
    [
        {"panel": "Patient/x"},
        {"panel": "Group/none"},
        {"start": "2026-13-01"},
        {"start": "2026-12-01"},
        {"feed": replace(RETURNS, layout="")},
        {"feed": replace(RETURNS, kind="mif")},
    ],
)
def test_what_cannot_be_written_is_a_problem(loaded: Database, change: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        write(loaded, replace(asked(RETURNS, panel(loaded)), **change))


def test_a_return_file_filled_in_place_leaves_the_rest_of_the_workbook_byte_for_byte(
    loaded: Database, tmp_path: Path
) -> None:
    header = [*ELDERMARK, "ECM Provider Name", "Note of the plan"]
    row = ["91234567A", "Samplewood", "Inventia", *[None] * (len(header) - 4), "keep me"]
    other = ["92345678C", "Elsewhere", "Nobody", *[None] * (len(header) - 4), "and me"]
    source = book(
        tmp_path / "plan.xlsx", {"MIF": table(MIF), "RTF": [["Example Health Plan"], [], header, other, row]}
    )
    feed = replace(RETURNS, layout="rtf-eldermark")
    file = write(loaded, asked(feed, panel(loaded), into=source))
    filled = tmp_path / "filled.xlsx"
    filled.write_bytes(file.content)
    before, after = parts(source), parts(filled)
    assert [name for name in before if before[name] != after[name]] == ["xl/worksheets/sheet2.xml"]
    assert list(before) == list(after)
    sheet = openpyxl.load_workbook(filled)["RTF"]
    told = [dict(zip(header, [cell.value for cell in line], strict=False)) for line in sheet.iter_rows(min_row=4)]
    assert len(told) == 2
    assert (told[0]["ECM Provider Name"], told[0]["Note of the plan"]) == (None, "and me")
    assert (told[1]["ECM Provider Name"], told[1]["Note of the plan"]) == ("Sample Care Partners", "keep me")
    assert told[1]["ECM Lead Care Manager Name"] == "Navigo Testerton"
    assert told[1]["Member Information File Reporting Period"] == "10/01/2026.10/31/2026"


def test_a_member_without_a_row_gets_one_for_each_attempt_behind_the_others(
    loaded: Database, tmp_path: Path
) -> None:
    header = list(KP)
    source = book(tmp_path / "plan.xlsx", {"RTF": [header, [None, "MRN-7"]]})
    file = write(loaded, asked(RETURNS, panel(loaded), into=source))
    (tmp_path / "filled.xlsx").write_bytes(file.content)
    sheet = openpyxl.load_workbook(tmp_path / "filled.xlsx")["RTF"]
    assert [line[0].value for line in sheet.iter_rows(min_row=2)] == [None, "91234567A", "91234567A"]


def test_a_workbook_without_the_sheet_is_a_problem(loaded: Database, tmp_path: Path) -> None:
    source = book(tmp_path / "plan.xlsx", {"Other": [["a"]], "More": [["b"]]})
    with pytest.raises(Problem, match="cannot be filled in"):
        write(loaded, asked(RETURNS, panel(loaded), into=source))


def parts(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}
