"""The hub itself speaks https: TLS 1.2 and 1.3, with a client's certificate where it wants one."""

import socket
import ssl
from pathlib import Path

import pytest
import requests

from tests.certificates import Authority, trusting
from tests.flows.hub_process import HubProcess


def secured(folder: Path, authority: Authority, **settings: str) -> HubProcess:
    papers = authority.sign("web")
    hub = HubProcess(folder, HUB_TLS_CERT=str(papers.cert), HUB_TLS_KEY=str(papers.key), **settings)
    hub.base = hub.base.replace("http:", "https:")
    hub.fhir = f"{hub.base}/fhir"
    hub.command("migrate")
    return hub


def test_the_hub_answers_https_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path / "papers", "county")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.cert))
    hub = secured(tmp_path, authority)
    hub.start("--web")
    try:
        answer = requests.get(f"{hub.fhir}/metadata", timeout=5)
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"
        assert hub.fhir in answer.text
        assert answer.headers.get("Server", "") in ("", "granian")  # no version
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{hub.http_port}/fhir/metadata", timeout=5)
        for version, accepted in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
            assert shakes_hands(hub.http_port, authority, version) == accepted
    finally:
        hub.stop()


def shakes_hands(port: int, authority: Authority, version: ssl.TLSVersion) -> bool:
    context = trusting(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            context.wrap_socket(plain, server_hostname="127.0.0.1").close()
    except OSError:
        return False
    return True


def test_with_authorities_nobody_asks_without_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "papers", "county")
    hub = secured(tmp_path, authority, HUB_TLS_CLIENT_CA=str(authority.cert))
    ours = authority.sign("plan", "plan.example")
    hub._answers = lambda roles: _listens(hub.http_port)  # type: ignore[method-assign]
    hub.start("--web")
    try:
        session = requests.Session()
        session.trust_env, session.verify = False, str(authority.cert)
        with pytest.raises(requests.ConnectionError):
            session.get(f"{hub.fhir}/metadata", timeout=5)
        session.cert = (str(ours.cert), str(ours.key))
        assert session.get(f"{hub.fhir}/metadata", timeout=5).status_code == 200
    finally:
        hub.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"HUB_TLS_CERT": "here"}, "go together"),
        ({"HUB_TLS_CLIENT_CA": "here"}, "needs both"),
        ({"HUB_TLS_CERT": "gone", "HUB_TLS_KEY": "gone"}, "cannot be used"),
        ({"HUB_MLLP_TLS_KEY": "here"}, "go together"),
        ({"HUB_MLLP_TLS_CERT": "gone", "HUB_MLLP_TLS_KEY": "gone"}, "cannot be opened or secured"),
        ({"HUB_MLLP_SENDERS": "gone"}, "cannot be opened or secured"),
    ],
)
def test_the_hub_does_not_start_half_secured(tmp_path: Path, settings: dict[str, str], says: str) -> None:
    hub = HubProcess(tmp_path, **settings)
    hub.command("migrate")
    assert says in hub.command("serve", check=False)
