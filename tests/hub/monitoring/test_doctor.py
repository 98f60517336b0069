"""`hub doctor` names what is wrong and what helps, `hub config check` every fault of the settings at once."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from msgspec.structs import replace
from sqlalchemy import insert, text
from typer.testing import CliRunner

from hub.access import Access
from hub.audit import store
from hub.audit.journal import Journal
from hub.audit.record import encoded
from hub.clock import micros, now
from hub.fhir.systems import CLOCK_STATE, REFERRAL_CLOCK
from hub.monitoring.checks import INBOX, Patient, checks
from hub.monitoring.config import config_commands, faults, shown, warnings
from hub.monitoring.doctor import FAIL, OK, WARN, Finding, add_doctor, examined
from hub.monitoring.gauges import Node
from hub.problems import CannotStart
from hub.referrals.clock_table import CLOCKS
from hub.settings import read_settings
from hub.store.engine import Database
from hub.store.tables import inbox, outbox
from hub.store.tables_bulk import bulk_job
from hub.transactions import Transactions, single
from tests.certificates import Authority
from tests.hub.audit.records import pend, record

RUNBOOK = Path(__file__).resolve().parents[3] / "docs" / "runbook.md"


def looked(database: Database, folder: Path, **certificates: Path) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for name, finding in examined(checks(Patient(Node(database, folder, CLOCKS), certificates))):
        found.setdefault(name, []).append(finding)
    return found


def levels(findings: list[Finding]) -> set[str]:
    return {one.level for one in findings}


def test_all_is_well(database: Database, tmp_path: Path) -> None:
    found = looked(database, tmp_path)
    assert set(found) == {"database", "disk", "clock", "certificates", "work", "audit"}
    assert FAIL not in {one.level for each in found.values() for one in each}
    assert levels(found["work"]) == {OK}


def test_stuck_work_is_named_with_what_helps(database: Database, tmp_path: Path) -> None:
    old = micros(now()) - 3_600_000_000
    row = {"source": "adt", "feed": "F", "digest": b"", "raw": b"", "received": old}
    work = {"kind": "notice", "payload": b"{}", "due": old, "created": 1}
    with database.write() as connection:
        for state in ("received", *INBOX):
            connection.execute(insert(inbox).values(control_id=state, state=state, **row))
        connection.execute(insert(outbox).values(key="one", state="dead", **work))
    found = {one.text: one for one in looked(database, tmp_path)["work"]}
    assert found["inbox: 1 dead"].level == FAIL
    assert found["inbox: 1 unmapped"].level == WARN
    assert found["outbox: 1 of notice given up"].level == FAIL
    assert any(text.startswith("inbox: the oldest work waits 3600") for text in found)
    headings = {line.lstrip("# ") for line in RUNBOOK.read_text().splitlines() if line.startswith("#")}
    assert {one.todo for one in found.values() if one.todo} <= headings
    assert {
        "The clocks disagree",
        "TLS and who may connect",
        "The disk is full",
        "A webhook receiver is down",
        "Records do not join the audit",
    } <= headings


def test_jobs_that_failed_and_deadlines_that_passed_are_told(database: Database, tmp_path: Path) -> None:
    with database.write() as connection:
        failed = {
            "id": "j" * 32,
            "kind": "export",
            "client": "c",
            "state": "failed",
            "asked": "{}",
            "position": "{}",
        }
        connection.execute(insert(bulk_job).values(**failed, created=1, due=1, expires=1))
    task = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": REFERRAL_CLOCK, "code": CLOCKS[0].name}]},
        "meta": {"tag": [{"system": CLOCK_STATE, "code": "late"}]},
    }
    hub = Transactions(database, lambda *_: (), lambda changes: (), "https://hub.example/fhir")
    hub.commit([single("POST", "Task", resource=task)], Access.system("test"))
    found = {one.text: one for one in looked(database, tmp_path)["work"]}
    assert found["bulk jobs: 1 export failed"].todo == "Bulk jobs"
    assert found[f"clocks: 1 of {CLOCKS[0].name} late"].todo == "Referrals and their clocks"


def test_journals_that_nobody_moves_or_reads_are_told(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    folder.mkdir()
    assert levels(looked(database, tmp_path)["audit"]) == {OK}
    for number in range(17):
        (folder / f"{number}.journal").write_bytes(b"record")
    assert levels(looked(database, tmp_path)["audit"]) == {OK, WARN}
    (folder / "1.damaged").write_bytes(b"?")
    assert levels(looked(database, tmp_path)["audit"]) == {OK, FAIL, WARN}


def test_records_that_nobody_moves_are_told_by_their_age(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    at = micros(now())
    recent, old = (replace(record(), at=at - seconds * 1_000_000) for seconds in (5, 90))
    mine = Journal(folder)
    mine.append(encoded(recent))
    assert levels(looked(database, tmp_path)["audit"]) == {OK}
    pend(database, old)
    findings = [one for one in looked(database, tmp_path)["audit"] if one.level == WARN]
    assert [one.todo for one in findings] == ["Records do not join the audit"]
    store.move_all(database, folder)
    mine.append(encoded(old))
    assert levels(looked(database, tmp_path)["audit"]) == {OK, WARN}
    store.move_all(database, folder)
    assert levels(looked(database, tmp_path)["audit"]) == {OK}


def test_room_for_files_is_looked_at_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(tmp_path)
    values = list(real[:10])
    values[5], values[7] = 1000, 10  # f_files, f_favail
    monkeypatch.setattr(os, "statvfs", lambda folder: os.statvfs_result(values))
    found = looked(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"), tmp_path)
    assert FAIL in levels(found["disk"])
    assert any("more files fit" in one.text for one in found["disk"])


def test_another_schema_fails(database: Database, tmp_path: Path) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert FAIL in levels(looked(database, tmp_path)["database"])


def test_a_database_that_is_gone_is_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    found = looked(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"), tmp_path)
    assert levels(found["database"]) == {FAIL}
    assert levels(found["certificates"]) == {OK}


@pytest.mark.parametrize(("days", "level"), [(90, OK), (20, WARN), (10, WARN), (2, FAIL), (-1, FAIL)])
def test_certificates_are_told_before_they_end(
    days: int, level: str, tmp_path: Path, migrated_sqlite: Path
) -> None:
    papers = Authority(tmp_path, "invented").sign("hub")
    at = papers.certificate.not_valid_after_utc - timedelta(days=days, hours=1)
    node = Node(Database(f"sqlite:///{migrated_sqlite}"), tmp_path, CLOCKS)
    found = examined(checks(Patient(node, {"HUB_TLS_CERT": papers.cert}, lambda: at)))
    told = [finding for name, finding in found if name == "certificates"]
    assert {finding.level for finding in told} == {level}
    assert [finding.text.endswith("renew it now") for finding in told] == [days < 14]


def test_what_is_no_certificate_fails(tmp_path: Path, migrated_sqlite: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    found = looked(Database(f"sqlite:///{migrated_sqlite}"), tmp_path, HUB_TLS_CERT=tmp_path / "x.pem")
    assert levels(found["certificates"]) == {FAIL}


def test_the_exit_code_says_whether_something_fails(database: Database, tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    add_doctor(app, lambda: checks(Patient(Node(database, tmp_path, CLOCKS), {})))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 0
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    done = CliRunner().invoke(app, ["doctor"])
    assert (done.exit_code, "hub migrate" in done.output) == (1, True)


def test_every_fault_of_the_settings_is_told_at_once() -> None:
    wrong = {"HUB_HTTP_PORT": "http", "HUB_PAGE_SIZE": "-1", "HUB_METRICS_TOKEN": "short"}
    assert {text.partition(" ")[0] for text in faults(wrong)} == set(wrong)
    assert not any("short" in text for text in faults(wrong))


@pytest.mark.parametrize(
    ("environment", "told"),
    [({"HUB_HTPT_PORT": "1"}, "HUB_HTPT_PORT is no setting"),
     ({"HUB_HTTP_HOST": "0.0.0.0"}, "HUB_HTTP_HOST is reached by others"),
     ({"HUB_HTTP_HOST": "10.0.0.1"}, "HUB_BASE_URL is http"),
     ({"HUB_MLLP_HOST": "0.0.0.0"}, "HUB_MLLP_HOST is reached by others, without HUB_MLLP_SENDERS"),
     ({"HUB_FACILITIES_FILE": "/nowhere/facilities.csv"}, "HUB_FACILITIES_FILE names a file that is not there")],
)  # fmt: skip
def test_what_is_seldom_meant_is_told(environment: dict[str, str], told: str) -> None:
    assert any(text.startswith(told) for text in warnings(environment, read_settings(environment)))


def test_senders_that_are_known_are_no_warning() -> None:
    known = {"HUB_MLLP_HOST": "0.0.0.0", "HUB_MLLP_SENDERS": "senders.csv"}
    assert not any("SENDERS: " in text for text in warnings(known, read_settings(known)))


def test_loopback_without_tls_is_no_warning() -> None:
    assert list(warnings({}, read_settings({}))) == []


def test_secrets_are_not_shown() -> None:
    assert shown("HUB_SECRET_KEY", "k" * 32) == "(set)"
    assert shown("HUB_METRICS_TOKEN", "k" * 32) == "(set)"
    assert "pass" not in shown("HUB_DATABASE_URL", "postgresql+psycopg://user:pass@host/name")


def test_a_hub_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses() -> None:
        raise CannotStart("The database has not this release's schema")

    done = CliRunner().invoke(config_commands(refuses), ["check"])
    assert (done.exit_code, "FAIL  The database has not" in done.output) == (1, True)
    assert CliRunner().invoke(config_commands(lambda: None), ["check"]).exit_code == 0
    monkeypatch.setenv("HUB_SECRET_KEY", "a secret that nobody is shown, never")
    monkeypatch.setenv("HUB_HTTP_PORT", "8081")
    told = CliRunner().invoke(config_commands(lambda: None), ["show"]).output
    assert "HUB_SECRET_KEY=(set)" in told
    assert "HUB_HTTP_PORT=8081" in told
