"""kill -9 in the middle of an export and of an import: each goes on where it was, on a hub that is started again.

The hub is killed as soon as its job says that it is somewhere in its middle; what then stands in the manifest is
all of it, and each resource once.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.flows.hub_process import HubProcess
from tests.flows.partners import Partner, register

MEMBERS = 3000
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.long])])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").create_database("bulk_kill_nine", "migrated")
    made = HubProcess(tmp_path, url, HUB_RATE_PER_SECOND="0")
    made.command("migrate")
    made.start()
    yield made
    made.stop()


def asked(hub: HubProcess, partner: Partner, method: str, path: str, **parts: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {partner.token(hub)}", **parts.pop("headers", {})}
    return requests.request(method, f"{hub.fhir}{path}", headers=headers, timeout=30, **parts)


def lines(count: int) -> bytes:
    return b"".join(
        json.dumps({"resourceType": "Patient", "id": f"p{n}", "active": True}).encode() + b"\n"
        for n in range(count)
    )


def begun(hub: HubProcess, answer: requests.Response) -> str:
    assert answer.status_code == 202, answer.text
    return answer.headers["Content-Location"].removeprefix(hub.fhir)


def done(hub: HubProcess, partner: Partner, job: str) -> dict[str, Any]:
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        answer = asked(hub, partner, "GET", job)
        if answer.status_code == 200:
            found: dict[str, Any] = answer.json()
            return found
        assert answer.status_code == 202, answer.text
        time.sleep(int(answer.headers["Retry-After"]))
    raise AssertionError("the job does not end")


def killed_in_its_middle(hub: HubProcess, partner: Partner, job: str) -> None:
    """kill -9 when something of it is done, if the machine lets us see that; started again."""
    for _ in range(40):
        answer = asked(hub, partner, "GET", job)
        if answer.status_code == 200 or answer.headers.get("X-Progress", "0 ")[:2] != "0 ":
            break
        time.sleep(0.3)
    hub.kill()
    hub.start()


def test_nothing_is_lost_and_nothing_comes_twice(hub: HubProcess) -> None:
    partner = register(hub, "loader")
    headers = {**ASYNC, "Content-Type": "application/fhir+ndjson"}
    posted = asked(hub, partner, "POST", "/$import", data=lines(MEMBERS), headers=headers)
    job = begun(hub, posted)
    killed_in_its_middle(hub, partner, job)
    told = done(hub, partner, job)
    assert told["error"] == []
    assert told["output"] == [{"type": "Patient", "count": MEMBERS, "extension": {"created": MEMBERS}}]
    exports(hub, partner)


def exports(hub: HubProcess, partner: Partner) -> None:
    job = begun(hub, asked(hub, partner, "GET", "/$export?_type=Patient", headers=ASYNC))
    killed_in_its_middle(hub, partner, job)
    found: list[str] = []
    for file in done(hub, partner, job)["output"]:
        answer = asked(hub, partner, "GET", file["url"].removeprefix(hub.fhir))
        assert answer.status_code == 200, answer.text
        found += [json.loads(line)["id"] for line in answer.text.splitlines()]
    assert (len(found), set(found)) == (MEMBERS, {f"p{n}" for n in range(MEMBERS)})
