"""What keeps the hub from starting is said in a sentence; a client can be switched off and on."""

import socket
from pathlib import Path

from tests.flows.hub_process import HubProcess
from tests.flows.partners import register


def test_a_hub_without_its_schema_says_so_and_does_not_start(tmp_path: Path) -> None:
    said = HubProcess(tmp_path).command("serve", check=False)
    assert "hub migrate" in said
    assert "Traceback" not in said


def test_a_hub_does_not_share_a_port_that_is_taken(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    hub.command("migrate")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", hub.http_port))
        taken.listen()
        said = hub.command("serve", "--web", check=False)
    assert "cannot be listened on" in said
    assert "Traceback" not in said


def test_a_disabled_client_comes_back_with_enable(tmp_path: Path) -> None:
    hub = HubProcess(tmp_path)
    hub.command("migrate")
    register(hub, "harbor-ehr", "ehr")
    hub.command("clients", "disable", "harbor-ehr")
    assert "disabled" in hub.command("clients", "list")
    hub.command("clients", "enable", "harbor-ehr")
    assert "disabled" not in hub.command("clients", "list")
