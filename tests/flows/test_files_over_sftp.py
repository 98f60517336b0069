"""A plan's 834 comes from its SFTP server, the 999 goes back there, and an EHR reads who is a member."""

import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.adapters.files import conftest
from tests.adapters.files.conftest import SftpServer
from tests.adapters.plan.made_834 import body, cin, coverage, member
from tests.adapters.x12.made import file_834, text
from tests.flows.hub_process import running
from tests.flows.partners import register

sftp_server = conftest.sftp_server  # the fixture
CIN_SYSTEM = "https://calaim-hub.example/fhir/sid/medi-cal-cin"


def feeds(server: SftpServer) -> str:
    table = server.table()
    lines = [
        f"{name} = {value if isinstance(value, int) else chr(34) + value + chr(34)}"
        for name, value in table.items()
    ]
    return "\n".join(["[feeds.example-plan]", 'kind = "plan-834"', "[feeds.example-plan.sftp]", *lines])


def test_an_834_is_fetched_answered_and_read_by_an_ehr(
    database_url: str, tmp_path: Path, sftp_server: SftpServer
) -> None:
    (tmp_path / "feeds.toml").write_text(feeds(sftp_server))
    sent = text(file_834(body([member(1, coverages=[coverage()]), member(2, coverages=[coverage()])])))
    (sftp_server.root / "in" / "nov.834").write_bytes(sent)
    more = {"HUB_FEEDS_FILE": str(tmp_path / "feeds.toml"), "HUB_FILES_EVERY_SECONDS": "1"}
    with running(tmp_path, database_url, **more) as hub:
        reader = {"Authorization": f"Bearer {register(hub, 'custodian').token(hub)}"}

        def members() -> int:
            asked = f"{hub.fhir}/Patient?identifier={CIN_SYSTEM}|{cin(1)},{CIN_SYSTEM}|{cin(2)}"
            return len(requests.get(asked, headers=reader, timeout=20).json().get("entry", ()))

        until(lambda: members() == 2)
        until(lambda: "nov.834.999" in sftp_server.names("out"))
        until(lambda: sftp_server.names("archive") == ["nov.834"])
        assert sftp_server.names("in") == []
        answer = (sftp_server.root / "out" / "nov.834.999").read_text()
        assert answer.startswith("ISA*")
        assert "AK9*A*1*1*1" in answer


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
