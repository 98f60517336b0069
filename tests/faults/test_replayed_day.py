"""R21: a day comes again, every message, file and request of it: nothing changes, nobody is told anything again."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select, text

from adapters.adt.mllp_client import acknowledged, send
from hub.store.engine import Database
from hub.store.tables import resource
from tests.flows import stories
from tests.flows.hub_process import running
from tests.flows.partners import receiving, register
from tests.flows.test_files_arrive import FEEDS, PROGRAM, ROWS, content
from tests.waiting import until

MEMBERS = 6
PATIENCE = 60.0


def day() -> list[bytes]:
    """Admissions and discharges, and an update between them."""
    said = [(event, n) for event in ("A01", "A08", "A03") for n in range(MEMBERS)]
    return [stories.adt(event, f"{event}-{n}", visit=f"VD{n}", cin=f"9{n:07d}C").encode() for event, n in said]


def snapshot(database: Database) -> dict[str, Any]:
    """All versions of all resources, what came in, and what was to go out."""
    with database.read() as connection:
        stood = connection.execute(select(resource.c.type, resource.c.id, resource.c.version)).all()
        return {
            "resources": sorted(tuple(row) for row in stood),
            "history": connection.execute(text("SELECT count(*) FROM history")).scalar_one(),
            "inbox": sorted(map(tuple, connection.execute(text("SELECT control_id, state FROM inbox")))),
            "outbox": sorted(map(tuple, connection.execute(text("SELECT kind, key, state FROM outbox")))),
        }


def at_rest(database: Database) -> bool:
    waits = "SELECT (SELECT count(*) FROM inbox WHERE state = 'received') + (SELECT count(*) FROM outbox {})"
    with database.read() as connection:
        return connection.execute(text(waits.format("WHERE state = 'waiting' AND due < 9e18"))).scalar_one() == 0


@pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.long])],
    indirect=True,
)
def test_a_day_that_comes_again_changes_nothing_and_tells_nobody(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    (tmp_path / "feeds.toml").write_text(FEEDS)
    with (
        receiving() as receiver,
        running(
            tmp_path, database_url, HUB_FEEDS_FILE=str(tmp_path / "feeds.toml"), HUB_WEBHOOK_HOSTS=receiver.host
        ) as hub,
    ):
        custodian = {"Authorization": f"Bearer {register(hub, 'custodian').token(hub)}"}
        scope = "system/Binary.cr"
        known = register(hub, "county", "county-behavioral-health", scope)
        county = {"Authorization": f"Bearer {known.token(hub, scope)}"}

        def post(path: str, body: Any, key: str) -> int:
            headers = custodian | {"Content-Type": "application/fhir+json", "Idempotency-Key": key}
            return requests.post(f"{hub.fhir}{path}", json.dumps(body), headers=headers, timeout=20).status_code

        def comes() -> list[Any]:
            answers: list[Any] = [acknowledged(send("127.0.0.1", hub.mllp_port, raw, 10))[0] for raw in day()]
            answers.append(post("/Organization", PROGRAM, "the-programme"))
            answers.append(post("", stories.member_and_care_plan(), "the-member"))
            headers = county | {
                "Content-Type": "text/csv",
                "Content-Disposition": 'attachment; filename="april.csv"',
            }
            sent = requests.post(f"{hub.base}/files/example-county", content(*ROWS), headers=headers, timeout=20)
            return [*answers, sent.status_code]

        for topic in (stories.ADMISSION, stories.DISCHARGE):
            asked = stories.subscription(topic, receiver.url)
            del asked["_criteria"]
            requests.post(f"{hub.fhir}/Subscription", json=asked, headers=custodian, timeout=20).raise_for_status()
        receiver.wait_for(2)
        database = Database(database_url)
        assert comes() == ["AA"] * 3 * MEMBERS + [201, 200, 202]
        receiver.events(count=2 * MEMBERS, seconds=PATIENCE)
        until(lambda: at_rest(database) and len(snapshot(database)["inbox"]) >= 3 * MEMBERS)
        until(lambda: any(kind == "EpisodeOfCare" for kind, _, _ in snapshot(database)["resources"]))
        until(lambda: at_rest(database))
        before, heard = snapshot(database), len(receiver.got)
        assert comes() == ["AA"] * 3 * MEMBERS + [201, 200, 200]
        told = hub.command("inbox", "replay", "--state", "processed", "--processed")
        assert f"{3 * MEMBERS + 1} messages" in told, "the file is one, too"
        time.sleep(1)
        until(lambda: at_rest(database))
        assert snapshot(database) == before
        assert len(receiver.got) == heard
        database.close()
