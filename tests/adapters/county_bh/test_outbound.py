"""What goes back to a county: what it may see of its clients' care, as it may leave, and nothing else."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.county_bh.outbound import Changes
from auth import scopes
from auth.clients import Client
from auth.sights import access_for
from fhir_mappings.county_bh.care_csv import COLUMNS, care_row
from hub import clock
from hub.fhir.systems import CARE_TEAM_ROLE, OWN
from hub.rights.part2 import NOTICE
from hub.store.engine import Database
from hub.store.read import Stored
from tests.adapters.county_bh.world import NPI, SYSTEM, World, table, world
from tests.hub.asking import BASE

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
STATUS = (
    "cin,county_client_number,last,first,dob,system,status,open_date,close_date,part2_program,as_of,"
    "provider_org_npi"
)
ALDER = f"91234567A,1001,Testperson-Alder,Robin,1980-02-15,SMHS,open,2026-03-02,,N,2026-04-01,{NPI['detox']}"
CONSENT = (
    "consent_id,county_client_number,form,discloser,information,recipient_npi,purpose,expires_on,signer,signed_on"
)
COUNTY_NPI = "1093817462"
BEGINNING = 0


@pytest.fixture
def hub(database: Database, tmp_path: Path) -> World:
    """Alder is a client of the county, Birch is not."""
    made = world(database, tmp_path)
    county = {"resourceType": "Organization", "id": "county", "name": "Invented county", "active": True}
    made.have(county | {"identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": COUNTY_NPI}]})
    for name, cin in (("alder", "91234567A"), ("birch", "92345678C")):
        who = {"name": [{"family": f"Testperson-{name.title()}", "given": ["Robin"]}], "birthDate": "1980-02-15"}
        made.member({"resourceType": "Patient", "id": name, "identifier": [_cin(cin)], **who})
    made.load("county", table(STATUS, ALDER), "status.csv")
    return made


def _cin(value: str) -> dict[str, str]:
    return {"system": f"{OWN}sid/medi-cal-cin", "value": value}


def plan(patient: str, identity: str = "", *labels: str, **parts: Any) -> dict[str, Any]:
    security = {"meta": {"security": [{"system": ACT, "code": code} for code in labels]}} if labels else {}
    about = {"resourceType": "CarePlan", "id": identity or f"plan-{patient}", "status": "active", "intent": "plan"}
    return about | {"subject": {"reference": f"Patient/{patient}"}} | security | parts


def team(patient: str) -> dict[str, Any]:
    lead = {"coding": [{"system": CARE_TEAM_ROLE, "code": "lead-care-manager"}]}
    member = {"reference": "Practitioner/lead", "display": "Coordina Samplewood"}
    about = {"resourceType": "CareTeam", "id": f"team-{patient}", "status": "active", "name": "Invented team"}
    return about | {
        "subject": {"reference": f"Patient/{patient}"},
        "participant": [{"role": [lead], "member": member}],
    }


def changes(hub: World, told: list[Stored] | None = None) -> Changes:
    client = Client("county", "County", "county-behavioral-health", organization="Organization/county")
    access = access_for(client, scopes.parse("system/*.rs"), base=BASE)

    def tell(rows: Sequence[Stored]) -> None:
        if told is not None:
            told.extend(rows)

    return Changes(hub.database, access, BASE, SYSTEM, tell)


def lines(hub: World, since: int = BEGINNING) -> list[dict[str, Any]]:
    out = io.BytesIO()
    count = changes(hub).ndjson(since, clock.micros(clock.now()), out)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(found) == count
    return found


def rows(hub: World) -> list[dict[str, str]]:
    out = io.BytesIO()
    changes(hub).csv(BEGINNING, clock.micros(clock.now()), out)
    return list(csv.DictReader(io.StringIO(out.getvalue().decode(), newline="")))


def ids(found: list[dict[str, Any]]) -> set[str]:
    return {one["id"] for one in found if one["id"].startswith(("plan", "team"))}


def test_changes_of_its_clients_care_go_to_the_county(hub: World) -> None:
    hub.have(plan("alder"), team("alder"))
    assert ids(lines(hub)) == {"plan-alder", "team-alder"}


def test_other_peoples_do_not(hub: World) -> None:
    hub.have(plan("birch"), team("birch"))
    assert ids(lines(hub)) == set()


def test_only_what_changed_since_goes(hub: World) -> None:
    hub.have(plan("alder"))
    since = clock.micros(clock.now())
    assert ids(lines(hub, since)) == set()
    hub.have(plan("alder", title="Changed"))
    assert ids(lines(hub, since)) == {"plan-alder"}


def test_a_program_record_goes_with_consent_only_and_then_with_the_notice(hub: World) -> None:
    hub.have(plan("alder", "plan-detox", "42CFRPart2"))
    assert ids(lines(hub)) == set()
    granted = f"C-1,1001,part2-named-recipient,general,42CFRPart2,{COUNTY_NPI},TREAT,2030-01-01,patient,2026-03-01"
    assert hub.load("county-consent", table(CONSENT, granted), "consent.csv").counts["rejected"] == 0
    assert ids(lines(hub)) == {"plan-detox"}
    (row,) = [row for row in rows(hub) if row["id"] == "plan-detox"]
    assert row["notice"] == NOTICE
    assert row["consents"].startswith("Consent/")


def test_a_row_of_the_table_says_who_and_what(hub: World) -> None:
    hub.have(plan("alder", title="Invented plan", period={"start": "2026-01-01"}), team("alder"))
    found = {row["id"]: row for row in rows(hub)}
    assert found["plan-alder"] | {"version": "", "changed": "", "labels": ""} == dict.fromkeys(COLUMNS, "") | {
        "what": "care-plan",
        "id": "plan-alder",
        "county_client_number": "1001",
        "cin": "91234567A",
        "status": "active",
        "start": "2026-01-01",
        "title": "Invented plan",
    }
    assert found["team-alder"]["lead_care_manager"] == "Coordina Samplewood"


def test_every_disclosure_is_told_before_it_happens(hub: World) -> None:
    hub.have(plan("alder"))
    told: list[Stored] = []
    out = io.BytesIO()
    changes(hub, told).csv(BEGINNING, clock.micros(clock.now()), out)
    assert {"plan-alder", "alder"} <= {row.id for row in told}


def test_nothing_leaves_that_cannot_be_recorded(hub: World) -> None:
    hub.have(plan("alder"))

    def cannot(rows: Sequence[Stored]) -> None:
        raise OSError("the journal is full")

    made = changes(hub)
    out = io.BytesIO()
    with pytest.raises(OSError, match="journal"):
        Changes(made.database, made.access, BASE, SYSTEM, cannot).ndjson(BEGINNING, clock.micros(clock.now()), out)
    assert out.getvalue() == b""


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_cell_that_looks_like_a_formula_is_text(title: str) -> None:
    resource = {"resourceType": "CarePlan", "id": "1", "title": title}
    assert care_row(resource, {}, SYSTEM, NOTICE)["title"] == f"'{title}"
