"""A plan's member list, from the workbook to who is enrolled with whom."""

from pathlib import Path

import pytest

from hub.feeds.records import Row, Whole
from hub.fhir.systems import CIN_SYSTEM, US_NPI
from tests.adapters.plan.workbooks import (
    KINDS,
    MIF,
    PROVIDER,
    SYSTEM,
    book,
    feed,
    given,
    mapped,
    one,
    subjects,
    table,
)


def test_a_member_list_says_who_is_enrolled_with_the_provider(tmp_path: Path) -> None:
    of = feed("mif", provider=PROVIDER, organization="Organization/plan")
    path = book(tmp_path / "a.xlsx", {"CS MIF": table(MIF), "RTF": [["MRN"]]})
    rows, rejects, wholes = given(path, of)
    persons, resources = mapped(rows, of)
    (person,) = persons
    assert [(r.code, r.column, r.severity) for r in rejects] == [("HEADER_UNKNOWN", "Tier", "warning")]
    assert wholes == []
    assert person.strong == {CIN_SYSTEM: "cin", f"{SYSTEM}/mrn": "mrn"}
    assert not person.owner
    assert [i["value"] for i in person.patient["identifier"]] == ["91234567A", "MRN-0001"]
    assert person.patient["birthDate"] == "1980-05-01"
    assert person.patient["gender"] == "female"
    assert person.patient["address"][0]["postalCode"] == "90000"
    episode = one(resources, "EpisodeOfCare")
    assert episode["status"] == "planned"
    assert episode["period"] == {"start": "2026-01-01", "end": "2026-06-30"}
    assert episode["managingOrganization"]["reference"] == f"Organization?identifier={US_NPI}|{PROVIDER}"
    assert one(resources, "Coverage")["payor"] == [{"reference": "Organization/plan"}]
    assert rows[0].values["_more"] == {"Tier": "2"}


def test_the_panel_holds_all_whom_the_plan_assigned_and_says_who_is_gone(tmp_path: Path) -> None:
    of = feed("mif", provider=PROVIDER)
    second = {**MIF, "MCP_CIN": "92345678C", "Medical Record Number (MRN)": "MRN-0002"}
    rows, _, _ = given(book(tmp_path / "a.xlsx", {"MIF": table(MIF, second)}), of)
    gone = [Row(r.kind, r.key, r.subject, r.values, r.line, r.stage, deleted=r.key.endswith("8C")) for r in rows]
    group = one(mapped(gone, of)[1], "Group")
    assert [m["inactive"] for m in group["member"]] == [False, True]
    assert group["quantity"] == 1
    assert group["managingEntity"]["reference"].endswith(PROVIDER)
    assert group["member"][0]["entity"]["reference"] == f"Patient?identifier={CIN_SYSTEM}|91234567A"
    assert group["member"][0]["period"] == {"start": "2026-01-01", "end": "2026-06-30"}


def test_only_a_list_that_is_whole_says_that_others_are_gone(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"MIF": table(MIF)})
    assert given(path, feed("mif"))[2] == []
    assert given(path, feed("mif", list="whole"))[2] == [Whole(frozenset(("mif", "panel")))]


def test_a_whole_list_with_a_bad_row_says_of_nobody_that_they_are_gone(tmp_path: Path) -> None:
    """The bad row may be the one that names them."""
    bad = MIF | {"MCP_CIN": "92345678C", "Member Date of Birth": "02/30/1980"}
    path = book(tmp_path / "a.xlsx", {"MIF": table(MIF, bad)})
    rows, rejects, wholes = given(path, feed("mif", list="whole"))
    assert wholes == []
    assert "NOT_WHOLE" in [one.code for one in rejects]
    assert len([one for one in rows if one.kind == "mif"]) == 1


def test_who_was_taken_back_is_enrolled_no_more(tmp_path: Path) -> None:
    of = feed("mif", provider=PROVIDER)
    rows, _, _ = given(book(tmp_path / "a.xlsx", {"MIF": table(MIF)}), of)
    gone = [Row(r.kind, r.key, r.subject, r.values, r.line, r.stage, deleted=True) for r in rows]
    resources = mapped(gone, of)[1]
    assert one(resources, "EpisodeOfCare")["status"] == "finished"
    assert one(resources, "CareTeam")["status"] == "inactive"
    assert one(resources, "Coverage")["status"] == "cancelled"


def test_a_member_without_cin_is_known_by_the_plans_record_number(tmp_path: Path) -> None:
    of = feed("mif", mrn_system="urn:plan:mrn", provider=PROVIDER)
    rows, _, _ = given(book(tmp_path / "a.xlsx", {"MIF": table({**MIF, "MCP_CIN": None})}), of)
    persons, resources = mapped(rows, of)
    assert persons[0].strong["urn:plan:mrn"] == "mrn"
    member = one(resources, "Group")["member"][0]
    assert member["entity"]["reference"] == "Patient?identifier=urn:plan:mrn|MRN-0001"


def test_the_plans_word_counts_for_everybody_only_where_its_feed_says_so(tmp_path: Path) -> None:
    of = feed("mif", owner=True)
    rows, _, _ = given(book(tmp_path / "a.xlsx", {"MIF": table(MIF)}), of)
    assert mapped(rows, of)[0][0].owner


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        ({"MCP_CIN": "12345"}, "IDENTIFIER", "error"),
        ({"MCP_CIN": "91234567B"}, "IDENTIFIER", "warning"),
        ({"MCP_CIN": "01234567A"}, "IDENTIFIER", "warning"),
        ({"Member Date of Birth": "31/12/1980"}, "DATE", "error"),
        ({"Member Date of Birth": "01/01/2199"}, "DATE", "error"),
        ({"Member Last Name": None}, "REQUIRED", "error"),
        ({"MCP_CIN": None, "Medical Record Number (MRN)": None}, "REQUIRED", "error"),
        ({"Referring Organization": "x" * 501}, "LENGTH", "error"),
    ],
)
def test_a_bad_cell_costs_its_row(tmp_path: Path, change: dict[str, object], code: str, severity: str) -> None:
    good = {**MIF, "Referring Organization": "Example Shelter", "MCP_CIN": "92345678C"}
    rows, rejects, _ = given(book(tmp_path / "a.xlsx", {"MIF": table(good, {**good, **change})}), feed("mif"))
    told = [r for r in rejects if r.code != "HEADER_UNKNOWN"]
    assert [(r.code, r.severity, r.line) for r in told] == [(code, severity, 3)]
    assert len(rows) == (1 if severity == "error" else 2)
    assert not any("x" * 20 in r.what or "12345" in r.what for r in told)


@pytest.mark.parametrize(
    ("written", "day"), [("29342", "1980-05-01"), ("1980-05-01", "1980-05-01"), ("5/1/1980", "1980-05-01")]
)
def test_a_date_is_a_serial_or_text(tmp_path: Path, written: str, day: str) -> None:
    number = int(written) if written.isdigit() else written
    rows, _, _ = given(
        book(tmp_path / "a.xlsx", {"MIF": table({**MIF, "Member Date of Birth": number})}), feed("mif")
    )
    assert rows[0].values["birth_date"] == day


def test_the_header_may_stand_under_titles_and_the_file_may_be_csv(tmp_path: Path) -> None:
    header, row = table(MIF)
    titled = book(tmp_path / "a.xlsx", {"MIF": [["Example Health Plan"], [], ["November"], header, row]})
    rows, rejects, _ = given(titled, feed("mif"))
    assert (rows[0].values["cin"], rows[0].line, len(rejects)) == ("91234567A", 5, 1)
    plain = tmp_path / "a.csv"
    plain.write_text(",".join(header) + "\n" + ",".join(map(str, row)) + "\n", encoding="utf-8")
    assert given(plain, feed("mif"))[0][0].values["cin"] == "91234567A"


def test_a_file_without_a_known_header_names_what_the_nearest_layout_lacks(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"MIF": [["Member First Name", "Shoe Size"], ["Inventia", "39"]]})
    (reject,) = given(path, feed("mif"))[1]
    assert reject.code == "LAYOUT_UNKNOWN"
    assert reject.whole
    assert "Shoe Size" in reject.what
    assert "Member Last Name" in reject.what


def test_a_file_without_any_header_tells_nothing_of_its_rows(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", {"MIF": [["Inventia", "Samplewood", "91234567A"]]})
    (reject,) = given(path, feed("mif"))[1]
    assert reject.code == "LAYOUT_UNKNOWN"
    assert "Samplewood" not in reject.what


def test_a_code_that_no_table_has_makes_the_member_wait_and_goes_on_when_a_local_layout_has_it(
    tmp_path: Path,
) -> None:
    of = feed("mif", layouts=str(tmp_path))
    rows, _, _ = given(book(tmp_path / "a.xlsx", {"MIF": table({**MIF, "Member Gender Code": "X9"})}), of)
    (subject,) = [s for s in subjects(rows, of) if s.key.startswith("member/")]
    kind = KINDS["mif"]
    with pytest.raises(Exception, match="X9") as caught:
        kind.resources(subject, "Patient/one")
    assert caught.type.__name__ == "Unmapped"
    assert kind.has_code is not None
    assert not kind.has_code(of, "ils-mif/gender", "X9")
    (tmp_path / "ils-mif-local.toml").write_text('extends = "ils-mif"\n[codes.gender]\nX9 = "other"\n')
    assert not kind.has_code(of, "ils-mif/gender", "X9")  # another layout
    (tmp_path / "ils-mif-local.toml").rename(tmp_path / "other.toml")
    (tmp_path / "ils-mif.toml").write_text('extends = "ils-mif"\n[codes.gender]\nX9 = "other"\n')
    assert kind.has_code(of, "ils-mif/gender", "X9")
    assert mapped(rows, of)[0][0].patient["gender"] == "other"
